import { Schema } from "effect"

/**
 * What became of a mutation, as far as it was seen: `applied` (it took effect), `not_applied` (it did not, and will
 * not), `unknown` (no read could tell).
 */
export const Outcome = Schema.Literal("applied", "not_applied", "unknown")
export type Outcome = typeof Outcome.Type
