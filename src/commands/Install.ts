import { Console, Effect, Option } from "effect"
import { realpathSync } from "node:fs"
import { homedir } from "node:os"
import { StateDirectory } from "../layers/config/StateDirectory.ts"
import { FileRefused, isWritten, remove, write } from "./install/OwnFile.ts"
import { type Owner, type Service, serviceOf, type Supervised } from "./install/Service.ts"
import { systemctl } from "./install/Systemctl.ts"
import { type Environment, providerOf, type Settings } from "./Settings.ts"
import { ask } from "./supervisor/Ask.ts"
import { placeIn, readInfo } from "./supervisor/Place.ts"

const ownerOf = (environment: Environment): Owner => ({ platform: process.platform, home: homedir(), environment })

/** The path of the state directory; nothing is made. */
const stateDirectoryOf = (settings: Settings) =>
  Effect.map(StateDirectory, ({ path }) => path).pipe(
    Effect.provide(StateDirectory.layerConfig),
    Effect.withConfigProvider(providerOf(settings))
  )

/** A line break, for example, would end a line of the file. */
const unwritable = /\p{Cc}/u
/** What systemd takes in no path of a program, however it is quoted. */
const unstartable = /["'\\]/

const checked = (supervised: Supervised, { manager }: Service): Effect.Effect<Supervised, FileRefused> => {
  const { node, program, stateDirectory } = supervised
  const path =
    [node, program, stateDirectory].find((each) => unwritable.test(each)) ??
    [node].find((each) => manager === "systemd" && unstartable.test(each))
  return path === undefined
    ? Effect.succeed(supervised)
    : Effect.fail(
        new FileRefused({
          message: `${JSON.stringify(path)} has characters that no service can have in a path. Nothing was written.`
        })
      )
}

const session = `gui/${process.getuid?.() ?? "UID"}`

/** What a person has to run where this program does not. */
const byHand = ({ file, manager, name }: Service) =>
  manager === "systemd"
    ? {
        start: ["systemctl --user daemon-reload", `systemctl --user enable --now ${name}`],
        again: [`systemctl --user restart ${name}`],
        end: [`systemctl --user disable --now ${name}`, "systemctl --user daemon-reload"]
      }
    : {
        start: [`launchctl bootstrap ${session} ${JSON.stringify(file)}`],
        again: [`launchctl bootout ${session}/${name}`, `launchctl bootstrap ${session} ${JSON.stringify(file)}`],
        end: [`launchctl bootout ${session}/${name}`]
      }

const run = (why: string, commands: ReadonlyArray<string>): string =>
  [why, ...commands.map((command) => `  ${command}`)].join("\n")

const enable = ({ name }: Service, environment: Environment) =>
  Effect.zipRight(systemctl(environment, "daemon-reload"), systemctl(environment, "enable", "--now", name))

/**
 * `fleet-mcp install`: writes the service that runs the supervisor of this state directory from login on, and starts it
 * where systemd can be asked. `program` is the path under which this program runs.
 */
export const install = (settings: Settings, program: string) =>
  Effect.gen(function* () {
    const { environment } = settings
    const stateDirectory = yield* stateDirectoryOf(settings)
    const service = serviceOf(stateDirectory, ownerOf(environment))
    const supervised = yield* checked(
      { node: process.execPath, program: realpathSync(program), stateDirectory },
      service
    )
    const done = yield* write(service.file, service.text(supervised))
    yield* Console.log(
      {
        made: `Made ${service.file}`,
        replaced: `Replaced ${service.file}, which fleet-mcp install had written`,
        unchanged: `${service.file} is as it should be already`,
        removed: "",
        missing: ""
      }[done] + `: the supervisor of ${stateDirectory}.`
    )
    const { again, start } = byHand(service)
    if (service.manager === "launchd") return yield* Console.log(run("Start it, and at each login from now on:", start))
    const problem = yield* Effect.flip(enable(service, environment)).pipe(Effect.option)
    if (Option.isSome(problem)) {
      return yield* Console.log(run(`It does not run yet (${problem.value.reason}). Start it:`, start))
    }
    yield* Console.log(`${service.name} runs, and starts when you log in.`)
    if (done === "replaced") {
      yield* Console.log(run("What runs already is as before. When no agent is at work:", again))
    }
    yield* Console.log(run("To have it run while you are not logged in:", ["loginctl enable-linger"]))
  })

/** Names of agents at work under the supervisor that systemd runs as this service: to end it would end their work. */
const atWork = ({ name }: Service, stateDirectory: string, environment: Environment) =>
  Effect.gen(function* () {
    const info = readInfo(placeIn(stateDirectory))
    const pid = yield* Effect.option(systemctl(environment, "show", "--property=MainPID", "--value", name))
    if (info === undefined || !Option.contains(pid, String(info.pid))) return []
    const status = yield* ask(info, (supervisor) => supervisor.status())
    return Option.match(status, { onNone: () => [], onSome: ({ at_work }) => at_work })
  })

const disable = (service: Service, stateDirectory: string, environment: Environment) =>
  Effect.gen(function* () {
    if (service.manager === "launchd") return
    const names = yield* atWork(service, stateDirectory, environment)
    if (names.length > 0) {
      return yield* new FileRefused({
        message: `Nothing was removed: at work are ${names.join(", ")}. fleet-mcp stop --now ends their work; worktrees and branches stay.`
      })
    }
    // Where it cannot be asked, it is told what to run.
    yield* Effect.ignore(systemctl(environment, "disable", "--now", service.name))
  })

/** `fleet-mcp install --remove`: ends the service and removes its file. Agents and all of the state directory stay. */
export const uninstall = (settings: Settings) =>
  Effect.gen(function* () {
    const { environment } = settings
    const stateDirectory = yield* stateDirectoryOf(settings)
    const service = serviceOf(stateDirectory, ownerOf(environment))
    const done = yield* remove(service.file, disable(service, stateDirectory, environment))
    if (done === "missing") return yield* Console.log(`${service.file} is not there: nothing was installed.`)
    yield* Console.log(`Removed ${service.file}. Agents, and all that is in ${stateDirectory}, are as they were.`)
    const isTold = service.manager === "systemd" && (yield* Effect.isSuccess(systemctl(environment, "daemon-reload")))
    if (!isTold) yield* Console.log(run("If it runs still, end it:", byHand(service).end))
  })

/** What `fleet-mcp stop` tells of a service that starts the supervisor again at once; none where none is installed. */
export const startsAgain = (stateDirectory: string, environment: Environment): Effect.Effect<Option.Option<string>> => {
  const service = serviceOf(stateDirectory, ownerOf(environment))
  const how = service.manager === "systemd" ? `systemctl --user stop ${service.name}` : byHand(service).end.join("; ")
  return Effect.map(isWritten(service.file), (written) =>
    written
      ? Option.some(`The service ${service.name} starts another in a moment; ${how} ends that, too.`)
      : Option.none()
  )
}
