import { FileSystem, Path, type HttpClient } from "@effect/platform"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { Duration, Effect, Layer, type ConfigError } from "effect"
import type { CoderConfig } from "../layers/config/CoderConfig.ts"
import { embeddedVariables, type EmbeddedOptions } from "../layers/config/EmbeddedConfig.ts"
import { StateDirectory } from "../layers/config/StateDirectory.ts"
import { EmbeddedCoder } from "../layers/embedded/EmbeddedCoder.ts"
import { WatchLimits } from "../layers/services/wait/Watcher.ts"
import { BackendNotConfigured } from "../schemas/errors/Coder.ts"
import type { Environment } from "./Settings.ts"

const projectAdvice =
  "Start fleet-mcp in a git repository, or name repositories with --project DIR (repeatable) or FLEET_MCP_PROJECT_DIRS."

const workingDirectory = Effect.try({
  try: () => process.cwd(),
  catch: () =>
    new BackendNotConfigured({
      problem: "The working directory of fleet-mcp is gone.",
      remedy: "Restart fleet-mcp in one that is there."
    })
})

/** The named directories, each once, however it is written. What is wrong with one of them is told with the projects. */
const projectsIn = Effect.fn("ThisMachine.projectsIn")(function* (base: string, directories: ReadonlyArray<string>) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const real = yield* Effect.forEach(directories, (directory) => {
    const absolute = path.resolve(base, directory)
    return Effect.orElseSucceed(files.realPath(absolute), () => absolute)
  })
  return [...new Set(real)].map((directory) => ({ name: path.basename(directory) || directory, directory }))
})

const embeddedOptions = (environment: Environment) =>
  Effect.gen(function* () {
    const { agentEnvironment, allowShell, projectDirectories } = yield* embeddedVariables
    const directory = yield* workingDirectory
    if (agentEnvironment.length > 0) {
      yield* Effect.logInfo("agents also get variables of FLEET_MCP_AGENT_ENV", { names: agentEnvironment.join(", ") })
    }
    const options: EmbeddedOptions = {
      stateDirectory: yield* Effect.flatMap(StateDirectory, ({ ensure }) => ensure),
      workingDirectory: directory,
      projects: projectDirectories.length === 0 ? undefined : yield* projectsIn(directory, projectDirectories),
      projectAdvice,
      allowShell,
      environment,
      agentEnvironment
    }
    return options
  }).pipe(
    Effect.provide([StateDirectory.layerConfig, NodeContext.layer]),
    Effect.catchTag("StateDirectoryRefused", ({ path, problem, remedy }) =>
      Effect.fail(new BackendNotConfigured({ problem: `The state directory ${path} ${problem}.`, remedy }))
    )
  )

/** A look at the agents costs no request to a server here. */
const watchClosely = Layer.effect(
  WatchLimits,
  Effect.map(WatchLimits, (limits) => ({ ...limits, pace: Duration.millis(500) }))
)

/** The embedded Coder as the configuration wants it. Its agents get a part of `environment`. */
export const thisMachine = (
  environment: Environment
): Effect.Effect<
  Layer.Layer<HttpClient.HttpClient | CoderConfig | WatchLimits>,
  BackendNotConfigured | ConfigError.ConfigError
> => Effect.map(embeddedOptions(environment), (options) => Layer.merge(EmbeddedCoder.layer(options), watchClosely))
