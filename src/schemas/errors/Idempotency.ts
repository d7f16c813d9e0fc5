import { Schema } from "effect"
import { notApplied } from "../Outcome.ts"
import type { NextStep } from "./NextStep.ts"

/** The key named another act, or one with other arguments. */
export class IdempotencyKeyReused extends Schema.TaggedError<IdempotencyKeyReused>()("IdempotencyKeyReused", {
  /** ISO 8601; null where that is not told. */
  used_at: Schema.NullOr(Schema.String),
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["change_request"]
  }
  override get message() {
    const at = this.used_at === null ? "before" : `at ${this.used_at}`
    return `This idempotency key was used ${at} for another call, or with other arguments. Nothing was done.`
  }
}

/** Nothing there could tell whether this was done before. `reason` says what is missing. */
export class IdempotencyNotSupported extends Schema.TaggedError<IdempotencyNotSupported>()("IdempotencyNotSupported", {
  reason: Schema.String,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["change_request"]
  }
  override get message() {
    return `An idempotency key is not supported here: ${this.reason}. Nothing was done.`
  }
}
