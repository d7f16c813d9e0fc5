import { Duration, Effect, Exit, Scope } from "effect"
import { Console } from "node:console"
import * as StderrLogger from "../layers/observability/StderrLogger.ts"
import { McpSession } from "../layers/transports/session/McpSession.ts"
import { StdioTransport } from "../layers/transports/stdio/StdioTransport.ts"
import { asked, exitWithin, served, unreadable } from "./Serving.ts"
import { providerOf, type Settings } from "./Settings.ts"

/**
 * When the client has gone: for the calls at work, and for all of the process. Claude Code kills a server 490 ms after it
 * asked it to end.
 */
const callsEnd = Duration.millis(200)
const processEnds = Duration.millis(350)

/** A scope that ends in time; what lies in it may finish in the background. */
const briefly = (time: Duration.Duration) =>
  Effect.acquireRelease(Scope.make(), (scope) =>
    Scope.close(scope, Exit.void).pipe(Effect.disconnect, Effect.interruptible, Effect.timeout(time), Effect.ignore)
  )

/** Whatever prints goes to stderr: stdout belongs to MCP. */
const claimStdout = () => {
  globalThis.console = new Console(process.stderr)
}

/** The MCP server on stdin and stdout, until the client goes. */
export const stdio = (settings: Settings): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* Effect.sync(claimStdout)
    const wanted = yield* Effect.catchAll(asked, (error) => Effect.succeed(unreadable(error)))
    const { services, ...session } = served(wanted, settings.environment)
    const fleet = yield* Effect.scope
    const calls = yield* briefly(callsEnd)
    const { closed } = yield* Scope.extend(
      McpSession.make(new StdioTransport(process.stdin, process.stdout), {
        ...session,
        terminal: settings.environment["CLAUDE_CODE_ENTRYPOINT"] === "cli",
        services: Scope.extend(services, fleet)
      }),
      calls
    )
    yield* closed
  }).pipe(
    Effect.ensuring(Effect.sync(() => exitWithin(processEnds))),
    Effect.scoped,
    Effect.provide(StderrLogger.layer),
    Effect.withConfigProvider(providerOf(settings))
  )
