import { byteLength } from "../../schemas/Text.ts"
import { jsonBytes, splitAtMost, withoutFirst } from "./JsonSize.ts"
import { sizeText } from "./OutputLimit.ts"

/** How long a text is: in bytes within JSON, and in bytes. */
export interface TextSize {
  readonly json: number
  readonly bytes: number
}

/** A part of a text. Ids rise from part to part, perhaps with gaps; the last part may become longer under its id. */
export interface TextPart {
  readonly id: number
  readonly text: string
}

/** A text that grows and takes a bounded place: of a longer one the beginning and the end are kept. */
export interface BoundedText {
  /** More text, in whole characters. Costs as much as it is long. */
  readonly add: (text: string) => void
  /** What is kept, with a mark in the place of what was left out. */
  readonly text: () => string
  /** At most so many bytes of JSON are needed for it. */
  readonly size: () => number
  /** What is not among the parts any more. */
  readonly leftOut: () => TextSize
  /** The parts that are not stored as they are. They do not change until what is to become of them has been told. */
  readonly unstored: () => ReadonlyArray<TextPart>
  /** Whether there are none of these, and no surplus. */
  readonly isStored: () => boolean
  /** Of the parts that were stored, those that are not needed any more. */
  readonly surplus: () => ReadonlyArray<number>
  /** Parts up to this one have been stored, and of the surplus nothing is there any more. */
  readonly stored: (upTo: number, removed: ReadonlyArray<number>) => void
}

export interface BoundedTextOptions {
  /** As JSON it takes at most so many bytes, and the mark. */
  readonly limit: number
  /** The longest part (bytes as JSON). */
  readonly part: number
  /** Up to so many bytes a part grows that is stored already: it is stored again. */
  readonly smallPart: number
  /** The id of the next part. */
  readonly nextId: () => number
  /** Stored parts to go on from, and what was left out between them. */
  readonly before?: { readonly parts: ReadonlyArray<TextPart>; readonly leftOut: TextSize }
}

interface Part extends TextPart, TextSize {}

const none: TextSize = { json: 0, bytes: 0 }
const sizeOf = (text: string): TextSize => ({ json: jsonBytes(text), bytes: byteLength(text) })
const plus = (a: TextSize, b: TextSize): TextSize => ({ json: a.json + b.json, bytes: a.bytes + b.bytes })

// For a mark with the largest numbers.
const markBytes = 160

/**
 * A text that takes at most `limit` bytes as JSON, and the mark. Of a longer one, the longest beginning and the longest
 * end that take half of the limit each are kept, in parts; parts between them are dropped. What it shows depends on the
 * text alone, not on how it came or was divided.
 */
export const makeBoundedText = ({ before, limit, nextId, part, smallPart }: BoundedTextOptions): BoundedText => {
  const half = Math.floor(limit / 2)
  const longest = Math.max(1, Math.min(part, half))
  // The parts that the kept beginning ends in or before, then the others.
  const head: Array<Part> = []
  const rest: Array<Part> = []
  let headSize = none
  let restSize = none
  let leftOut = before?.leftOut ?? none
  const surplus: Array<number> = []
  // Up to here parts are being stored, and do not change.
  let sealed = -1
  // Up to here they are stored as they are; and up to here there may be something of them where they are stored.
  let stored = -1
  let written = -1
  let rendered: string | undefined

  let headIsFull = false

  const isCut = () => leftOut.bytes > 0 || headSize.json + restSize.json > limit

  const push = (added: Part) => {
    headIsFull ||= headSize.json >= half
    if (!headIsFull) {
      head.push(added)
      headSize = plus(headSize, added)
    } else {
      rest.push(added)
      restSize = plus(restSize, added)
    }
  }

  /** Makes the last part longer, where that is allowed; answers whether it was. */
  const merge = (text: string, size: TextSize): boolean => {
    const parts = rest.length > 0 ? rest : head
    const last = parts.at(-1)
    if (last === undefined || last.id <= sealed) return false
    if (last.json + size.json > (last.id <= written ? Math.min(smallPart, longest) : longest)) return false
    // The beginning that is kept may end within a part, but a part after it is not counted to it.
    if (parts === head && (headIsFull || headSize.json >= half)) return false
    stored = Math.min(stored, last.id - 1)
    parts[parts.length - 1] = { id: last.id, text: last.text + text, ...plus(last, size) }
    if (parts === head) headSize = plus(headSize, size)
    else restSize = plus(restSize, size)
    return true
  }

  const drop = () => {
    for (let [first] = rest; first !== undefined && restSize.json - first.json >= half; [first] = rest) {
      rest.shift()
      restSize = { json: restSize.json - first.json, bytes: restSize.bytes - first.bytes }
      leftOut = plus(leftOut, first)
      if (first.id <= written) surplus.push(first.id)
    }
  }

  const render = () => {
    const said = head.map(({ text }) => text).join("")
    const kept = rest.map(({ text }) => text).join("")
    if (!isCut()) return said + kept
    const [beginning, afterwards] = splitAtMost(said, half)
    const tail = leftOut.bytes === 0 ? afterwards + kept : kept
    const end = withoutFirst(tail, jsonBytes(tail) - half)
    const total = headSize.bytes + restSize.bytes + leftOut.bytes
    const left = total - byteLength(beginning) - byteLength(end)
    const newLine = beginning === "" || beginning.endsWith("\n") ? "" : "\n"
    return `${beginning}${newLine}[cut: ${left} of ${total} bytes are left out here; a message holds at most ${sizeText(limit)}]\n${end}`
  }

  const ofBefore = before?.parts.at(-1)?.id ?? -1
  for (const { id, text } of before?.parts ?? []) {
    // What was left out stood where ids are missing.
    if (leftOut.bytes > 0 && stored >= 0 && id !== stored + 1) headIsFull = true
    push({ id, text, ...sizeOf(text) })
    // Those of another process are as they are.
    sealed = stored = written = id
  }

  /** What is not stored is at the end. */
  const unstoredIn = (parts: ReadonlyArray<Part>) => parts.slice(parts.findLastIndex(({ id }) => id <= stored) + 1)

  return {
    add: (text) => {
      if (text === "") return
      rendered = undefined
      for (let left = text; left !== "";) {
        const [piece, others] = pieceOf(left, longest)
        const size = sizeOf(piece)
        if (!merge(piece, size)) push({ id: nextId(), text: piece, ...size })
        left = others
        if (isCut()) drop()
      }
    },
    text: () => (rendered ??= render()),
    size: () => (isCut() ? 2 * half + markBytes : headSize.json + restSize.json),
    leftOut: () => leftOut,
    unstored: () => {
      const parts = [...unstoredIn(head), ...unstoredIn(rest)]
      sealed = parts.at(-1)?.id ?? sealed
      written = Math.max(written, sealed)
      return parts.map(({ id, text }) => ({ id, text }))
    },
    isStored: () => surplus.length === 0 && ((rest.at(-1) ?? head.at(-1))?.id ?? -1) <= stored,
    surplus: () => [...surplus],
    stored: (upTo, removed) => {
      stored = Math.max(stored, upTo)
      if (upTo === sealed) sealed = ofBefore
      const gone = new Set(removed)
      surplus.splice(0, surplus.length, ...surplus.filter((id) => !gone.has(id)))
    }
  }
}

/** As much of a text as a part may hold: at least one character. */
const pieceOf = (text: string, longest: number): readonly [piece: string, others: string] => {
  // Each of its units takes at least a byte.
  if (text.length <= longest && jsonBytes(text) <= longest) return [text, ""]
  const [piece, others] = splitAtMost(text, longest)
  if (piece !== "") return [piece, others]
  const [first = ""] = text
  return [first, text.slice(first.length)]
}
