import { Effect, Layer, Redacted } from "effect"
import { chmodSync, mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { BearerAuth } from "../../../src/layers/auth/BearerAuth.ts"
import { TokenStore } from "../../../src/layers/auth/TokenStore.ts"
import { AuthConfig, type AuthOptions } from "../../../src/layers/config/AuthConfig.ts"
import { discard } from "../../support/Secrets.ts"

export const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "fleet-auth-"))),
  (directory) =>
    Effect.sync(() => {
      chmodSync(directory, 0o700)
      discard(directory)
    })
)

export const storeOf = (options: AuthOptions) => TokenStore.layer.pipe(Layer.provide(AuthConfig.layer(options)))

/** The store over a file, as another process would have it. */
export const storeAt = (tokenFile: string) => Effect.provide(TokenStore, storeOf({ tokenFile }))

/** A server's authentication, for as long as the scope is open. */
export const authOf = (options: AuthOptions) =>
  Effect.map(
    Layer.build(BearerAuth.layer.pipe(Layer.provide([storeOf(options), AuthConfig.layer(options)]))),
    (context) => context.unsafeMap.get(BearerAuth.key) as BearerAuth["Type"]
  )

export const bearer = (value: Redacted.Redacted) => [`Bearer ${Redacted.value(value)}`]

export const secret = "CANARY_abcdefghijklmnopqrstuvwxyz0123456789"
export const tokenText = (value = secret) => JSON.stringify({ value, created_at: "2026-01-01T00:00:00.000Z" })
