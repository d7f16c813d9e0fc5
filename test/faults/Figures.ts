/** The value that such a share of them does not exceed; 0 of none. */
export const percentile = (values: ReadonlyArray<number>, share: number): number =>
  values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(values.length * share) - 1)] ?? 0

/** How long something took (ms), in a line. */
export const timesOf = (values: ReadonlyArray<number>): string =>
  `p50 ${Math.round(percentile(values, 0.5))} ms, p95 ${Math.round(percentile(values, 0.95))} ms, max ${Math.round(percentile(values, 1))} ms`

/** Whatever it says of itself, and how to have it again. */
export type Say = (line: string) => void
