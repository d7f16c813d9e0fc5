import { HttpApiClient, HttpClient, HttpClientRequest } from "@effect/platform"
import { Console, Data, Duration, Effect, Layer, Option, Redacted, Schedule } from "effect"
import * as fs from "node:fs"
import { CoderConfig } from "../layers/config/CoderConfig.ts"
import { StateDirectory } from "../layers/config/StateDirectory.ts"
import { embeddedUrl } from "../layers/embedded/Deployment.ts"
import * as FleetMcp from "../layers/FleetMcp.ts"
import { FleetApi, type SupervisorStatus } from "../schemas/fleet/FleetApi.ts"
import { providerOf, type Settings } from "./Settings.ts"
import { type Place, placeIn, readInfo, type SupervisorInfo } from "./supervisor/Place.ts"
import { wireTo } from "./supervisor/Wire.ts"

/** How long `stop` waits for the end of a supervisor, and how often it looks. */
const patience = Duration.seconds(20)
const glance = Duration.millis(50)

/** Agents that `status` counts at most. */
const mostAgents = 1000

class NoAnswer extends Data.TaggedError("NoAnswer")<{ readonly message: string }> {}

const isThere = (pid: number): boolean => Option.isSome(Option.liftThrowable(() => process.kill(pid, 0))())

const fleetClient = ({ token }: SupervisorInfo) =>
  HttpApiClient.make(FleetApi, {
    baseUrl: embeddedUrl,
    transformClient: HttpClient.mapRequest(HttpClientRequest.setHeader("coder-session-token", Redacted.value(token)))
  })

/** The supervisor, and what it says of itself; none where nobody answers. */
const ask = (info: SupervisorInfo) =>
  Effect.option(
    Effect.flatMap(fleetClient(info), (client) => client.supervisor.status()).pipe(
      Effect.timeout(Duration.seconds(5)),
      Effect.provide(wireTo(info.socket)),
      Effect.scoped
    )
  )

/** The agents of the fleet, by their status as the tools tell it. */
const agentsByStatus = (info: SupervisorInfo) =>
  Effect.gen(function* () {
    const service = yield* FleetMcp.AgentService
    const { agents } = yield* service.list({ limit: mostAgents })
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
    Effect.option,
    Effect.map(Option.getOrElse((): Record<string, number> => ({})))
  )

const withPlace = <A, E, R>(settings: Settings, use: (place: Place) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(StateDirectory, ({ path }) => use(placeIn(path))).pipe(
    Effect.provide(StateDirectory.layerConfig),
    Effect.withConfigProvider(providerOf(settings))
  )

const nobody = ({ stateDirectory }: Place) => `No supervisor runs for ${stateDirectory}.`

/** The supervisor of a place that answers; none where nobody does. */
const found = (place: Place) =>
  Effect.gen(function* () {
    const info = readInfo(place)
    if (info === undefined) return Option.none()
    return Option.map(yield* ask(info), (status) => ({ info, status }))
  })

const inMiB = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`

const lines = (status: SupervisorStatus, agents: Readonly<Record<string, number>>): string =>
  [
    `supervisor  process ${status.pid}, version ${status.version}, since ${status.since}`,
    `clients     ${status.clients}`,
    `agents      ${
      Object.entries(agents)
        .map(([name, count]) => `${count} ${name}`)
        .join(", ") || "none"
    }`,
    `at work     ${status.at_work.join(", ") || "none"}`,
    `store       ${inMiB(status.store_bytes)}`
  ].join("\n")

/** `fleet-mcp status`: what the supervisor of this machine's fleet says of itself. */
export const status = (settings: Settings, json: boolean) =>
  withPlace(settings, (place) =>
    Effect.gen(function* () {
      const supervisor = yield* found(place)
      if (Option.isNone(supervisor)) {
        return yield* Console.log(
          json ? JSON.stringify({ running: false, state_directory: place.stateDirectory }) : nobody(place)
        )
      }
      const { info, status: told } = supervisor.value
      const agents = yield* agentsByStatus(info)
      yield* Console.log(
        json
          ? JSON.stringify({ running: true, state_directory: place.stateDirectory, ...told, agents })
          : lines(told, agents)
      )
    })
  )

const untilGone = (pid: number) =>
  Effect.sync(() => isThere(pid)).pipe(
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
      if (Option.isNone(supervisor)) return yield* Console.log(nobody(place))
      const { info } = supervisor.value
      const answer = yield* Effect.flatMap(fleetClient(info), (client) =>
        client.supervisor.stop({ payload: { now } })
      ).pipe(
        Effect.provide(wireTo(info.socket)),
        Effect.mapError(() => new NoAnswer({ message: `The supervisor (process ${info.pid}) did not answer.` }))
      )
      if (!answer.stopping) {
        return yield* new NoAnswer({
          message: `Not stopped: at work are ${answer.at_work.join(", ")}. fleet-mcp stop --now ends their work; worktrees and branches stay.`
        })
      }
      yield* untilGone(info.pid)
      const ended = answer.at_work.length === 0 ? "" : ` The work of ${answer.at_work.join(", ")} was ended.`
      yield* Console.log(`The supervisor (process ${info.pid}) has ended.${ended}`)
    })
  )

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
      const text = Option.liftThrowable(tail)(log)
      yield* Option.match(text, { onNone: () => Console.error("There is no log yet."), onSome: Console.log })
    })
  )
