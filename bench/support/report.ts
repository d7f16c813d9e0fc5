/** The middle of a list of measurements. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low, high] = sorted.length % 2 === 1 ? [sorted[middle], sorted[middle]] : [sorted[middle - 1], sorted[middle]]
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2
}

/** The value below which a part of the sorted values lies. */
export const percentile = (sorted: ReadonlyArray<number>, part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN

/** One line of JSON on stdout: a figure, its baseline of the same run, and their ratio. Times in milliseconds. */
export const report = (
  benchmark: string,
  figure: ReadonlyArray<number>,
  baseline: ReadonlyArray<number>,
  more: Record<string, unknown>
): void => {
  const [ours, theirs] = [median(figure), median(baseline)]
  const rounded = (value: number) => Number(value.toFixed(3))
  console.log(
    JSON.stringify({
      benchmark,
      figure_ms: rounded(ours),
      baseline_ms: rounded(theirs),
      ratio: rounded(ours / theirs),
      runs: figure.length,
      ...more
    })
  )
}
