import { Redacted } from "effect"

/** A shorter one is not taken out of what a server says: it may be a word (characters). Coder's own tokens have 33. */
export const shortestSecret = 12

/** Takes a secret out of what a server says. */
export interface Redact {
  readonly text: (text: string) => string
  readonly bytes: (bytes: Uint8Array) => Uint8Array
}

const escapes: ReadonlyArray<readonly [RegExp, string]> = [
  [/&/g, String.raw`\u0026`],
  [/</g, String.raw`\u003c`],
  [/>/g, String.raw`\u003e`]
]

/** How JSON, JSON of Go and a URL have it. */
const formsOf = (secret: string): ReadonlyArray<string> => {
  const json = JSON.stringify(secret).slice(1, -1)
  const ofGo = escapes.reduce((text, [character, escape]) => text.replace(character, escape), json)
  return [...new Set([secret, json, ofGo, encodeURIComponent(secret)])]
}

const instead = "<redacted>"

/** Knows the secret as it is, escaped in JSON and encoded in a URL; not what is done to hide it, as by encryption. */
export const makeRedact = (secret: Redacted.Redacted): Redact => {
  const value = Redacted.value(secret)
  const forms = value.length < shortestSecret ? [] : formsOf(value)
  const text = (said: string) => forms.reduce((rest, form) => rest.replaceAll(form, instead), said)
  return {
    text,
    bytes: (bytes) => {
      const said = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      // Almost never, and then byte by byte: the secret is ASCII.
      return forms.some((form) => said.includes(form))
        ? Uint8Array.from(Buffer.from(text(said.toString("latin1")), "latin1"))
        : bytes
    }
  }
}
