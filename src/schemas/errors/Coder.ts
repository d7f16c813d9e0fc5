import { Schema } from "effect"

/** Neither a Coder server nor this machine was chosen completely. */
export class BackendNotConfigured extends Schema.TaggedError<BackendNotConfigured>()("BackendNotConfigured", {
  problem: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `${this.problem} ${this.remedy}`
  }
}

/** Coder does not accept the token. */
export class CoderUnauthorized extends Schema.TaggedError<CoderUnauthorized>()("CoderUnauthorized", {
  detail: Schema.String
}) {
  override get message() {
    return `Coder does not accept the token: ${this.detail} Make a new one (coder tokens create), set CODER_SESSION_TOKEN, and restart fleet-mcp.`
  }
}

/** The token may not do this. */
export class CoderForbidden extends Schema.TaggedError<CoderForbidden>()("CoderForbidden", {
  action: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Coder does not allow this token to ${this.action}: ${this.detail} Ask an administrator for the permission, or use another token.`
  }
}

/** Coder allows no more requests for now. Nothing was carried out. */
export class CoderRateLimited extends Schema.TaggedError<CoderRateLimited>()("CoderRateLimited", {
  retry_after_ms: Schema.Number
}) {
  override get message() {
    return `Coder's rate limit is reached; nothing was carried out. Try again in ${Math.ceil(this.retry_after_ms / 1000)} s.`
  }
}

const remedies = {
  no_answer: "Check that CODER_URL is Coder's address and that the server runs, then try again.",
  answer: "The server was reached, and this is what it said; where it lasts, its logs may tell why.",
  not_coder: "Check that CODER_URL is Coder's own address, and that no sign-in page or proxy stands before it.",
  untrusted_certificate:
    "Set NODE_EXTRA_CA_CERTS to a file with the certificate (PEM) of the authority that signed Coder's, and restart fleet-mcp."
}

/** Coder gave no usable answer: not reachable, too slow, a sign-in page, a broken answer, an internal error. */
export class CoderUnavailable extends Schema.TaggedError<CoderUnavailable>()("CoderUnavailable", {
  action: Schema.String,
  reason: Schema.String,
  request_id: Schema.NullOr(Schema.String),
  /** What there was: no answer, an answer of Coder's, one of something else, or a certificate that is not trusted. */
  fault: Schema.Literal("no_answer", "answer", "not_coder", "untrusted_certificate")
}) {
  override get message() {
    const id = this.request_id === null ? "" : ` (Coder request id ${this.request_id})`
    return `Could not ${this.action}: ${this.reason}${id}. ${remedies[this.fault]}`
  }
}

/** Coder refused the request as it was. */
export class CoderRejected extends Schema.TaggedError<CoderRejected>()("CoderRejected", {
  action: Schema.String,
  status: Schema.Number,
  reason: Schema.String,
  request_id: Schema.NullOr(Schema.String)
}) {
  override get message() {
    const id = this.request_id === null ? "" : ` (Coder request id ${this.request_id})`
    return `Coder refused to ${this.action} (${this.status}): ${this.reason}${id}. The request was not carried out.`
  }
}

/** The call's time was over before there was an answer. */
export class DeadlineExceeded extends Schema.TaggedError<DeadlineExceeded>()("DeadlineExceeded", {
  action: Schema.String,
  seconds: Schema.Number
}) {
  override get message() {
    return `Could not ${this.action} within ${this.seconds} s. Call show_agent or list_agents to see where things stand.`
  }
}

/** What any call to the Coder contract can end in, translated from the wire once, in the repositories. */
export type CoderFailure = CoderUnauthorized | CoderForbidden | CoderRateLimited | CoderUnavailable | CoderRejected
