import { Args, Command, Options, ValidationError } from "@effect/cli"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { ConfigError, Console, Effect, Struct } from "effect"
import { clients } from "./configure/Clients.ts"
import { both, options, settingsOf } from "./Options.ts"
import { providerOf } from "./Settings.ts"
import { stdio } from "./Stdio.ts"
import { token } from "./Token.ts"

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

const demo = Command.make("demo", {}, () =>
  Effect.flatMap(
    Effect.promise(() => import("./Demo.ts")),
    (module) => module.demo(process.argv[1] ?? "")
  )
).pipe(
  Command.withDescription("Runs three agents on a scratch repository over a real MCP client, and checks their work")
)

const root = Command.make("fleet-mcp", options, (given) => Effect.flatMap(settingsOf(given), stdio))

/** What the options before a command say, for commands that have none of these themselves. */
const settings = Effect.flatMap(root, (before) => settingsOf(before))

/** What `token` reads its variables from. */
const provider = Effect.map(settings, providerOf)

const http = Command.make("http", { ...options, ...httpOptions }, (given) =>
  Effect.gen(function* () {
    const all = yield* settingsOf(yield* root, given)
    const module = yield* Effect.promise(() => import("./Http.ts"))
    return yield* module.http(all, given)
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
  )
}

const configure = Command.make("configure", { ...options, ...configureOptions }, (given) =>
  Effect.gen(function* () {
    const flags = { ...both(yield* root, given), write: given.write }
    const module = yield* Effect.promise(() => import("./Configure.ts"))
    return yield* module.configure(given.client, flags, process.argv[1] ?? "", process.env)
  })
).pipe(Command.withDescription("Prints the entry with which an MCP client starts this program, or writes it"))

const managing = Effect.all([Effect.promise(() => import("./Manage.ts")), settings])

const supervisorOptions = {
  service: Options.boolean("service").pipe(
    Options.withDescription(
      "For a service manager: waits while another one runs, instead of failing, and stays when nobody needs it"
    )
  )
}

const supervisor = Command.make("supervisor", supervisorOptions, ({ service }) =>
  Effect.gen(function* () {
    const { environment } = yield* settings
    const module = yield* Effect.promise(() => import("./Supervisor.ts"))
    return yield* module.supervisor(environment, service)
  })
).pipe(
  Command.withDescription(
    "Runs this machine's fleet for all clients of this state directory; the first that needs it starts it"
  )
)

const status = Command.make(
  "status",
  { json: Options.boolean("json").pipe(Options.withDescription("Print one line of JSON")) },
  ({ json }) => Effect.flatMap(managing, ([module, given]) => module.status(given, json))
).pipe(Command.withDescription("Tells whether a supervisor runs, and what of"))

const stop = Command.make(
  "stop",
  { now: Options.boolean("now").pipe(Options.withDescription("Also where agents are at work: their work is ended")) },
  ({ now }) => Effect.flatMap(managing, ([module, given]) => module.stop(given, now))
).pipe(Command.withDescription("Ends the supervisor, unless agents are at work"))

const logs = Command.make("logs", {}, () => Effect.flatMap(managing, ([module, given]) => module.logs(given))).pipe(
  Command.withDescription("Prints where the log of the supervisor is, and its end")
)

const installing = Effect.all([Effect.promise(() => import("./Install.ts")), settings])

const install = Command.make(
  "install",
  { remove: Options.boolean("remove").pipe(Options.withDescription("End the service, and remove its file")) },
  ({ remove }) =>
    Effect.flatMap(installing, ([module, given]) =>
      remove ? module.uninstall(given) : module.install(given, process.argv[1] ?? "")
    )
).pipe(
  Command.withDescription(
    "Has the supervisor run from login on, as a service of systemd (on macOS: launchd) of this user; prints what it wrote"
  )
)

const projecting = Effect.all([Effect.promise(() => import("./Projects.ts")), settings])

const removeProject = Command.make("remove", { directory: Args.text({ name: "PATH" }) }, ({ directory }) =>
  Effect.flatMap(projecting, ([module, given]) => module.remove(given, process.argv[1] ?? "", directory))
).pipe(
  Command.withDescription(
    "Forgets the project of a folder, unless it has agents; its folder stays, and a client that names it makes it known again"
  )
)

const projects = Command.make(
  "projects",
  { json: Options.boolean("json").pipe(Options.withDescription("Print an array of JSON objects")) },
  ({ json }) => Effect.flatMap(projecting, ([module, given]) => module.list(given, process.argv[1] ?? "", json))
).pipe(
  Command.withDescription("Lists the git repositories that clients have named on this machine, which all of them see"),
  Command.withSubcommands([removeProject])
)

const agents = Command.make(
  "agents",
  {
    ...options,
    watch: Options.boolean("watch").pipe(Options.withDescription("Go on, and show what changes, until Ctrl-C")),
    json: Options.boolean("json").pipe(Options.withDescription("Print the agents once, as JSON"))
  },
  (given) =>
    Effect.gen(function* () {
      const all = yield* settingsOf(yield* root, given)
      const module = yield* Effect.promise(() => import("./Agents.ts"))
      return yield* module.agents(all, given, process.stdout)
    })
).pipe(Command.withDescription("Shows the fleet as a table; with --watch as it changes"))

const described = Command.withDescription("Calls one tool of the fleet as an MCP client would, and prints its answer")

/** The tools are loaded where one may be called, and not for other commands. */
const callFor = async (argv: ReadonlyArray<string>) => {
  if (!argv.includes("call")) return described(Command.make("call"))
  const { call } = await import("./Call.ts")
  return described(call((behind) => Effect.flatMap(root, (before) => settingsOf(before, behind))))
}

const fleetMcp = (call: Awaited<ReturnType<typeof callFor>>) =>
  root.pipe(
    Command.withDescription(
      "Runs a fleet of coding agents over MCP: on a Coder server when CODER_URL is set, else on this machine. Without arguments it is an MCP server on stdin and stdout."
    ),
    Command.withSubcommands([
      http,
      token(provider),
      configure,
      call,
      agents,
      demo,
      supervisor,
      status,
      stop,
      logs,
      install,
      projects
    ])
  )

const exitWith = (code: number, said: string) =>
  Effect.zipRight(
    Console.error(said),
    Effect.sync(() => {
      process.exitCode = code
    })
  )

/** What the command line or the configuration asks for cannot be had. */
const wrongUsage = new Set([
  "EnvFileUnusable",
  "Contradiction",
  "HttpNotStarted",
  "CannotListen",
  "NoSuchPath",
  "NoSuchLook"
])

/** `--option=value` as two arguments: the parser takes that form, but not of options that are repeatable. */
const split = (argument: string): ReadonlyArray<string> => {
  const [, option, value] = /^(--[a-z_-]+)=(.*)$/s.exec(argument) ?? []
  return option === undefined || value === undefined ? [argument] : [option, value]
}

/** Runs the command line of this process. Failures are told on stderr; the exit code is 2 for wrong usage, else 1. */
export const cli = (argv: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.flatMap(
    Effect.promise(() => callFor(argv)),
    (call) => Command.run(fleetMcp(call), { name: "Fleet MCP", version: __FLEET_MCP_VERSION__ })(argv.flatMap(split))
  ).pipe(
    Effect.catchAll((error) =>
      // The parser has said already what it does not understand.
      ValidationError.isValidationError(error)
        ? exitWith(2, "See fleet-mcp --help.")
        : exitWith(ConfigError.isConfigError(error) || wrongUsage.has(error._tag) ? 2 : 1, error.message)
    ),
    Effect.provide(NodeContext.layer)
  )
