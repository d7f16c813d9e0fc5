import {
  CoderForbidden,
  CoderRateLimited,
  CoderRejected,
  CoderUnauthorized,
  CoderUnavailable,
  type CoderFailure
} from "../../schemas/errors/Coder.ts"
import type { CoderError } from "../../schemas/coder/CoderError.ts"

/** The words of an error of the wire, in one line. */
export const words = (error: CoderError): string =>
  [
    error.message.replace(/\.$/, ""),
    error.detail,
    ...(error.validations ?? []).map((validation) => `${validation.field}: ${validation.detail}`)
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
    const answered = error.reason !== "not_json" && error.reason !== "redirect" && error.status !== null
    return new CoderUnavailable({ action, reason, answered, request_id })
  }
