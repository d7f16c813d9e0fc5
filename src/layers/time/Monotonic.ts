import { Clock, Effect } from "effect"

/** Milliseconds of a clock that nobody sets: for intervals only. */
export const monotonicMillis: Effect.Effect<number> = Effect.map(Clock.currentTimeNanos, (nanos) =>
  Number(nanos / 1_000_000n)
)
