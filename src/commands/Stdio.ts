import { ConfigProvider, Duration, Effect, Exit, Scope } from "effect"
import { Console } from "node:console"
import { chooseBackend } from "../layers/config/Backend.ts"
import { Limits } from "../layers/config/Limits.ts"
import * as StderrLogger from "../layers/observability/StderrLogger.ts"
import { McpSession } from "../layers/transports/session/McpSession.ts"
import { StdioTransport } from "../layers/transports/stdio/StdioTransport.ts"
import { place } from "./Place.ts"
import { readOnlyReason, type Settings } from "./Settings.ts"

/** A scope that ends in time; what lies in it may finish in the background. */
const briefly = (time: Duration.Duration) =>
  Effect.acquireRelease(Scope.make(), (scope) =>
    Scope.close(scope, Exit.void).pipe(Effect.disconnect, Effect.interruptible, Effect.timeout(time), Effect.ignore)
  )

/** Ends the process when something still holds it: a change being settled, or output that nobody reads. */
const exitInTime = () => {
  setTimeout(() => process.exit(), Duration.toMillis(Limits.exitProcess)).unref()
}

/** Whatever prints goes to stderr: stdout belongs to MCP. */
const claimStdout = () => {
  globalThis.console = new Console(process.stderr)
}

/** The MCP server on stdin and stdout, until the client goes. */
export const stdio = (settings: Settings): Effect.Effect<void> => {
  const { environment, flags } = settings
  const backend = chooseBackend(environment, flags)
  const variables = Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined)

  const tools = Effect.map(
    Effect.promise(() => import("../tools/FleetTools.ts")),
    ({ fleetTools }) => fleetTools
  )
  const services = Effect.flatMap(
    Effect.promise(() => import("./Fleet.ts")),
    ({ connect }) => connect(backend, settings)
  )
  const serve = Effect.gen(function* () {
    yield* Effect.sync(claimStdout)
    const fleet = yield* Effect.scope
    const calls = yield* briefly(Limits.exitCalls)
    const session = McpSession.make(new StdioTransport(process.stdin, process.stdout), {
      tools,
      services: Scope.extend(services, fleet),
      place: place(backend),
      readOnly: readOnlyReason(settings)
    })
    const { closed } = yield* Scope.extend(session, calls)
    yield* closed
  })
  return serve.pipe(
    Effect.ensuring(Effect.sync(exitInTime)),
    Effect.scoped,
    Effect.provide(StderrLogger.layer),
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(variables)))
  )
}
