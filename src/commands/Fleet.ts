import { FetchHttpClient } from "@effect/platform"
import { Effect, Layer, type ConfigError, type Context, type Scope } from "effect"
import { homedir } from "node:os"
import { join, resolve } from "node:path"
import { Backend } from "../layers/config/Backend.ts"
import { CoderConfig, type CoderOptions } from "../layers/config/CoderConfig.ts"
import type { EmbeddedOptions } from "../layers/config/EmbeddedConfig.ts"
import { FleetConfig } from "../layers/config/FleetConfig.ts"
import * as FleetMcp from "../layers/FleetMcp.ts"
import { BackendNotConfigured } from "../schemas/errors/Coder.ts"
import { isTrue, type Settings } from "./Settings.ts"

const embeddedOptions = ({ environment, flags }: Settings): EmbeddedOptions => ({
  stateDirectory: resolve(environment["FLEET_MCP_STATE_DIR"]?.trim() || join(homedir(), ".fleet-mcp")),
  workingDirectory: process.cwd(),
  allowShell: flags.allowShell || isTrue(environment, "FLEET_MCP_ALLOW_SHELL"),
  environment
})

const coderServer = (options: CoderOptions) =>
  Effect.succeed(Layer.merge(FetchHttpClient.layer, CoderConfig.layer(options)))

const thisMachine = (settings: Settings) =>
  Effect.map(
    Effect.promise(() => import("../layers/embedded/EmbeddedCoder.ts")),
    ({ EmbeddedCoder }) => EmbeddedCoder.layer(embeddedOptions(settings))
  )

const unreadable = (error: ConfigError.ConfigError) =>
  new BackendNotConfigured({
    problem: `The configuration cannot be read: ${error.message}`,
    remedy: "Correct it, and restart fleet-mcp."
  })

/** The fleet's services over the backend that was chosen. This module is loaded at the first tool call. */
export const connect = (
  backend: Backend,
  settings: Settings
): Effect.Effect<Context.Context<FleetMcp.FleetServices>, BackendNotConfigured, Scope.Scope> =>
  Effect.gen(function* () {
    const coder = yield* Backend.$match(backend, {
      Coder: (options) => coderServer(options),
      Local: () => thisMachine(settings),
      Incomplete: ({ problem, remedy }) => new BackendNotConfigured({ problem, remedy })
    })
    const fleet = FleetMcp.layer.pipe(Layer.provide([coder, FleetConfig.layerConfig]))
    return yield* Effect.mapError(Layer.build(fleet), unreadable)
  })
