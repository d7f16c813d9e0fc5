import { Schema } from "effect"

/**
 * What became of a change, as far as it was seen: `applied` (it took effect, wholly or in part), `not_applied` (nothing
 * changed, and nothing will), `unknown` (no read could tell).
 */
export const Outcome = Schema.Literal("applied", "not_applied", "unknown")
export type Outcome = typeof Outcome.Type

/** The `outcome` field of an error that is proof by itself: nothing was changed, and by a read nothing ever is. */
export const notApplied = Schema.Literal("not_applied").pipe(
  Schema.propertySignature,
  Schema.withConstructorDefault(() => "not_applied" as const)
)
