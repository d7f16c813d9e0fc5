const encoder = new TextEncoder()

/** The length of a text in bytes. */
export const byteLength = (text: string): number => Buffer.byteLength(text)

/** The longest beginning of a text that has at most so many bytes; no character is split. */
export const firstBytes = (text: string, limit: number): string =>
  text.slice(0, encoder.encodeInto(text, new Uint8Array(limit)).read)
