import { Clock, DateTime, Effect, Ref } from "effect"

/**
 * A clock for what is stored: RFC 3339 in UTC with microseconds. No two of its times are equal, and a later one is
 * greater, also as a string: reports and builds can be put in order by them.
 */
export const makeTimestamps: Effect.Effect<Effect.Effect<string>> = Effect.map(Ref.make(0n), (last) =>
  Effect.flatMap(Clock.currentTimeNanos, (nanos) =>
    Ref.updateAndGet(last, (before) => (nanos / 1000n > before ? nanos / 1000n : before + 1n))
  ).pipe(Effect.map(format))
)

const format = (micros: bigint): string =>
  DateTime.formatIso(DateTime.unsafeMake(Number(micros / 1000n))).replace(
    "Z",
    `${String(micros % 1000n).padStart(3, "0")}Z`
  )
