import { Duration, Effect } from "effect"
import { DeadlineExceeded } from "../../schemas/errors/Coder.ts"
import { mutation, TimeLimits, within } from "../time/Deadline.ts"

const exceeded = (action: string, time: Duration.Duration) => () =>
  new DeadlineExceeded({ action, seconds: Duration.toSeconds(time) })

/** The deadline of a call that only reads; an interruption ends it at once. */
export const reading =
  (action: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | DeadlineExceeded, R> =>
    Effect.flatMap(TimeLimits, ({ read }) => within(read, exceeded(action, read))(effect))

/** The deadline of a call that changes something. Until it sends anything, an interruption ends it at once. */
export const changing =
  (action: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | DeadlineExceeded, R> =>
    Effect.flatMap(TimeLimits, ({ change }) => within(change, exceeded(action, change))(effect))

/** The part of a change that sends and settles: nothing but the call's deadline ends it. */
export const sending =
  (action: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | DeadlineExceeded, R> =>
    Effect.flatMap(TimeLimits, ({ change }) => mutation(change, exceeded(action, change))(effect))
