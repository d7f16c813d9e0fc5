import { Limits } from "../config/Limits.ts"
import { byteLength, firstBytes } from "../../schemas/Text.ts"

/** What a conversation holds so far, in bytes: of its current line, and in all. Past its limit = cut already. */
export interface Recorded {
  readonly line: number
  readonly total: number
}

const lineMark = ` [cut: a line holds at most ${Limits.outputLine / 1024} KiB]`
const totalMark = `\n[cut: a conversation holds at most ${Limits.conversation / 1024 / 1024} MiB]\n`

const limitTo = (limit: number, mark: string, before: number, text: string): readonly [text: string, after: number] => {
  if (before > limit) return ["", before]
  const after = before + byteLength(text)
  return after <= limit ? [text, after] : [firstBytes(text, limit - before) + mark, limit + 1]
}

/** What is recorded of more output, and what is recorded after that. Each cut leaves one mark in the text. */
export const limitOutput = (before: Recorded, output: string): readonly [text: string, after: Recorded] => {
  if (before.total > Limits.conversation) return ["", before]
  let { line } = before
  let kept = ""
  for (const [index, part] of output.split("\n").entries()) {
    if (index > 0) {
      kept += "\n"
      line = 0
    }
    const [text, after] = limitTo(Limits.outputLine, lineMark, line, part)
    kept += text
    line = after
  }
  const [text, total] = limitTo(Limits.conversation, totalMark, before.total, kept)
  return [text, { line, total }]
}
