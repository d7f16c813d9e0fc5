import { Clock, Console, Data, Duration, Effect, Either, Layer, Option, Schedule } from "effect"
import * as fs from "node:fs"
import { CoderConfig } from "../layers/config/CoderConfig.ts"
import { StateDirectory } from "../layers/config/StateDirectory.ts"
import { embeddedUrl } from "../layers/embedded/Deployment.ts"
import * as FleetMcp from "../layers/FleetMcp.ts"
import type { SupervisorStatus } from "../schemas/fleet/FleetApi.ts"
import { startsAgain } from "./Install.ts"
import { isAlive } from "./Processes.ts"
import { providerOf, type Settings } from "./Settings.ts"
import { ask, NoAnswer } from "./supervisor/Ask.ts"
import { type Place, placeIn, readInfo, type SupervisorInfo } from "./supervisor/Place.ts"
import { isStarting } from "./supervisor/Start.ts"
import { wireTo } from "./supervisor/Wire.ts"

/** How long `stop` waits for the end of a supervisor, and how often it looks. */
const patience = Duration.seconds(20)
const glance = Duration.millis(50)

/** How many agents of the fleet have which status, as the tools tell it, or why that is not known. */
const agentsByStatus = (info: SupervisorInfo) =>
  Effect.gen(function* () {
    const service = yield* FleetMcp.AgentService
    const { agents } = yield* service.list({})
    const counts: Record<string, number> = {}
    for (const { status } of agents) counts[status] = (counts[status] ?? 0) + 1
    return counts
  }).pipe(
    Effect.provide(
      FleetMcp.layer.pipe(
        Layer.provide([
          wireTo(info.socket),
          CoderConfig.layer({ url: new URL(embeddedUrl), sessionToken: info.token }),
          FleetMcp.layerFleetConfig()
        ])
      )
    ),
    Effect.mapError(({ message }) => message),
    Effect.either
  )

const withPlace = <A, E, R>(settings: Settings, use: (place: Place) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(StateDirectory, ({ path }) => use(placeIn(path))).pipe(
    Effect.provide(StateDirectory.layerConfig),
    Effect.withConfigProvider(providerOf(settings))
  )

/** Why there is nobody to ask. */
type Nobody = "none" | "starting"

const nobody = ({ stateDirectory }: Place, which: Nobody) =>
  which === "none" ? `No supervisor runs for ${stateDirectory}.` : `A supervisor for ${stateDirectory} is starting.`

/** The supervisor of a place that answers, and its status; or why there is none. */
const found = (place: Place) =>
  Effect.gen(function* () {
    const info = readInfo(place)
    if (info === undefined && fs.existsSync(place.info)) {
      return yield* new NoAnswer({
        message: `${place.info} cannot be read, so it is not known whether a supervisor runs.`
      })
    }
    const status = info === undefined ? Option.none() : yield* ask(info, (it) => it.status())
    if (info !== undefined && Option.isSome(status)) return Either.right({ info, status: status.value })
    return Either.left<Nobody>(isStarting(place, yield* Clock.currentTimeMillis) ? "starting" : "none")
  })

const inMiB = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`

const counted = (agents: Readonly<Record<string, number>>): string =>
  Object.entries(agents)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ") || "none"

const lines = (status: SupervisorStatus, agents: Either.Either<Readonly<Record<string, number>>, string>): string =>
  [
    `supervisor  process ${status.pid}, version ${status.version}, since ${status.since}`,
    `clients     ${status.clients}`,
    `agents      ${Either.match(agents, { onLeft: (reason) => `could not be counted: ${reason}`, onRight: counted })}`,
    `at work     ${status.at_work.join(", ") || "none"}`,
    `store       ${inMiB(status.store_bytes)}`
  ].join("\n")

/** `fleet-mcp status`: what the supervisor of this machine's fleet says of itself. */
export const status = (settings: Settings, json: boolean) =>
  withPlace(settings, (place) =>
    Effect.gen(function* () {
      const supervisor = yield* found(place)
      if (Either.isLeft(supervisor)) {
        const starting = supervisor.left === "starting"
        return yield* Console.log(
          json
            ? JSON.stringify({ running: false, starting, state_directory: place.stateDirectory })
            : nobody(place, supervisor.left)
        )
      }
      const { info, status: told } = supervisor.right
      const agents = yield* agentsByStatus(info)
      yield* Console.log(
        json
          ? JSON.stringify({
              running: true,
              state_directory: place.stateDirectory,
              ...told,
              agents: Either.getOrNull(agents)
            })
          : lines(told, agents)
      )
    })
  )

const untilGone = (pid: number) =>
  Effect.sync(() => isAlive(pid)).pipe(
    Effect.repeat({ while: (there) => there, schedule: Schedule.spaced(glance) }),
    Effect.timeoutFail({
      duration: patience,
      onTimeout: () =>
        new NoAnswer({
          message: `The supervisor (process ${pid}) has not ended within ${Duration.toSeconds(patience)} s.`
        })
    })
  )

/** `fleet-mcp stop`: ends the supervisor, with its agents, if none is at work or if `now`. */
export const stop = (settings: Settings, now: boolean) =>
  withPlace(settings, (place) =>
    Effect.gen(function* () {
      const supervisor = yield* found(place)
      if (Either.isLeft(supervisor)) {
        if (supervisor.left === "none") return yield* Console.log(nobody(place, "none"))
        return yield* new NoAnswer({ message: `${nobody(place, "starting")} Stop it when it has.` })
      }
      const { info } = supervisor.right
      const asked = yield* ask(info, (it) => it.stop({ payload: { now } }))
      if (Option.isNone(asked)) {
        yield* untilGone(info.pid)
        return yield* Console.log(`The supervisor (process ${info.pid}) has ended by itself.`)
      }
      const answer = asked.value
      if (!answer.stopping) {
        return yield* new NoAnswer({
          message: `Not stopped: ${answer.at_work.length === 0 ? "a change is under way" : `at work are ${answer.at_work.join(", ")}`}. fleet-mcp stop --now ends their work; worktrees and branches stay.`
        })
      }
      yield* untilGone(info.pid)
      const ended = answer.at_work.length === 0 ? "" : ` The work of ${answer.at_work.join(", ")} was ended.`
      yield* Console.log(`The supervisor (process ${info.pid}) has ended.${ended}`)
      const service = yield* startsAgain(place.stateDirectory, settings.environment)
      yield* Effect.forEach(Option.toArray(service), (said) => Console.log(said), { discard: true })
    })
  )

class LogUnreadable extends Data.TaggedError("LogUnreadable")<{
  readonly cause: unknown
  readonly message: string
}> {}

const isMissing = ({ cause }: LogUnreadable): boolean =>
  cause instanceof Error && "code" in cause && cause.code === "ENOENT"

/** Bytes of the log that `logs` shows. */
const shownLog = 64 * 1024

const tail = (file: string): string => {
  const { size } = fs.statSync(file)
  const handle = fs.openSync(file, "r")
  try {
    const bytes = Buffer.alloc(Math.min(size, shownLog))
    fs.readSync(handle, bytes, 0, bytes.length, size - bytes.length)
    const text = bytes.toString("utf8")
    return (size > shownLog ? text.slice(text.indexOf("\n") + 1) : text).trimEnd()
  } finally {
    fs.closeSync(handle)
  }
}

/** `fleet-mcp logs`: where the supervisor's log is (stderr), and its end. */
export const logs = (settings: Settings) =>
  withPlace(settings, ({ log }) =>
    Effect.gen(function* () {
      yield* Console.error(log)
      const text = yield* Effect.try({
        try: () => tail(log),
        catch: (error) => new LogUnreadable({ cause: error, message: `The log cannot be read: ${String(error)}` })
      }).pipe(
        Effect.asSome,
        Effect.catchIf(isMissing, () => Effect.succeedNone)
      )
      yield* Option.match(text, { onNone: () => Console.error("There is no log yet."), onSome: Console.log })
    })
  )
