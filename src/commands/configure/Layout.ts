/** The end of line that a text uses: that of its first line. */
export const endOfLine = (text: string): "\r\n" | "\n" => (/^[^\n]*\r\n/.test(text) ? "\r\n" : "\n")

/** What stands before the first character of the line that `offset` is in. */
export const indentation = (text: string, offset: number): string => {
  const start = text.lastIndexOf("\n", offset - 1) + 1
  return /^[ \t]*/.exec(text.slice(start, offset))?.[0] ?? ""
}

/** Whether nothing but space stands before `offset` on its line. */
export const isFirstOnLine = (text: string, offset: number): boolean =>
  text.slice(text.lastIndexOf("\n", offset - 1) + 1, offset).trim() === ""

/** The number of the line that `offset` is in; the first is 1. */
export const lineOf = (text: string, offset: number): number => text.slice(0, offset).split("\n").length

/** Puts `content` in the place of the characters from `start` up to `end`. */
export interface Edit {
  readonly start: number
  readonly end: number
  readonly content: string
}

/** The text with all edits made; they do not overlap. Of two at one place the first comes first. */
export const applyEdits = (text: string, edits: ReadonlyArray<Edit>): string =>
  edits
    .toSorted((a, b) => a.start - b.start)
    .reduceRight((changed, { content, end, start }) => changed.slice(0, start) + content + changed.slice(end), text)
