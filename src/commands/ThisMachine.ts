import { FileSystem, HttpClient, Path } from "@effect/platform"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { Duration, Effect, Layer, Predicate, Record, Redacted, type ConfigError } from "effect"
import { agentEnvironment as visible } from "../layers/agenthost/process/Environment.ts"
import { CoderConfig } from "../layers/config/CoderConfig.ts"
import { embeddedVariables, type EmbeddedOptions } from "../layers/config/EmbeddedConfig.ts"
import { StateDirectory } from "../layers/config/StateDirectory.ts"
import { embeddedUrl } from "../layers/embedded/Deployment.ts"
import { WatchLimits } from "../layers/services/wait/Watcher.ts"
import { BackendNotConfigured } from "../schemas/errors/Coder.ts"
import { type Environment, supervisorConfig } from "./Settings.ts"

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

/** The supervisor of the state directory, with which this process registers what its options say. */
const supervised = (options: EmbeddedOptions) =>
  Effect.gen(function* () {
    const { connected } = yield* Effect.promise(() => import("./supervisor/Connection.ts"))
    const { makeToken, placeIn } = yield* Effect.promise(() => import("./supervisor/Place.ts"))
    const token = makeToken()
    const given = Record.filter(options.environment ?? {}, Predicate.isNotUndefined)
    const client = connected({
      place: placeIn(options.stateDirectory),
      program: process.argv[1] ?? "",
      environment: given,
      client: {
        token,
        ...(options.projects === undefined ? {} : { projects: options.projects }),
        working_directory: options.workingDirectory,
        project_advice: options.projectAdvice ?? "",
        allow_shell: options.allowShell ?? false,
        environment: Redacted.make(visible(given, options.agentEnvironment)),
        agent_environment: options.agentEnvironment ?? []
      }
    })
    return Layer.merge(
      Layer.scoped(HttpClient.HttpClient, client),
      CoderConfig.layer({ url: new URL(embeddedUrl), sessionToken: token, displayName: "this machine" })
    )
  })

/** This machine's fleet as the configuration wants it. Its agents get a part of `environment`. */
export const thisMachine = (
  environment: Environment
): Effect.Effect<
  Layer.Layer<HttpClient.HttpClient | CoderConfig | WatchLimits, BackendNotConfigured>,
  BackendNotConfigured | ConfigError.ConfigError
> =>
  Effect.gen(function* () {
    const options = yield* embeddedOptions(environment)
    if (yield* supervisorConfig) return Layer.merge(yield* supervised(options), watchClosely)
    const { EmbeddedCoder } = yield* Effect.promise(() => import("../layers/embedded/EmbeddedCoder.ts"))
    return Layer.merge(EmbeddedCoder.layer(options), watchClosely)
  })
