import { Config, ConfigError, Context, Effect, Either, Layer, Option, Redacted } from "effect"
import { homedir } from "node:os"
import { join, resolve } from "node:path"

/** How clients over HTTP prove who they are. */
export interface AuthOptions {
  /** Whether they must. Default: true. */
  readonly enabled?: boolean | undefined
  /** The main token, used as it is and written nowhere. Default: that of `tokenFile`. */
  readonly token?: Redacted.Redacted | undefined
  /** Absolute path of the main token's file. Further tokens are in the directory `<tokenFile>.named`. */
  readonly tokenFile: string
}

// No message repeats a value. Each names its variable: it is all that is shown.
const invalid = (name: string, problem: string) => Either.left(ConfigError.InvalidData([name], `${name} ${problem}`))

const blank = (value: string): boolean => value.trim() === ""

const flag = (name: string) =>
  Config.string(name).pipe(
    Config.withDefault(""),
    Config.mapOrFail((value) => {
      const word = value.trim().toLowerCase()
      if (word === "" || word === "true") return Either.right(true)
      return word === "false" ? Either.right(false) : invalid(name, "is neither true nor false; unset, it is true")
    })
  )

const token = (name: string) =>
  Config.redacted(name).pipe(
    Config.option,
    Config.mapOrFail(
      Option.match({
        onNone: () => Either.right(undefined),
        onSome: (value) => {
          if (blank(Redacted.value(value))) return Either.right(undefined)
          return /^[\x21-\x7e]+$/.test(Redacted.value(value))
            ? Either.right(value)
            : invalid(name, "contains spaces, line breaks, or characters that are not ASCII; no client could send it")
        }
      })
    )
  )

const path = (name: string) =>
  Config.string(name).pipe(
    Config.withDefault(""),
    Config.map((value) => (blank(value) ? undefined : value.trim()))
  )

/** How this server authenticates its clients. */
export class AuthConfig extends Context.Tag("fleet-mcp/layers/config/AuthConfig")<AuthConfig, AuthOptions>() {
  static readonly layer = (options: AuthOptions): Layer.Layer<AuthConfig> => Layer.succeed(this, options)

  /**
   * Reads `FLEET_MCP_AUTH_ENABLED` (default `true`), `FLEET_MCP_AUTH_TOKEN`, and `FLEET_MCP_AUTH_TOKEN_FILE` (default
   * `auth_token` in `FLEET_MCP_STATE_DIR`, and that by default `~/.fleet-mcp`). What is blank counts as unset.
   */
  static readonly layerConfig: Layer.Layer<AuthConfig, ConfigError.ConfigError> = Layer.effect(
    this,
    Effect.gen(function* () {
      const enabled = yield* flag("FLEET_MCP_AUTH_ENABLED")
      const given = yield* token("FLEET_MCP_AUTH_TOKEN")
      const file = yield* path("FLEET_MCP_AUTH_TOKEN_FILE")
      const state = yield* path("FLEET_MCP_STATE_DIR")
      return {
        enabled,
        token: given,
        tokenFile: resolve(file ?? join(state ?? join(homedir(), ".fleet-mcp"), "auth_token"))
      }
    })
  )
}
