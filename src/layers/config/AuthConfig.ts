import { Config, Context, Effect, Either, Layer, Redacted, type ConfigError } from "effect"
import { join, resolve } from "node:path"
import { StateDirectory } from "./StateDirectory.ts"
import { flag, invalid, secret, text } from "./Variables.ts"

/** How clients over HTTP prove who they are. */
export interface AuthOptions {
  /** Whether they must. Default: true. */
  readonly enabled?: boolean | undefined
  /** The main token, used as it is and written nowhere. Default: that of `tokenFile`. */
  readonly token?: Redacted.Redacted | undefined
  /** Absolute path of the main token's file. Further tokens are in the directory `<tokenFile>.named`. */
  readonly tokenFile: string
}

const token = Config.mapOrFail(secret("FLEET_MCP_AUTH_TOKEN"), (value) =>
  value === undefined || /^[\x21-\x7e]+$/.test(Redacted.value(value))
    ? Either.right(value)
    : invalid(
        "FLEET_MCP_AUTH_TOKEN",
        "contains spaces, line breaks, or characters that are not ASCII; no client could send it"
      )
)

/** How this server authenticates its clients. */
export class AuthConfig extends Context.Tag("fleet-mcp/layers/config/AuthConfig")<AuthConfig, AuthOptions>() {
  static readonly layer = (options: AuthOptions): Layer.Layer<AuthConfig> => Layer.succeed(this, options)

  /**
   * Reads `FLEET_MCP_AUTH_ENABLED` (default `true`), `FLEET_MCP_AUTH_TOKEN`, and `FLEET_MCP_AUTH_TOKEN_FILE` (default
   * `auth_token` in the state directory). What is blank counts as unset.
   */
  static readonly layerConfig: Layer.Layer<AuthConfig, ConfigError.ConfigError, StateDirectory> = Layer.effect(
    this,
    Effect.gen(function* () {
      const { path } = yield* StateDirectory
      const file = yield* text("FLEET_MCP_AUTH_TOKEN_FILE")
      return {
        enabled: yield* flag("FLEET_MCP_AUTH_ENABLED", true),
        token: yield* token,
        tokenFile: resolve(file ?? join(path, "auth_token"))
      }
    })
  )
}
