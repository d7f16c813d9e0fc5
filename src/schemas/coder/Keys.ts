import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "@effect/platform"
import { Schema } from "effect"
import { UserSession } from "./Security.ts"
import { Segment } from "./Segment.ts"

/** What an idempotency key was used for. */
export const UsedKey = Schema.Struct({
  fingerprint: Schema.String,
  /** RFC 3339. */
  used_at: Schema.String,
  workspace_id: Schema.String,
  /** The builds that were made for it, in their order. */
  build_numbers: Schema.Array(Schema.Number),
  /** What became of the task that was given with it; null where it was used for something else. */
  task: Schema.NullOr(Schema.Struct({ state: Schema.String, id: Schema.NullOr(Schema.Number) }))
})
export type UsedKey = typeof UsedKey.Type

/** Null where the key was not used within the time that it is known for. */
const KeyAnswer = Schema.Struct({ use: Schema.NullOr(UsedKey) })

/** Our own beside Coder's API, which answers 404 here. Where it is there, creating workspaces and builds takes keys. */
export const Keys = HttpApiGroup.make("keys")
  .add(
    HttpApiEndpoint.get("use")`/api/v2/fleet/v1/idempotency-keys/${HttpApiSchema.param("name", Segment)}`.addSuccess(
      KeyAnswer
    )
  )
  .middleware(UserSession)
