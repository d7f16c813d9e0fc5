/** A line of a byte stream, or the place where one longer than allowed began. */
export type Line = Uint8Array | "too_long"

const newline = 0x0a

const joined = (parts: ReadonlyArray<Uint8Array>, length: number): Uint8Array => {
  const [only] = parts
  if (parts.length === 1 && only !== undefined) return only
  const line = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    line.set(part, at)
    at += part.length
  }
  return line
}

/**
 * Cuts chunks of bytes into lines, however the chunks fall. A line longer than `limit` bytes is told once, as soon as it
 * is, and then skipped to its end. Every byte is looked at and copied once.
 */
export const makeLineReader = (limit: number): ((chunk: Uint8Array) => ReadonlyArray<Line>) => {
  let parts: Array<Uint8Array> = []
  let length = 0
  let skipping = false

  const reset = () => {
    parts = []
    length = 0
  }

  return (chunk) => {
    const lines: Array<Line> = []
    const keep = (part: Uint8Array) => {
      if (skipping || part.length === 0) return
      length += part.length
      if (length > limit) {
        skipping = true
        reset()
        lines.push("too_long")
      } else parts.push(part)
    }

    let from = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      keep(chunk.subarray(from, end))
      if (!skipping && length > 0) lines.push(joined(parts, length))
      skipping = false
      reset()
      from = end + 1
    }
    keep(chunk.subarray(from))
    return lines
  }
}
