import { HttpClient, type HttpClientError } from "@effect/platform"
import { Console, Data, Duration, Effect, Predicate, Record, Redacted } from "effect"
import { realpathSync } from "node:fs"
import { resolve } from "node:path"
import { StateDirectory } from "../layers/config/StateDirectory.ts"
import type { KnownProject } from "../schemas/fleet/FleetApi.ts"
import { printable } from "../schemas/Text.ts"
import { providerOf, type Settings } from "./Settings.ts"
import { fleetClient } from "./supervisor/Ask.ts"
import { connected } from "./supervisor/Connection.ts"
import { makeToken, placeIn } from "./supervisor/Place.ts"

/** How long an answer is waited for: longer than a supervisor waits for looks at folders. */
const answerTime = Duration.seconds(30)

/** The projects could not be listed or changed. */
class ProjectsFailed extends Data.TaggedError("ProjectsFailed")<{ readonly message: string }> {}

type Supervisor = Effect.Effect.Success<ReturnType<typeof fleetClient>>["supervisor"]

interface Failure {
  readonly message: string
  readonly description?: string | undefined
}

/** Asks the supervisor, which is started where there is none, as a client that names no project. */
const asking = <A, E extends Failure>(
  { environment, ...settings }: Settings,
  program: string,
  request: (supervisor: Supervisor) => Effect.Effect<A, E | HttpClientError.HttpClientError>
) =>
  Effect.gen(function* () {
    const stateDirectory = yield* Effect.flatMap(StateDirectory, ({ ensure }) => ensure)
    const token = makeToken()
    const client = yield* connected({
      place: placeIn(stateDirectory),
      program,
      environment: Record.filter(environment, Predicate.isNotUndefined),
      client: {
        token,
        projects: [],
        working_directory: "/",
        project_advice: "",
        allow_shell: false,
        environment: Redacted.make({}),
        agent_environment: []
      }
    })
    return yield* Effect.flatMap(fleetClient({ token }), ({ supervisor }) => request(supervisor)).pipe(
      Effect.provideService(HttpClient.HttpClient, client),
      Effect.timeoutFail({
        duration: answerTime,
        onTimeout: (): Failure => ({ message: `Nothing came within ${Duration.format(answerTime)}.` })
      }),
      Effect.mapError(({ description, message }) => new ProjectsFailed({ message: description ?? message }))
    )
  }).pipe(
    Effect.scoped,
    Effect.provide(StateDirectory.layerConfig),
    Effect.withConfigProvider(providerOf({ environment, ...settings }))
  )

/** A path may hold anything, and yet forges no line. */
const oneLine = (text: string): string => printable(text).replaceAll("\n", "\\n")

const lines = ({ agents, directory, name, problem }: KnownProject): ReadonlyArray<string> =>
  [
    `${name}  ${directory}`,
    ...(agents.length === 0 ? [] : [`  agents: ${agents.join(", ")}`]),
    ...(problem === null ? [] : [`  not usable now: ${problem}`])
  ].map(oneLine)

/** `fleet-mcp projects`: what clients have named on this machine. `program` is the path of this program. */
export const list = (settings: Settings, program: string, json: boolean) =>
  Effect.gen(function* () {
    const projects = yield* asking(settings, program, (supervisor) => supervisor.projects())
    if (json) return yield* Console.log(JSON.stringify(projects, null, 2))
    yield* Console.log(
      projects.flatMap(lines).join("\n") || "No project is known yet: clients name theirs as they call."
    )
  })

/** Absolute, and without symbolic links where it is there. */
const located = (directory: string): string => {
  const absolute = resolve(directory)
  try {
    return realpathSync(absolute)
  } catch {
    return absolute
  }
}

/** `fleet-mcp projects remove PATH`. */
export const remove = (settings: Settings, program: string, directory: string) =>
  Effect.gen(function* () {
    const path = located(directory)
    const { removed } = yield* asking(settings, program, (supervisor) =>
      supervisor.removeProject({ payload: { directory: path } })
    )
    yield* Console.log(
      `Forgotten: ${removed.map(oneLine).join(", ")} (${oneLine(path)}). Its folder is as it was; a client that names it, or works in it, makes it known again.`
    )
  })
