import { Context, Duration, Effect, MutableRef, Option } from "effect"
import { DeadlineExceeded } from "../../schemas/errors/Coder.ts"
import type { Outcome } from "../../schemas/Outcome.ts"
import { mutation, remaining, TimeLimits, within } from "../time/Deadline.ts"

/** How far the change at hand has come, as its deadline would tell it; none outside of a change. */
class Progress extends Context.Reference<Progress>()("fleet-mcp/layers/services/deadlines/Progress", {
  defaultValue: (): Option.Option<MutableRef.MutableRef<Outcome>> => Option.none()
}) {}

const exceeded = (action: string, time: Duration.Duration, outcome: Outcome) =>
  new DeadlineExceeded({ action, seconds: Duration.toSeconds(time), outcome })

const reached = (outcome: Outcome): Effect.Effect<void> =>
  Effect.map(
    Progress,
    Option.map((progress) => MutableRef.set(progress, outcome))
  )

/** The deadline of a call that only reads; an interruption ends it at once. */
export const reading =
  (action: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | DeadlineExceeded, R> =>
    Effect.flatMap(TimeLimits, ({ read }) => within(read, () => exceeded(action, read, "not_applied"))(effect))

/** The deadline of a call that changes something. Until it sends anything, an interruption ends it at once. */
export const changing =
  (action: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | DeadlineExceeded, R> =>
    Effect.flatMap(TimeLimits, ({ change }) =>
      Effect.suspend(() => {
        const progress = MutableRef.make<Outcome>("not_applied")
        return effect.pipe(
          Effect.provideService(Progress, Option.some(progress)),
          within(change, () => exceeded(action, change, MutableRef.get(progress)))
        )
      })
    )

/**
 * The part of a change that sends and settles, from its first request on: nothing but the call's deadline ends it, and
 * that leaves the outcome open, unless it was seen to take effect.
 */
export const sending =
  (action: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | DeadlineExceeded, R> =>
    Effect.flatMap(Effect.all([TimeLimits, Progress]), ([{ change }, progress]) => {
      const outcome = () => Option.match(progress, { onNone: () => "unknown" as const, onSome: MutableRef.get })
      return Effect.zipRight(reached("unknown"), effect).pipe(
        mutation(change, () => exceeded(action, change, outcome()))
      )
    })

/** What is left of a change for waiting, when so many things are to be settled afterwards. */
export const timeToWait = (settled: number): Effect.Effect<Duration.Duration> =>
  Effect.map(Effect.all([remaining, TimeLimits]), ([left, { settle }]) =>
    Duration.subtract(left, Duration.times(settle, settled))
  )

/** Within `sending`: from here on the change was seen to take effect, at least in part. */
export const tookEffect: Effect.Effect<void> = reached("applied")

/** Words for a change of which nobody knows whether it began. */
export const noAnswer = (what: string): string => `Coder gave no answer, and no read could tell whether ${what}.`
