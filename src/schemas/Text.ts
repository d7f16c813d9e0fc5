// Sequences of ECMA-48 for terminals, in their 7-bit (ESC and a character) and 8-bit forms. One that is not complete
// loses its first character, or the first two, like any other control: no text after it is taken for a part of it.
// oxlint-disable no-control-regex
/** Colours, cursor movement, keys; also without its end, where the text ends there. */
const csi = /(?:\u001b\[|\u009b)[0-?]*[ -/]*(?:[@-~]|$)/g
/** Titles, links (OSC, within one line); device strings and private messages (DCS, SOS, PM, APC). Both up to their end. */
const osc = /(?:\u001b\]|\u009d)[^\u0000-\u0008\u000a-\u001f\u0080-\u009f]*(?:\u0007|\u001b\\|\u009c)/g
const strings = /(?:\u001b[PX^_]|[\u0090\u0098\u009e\u009f])[^\u0007\u001b\u0080-\u009f]*(?:\u0007|\u001b\\|\u009c)/g
/** All others: ESC, intermediate characters, a final one. */
const escapes = /\u001b[ -/]*[0-~]/g
/** C0 and C1 control characters and DEL, but not tab and newline. */
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g
/** Every sequence begins with one of the controls: nearly all texts have none, nor half a pair. */
const unprintable = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\p{Surrogate}]/u
// oxlint-enable no-control-regex

const loneSurrogates = /\p{Surrogate}/gu

/** Replaces halves of surrogate pairs by U+FFFD: parsers of JSON in other languages refuse a text that has one. */
export const wellFormed = (text: string): string => text.replaceAll(loneSurrogates, "\ufffd")

/** Well-formed text without control characters and without the sequences that they begin; tab and newline stay. */
export const printable = (text: string): string =>
  unprintable.test(text)
    ? wellFormed(text)
        .replaceAll(osc, "")
        .replaceAll(strings, "")
        .replaceAll(csi, "")
        .replaceAll(escapes, "")
        .replaceAll(controls, "")
    : text

/** A line begins anew at each carriage return: the last beginning that has any text is what a reader of a terminal sees. */
const lastState = (line: string): string => line.split("\r").findLast((state) => state !== "") ?? ""

/**
 * Text of an agent or a server as it is shown: `printable`, and of a line that was written several times over (a progress
 * bar, which goes back by carriage returns) the last state alone. What a shorter state would have left of a longer one on
 * a terminal is not shown.
 */
export const withoutControls = (text: string): string =>
  printable(text.includes("\r") ? text.split("\n").map(lastState).join("\n") : text)

/**
 * Text as it is sent to an agent: `printable`, since an escape sequence in a prompt could leave the terminal's paste mode
 * and type keys. No line of it is lost: a carriage return ends one, as a newline does.
 */
export const asPrompt = (text: string): string => printable(text.replaceAll(/\r\n?/g, "\n"))

/** The longest character that a cut looks for (UTF-16 units): families of emoji have about 25. */
const longestCharacter = 64

let segmenter: Intl.Segmenter | undefined

const isInsidePair = (text: string, at: number): boolean => /^[\ud800-\udbff][\udc00-\udfff]/.test(text.slice(at - 1))

/**
 * The last place at or before `at` that is between two characters as a reader sees them: no surrogate pair, no letter and
 * its accent, no emoji of several parts is torn. In what is joined for more than 64 UTF-16 units (accents heaped on one
 * letter, a long row of flags) a cut falls between code points.
 */
export const characterBoundary = (text: string, at: number): number => {
  if (at <= 0) return 0
  if (at >= text.length) return text.length
  const from = Math.max(0, at - longestCharacter)
  segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" })
  const found = segmenter.segment(text.slice(from, at + longestCharacter)).containing(at - from)?.index ?? 0
  if (found > 0 || from === 0) return from + found
  return isInsidePair(text, at) ? at - 1 : at
}

/** The beginning of a text, of at most `limit` characters (UTF-16 units), cut between characters. */
export const beginning = (text: string, limit: number): string => text.slice(0, characterBoundary(text, limit))

/** A text of at most `limit` characters (UTF-16 units), with an ellipsis where its end is missing. */
export const short = (text: string, limit: number): string =>
  text.length <= limit ? text : `${beginning(text, Math.max(0, limit - 1))}…`

/** Characters of a text that is quoted from a server or an agent. */
export const quotedLength = 500

/**
 * Cuts a text to `limit` characters (UTF-16 units), between characters, and says so in the text, with what shows the rest
 * where `shownBy` names that.
 */
export const cut = (text: string, limit: number, shownBy = ""): string => {
  const kept = beginning(text, limit)
  if (kept.length === text.length) return text
  return `${kept} [cut: ${text.length - kept.length} more characters${shownBy === "" ? "" : `: ${shownBy}`}]`
}

/** Whether something was cut out of a text by `cut`. */
export const isCut = (text: string): boolean => /\[cut: \d+ more characters/.test(text)

/**
 * Head and tail of a text that is longer than `limit` characters, with what `mark` says of the characters left out
 * between them (from where to where). Head, mark and tail together have at most `limit` characters, as long as the mark
 * has fewer.
 */
export const headAndTail = (text: string, limit: number, mark: (from: number, to: number) => string): string => {
  if (text.length <= limit) return text
  const room = Math.max(0, limit - mark(text.length, 2 * text.length).length)
  const from = characterBoundary(text, Math.floor(room * 0.4))
  const earliest = text.length - (room - from)
  const boundary = characterBoundary(text, earliest)
  const to = boundary === earliest ? earliest : nextBoundary(text, earliest)
  return `${text.slice(0, from)}${mark(from, to)}${text.slice(to)}`
}

/** The first place after `at` that is between two characters. */
const nextBoundary = (text: string, at: number): number => {
  for (let next = at + 1; next < text.length; next++) if (characterBoundary(text, next) === next) return next
  return text.length
}

const encoder = new TextEncoder()

/** The length of a text in bytes. */
export const byteLength = (text: string): number => Buffer.byteLength(text)

/** The longest beginning of a text that has at most so many bytes; no character is split. */
export const firstBytes = (text: string, limit: number): string =>
  text.slice(0, encoder.encodeInto(text, new Uint8Array(limit)).read)

/** Longest texts of a sentence (characters): a name, what a caller passed, and names that it lists. */
const longest = { name: 100, quoted: 200, listed: 4000 }

/** A name of a server's, or another word that stands in a line, as it is shown: `withoutControls`, one line, not too long. */
export const shownName = (name: string): string =>
  short(withoutControls(name).replaceAll(/[\n\t]+/g, " "), longest.name)

/** A text in quotation marks, as JSON has it; of one that is long the beginning, so that what follows is not lost. */
export const quoted = (text: string): string => JSON.stringify(short(text, longest.quoted))

/** Names as a sentence lists them: as many as have room, and how many more there are. */
export const listed = (names: ReadonlyArray<string>): string => {
  if (names.length === 0) return "none"
  let room = longest.listed
  const shown = names.map((name) => short(name, longest.name))
  const tooMany = shown.findIndex((name) => (room -= name.length + 2) < 0)
  return tooMany < 0 ? shown.join(", ") : `${shown.slice(0, tooMany).join(", ")} and ${names.length - tooMany} more`
}
