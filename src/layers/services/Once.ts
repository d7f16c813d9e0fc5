import { Context, Duration, Effect } from "effect"
import type { CoderFailure } from "../../schemas/errors/Coder.ts"
import type { IdempotencyKeyReused } from "../../schemas/errors/Idempotency.ts"
import type { KeyUse } from "../../schemas/Idempotency.ts"
import type { Outcome } from "../../schemas/Outcome.ts"
import { IdempotencyKeys, keyUse, type Used } from "../repositories/IdempotencyKeys.ts"
import { makeTurns } from "./InTurn.ts"

/** For how long what was done is known by its key. */
export class KeyLimits extends Context.Reference<KeyLimits>()("fleet-mcp/layers/services/Once/KeyLimits", {
  defaultValue: () => ({
    /** Where no store remembers keys, and what has the name counts as made with the key. */
    knownFor: Duration.hours(24)
  })
}) {}

/** The key of an act that was not done with it before, as far as that is known. */
export interface Keyed {
  readonly use: KeyUse
  /** Whether a store remembers it with what is done. */
  readonly isRemembered: boolean
}

/** An act that may have been done before. */
export interface Act<A, E> {
  /** The caller's; without one, the act is simply done. */
  readonly key: string | undefined
  readonly act: string
  /** All that makes another call another act. */
  readonly args: Readonly<Record<string, string | null>>
  readonly fresh: (keyed: Keyed | undefined) => Effect.Effect<A, E>
  /** What became of it when it was done. */
  readonly replay: (used: Used, use: KeyUse) => Effect.Effect<A, E>
}

/** Words for an act that was done before. */
export const doneBefore = (at: string): string =>
  ` That was done at ${at}, by a call with the same idempotency key; nothing was done now.`

/**
 * Does what a key names once: whoever comes with it again is told what came of that. Equal calls of this process come one
 * after the other; those of others are kept apart where the act is made.
 */
export const makeOnce = Effect.gen(function* () {
  const keys = yield* IdempotencyKeys
  const inTurn = yield* makeTurns

  return <A, E extends { readonly outcome: Outcome }>({
    act,
    args,
    fresh,
    key,
    replay
  }: Act<A, E>): Effect.Effect<A, E | CoderFailure | IdempotencyKeyReused> =>
    Effect.gen(function* () {
      if (key === undefined) return yield* fresh(undefined)
      const use = yield* keyUse(key, act, args)
      /** Somebody else may have done it meanwhile. */
      const orReplay = (error: E) =>
        error.outcome === "not_applied"
          ? Effect.flatMap(keys.look(use), (now) => (now._tag === "Used" ? replay(now, use) : Effect.fail(error)))
          : Effect.fail(error)
      return yield* Effect.gen(function* () {
        const known = yield* keys.look(use)
        if (known._tag === "Used") return yield* replay(known, use)
        return yield* Effect.catchAll(fresh({ use, isRemembered: known._tag === "New" }), orReplay)
      }).pipe(inTurn(use.key))
    })
})
