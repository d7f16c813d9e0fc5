import { byteLength } from "../../schemas/Text.ts"

/** How many bytes a text takes within JSON, without its quotes. */
export const jsonBytes = (text: string): number => byteLength(JSON.stringify(text)) - 2

const shortEscapes = new Set(Array.from('\b\t\n\f\r"\\', (character) => character.codePointAt(0)))

// RFC 8259 section 7, and ECMA-262 `QuoteJSONString` for halves of surrogate pairs.
const widthOf = (point: number): number => {
  if (shortEscapes.has(point)) return 2
  if (point < 0x20 || (point >= 0xd800 && point <= 0xdfff)) return 6
  if (point < 0x80) return 1
  if (point < 0x800) return 2
  return point < 0x10000 ? 3 : 4
}

/** Where the first characters of a text end that the condition still holds for, given the bytes up to their end. */
const endOf = (text: string, holds: (bytesBefore: number, width: number) => boolean): number => {
  let bytes = 0
  let index = 0
  for (;;) {
    const point = text.codePointAt(index)
    if (point === undefined || !holds(bytes, widthOf(point))) return index
    bytes += widthOf(point)
    index += point < 0x10000 ? 1 : 2
  }
}

/** Divides a text after the longest beginning that takes at most so many bytes; no character is split. */
export const splitAtMost = (text: string, limit: number): readonly [beginning: string, rest: string] => {
  const end = endOf(text, (before, width) => before + width <= limit)
  return [text.slice(0, end), text.slice(end)]
}

/** A text without its shortest beginning that takes at least so many bytes; no character is split. */
export const withoutFirst = (text: string, bytes: number): string => text.slice(endOf(text, (before) => before < bytes))
