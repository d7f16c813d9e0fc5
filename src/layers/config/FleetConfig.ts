import { Config, Context, Layer, type ConfigError } from "effect"
import { list, text } from "./Variables.ts"

/** What a fleet takes for granted about its templates. */
export interface FleetOptions {
  /** Names of templates that are projects even if nothing else says so. Default: none. */
  readonly projects?: ReadonlyArray<string> | undefined
  /** The parameter that carries the first task. Default: the one called `AI Prompt`, `ai_prompt` or `prompt`. */
  readonly promptParameter?: string | undefined
  /** The slug of the app that is AgentAPI. Default: `ccw`, or the app whose health check is AgentAPI's. */
  readonly appSlug?: string | undefined
}

/** How agents are recognised. */
export class FleetConfig extends Context.Tag("fleet-mcp/layers/config/FleetConfig")<FleetConfig, FleetOptions>() {
  static readonly layer = (options: FleetOptions = {}): Layer.Layer<FleetConfig> => Layer.succeed(this, options)

  /** Reads `FLEET_MCP_PROJECTS` (names, separated by commas), `FLEET_MCP_PROMPT_PARAMETER`, `FLEET_MCP_APP_SLUG`. */
  static readonly layerConfig: Layer.Layer<FleetConfig, ConfigError.ConfigError> = Layer.effect(
    this,
    Config.all({
      projects: list("FLEET_MCP_PROJECTS", ","),
      promptParameter: text("FLEET_MCP_PROMPT_PARAMETER"),
      appSlug: text("FLEET_MCP_APP_SLUG")
    })
  )
}
