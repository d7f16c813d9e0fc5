import { Schema } from "effect"

// Encoded forms are those of the files; values are Redacted from the file to the socket.

/** What a token may do; each may do what those before it may. */
export const TokenRole = Schema.Literal("read", "operate", "approve")
export type TokenRole = typeof TokenRole.Type

/** 256 bits in base64url, without padding. */
export const TokenValue = Schema.Redacted(Schema.String.pipe(Schema.pattern(/^[A-Za-z0-9_-]{43}$/)))

/** The file of the main token: `jq -r .value` reads it. */
export const TokenFile = Schema.Struct({
  value: TokenValue,
  created_at: Schema.DateTimeUtc
})
export interface TokenFile extends Schema.Schema.Type<typeof TokenFile> {}

/** The name of a further token. `main` is the main token's. */
export const TokenName = Schema.String.pipe(
  Schema.pattern(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/),
  Schema.filter((name) => name !== "main"),
  Schema.brand("TokenName")
)
export type TokenName = typeof TokenName.Type

/** A further token, as it is stored: its value is known to nobody but its user. */
export const NamedToken = Schema.Struct({
  name: TokenName,
  role: TokenRole,
  /** SHA-256 of the value, in hexadecimal. */
  hash: Schema.String.pipe(Schema.pattern(/^[0-9a-f]{64}$/)),
  created_at: Schema.DateTimeUtc,
  /** From then on it is refused; null: never. */
  expires_at: Schema.NullOr(Schema.DateTimeUtc)
})
export interface NamedToken extends Schema.Schema.Type<typeof NamedToken> {}
