import { Redacted } from "effect"
import { createHash, randomBytes, timingSafeEqual } from "node:crypto"

/** 256 random bits in base64url: 43 characters. */
export const newValue = (): Redacted.Redacted => Redacted.make(randomBytes(32).toString("base64url"))

/** SHA-256. */
export const digestOf = (value: Redacted.Redacted): Uint8Array =>
  createHash("sha256").update(Redacted.value(value)).digest()

/** In hexadecimal, as files have it. */
export const toHex = (digest: Uint8Array): string => Buffer.from(digest).toString("hex")
export const fromHex = (hash: string): Uint8Array => Buffer.from(hash, "hex")

/** Whether two digests are the same, in a time that does not depend on where they differ. */
export const sameDigest = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && timingSafeEqual(one, other)
