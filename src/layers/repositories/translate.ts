import { Duration } from "effect"
import {
  CoderForbidden,
  CoderRateLimited,
  CoderRejected,
  CoderUnauthorized,
  CoderUnavailable,
  type CoderFailure
} from "../../schemas/errors/Coder.ts"
import type { CoderError } from "../../schemas/coder/CoderError.ts"

/** Complaints about single fields that are told. */
const toldValidations = 5

/** The words of an error of the wire, in one line. */
export const words = ({ detail, message, validations = [] }: CoderError): string =>
  [
    message.replace(/\.$/, ""),
    detail,
    ...validations.slice(0, toldValidations).map((validation) => `${validation.field}: ${validation.detail}`),
    validations.length > toldValidations ? `${validations.length - toldValidations} more` : ""
  ]
    .filter((text) => text !== undefined && text !== "")
    .join("; ")

/** Turns an error of the wire into the caller's terms; `action` completes "Could not ...". */
export const translate =
  (action: string) =>
  (error: CoderError): CoderFailure => {
    const request_id = error.requestId ?? null
    const reason = words(error)
    if (error.status === 401) return new CoderUnauthorized({ detail: `${reason}.` })
    if (error.status === 429) return new CoderRateLimited({ retry_after_ms: error.retryAfterMillis ?? 0 })
    if (error.reason === "status" && error.status === 403) return new CoderForbidden({ action, detail: `${reason}.` })
    if (error.status !== null && error.notProcessed) {
      return new CoderRejected({ action, status: error.status, reason, request_id })
    }
    return new CoderUnavailable({ action, reason, request_id, fault: faultOf(error) })
  }

const faultOf = (error: CoderError): CoderUnavailable["fault"] => {
  if (error.untrusted) return "untrusted_certificate"
  if (error.proxyStatus !== undefined) return "proxy"
  if (error.reason === "redirect") return "not_coder"
  // A proxy's page for a server that does not answer is no other server.
  if (error.reason === "not_json") return (error.status ?? 0) < 500 ? "not_coder" : "answer"
  if (error.reason === "too_large") return "too_large"
  return ["status", "gateway", "unexpected"].includes(error.reason) ? "answer" : "no_answer"
}

/** What a lookup ends in whose own time is over: others than its first caller may wait for it. */
export const late = (action: string, time: Duration.Duration): CoderUnavailable =>
  new CoderUnavailable({
    action,
    reason: `no answer within ${Duration.toSeconds(time)} s`,
    request_id: null,
    fault: "no_answer"
  })
