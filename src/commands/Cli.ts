import { Args, Command, Options, ValidationError } from "@effect/cli"
import { FileSystem } from "@effect/platform"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { ConfigError, Console, Data, Effect, Option, Struct } from "effect"
import type { Environment } from "../layers/config/Backend.ts"
import { clients } from "./configure/Clients.ts"
import { parseEnvFile } from "./EnvFile.ts"
import type { Settings } from "./Settings.ts"
import { stdio } from "./Stdio.ts"
import { token } from "./Token.ts"

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
  ),
  readOnly: Options.boolean("read-only").pipe(
    Options.withDescription("Only show the fleet: no tool that changes anything is listed or served")
  )
}

const httpOptions = {
  host: Options.text("host").pipe(
    Options.withDescription("The address to listen on; any but a loopback one needs --behind-tls"),
    Options.withDefault("127.0.0.1")
  ),
  port: Options.integer("port").pipe(
    Options.withDescription("The port to listen on; 0 takes any"),
    Options.withDefault(8000)
  ),
  behindTls: Options.boolean("behind-tls").pipe(
    Options.withDescription("States that a reverse proxy with TLS stands in front of the server")
  ),
  allowHosts: Options.text("allow-host").pipe(
    Options.withPseudoName("NAME"),
    Options.withDescription("A host name under which clients ask for the server, beside the loopback ones; repeatable"),
    Options.repeated
  ),
  allowOrigins: Options.text("allow-origin").pipe(
    Options.withPseudoName("ORIGIN"),
    Options.withDescription(
      "An origin whose web pages may use the server, such as https://app.example.com; repeatable"
    ),
    Options.repeated
  ),
  trustedProxies: Options.text("trust-proxy").pipe(
    Options.withPseudoName("ADDRESS"),
    Options.withDescription("The address of a reverse proxy whose X-Forwarded-For the log believes; repeatable"),
    Options.repeated
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

type Given = Command.Command.ParseConfig<typeof options>

/** What the command line and the environment say together. */
const settingsOf = ({ allowShell, coderUrl, envFile, local, readOnly }: Given) =>
  Effect.map(
    Option.match(envFile, {
      onNone: () => Effect.succeed<Environment>(process.env),
      onSome: (file) => withFile(process.env, file)
    }),
    (environment): Settings => ({
      environment,
      flags: { local, coderUrl: Option.getOrUndefined(coderUrl), allowShell, readOnly }
    })
  )

const root = Command.make("fleet-mcp", options, (given) => Effect.flatMap(settingsOf(given), stdio))

const http = Command.make("http", { ...options, ...httpOptions }, (given) =>
  Effect.gen(function* () {
    // Options may stand before the command, too.
    const before = yield* root
    const settings = yield* settingsOf({
      envFile: Option.orElse(given.envFile, () => before.envFile),
      coderUrl: Option.orElse(given.coderUrl, () => before.coderUrl),
      local: given.local || before.local,
      allowShell: given.allowShell || before.allowShell,
      readOnly: given.readOnly || before.readOnly
    })
    const module = yield* Effect.promise(() => import("./Http.ts"))
    return yield* module.http(settings, given)
  })
).pipe(
  Command.withDescription(
    "Serves MCP over Streamable HTTP at /mcp, to clients with a bearer token. Wants --local or a Coder server."
  )
)

const configureOptions = {
  client: Args.choice(
    Struct.keys(clients).map((name): [string, typeof name] => [name, name]),
    { name: "CLIENT" }
  ),
  write: Options.boolean("write").pipe(
    Options.withDescription("Merge the entry into the client's configuration file, after a backup beside it")
  ),
  projects: Options.text("project").pipe(
    Options.withPseudoName("DIR"),
    Options.withDescription("A repository that agents work on; repeatable"),
    Options.repeated
  )
}

const configure = Command.make("configure", { ...options, ...configureOptions }, (given) =>
  Effect.gen(function* () {
    // Options may stand before the command, too.
    const before = yield* root
    const module = yield* Effect.promise(() => import("./Configure.ts"))
    const flags = {
      ...given,
      envFile: Option.orElse(given.envFile, () => before.envFile),
      coderUrl: Option.orElse(given.coderUrl, () => before.coderUrl),
      local: given.local || before.local,
      allowShell: given.allowShell || before.allowShell,
      readOnly: given.readOnly || before.readOnly
    }
    return yield* module.configure(given.client, flags, process.argv[1] ?? "", process.env)
  })
).pipe(Command.withDescription("Prints the entry with which an MCP client starts this program, or writes it"))

const fleetMcp = root.pipe(
  Command.withDescription(
    "Runs a fleet of coding agents over MCP: on a Coder server when CODER_URL is set, else on this machine. Without arguments it is an MCP server on stdin and stdout."
  ),
  Command.withSubcommands([http, token, configure, demo])
)

const exitWith = (code: number, said: string) =>
  Effect.zipRight(
    Console.error(said),
    Effect.sync(() => {
      process.exitCode = code
    })
  )

/** What the command line or the configuration asks for cannot be had. */
const wrongUsage = new Set(["EnvFileUnusable", "HttpNotStarted", "CannotListen", "NoSuchPath"])

/** Runs the command line of this process. Failures are told on stderr; the exit code is 2 for wrong usage, else 1. */
export const cli = (argv: ReadonlyArray<string>): Effect.Effect<void> =>
  Command.run(fleetMcp, { name: "Fleet MCP", version: __FLEET_MCP_VERSION__ })(argv).pipe(
    Effect.catchAll((error) =>
      // The parser has said already what it does not understand.
      ValidationError.isValidationError(error)
        ? exitWith(2, "See fleet-mcp --help.")
        : exitWith(ConfigError.isConfigError(error) || wrongUsage.has(error._tag) ? 2 : 1, error.message)
    ),
    Effect.provide(NodeContext.layer)
  )
