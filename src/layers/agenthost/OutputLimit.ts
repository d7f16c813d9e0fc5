import { byteLength } from "../../schemas/Text.ts"
import { jsonBytes, splitAtMost, withoutFirst } from "./JsonSize.ts"

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

/** A text that grows and takes a bounded place: of a longer one the beginning and the end are kept. */
export interface BoundedText {
  /** More text, in whole characters. Costs as much as it is long. */
  readonly add: (text: string) => void
  /** What is kept, with a mark in the place of what was left out. */
  readonly text: () => string
  /** At most so many bytes of JSON are needed for it. */
  readonly size: () => number
}

// For a mark with the largest numbers.
const markBytes = 160

// Small pieces are put together, so that a text of single characters does not become a list of them.
const chunkBytes = 4 * KiB

/**
 * A text that takes at most `limit` bytes as JSON, and the mark. Of a longer one, the longest beginning and the longest
 * end that take half of the limit each are kept.
 */
export const makeBoundedText = (limit: number): BoundedText => {
  const half = Math.floor(limit / 2)
  let head = ""
  let headBytes = 0
  let headIsFull = false
  const tail: Array<{ readonly text: string; readonly bytes: number }> = []
  let tailBytes = 0
  let total = { json: 0, bytes: 0 }
  let rendered: string | undefined

  const isCut = () => total.json > limit

  const addToTail = (text: string, bytes: number) => {
    const last = tail.at(-1)
    if (last !== undefined && last.bytes < chunkBytes) {
      tail[tail.length - 1] = { text: last.text + text, bytes: last.bytes + bytes }
    } else {
      tail.push({ text, bytes })
    }
    tailBytes += bytes
  }

  const dropFromTail = () => {
    for (let [first] = tail; first !== undefined && tailBytes - first.bytes >= half; [first] = tail) {
      tail.shift()
      tailBytes -= first.bytes
    }
    const [first] = tail
    if (first === undefined || first.bytes <= limit) return
    const text = withoutFirst(first.text, tailBytes - half)
    const bytes = jsonBytes(text)
    tailBytes -= first.bytes - bytes
    tail[0] = { text, bytes }
  }

  const render = () => {
    const kept = tail.map(({ text }) => text).join("")
    if (!isCut()) return head + kept
    const end = withoutFirst(kept, tailBytes - half)
    const left = total.bytes - byteLength(head) - byteLength(end)
    const newLine = head === "" || head.endsWith("\n") ? "" : "\n"
    return `${head}${newLine}[cut: ${left} of ${total.bytes} bytes are left out here; a message holds at most ${sizeText(limit)}]\n${end}`
  }

  return {
    add: (text) => {
      if (text === "") return
      const bytes = jsonBytes(text)
      rendered = undefined
      total = { json: total.json + bytes, bytes: total.bytes + byteLength(text) }
      if (!headIsFull && headBytes + bytes <= half) {
        head += text
        headBytes += bytes
        return
      }
      const [beginning, rest] = headIsFull ? ["", text] : splitAtMost(text, half - headBytes)
      head += beginning
      headBytes += jsonBytes(beginning)
      headIsFull = true
      addToTail(rest, jsonBytes(rest))
      if (isCut()) dropFromTail()
    },
    text: () => (rendered ??= render()),
    size: () => (isCut() ? 2 * half + markBytes : total.json)
  }
}
