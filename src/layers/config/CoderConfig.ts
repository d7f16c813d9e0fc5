import { Config, Context, Layer, type ConfigError, type Redacted } from "effect"

/** Where Coder is, and the caller's token for it. */
export interface CoderOptions {
  /** The access URL, for example `https://coder.example.com`. */
  readonly url: URL
  readonly sessionToken: Redacted.Redacted
  /** What people call the place where its workspaces run. Default: the origin of `url`. */
  readonly place?: string
}

/** Which Coder the fleet talks to: a server, or the embedded one. */
export class CoderConfig extends Context.Tag("fleet-mcp/layers/config/CoderConfig")<CoderConfig, CoderOptions>() {
  static readonly layer = (options: CoderOptions): Layer.Layer<CoderConfig> => Layer.succeed(this, options)

  /** Reads `CODER_URL` and `CODER_SESSION_TOKEN`. */
  static readonly layerConfig: Layer.Layer<CoderConfig, ConfigError.ConfigError> = Layer.effect(
    this,
    Config.all({ url: Config.url("CODER_URL"), sessionToken: Config.redacted("CODER_SESSION_TOKEN") })
  )
}
