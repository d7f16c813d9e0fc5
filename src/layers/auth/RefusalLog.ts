import { Clock, Duration, Effect } from "effect"

/** Why a request was refused, for the log only. */
export type RefusalReason = "missing" | "several" | "malformed" | "unknown" | "expired"

/**
 * Logs refusals without what was sent: the first at once, then at most a line every `interval` with their number and
 * reasons.
 */
export const makeRefusalLog = (interval: Duration.Duration) => {
  const counts = new Map<RefusalReason, number>()
  let loggedAt = Number.NEGATIVE_INFINITY

  const flush = Effect.flatMap(Clock.currentTimeMillis, (now) => {
    // The clock may have been set back.
    const since = Math.abs(now - loggedAt)
    if (counts.size === 0 || since < Duration.toMillis(interval)) return Effect.void
    loggedAt = now
    const reasons = [...counts].map(([reason, count]) => `${reason} ${count}`)
    const refusals = [...counts.values()].reduce((sum, count) => sum + count, 0)
    counts.clear()
    return Effect.logWarning("requests without a valid token were refused", { refusals, reasons: reasons.join(", ") })
  })

  return {
    refused: (reason: RefusalReason): Effect.Effect<void> =>
      Effect.suspend(() => {
        counts.set(reason, (counts.get(reason) ?? 0) + 1)
        return flush
      }),
    /** Logs what is waiting, when it is time. */
    flush
  }
}
