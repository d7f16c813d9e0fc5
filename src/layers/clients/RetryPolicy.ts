import { Duration, Effect, Schedule } from "effect"
import type { CoderError } from "../../schemas/coder/CoderError.ts"
import { remaining } from "../time/Deadline.ts"
import { Limits } from "../config/Limits.ts"

const transientStatuses = new Set([429, 500, 502, 503, 504])
const transientReasons = new Set(["unreachable", "interrupted", "truncated", "timeout"])

const isTransient = (error: CoderError): boolean =>
  transientReasons.has(error.reason) || transientStatuses.has(error.status ?? 0)

const backoff = Schedule.exponential(Limits.readRetryBase).pipe(
  Schedule.jittered,
  Schedule.modifyDelay((_, delay) => Duration.min(delay, Limits.readRetryCap)),
  Schedule.intersect(Schedule.recurs(Limits.readAttempts - 1))
)

/**
 * How a GET is repeated: at most `Limits.readAttempts` attempts, with a jittered, capped delay, or the server's
 * Retry-After where that is longer. Nothing but a GET may use it.
 */
export const readRetry: Schedule.Schedule<unknown, CoderError> = Schedule.identity<CoderError>().pipe(
  Schedule.intersect(backoff),
  Schedule.modifyDelay(([error], delay) => Duration.max(delay, Duration.millis(error.retryAfterMillis ?? 0)))
)

/** Worth another attempt: a passing fault, and the server's Retry-After fits into what is left of the call's time. */
export const worthRepeating = (error: CoderError): Effect.Effect<boolean> =>
  isTransient(error)
    ? Effect.map(remaining, Duration.greaterThan(Duration.millis(error.retryAfterMillis ?? 0)))
    : Effect.succeed(false)
