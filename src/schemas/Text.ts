import { Schema } from "effect"

// C0 and C1 control characters and DEL, but not tab and newline. An escape sequence in a prompt could leave the
// terminal's paste mode and type keys.
// oxlint-disable-next-line no-control-regex
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** Removes control characters; tab and newline stay, `\r\n` becomes `\n`, all other text is unchanged. */
export const withoutControls = (text: string): string => text.replaceAll("\r\n", "\n").replaceAll(controls, "")

/** Cuts a text to `limit` characters, and says so in the text. */
export const cut = (text: string, limit: number): string =>
  text.length <= limit ? text : `${text.slice(0, limit)} [cut: ${text.length - limit} more characters]`

/** Text of an agent or a server, for display: no control characters. */
export const CleanText = Schema.transform(Schema.String, Schema.String, {
  strict: true,
  decode: withoutControls,
  encode: (text) => text
})

const encoder = new TextEncoder()

/** The length of a text in bytes. */
export const byteLength = (text: string): number => Buffer.byteLength(text)

/** The longest beginning of a text that has at most so many bytes; no character is split. */
export const firstBytes = (text: string, limit: number): string =>
  text.slice(0, encoder.encodeInto(text, new Uint8Array(limit)).read)

/** Names as a sentence lists them. */
export const listed = (names: ReadonlyArray<string>): string => (names.length === 0 ? "none" : names.join(", "))
