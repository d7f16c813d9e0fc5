import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import {
  Cause,
  Config,
  ConfigError,
  Data,
  DateTime,
  Deferred,
  Duration,
  Effect,
  ExecutionStrategy,
  Exit,
  Layer,
  Schedule,
  Scope
} from "effect"
import * as fs from "node:fs"
import { createServer, type Server } from "node:http"
import { StateDirectory } from "../layers/config/StateDirectory.ts"
import { claimFile } from "../layers/embedded/store/sqlite/FileLock.ts"
import * as SupervisedCoder from "../layers/embedded/supervisor/SupervisedCoder.ts"
import { type Rest, Supervision } from "../layers/embedded/supervisor/Supervision.ts"
import * as StderrLogger from "../layers/observability/StderrLogger.ts"
import { fleetContract } from "../schemas/fleet/FleetApi.ts"
import { exitWithin } from "./Serving.ts"
import { type Environment, providerOf } from "./Settings.ts"
import { printTo } from "./supervisor/Log.ts"
import {
  isReachable,
  makeSocketPath,
  makeToken,
  type Place,
  placeIn,
  readInfo,
  removeInfo,
  removeSocket,
  removeStale,
  socketProblem,
  storeBytes,
  type SupervisorInfo,
  writeInfo
} from "./supervisor/Place.ts"
import { isWaitedFor, reportStart } from "./supervisor/Report.ts"

/** For all of the process after its end has begun: longer than agents are given to end. */
const processEnds = Duration.seconds(15)

/** How often one that a service manager runs looks whether it can take the place of another. */
const standbyPoll = Duration.seconds(2)

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

/** What the file system refuses is why it cannot start. */
const attempt = <A>(what: string, act: () => A): Effect.Effect<A, SupervisorNotStarted> =>
  Effect.try({
    try: act,
    catch: (error) => failed(`${what}: ${error instanceof Error ? error.message : String(error)}`)
  })

/** Made before anything opens it, so that nobody else can read it whatever the umask. */
const makePrivate = (file: string) =>
  attempt(`${file} cannot be written`, () => fs.closeSync(fs.openSync(file, "a", 0o600)))

/** Nothing is left of an attempt that failed, however many there are. */
const attemptToClaim = (place: Place, scope: Scope.Scope) =>
  Effect.gen(function* () {
    const own = yield* Scope.fork(scope, ExecutionStrategy.sequential)
    const isClaimed = yield* Scope.extend(claimFile(place.lock), own)
    if (!isClaimed) yield* Scope.close(own, Exit.void)
    return isClaimed
  })

const claim = (place: Place, isService: boolean) =>
  Effect.gen(function* () {
    // Before the lock is taken: to close the file ends a lock that this process has on it.
    yield* makePrivate(place.lock)
    const attempts = attemptToClaim(place, yield* Effect.scope)
    if (!(yield* attempts)) {
      const pid = readInfo(place)?.pid
      const message = `A supervisor of ${place.stateDirectory} runs already${pid === undefined ? "" : ` (process ${pid})`}.`
      if (!isService) return yield* new SupervisorNotStarted({ reason: "taken", message })
      yield* Effect.logInfo(`${message} This one takes its place when it ends.`)
      yield* Effect.repeat(attempts, { schedule: Schedule.spaced(standbyPoll), until: (isClaimed) => isClaimed })
    }
    yield* makePrivate(place.store)
  })

/** The path that it listens on, with nothing there. */
const clearSocket = (place: Place, runtimeDirectory: string | undefined) =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const before = readInfo(place)?.socket
      yield* attempt(`${place.info} cannot be removed`, () => removeInfo(place))
      const socket = yield* attempt("its socket has no place", () => makeSocketPath(place, runtimeDirectory))
      const problem = yield* attempt(`${socket} cannot be looked at`, () => socketProblem(socket))
      if (problem !== undefined) return yield* failed(problem)
      yield* attempt("the socket of the supervisor before cannot be removed", () => {
        if (before !== undefined) removeSocket(place, before)
        removeStale(socket)
      })
      return socket
    }),
    (socket) => Effect.ignoreLogged(attempt(`${socket} cannot be removed`, () => removeSocket(place, socket)))
  )

/** Nobody can begin anything any more, and no request waits for an answer that nobody gives. */
const closeListener = (server: Server) =>
  Effect.sync(() => {
    server.close()
    server.closeAllConnections()
  })

/** Writes down where it is; gone at its end. */
const announce = (place: Place, info: SupervisorInfo) =>
  Effect.acquireRelease(
    attempt(`${place.info} cannot be written`, () => writeInfo(place, info)),
    () => Effect.ignoreLogged(attempt(`${place.info} cannot be removed`, () => removeInfo(place)))
  )

/** Whether it can be found still: what was removed of its files is written again, but for its socket. */
const tend = (place: Place, info: SupervisorInfo) =>
  Effect.gen(function* () {
    const found = isReachable(place, info)
    if (found.socket && !found.info) {
      yield* Effect.logWarning(`${place.info} was removed: it is written again`)
      yield* Effect.ignoreLogged(attempt(`${place.info} cannot be written`, () => writeInfo(place, info)))
    }
    return found.socket
  })

const isAtRest = ({ atWork, clients, isSettled }: Rest): boolean => isSettled && clients === 0 && atWork.length === 0

/** Ends when nobody has needed it for so long, or when nobody is connected and nobody can find it any more. */
const untilIdle = (place: Place, info: SupervisorInfo, supervision: Supervision["Type"], time: Duration.Duration) => {
  const poll = Duration.min(idlePoll, Duration.times(time, 0.25))
  const times = Math.max(1, Math.ceil(Duration.toMillis(time) / Duration.toMillis(poll)))
  const leave = (ends: (rest: Rest) => boolean) =>
    supervision.leave(ends).pipe(
      Effect.map(({ leaving }) => leaving),
      Effect.catchTag("StoreFailed", ({ message }) => Effect.as(Effect.logError(message), false))
    )
  let rested = 0
  const look = Effect.gen(function* () {
    if (!(yield* tend(place, info)) && (yield* supervision.clients) === 0) {
      yield* Effect.logWarning(`${info.socket} was removed, and no client is connected: the supervisor ends`)
      return yield* leave(({ clients }) => clients === 0)
    }
    rested = (yield* Supervision.isIdle(supervision)) ? rested + 1 : 0
    if (rested <= times) return false
    rested = 0
    if (!(yield* leave(isAtRest))) return false
    yield* Effect.logInfo("No client and no work: the supervisor ends")
    return true
  })
  return Effect.repeat(look, { schedule: Schedule.spaced(poll), until: (ends) => ends })
}

const supervise = (place: Place, environment: Environment, isService: boolean) =>
  Effect.gen(function* () {
    const idle = isService ? Duration.infinity : yield* idleTime
    yield* claim(place, isService)
    const socket = yield* clearSocket(place, environment["XDG_RUNTIME_DIR"])
    const stopping = yield* Deferred.make<void>()
    const token = makeToken()
    const about = { pid: process.pid, since: DateTime.formatIso(yield* DateTime.now), version: __FLEET_MCP_VERSION__ }
    // Connections that are open do not keep it from closing, and none is closed because it rests.
    const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 })
    const coder = SupervisedCoder.layer(
      place.store,
      {
        ...about,
        storeBytes: Effect.sync(() => storeBytes(place)),
        // After the answer has gone out.
        stop: Effect.asVoid(Effect.forkDaemon(Effect.delay(Deferred.succeed(stopping, undefined), Duration.millis(50))))
      },
      { stateDirectory: place.stateDirectory, environment, sessionToken: token }
    ).pipe(Layer.provide(NodeHttpServer.layer(() => server, { path: socket })))
    const context = yield* Layer.build(coder).pipe(
      Effect.catchTag("ServeError", ({ cause }) => failed(`It cannot listen on ${socket}: ${String(cause)}`)),
      Effect.catchTag("StoreFailed", ({ message }) => failed(message))
    )
    // Before agents are ended, which takes its time.
    yield* Effect.addFinalizer(() => closeListener(server))
    const supervision = yield* Effect.provide(Supervision, context)
    const info = { ...about, contract: fleetContract, socket, token }
    yield* announce(place, info)
    yield* Effect.logInfo("The supervisor listens", { ...about, socket })
    yield* reportStart({ state: "ready", message: "" })
    yield* Effect.raceFirst(Deferred.await(stopping), untilIdle(place, info, supervision, idle))
  })

const ensured: Effect.Effect<Place, SupervisorNotStarted, StateDirectory> = Effect.flatMap(
  StateDirectory,
  ({ ensure }) => ensure
).pipe(
  Effect.map(placeIn),
  Effect.mapError(({ message }) => failed(message))
)

/** What it prints goes to its log; at the end of one in the foreground, to the terminal again. */
const logging = (place: Place, isInForeground: boolean): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      if (process.stderr.isTTY) process.stderr.write(`The log of this supervisor is ${place.log}\n`)
      return printTo(place.log)
    }),
    (printAsBefore) => Effect.sync(() => (isInForeground ? printAsBefore() : undefined))
  )

/** Why it did not start, for whoever waits for it. */
const reportOf = (cause: Cause.Cause<unknown>) => {
  const error = Cause.squash(cause)
  if (error instanceof SupervisorNotStarted) return { state: error.reason, message: error.message } as const
  if (ConfigError.isConfigError(error)) {
    return { state: "failed", message: `its configuration cannot be read: ${error.message}` } as const
  }
  return { state: "failed", message: error instanceof Error ? error.message : String(error) } as const
}

/**
 * The supervisor of a state directory, until it is told to end or nobody needs it. For a service manager (`isService`) it
 * waits as long as another one runs, instead of failing, and stays when nobody needs it.
 */
export const supervisor = (environment: Environment, isService = false) =>
  Effect.gen(function* () {
    const isInForeground = !isWaitedFor()
    const place = yield* ensured
    yield* logging(place, isInForeground)
    yield* Effect.tapErrorCause(supervise(place, environment, isService), (cause) =>
      isInForeground ? Effect.logError(reportOf(cause).message) : Effect.void
    )
  }).pipe(
    Effect.tapErrorCause((cause) => reportStart(reportOf(cause))),
    Effect.ensuring(Effect.sync(() => exitWithin(processEnds))),
    Effect.scoped,
    Effect.provide([StateDirectory.layerConfig, StderrLogger.layer]),
    Effect.withConfigProvider(providerOf({ environment, flags: {} }))
  )

/** The same as all of a process: what keeps it from starting is logged. */
export const alone = (environment: Environment): Effect.Effect<void> =>
  Effect.catchAll(supervisor(environment), ({ message }) =>
    Effect.zipRight(
      Effect.logError(message),
      Effect.sync(() => {
        process.exitCode = 1
      })
    )
  )
