import { Config, ConfigError, Context, Either, Layer, type Redacted } from "effect"
import { invalid, secret, text } from "./Variables.ts"

/** Where Coder is, and the caller's token for it. */
export interface CoderOptions {
  /** The access URL, for example `https://coder.example.com`. */
  readonly url: URL
  readonly sessionToken: Redacted.Redacted
  /** What people call it. Default: the origin of `url`. */
  readonly displayName?: string
}

/** `CODER_URL` and `CODER_SESSION_TOKEN` as they stand, each of them optional. */
export const coderVariables = Config.all({ address: text("CODER_URL"), sessionToken: secret("CODER_SESSION_TOKEN") })

const missing = (name: string) => Either.left(ConfigError.MissingData([name], `${name} is not set`))

/** Which Coder the fleet talks to: a server, or the embedded one. */
export class CoderConfig extends Context.Tag("fleet-mcp/layers/config/CoderConfig")<CoderConfig, CoderOptions>() {
  static readonly layer = (options: CoderOptions): Layer.Layer<CoderConfig> => Layer.succeed(this, options)

  /** Reads `CODER_URL` and `CODER_SESSION_TOKEN`. */
  static readonly layerConfig: Layer.Layer<CoderConfig, ConfigError.ConfigError> = Layer.effect(
    this,
    Config.mapOrFail(coderVariables, ({ address, sessionToken }) => {
      if (address === undefined) return missing("CODER_URL")
      if (!URL.canParse(address)) return invalid("CODER_URL", "is not a URL")
      return sessionToken === undefined
        ? missing("CODER_SESSION_TOKEN")
        : Either.right({ url: new URL(address), sessionToken })
    })
  )
}
