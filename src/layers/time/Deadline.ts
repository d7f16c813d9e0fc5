import { Clock, Context, Duration, Effect, Fiber, Option } from "effect"

/** How long calls and the looks within them take. */
export class TimeLimits extends Context.Reference<TimeLimits>()("fleet-mcp/layers/time/Deadline/TimeLimits", {
  defaultValue: () => ({
    /** A call that only reads. Some clients give up at 60 s. */
    read: Duration.seconds(30),
    /** A call that changes something, with the reads that settle it. */
    change: Duration.seconds(45),
    /** What a change leaves of its time for finding out what became of it. */
    settle: Duration.seconds(8),
    /** One look of those: one that hangs leaves time for others. */
    look: Duration.seconds(2.5),
    /** Between two looks at a build, an agent or a conversation that is waited for. */
    poll: Duration.millis(250)
  })
}) {}

/** The moment (epoch milliseconds) at which the call at hand must have ended; none outside of a call. */
export class Deadline extends Context.Reference<Deadline>()("fleet-mcp/layers/time/Deadline", {
  defaultValue: (): Option.Option<number> => Option.none()
}) {}

/** What is left of the call's time; infinity outside of a call. */
export const remaining: Effect.Effect<Duration.Duration> = Effect.flatMap(Deadline, (deadline) =>
  Option.match(deadline, {
    onNone: () => Effect.succeed(Duration.infinity),
    onSome: (at) => Effect.map(Clock.currentTimeMillis, (now) => Duration.millis(Math.max(0, at - now)))
  })
)

/**
 * Gives an effect at most `duration`, and everything beneath it the same deadline. A deadline set further out stays in
 * force when it is nearer.
 */
export const within =
  <E2>(duration: Duration.Duration, onTimeout: () => E2) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | E2, R> =>
    Effect.gen(function* () {
      const left = Duration.min(duration, yield* remaining)
      const now = yield* Clock.currentTimeMillis
      return yield* effect.pipe(
        Effect.provideService(Deadline, Option.some(now + Duration.toMillis(left))),
        Effect.timeoutFail({ duration: left, onTimeout })
      )
    })

/**
 * Runs what sends and settles a mutation: nothing interrupts it but the time given, or the deadline around it. An
 * interruption of the caller takes effect afterwards. It is a daemon, since an interruption reaches all children of a
 * fiber, and a timeout runs in a child, even where the fiber itself cannot be interrupted.
 */
export const mutation =
  <E2>(duration: Duration.Duration, onTimeout: () => E2) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | E2, R> =>
    Effect.interruptible(within(duration, onTimeout)(effect)).pipe(
      Effect.forkDaemon,
      Effect.flatMap(Fiber.join),
      Effect.uninterruptible
    )

/** Looks every `TimeLimits.poll` until something is seen or the time is over, which also ends a look under way. */
export const lookUntil = <A, E, R>(
  time: Duration.Duration,
  look: Effect.Effect<Option.Option<A>, E, R>
): Effect.Effect<Option.Option<A>, E, R> =>
  Effect.gen(function* () {
    const { poll } = yield* TimeLimits
    for (;;) {
      const seen = yield* look
      if (Option.isSome(seen)) return seen
      yield* Effect.sleep(poll)
    }
  }).pipe(Effect.timeoutTo({ duration: time, onSuccess: (seen) => seen, onTimeout: () => Option.none() }))

/** A last look, once an outcome is certain: it neither fails nor takes the time that is left for telling the outcome. */
export const lastLook =
  <A>(otherwise: () => A) =>
  <E, R>(look: Effect.Effect<A, E, R>): Effect.Effect<A, never, R> =>
    Effect.flatMap(Effect.all([remaining, TimeLimits]), ([left, { settle }]) =>
      look.pipe(Effect.timeout(Duration.min(settle, Duration.times(left, 0.5))), Effect.orElseSucceed(otherwise))
    )
