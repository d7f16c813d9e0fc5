import { Schema } from "effect"

/** The longest idempotency key (characters). */
export const keyLength = 200

/** A key that names one act of its caller, and what tells whether another one with that key is the same. */
export const KeyUse = Schema.Struct({
  /** SHA-256 of the key, as hexadecimal: so it is of one form, whatever its caller chose, and is stored nowhere. */
  key: Schema.String,
  /** SHA-256 of what is to be done and with which arguments, likewise. */
  fingerprint: Schema.String
})
export type KeyUse = typeof KeyUse.Type
