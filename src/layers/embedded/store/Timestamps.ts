import { DateTime } from "effect"

/**
 * A clock for what is stored: from nanoseconds since 1970 to RFC 3339 in UTC with microseconds. No two of its times are
 * equal, and a later one is greater, also as a string, whatever the system's clock does: reports and builds can be put
 * in order by them. `newest` is the newest time that is stored, asked for once.
 */
export const makeTimestamps = (): ((nanos: bigint, newest: () => string) => string) => {
  let last: bigint | undefined
  return (nanos, newest) => {
    const before = last ?? microsOf(newest())
    last = nanos / 1000n > before ? nanos / 1000n : before + 1n
    return format(last)
  }
}

/** Earlier than any time that is stored. */
export const earliest = "1970-01-01T00:00:00.000000Z"

const microsOf = (time: string): bigint =>
  BigInt(DateTime.toEpochMillis(DateTime.unsafeMake(time))) * 1000n + BigInt(time.slice(-4, -1))

const format = (micros: bigint): string =>
  DateTime.formatIso(DateTime.unsafeMake(Number(micros / 1000n))).replace(
    "Z",
    `${String(micros % 1000n).padStart(3, "0")}Z`
  )
