import { Effect, Schedule } from "effect"
import { StoreFailed } from "./StoreFailed.ts"
import { StoreLimits } from "./StoreLimits.ts"

/** Tries again what may pass, so often as `StoreLimits` says. */
export const retryWhile = <A, E>(effect: Effect.Effect<A, E>, passes: (error: E) => boolean): Effect.Effect<A, E> =>
  Effect.flatMap(StoreLimits, ({ retries, retryDelay }) =>
    Effect.retry(effect, { schedule: Schedule.exponential(retryDelay), times: retries, while: passes })
  )

/** Tries again where the store fails. */
export const retryStore = <A, E>(effect: Effect.Effect<A, E | StoreFailed>): Effect.Effect<A, E | StoreFailed> =>
  retryWhile(effect, (error) => error instanceof StoreFailed)

/** A change that has to be stored, while what it is about goes on in any case: tried again, then given up and logged. */
export const untilStored = (change: Effect.Effect<void, StoreFailed>): Effect.Effect<void> =>
  Effect.catchTag(retryStore(change), "StoreFailed", logStoreFailed)

/** Tells of a failure that nobody else is told of. */
export const logStoreFailed = ({ message }: StoreFailed): Effect.Effect<void> =>
  Effect.logError(`What happened was not stored: ${message}`)
