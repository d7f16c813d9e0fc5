import { Schema } from "effect"
import { notApplied, Outcome } from "../Outcome.ts"
import type { NextStep } from "./NextStep.ts"

// What can go wrong between the fleet and Coder. Where an error of these ends a change, nothing was changed: Coder
// refused, or the request was never sent, or a look afterwards showed that nothing came of it. Only a deadline can leave
// it open.

/** Neither a Coder server nor this machine was chosen completely. */
export class BackendNotConfigured extends Schema.TaggedError<BackendNotConfigured>()("BackendNotConfigured", {
  problem: Schema.String,
  remedy: Schema.String,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["configure"]
  }
  override get message() {
    return `${this.problem} ${this.remedy}`
  }
}

/** Coder does not accept the token. */
export class CoderUnauthorized extends Schema.TaggedError<CoderUnauthorized>()("CoderUnauthorized", {
  detail: Schema.String,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["renew_token"]
  }
  override get message() {
    return `Coder does not accept the token: ${this.detail}`
  }
}

/** The token may not do this. `action` completes "Could not ...". */
export class CoderForbidden extends Schema.TaggedError<CoderForbidden>()("CoderForbidden", {
  action: Schema.String,
  detail: Schema.String,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["ask_administrator"]
  }
  override get message() {
    return `Coder does not allow this token to ${this.action}: ${this.detail}`
  }
}

/** Coder allows no more requests for now. */
export class CoderRateLimited extends Schema.TaggedError<CoderRateLimited>()("CoderRateLimited", {
  retry_after_ms: Schema.Number,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["wait", "try_again"]
  }
  override get message() {
    return `Coder's rate limit is reached for another ${Math.ceil(this.retry_after_ms / 1000)} s; nothing was carried out.`
  }
}

const requestId = (id: string | null): string => (id === null ? "" : ` (Coder request id ${id})`)

/**
 * Coder gave no usable answer. `fault` tells what there was: no answer (not reachable, too slow), an answer of Coder's own
 * (an internal error, or not in the shape of the contract), one that is larger than may be read, one of something else (a
 * sign-in page), a certificate that is not trusted, or a proxy on the way that opened no connection.
 */
export class CoderUnavailable extends Schema.TaggedError<CoderUnavailable>()("CoderUnavailable", {
  action: Schema.String,
  reason: Schema.String,
  request_id: Schema.NullOr(Schema.String),
  fault: Schema.Literal("no_answer", "answer", "too_large", "not_coder", "untrusted_certificate", "proxy"),
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    if (this.fault === "too_large") return ["mend_cause", "ask_administrator"]
    return this.fault === "answer" ? ["try_again", "ask_administrator"] : ["configure", "try_again"]
  }
  override get message() {
    return `Could not ${this.action}: ${this.reason}${requestId(this.request_id)}.`
  }
}

/** Coder refused the request as it was. */
export class CoderRejected extends Schema.TaggedError<CoderRejected>()("CoderRejected", {
  action: Schema.String,
  status: Schema.Number,
  reason: Schema.String,
  request_id: Schema.NullOr(Schema.String),
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["change_request"]
  }
  override get message() {
    return `Coder refused to ${this.action} (${this.status}): ${this.reason}${requestId(this.request_id)}. The request was not carried out.`
  }
}

/**
 * The call's time was over before there was an answer. `outcome` of a change: `not_applied` before anything was sent,
 * `unknown` from then on, `applied` once a part of it was seen to take effect.
 */
export class DeadlineExceeded extends Schema.TaggedError<DeadlineExceeded>()("DeadlineExceeded", {
  action: Schema.String,
  seconds: Schema.Number,
  outcome: Outcome
}) {
  get next(): ReadonlyArray<NextStep> {
    return this.outcome === "not_applied" ? ["try_again"] : ["look_at_agent", "list_agents"]
  }
  override get message() {
    const what = {
      not_applied: "Nothing was changed.",
      applied: "A part of it took effect before.",
      unknown: "It was sent; nobody saw what became of it."
    }[this.outcome]
    return `Could not ${this.action} within ${this.seconds} s. ${what}`
  }
}

/** What any call to the Coder contract can end in, translated from the wire once, in the repositories. */
export type CoderFailure = CoderUnauthorized | CoderForbidden | CoderRateLimited | CoderUnavailable | CoderRejected
