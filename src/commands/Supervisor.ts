import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Config, ConfigProvider, Data, DateTime, Deferred, Duration, Effect, Layer, Schedule, type Scope } from "effect"
import * as fs from "node:fs"
import { createServer } from "node:http"
import { StateDirectory } from "../layers/config/StateDirectory.ts"
import { claimFile } from "../layers/embedded/store/sqlite/FileLock.ts"
import * as SupervisedCoder from "../layers/embedded/supervisor/SupervisedCoder.ts"
import { Supervision } from "../layers/embedded/supervisor/Supervision.ts"
import * as StderrLogger from "../layers/observability/StderrLogger.ts"
import { fleetContract } from "../schemas/fleet/FleetApi.ts"
import { exitWithin } from "./Serving.ts"
import { printTo } from "./supervisor/Log.ts"
import {
  makeSocketPath,
  makeToken,
  type Place,
  placeIn,
  readInfo,
  removeInfo,
  removeSocket,
  socketProblem,
  storeBytes,
  writeInfo
} from "./supervisor/Place.ts"
import { reportStart } from "./supervisor/Report.ts"

/** For all of the process after its end has begun: longer than agents are given to end. */
const processEnds = Duration.seconds(15)

/** How often it looks whether anybody needs it still. */
const idlePoll = Duration.seconds(5)

/** The supervisor cannot start. */
export class SupervisorNotStarted extends Data.TaggedError("SupervisorNotStarted")<{
  readonly reason: "taken" | "failed"
  readonly message: string
}> {}

/** How long it stays with nothing to do: `FLEET_MCP_IDLE_MINUTES`, default 30. */
const idleTime = Config.number("FLEET_MCP_IDLE_MINUTES").pipe(
  Config.validate({ message: "is not a positive number", validation: (minutes) => minutes > 0 }),
  Config.withDefault(30),
  Config.map((minutes) => Duration.minutes(minutes))
)

const failed = (message: string) => new SupervisorNotStarted({ reason: "failed", message })

/** Made before anything opens it, so that nobody else can read it whatever the umask. */
const makePrivate = (file: string) =>
  Effect.try({
    try: () => fs.closeSync(fs.openSync(file, "a", 0o600)),
    catch: (error) => failed(`${file} cannot be written: ${error instanceof Error ? error.message : String(error)}`)
  })

const claim = (place: Place) =>
  Effect.gen(function* () {
    // Before the lock is taken: to close the file ends a lock that this process has on it.
    yield* makePrivate(place.lock)
    if (!(yield* claimFile(place.lock))) {
      const pid = readInfo(place)?.pid
      return yield* new SupervisorNotStarted({
        reason: "taken",
        message: `A supervisor of ${place.stateDirectory} runs already${pid === undefined ? "" : ` (process ${pid})`}.`
      })
    }
    yield* makePrivate(place.store)
  })

/** The path that it listens on, with nothing there. */
const clearSocket = (place: Place) =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const before = readInfo(place)?.socket
      removeInfo(place)
      const socket = yield* Effect.try({ try: () => makeSocketPath(place), catch: (error) => failed(String(error)) })
      const problem = socketProblem(socket)
      if (problem !== undefined) return yield* failed(problem)
      if (before !== undefined) removeSocket(place, before)
      removeSocket(place, socket)
      if (socket !== before) fs.mkdirSync(socket.slice(0, socket.lastIndexOf("/")), { recursive: true, mode: 0o700 })
      return socket
    }),
    (socket) => Effect.sync(() => removeSocket(place, socket))
  )

/** Connections that are open do not keep it from closing, and none is closed because it rests. */
const listening = (path: string) =>
  Layer.unwrapEffect(
    Effect.map(
      Effect.sync(() => createServer({ keepAliveTimeout: 0, requestTimeout: 0 })),
      (server) =>
        Layer.provideMerge(
          Layer.scopedDiscard(Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))),
          NodeHttpServer.layer(() => server, { path })
        )
    )
  )

/** Ends when nobody has needed it for so long. */
const untilIdle = (supervision: Supervision["Type"], time: Duration.Duration) => {
  const poll = Duration.min(idlePoll, Duration.times(time, 0.25))
  const times = Math.max(1, Math.ceil(Duration.toMillis(time) / Duration.toMillis(poll)))
  let rested = 0
  return Supervision.isIdle(supervision).pipe(
    Effect.tap((isIdle) => Effect.sync(() => (rested = isIdle ? rested + 1 : 0))),
    Effect.repeat({ schedule: Schedule.spaced(poll), until: () => rested > times }),
    Effect.zipRight(Effect.logInfo("No client and no work: the supervisor ends"))
  )
}

const supervise = (place: Place, environment: Readonly<Record<string, string | undefined>>) =>
  Effect.gen(function* () {
    const idle = yield* idleTime
    yield* claim(place)
    const socket = yield* clearSocket(place)
    const stopping = yield* Deferred.make<void>()
    const token = makeToken()
    const about = { pid: process.pid, since: DateTime.formatIso(yield* DateTime.now), version: __FLEET_MCP_VERSION__ }
    const coder = SupervisedCoder.layer(
      place.store,
      {
        ...about,
        storeBytes: Effect.sync(() => storeBytes(place)),
        // After the answer has gone out.
        stop: Effect.asVoid(Effect.forkDaemon(Effect.delay(Deferred.succeed(stopping, undefined), Duration.millis(50))))
      },
      { stateDirectory: place.stateDirectory, environment, sessionToken: token }
    ).pipe(Layer.provide(listening(socket)))
    const context = yield* Layer.build(coder).pipe(
      Effect.catchTag("ServeError", ({ cause }) => failed(`It cannot listen on ${socket}: ${String(cause)}`)),
      Effect.catchTag("StoreFailed", ({ message }) => failed(message))
    )
    const supervision = yield* Effect.provide(Supervision, context)
    yield* Effect.acquireRelease(
      Effect.sync(() => writeInfo(place, { ...about, contract: fleetContract, socket, token })),
      () => Effect.sync(() => removeInfo(place))
    )
    yield* Effect.logInfo("The supervisor listens", { ...about, socket })
    yield* reportStart({ state: "ready", message: "" })
    yield* Effect.raceFirst(Deferred.await(stopping), untilIdle(supervision, idle))
  })

const ensured: Effect.Effect<Place, SupervisorNotStarted, StateDirectory> = Effect.flatMap(
  StateDirectory,
  ({ ensure }) => ensure
).pipe(
  Effect.map(placeIn),
  Effect.mapError(({ message }) => failed(message))
)

const logging = (place: Place): Effect.Effect<void, never, Scope.Scope> =>
  Effect.sync(() => {
    if (process.stderr.isTTY) process.stderr.write(`The log of this supervisor is ${place.log}\n`)
    printTo(place.log)
  })

/** The supervisor of a state directory, until it is told to end or nobody needs it. */
export const supervisor = (environment: Readonly<Record<string, string | undefined>>) =>
  Effect.gen(function* () {
    const place = yield* ensured
    yield* logging(place)
    yield* supervise(place, environment)
  }).pipe(
    Effect.tapError((error) =>
      reportStart({
        state: error._tag === "SupervisorNotStarted" ? error.reason : "failed",
        message: error._tag === "SupervisorNotStarted" ? error.message : "its configuration cannot be read"
      })
    ),
    Effect.ensuring(Effect.sync(() => exitWithin(processEnds))),
    Effect.scoped,
    Effect.provide([StateDirectory.layerConfig, StderrLogger.layer]),
    Effect.withConfigProvider(
      ConfigProvider.fromMap(
        new Map(Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined))
      )
    )
  )

/** The same as all of a process: what keeps it from starting is logged. */
export const alone = (environment: Readonly<Record<string, string | undefined>>): Effect.Effect<void> =>
  Effect.catchAll(supervisor(environment), ({ message }) =>
    Effect.zipRight(
      Effect.logError(message),
      Effect.sync(() => {
        process.exitCode = 1
      })
    )
  )
