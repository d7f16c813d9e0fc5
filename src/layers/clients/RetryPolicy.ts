import { Context, Duration, Effect, Either, Random } from "effect"
import type { CoderError } from "../../schemas/coder/CoderError.ts"
import { remaining } from "../time/Deadline.ts"

/** How a read is repeated. */
export class ReadRetry extends Context.Reference<ReadRetry>()("fleet-mcp/layers/clients/RetryPolicy/ReadRetry", {
  defaultValue: () => ({
    /** Attempts, the first included. */
    attempts: 3,
    /** The first pause; each further one is twice as long, give or take a fifth, up to `longestPause`. */
    firstPause: Duration.millis(100),
    longestPause: Duration.seconds(5)
  })
}) {}

/** What a gateway answers for a server that does not; 520 to 524 are Cloudflare's words for it. */
const unansweredStatuses = [502, 503, 504, 520, 521, 522, 523, 524]
const transientStatuses = new Set([429, 500, ...unansweredStatuses])
const transientReasons = new Set(["unreachable", "interrupted", "truncated", "timeout"])

/** A certificate that nobody trusts, or a proxy that refuses for a reason of its own, stay as they are. */
const lasts = (error: CoderError): boolean =>
  error.untrusted || (error.proxyStatus !== undefined && !transientStatuses.has(error.proxyStatus))

const isTransient = (error: CoderError): boolean =>
  !lasts(error) && (transientReasons.has(error.reason) || transientStatuses.has(error.status ?? 0))

/** Nothing listens, or a proxy says so of the server behind it: as while a server restarts. */
const nothingListens = (error: CoderError): boolean =>
  error.reason === "unreachable" || unansweredStatuses.includes(error.status ?? 0)

const pauseAfter = (attempt: number, error: CoderError): Effect.Effect<Duration.Duration> =>
  Effect.gen(function* () {
    const { firstPause, longestPause } = yield* ReadRetry
    const doubled = Duration.times(firstPause, 2 ** (attempt - 1) * (yield* Random.nextRange(0.8, 1.2)))
    return Duration.max(Duration.min(doubled, longestPause), Duration.millis(error.retryAfterMillis ?? 0))
  })

/**
 * Repeats a read after a passing fault, or the server's Retry-After where that is longer; never where the pause does
 * not fit into what is left of the call's time. `ReadRetry` numbers the attempts. With `waitForServer` they only end
 * with the call's time, where it has one and as long as nothing listens. Nothing but a GET may use it.
 */
export const repeated =
  (options: { readonly waitForServer: boolean }) =>
  <A>(read: Effect.Effect<A, CoderError>): Effect.Effect<A, CoderError> =>
    Effect.gen(function* () {
      const { attempts } = yield* ReadRetry
      for (let attempt = 1; ; attempt++) {
        const result = yield* Effect.either(read)
        if (Either.isRight(result)) return result.right
        const error = result.left
        const left = yield* remaining
        const waits = options.waitForServer && nothingListens(error) && Duration.isFinite(left)
        if (!isTransient(error) || (attempt >= attempts && !waits)) return yield* error
        const pause = yield* pauseAfter(attempt, error)
        if (Duration.greaterThanOrEqualTo(pause, left)) return yield* error
        yield* Effect.sleep(pause)
      }
    })
