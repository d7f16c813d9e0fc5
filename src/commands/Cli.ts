import { Command, Options, ValidationError } from "@effect/cli"
import { FileSystem } from "@effect/platform"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { Console, Data, Effect, Option } from "effect"
import type { Environment } from "../layers/config/Backend.ts"
import { parseEnvFile } from "./EnvFile.ts"
import { stdio } from "./Stdio.ts"

class EnvFileUnusable extends Data.TaggedError("EnvFileUnusable")<{ readonly file: string; readonly reason: string }> {
  override get message() {
    return `--env-file ${this.file}: ${this.reason}`
  }
}

const options = {
  envFile: Options.text("env-file").pipe(
    Options.withPseudoName("FILE"),
    Options.withDescription("Read KEY=VALUE lines from this file; variables that are set already win"),
    Options.optional
  ),
  local: Options.boolean("local").pipe(Options.withDescription("Run agents on this machine, whatever CODER_URL says")),
  coderUrl: Options.text("coder-url").pipe(
    Options.withPseudoName("URL"),
    Options.withDescription("Run agents on this Coder server; CODER_SESSION_TOKEN must be set"),
    Options.optional
  ),
  allowShell: Options.boolean("allow-shell").pipe(
    Options.withDescription("Offer the role shell on this machine: its agents run commands with your rights")
  )
}

/** The variables of a file beneath those that are set already. */
const withFile = (environment: Environment, file: string) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const text = yield* files.readFileString(file)
    const entries = yield* parseEnvFile(text)
    const set = Object.entries(environment).filter(([, value]) => value !== undefined && value.trim() !== "")
    return { ...entries, ...Object.fromEntries(set) }
  }).pipe(
    Effect.mapError((cause) => new EnvFileUnusable({ file, reason: typeof cause === "string" ? cause : cause.message }))
  )

const demo = Command.make("demo", {}, () =>
  Effect.flatMap(
    Effect.promise(() => import("./Demo.ts")),
    (module) => module.demo(process.argv[1] ?? "")
  )
).pipe(
  Command.withDescription("Runs three agents on a scratch repository over a real MCP client, and checks their work")
)

const fleetMcp = Command.make("fleet-mcp", options, ({ allowShell, coderUrl, envFile, local }) =>
  Effect.gen(function* () {
    const environment = yield* Option.match(envFile, {
      onNone: () => Effect.succeed(process.env),
      onSome: (file) => withFile(process.env, file)
    })
    yield* stdio({ environment, flags: { local, coderUrl: Option.getOrUndefined(coderUrl), allowShell } })
  })
).pipe(
  Command.withDescription(
    "Runs a fleet of coding agents over MCP: on a Coder server when CODER_URL is set, else on this machine. Without arguments it is an MCP server on stdin and stdout."
  ),
  Command.withSubcommands([demo])
)

const exitWith = (code: number, said: string) =>
  Effect.zipRight(
    Console.error(said),
    Effect.sync(() => {
      process.exitCode = code
    })
  )

/** Runs the command line of this process. Failures are told on stderr; the exit code is 2 for wrong usage, else 1. */
export const cli = (argv: ReadonlyArray<string>): Effect.Effect<void> =>
  Command.run(fleetMcp, { name: "Fleet MCP", version: __FLEET_MCP_VERSION__ })(argv).pipe(
    Effect.catchAll((error) =>
      // The parser has said already what it does not understand.
      ValidationError.isValidationError(error)
        ? exitWith(2, "See fleet-mcp --help.")
        : exitWith(error._tag === "EnvFileUnusable" ? 2 : 1, error.message)
    ),
    Effect.provide(NodeContext.layer)
  )
