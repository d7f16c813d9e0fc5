import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Effect, Exit } from "effect"
import * as StderrLogger from "./layers/observability/StderrLogger.ts"

const load = async () => {
  if (process.platform === "win32") {
    return Effect.dieMessage("fleet-mcp does not run on Windows itself; it does in WSL. Start it there.")
  }
  // By itself it starts without the parser of the command line, for whoever waits for it.
  if (process.argv.length === 3 && process.argv[2] === "supervisor") {
    return (await import("./commands/Supervisor.ts")).alone(process.env)
  }
  if (process.argv.length > 2) return (await import("./commands/Cli.ts")).cli(process.argv)
  const { stdio } = await import("./commands/Stdio.ts")
  return stdio({ environment: process.env, flags: {} })
}

const main = Effect.promise(load).pipe(
  Effect.flatten,
  Effect.tapErrorCause(Effect.logError),
  Effect.provide(StderrLogger.layer)
)

NodeRuntime.runMain(main, {
  disableErrorReporting: true,
  disablePrettyLogger: true,
  // No process.exit, which would lose what stdout has not taken yet.
  teardown: (exit) => {
    if (Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)) process.exitCode = 1
  }
})
