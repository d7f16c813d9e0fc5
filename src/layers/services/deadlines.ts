import { Duration, type Effect } from "effect"
import { DeadlineExceeded } from "../../schemas/Errors.ts"
import { mutation, within } from "../config/Deadline.ts"
import { Limits } from "../config/Limits.ts"

const exceeded = (action: string, time: Duration.Duration) => () =>
  new DeadlineExceeded({ action, seconds: Duration.toSeconds(time) })

/** The deadline of a call that only reads; an interruption ends it at once. */
export const reading =
  (action: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | DeadlineExceeded, R> =>
    within(Limits.callDeadline, exceeded(action, Limits.callDeadline))(effect)

/** The deadline of a call that changes something. Until it sends anything, an interruption ends it at once. */
export const changing =
  (action: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | DeadlineExceeded, R> =>
    within(Limits.mutationDeadline, exceeded(action, Limits.mutationDeadline))(effect)

/** The part of a change that sends and settles: nothing but the call's deadline ends it. */
export const sending =
  (action: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | DeadlineExceeded, R> =>
    mutation(Limits.mutationDeadline, exceeded(action, Limits.mutationDeadline))(effect)
