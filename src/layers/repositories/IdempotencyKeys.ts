import { Context, Data, Effect, Encoding, Layer } from "effect"
import type { UsedKey } from "../../schemas/coder/Keys.ts"
import type { CoderFailure } from "../../schemas/errors/Coder.ts"
import { IdempotencyKeyReused } from "../../schemas/errors/Idempotency.ts"
import type { KeyUse } from "../../schemas/Idempotency.ts"
import { CoderClient } from "../clients/CoderClient.ts"
import { isUnknownThere } from "./AgentQueue.ts"
import { translate } from "./translate.ts"

/** What is known of an idempotency key: nothing there remembers keys, or it is new, or it names what was done. */
export type KnownKey = Data.TaggedEnum<{
  readonly Unsupported: {}
  readonly New: {}
  readonly Used: {
    /** ISO 8601, to the second. */
    readonly usedAt: string
    readonly workspaceId: string
    readonly buildNumbers: ReadonlyArray<number>
    readonly task: UsedKey["task"]
  }
}>
export const KnownKey = Data.taggedEnum<KnownKey>()
export type Used = Data.TaggedEnum.Value<KnownKey, "Used">

/** A time as it is told. */
export const toSeconds = (time: string): string => time.replace(/\.\d+Z$/, "Z")

/** By the web's own means: whoever embeds a fleet need not have Node's. */
const digest = (value: unknown): Effect.Effect<string> =>
  Effect.promise(() => crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(value)))).pipe(
    Effect.map((bytes) => Encoding.encodeHex(new Uint8Array(bytes)))
  )

/** A caller's key for an act with its arguments. */
export const keyUse = (
  key: string,
  act: string,
  args: Readonly<Record<string, string | null>>
): Effect.Effect<KeyUse> =>
  Effect.all({
    key: digest(key),
    fingerprint: digest([act, Object.entries(args).toSorted(([a], [b]) => (a < b ? -1 : 1))])
  })

/** What idempotency keys were used for: remembered where the acts are, in the same commit with them. */
export class IdempotencyKeys extends Context.Tag("fleet-mcp/layers/repositories/IdempotencyKeys")<
  IdempotencyKeys,
  {
    /** Refused where the key was used for something else. */
    readonly look: (use: KeyUse) => Effect.Effect<KnownKey, CoderFailure | IdempotencyKeyReused>
  }
>() {
  static readonly layer: Layer.Layer<IdempotencyKeys, never, CoderClient> = Layer.effect(
    this,
    Effect.map(CoderClient, (coder) => ({
      look: Effect.fn("IdempotencyKeys.look")(function* ({ fingerprint, key }) {
        const answer = yield* coder.keys.use({ path: { name: key } }).pipe(
          Effect.asSome,
          Effect.catchIf(isUnknownThere, () => Effect.succeedNone),
          Effect.mapError(translate("look up the idempotency key"))
        )
        if (answer._tag === "None") return KnownKey.Unsupported()
        const { use } = answer.value
        if (use === null) return KnownKey.New()
        const usedAt = toSeconds(use.used_at)
        if (use.fingerprint !== fingerprint) return yield* new IdempotencyKeyReused({ used_at: usedAt })
        const { build_numbers: buildNumbers, task, workspace_id: workspaceId } = use
        return KnownKey.Used({ usedAt, workspaceId, buildNumbers, task })
      })
    }))
  )
}
