import { jsonBytes, splitAtMost } from "./JsonSize.ts"

const KiB = 1024
const MiB = 1024 * KiB

/** A size for readers: whole MiB or KiB where it is that, else bytes. */
export const sizeText = (bytes: number): string => {
  if (bytes >= MiB && bytes % MiB === 0) return `${bytes / MiB} MiB`
  if (bytes >= KiB && bytes % KiB === 0) return `${bytes / KiB} KiB`
  return `${bytes} bytes`
}

/**
 * Shortens the lines of a text that arrives in pieces: of each line the longest beginning stays that takes at most
 * `limit` bytes as JSON, then a mark says that it was cut. Answers what is kept of a piece.
 */
export const makeLineLimit = (limit: number): ((piece: string) => string) => {
  const mark = ` [cut: a line holds at most ${sizeText(limit)}]`
  // Past the limit = cut already.
  let line = 0

  const within = (part: string): string => {
    if (line > limit) return ""
    const bytes = jsonBytes(part)
    if (line + bytes <= limit) {
      line += bytes
      return part
    }
    const [kept] = splitAtMost(part, limit - line)
    line = limit + 1
    return kept + mark
  }

  return (piece) => {
    let kept = ""
    // Where that begins which is not yet in `kept`, and where the line at hand does.
    let from = 0
    let start = 0
    for (let end = piece.indexOf("\n"); end !== -1; end = piece.indexOf("\n", start)) {
      // A character takes at most 6 bytes: most lines need not be counted.
      if (line + 6 * (end - start) > limit) {
        kept += piece.slice(from, start) + within(piece.slice(start, end))
        from = end
      }
      line = 0
      start = end + 1
    }
    return kept + piece.slice(from, start) + within(piece.slice(start))
  }
}
