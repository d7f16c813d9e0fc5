import type { Outcome } from "./Outcome.ts"

/**
 * What a failed mutation came to: all failures are proof that it was not applied, but for a deadline that ran out while
 * it was being settled.
 */
export const outcomeOfFailure = (failure: { readonly _tag: string }): Outcome =>
  failure._tag === "DeadlineExceeded" ? "unknown" : "not_applied"
