import { HttpApiSchema } from "@effect/platform"
import { Schema } from "effect"

/** One complaint of Coder about one field of a request. */
export const Validation = Schema.Struct({ field: Schema.String, detail: Schema.String })
export type Validation = typeof Validation.Type

/** The body of every error under `/api` (recordings: platform.json, create.json). */
export const ErrorBody = Schema.Struct({
  message: Schema.String,
  detail: Schema.optionalWith(Schema.String, { exact: true, nullable: true }),
  validations: Schema.optionalWith(Schema.Array(Validation), { exact: true, nullable: true })
})
export type ErrorBody = typeof ErrorBody.Type

/**
 * Why there is no usable answer:
 * - `status`: a status of 400 or more, told by Coder itself (or AgentAPI), in its own JSON;
 * - `gateway`: a status that Coder never answers, or JSON that is not Coder's: whoever said so is not Coder;
 * - `redirect`: a 3xx. Coder's API never redirects: a sign-in page or a wrong base URL (on an app: the token);
 * - `not_json`: something that is not JSON, whatever the status (a sign-in page, a proxy's error page);
 * - `unexpected`: JSON of another shape than the contract;
 * - `invalid_request`: the request itself does not fit the contract, so nothing was sent;
 * - `too_large`, `truncated`: the body was over its limit, or ended early;
 * - `unreachable`: no connection, so nothing was processed;
 * - `interrupted`: the connection broke after the request was sent;
 * - `timeout`: no answer in time.
 */
export const CoderErrorReason = Schema.Literal(
  "status",
  "gateway",
  "redirect",
  "not_json",
  "unexpected",
  "invalid_request",
  "too_large",
  "truncated",
  "unreachable",
  "interrupted",
  "timeout"
)
export type CoderErrorReason = typeof CoderErrorReason.Type

/** Statuses that prove that Coder did not carry out the request. */
const refusals = new Set([400, 401, 403, 404, 405, 406, 409, 410, 412, 413, 415, 422, 425, 428, 429])

/**
 * Statuses that neither Coder nor AgentAPI answers to what we ask, but those between do: 408 and 499 for a connection
 * that was given up, and of those above 500 also 520 to 530 of Cloudflare. Coder's own fault is 500; 502 and 503 come
 * from its tasks API alone, which is not used.
 */
export const isGatewayStatus = (status: number): boolean => status > 500 || status === 408 || status === 499

/** OpenSSL's results of a verification that concern trust. */
const untrustedCodes =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(GET_ISSUER|VERIFY)\w*|CERT_UNTRUSTED)$/

/**
 * The one error of the Coder contract, on both sides: what the client reports, and what the embedded Coder answers
 * with. It holds no header and no part of a request but its method and path.
 */
export class CoderError extends Schema.TaggedError<CoderError>("fleet-mcp/schemas/coder/CoderError")(
  "CoderError",
  {
    reason: CoderErrorReason,
    status: Schema.NullOr(Schema.Number),
    message: Schema.String,
    detail: Schema.optional(Schema.String),
    validations: Schema.optional(Schema.Array(Validation)),
    retryAfterMillis: Schema.optional(Schema.Number),
    requestId: Schema.optional(Schema.String),
    /** The code of the network or TLS error that ended it, as Node has it: `ECONNREFUSED`. */
    code: Schema.optional(Schema.String),
    /** The status with which a proxy on the way refused to open a connection. */
    proxyStatus: Schema.optional(Schema.Number),
    method: Schema.optional(Schema.String),
    path: Schema.optional(Schema.String)
  },
  HttpApiSchema.annotations({ status: 500 })
) {
  /** An answer of the server side: a status and Coder's own words. */
  static answer(status: number, message: string, more?: { detail?: string; validations?: ReadonlyArray<Validation> }) {
    return new CoderError({ reason: "status", status, message, ...more })
  }

  /** True where the server showed a certificate that nobody trusts here: it will not pass by itself. */
  get untrusted(): boolean {
    return untrustedCodes.test(this.code ?? "")
  }

  /**
   * True where the error proves that the request was not carried out: a refusal, whatever came of its body, or no
   * connection at all. A 500 proves nothing (recordings: create.json, "eight at once with one name").
   */
  get notProcessed(): boolean {
    switch (this.reason) {
      case "unreachable":
      case "invalid_request":
        return true
      case "status":
      case "gateway":
      case "not_json":
      case "too_large":
      case "truncated":
        return refusals.has(this.status ?? 0)
      default:
        return false
    }
  }
}
