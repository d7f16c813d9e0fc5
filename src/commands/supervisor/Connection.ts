import { HttpClient, HttpClientError } from "@effect/platform"
import { Clock, Context, Data, Duration, Effect, ExecutionStrategy, Exit, Layer, Option, Random, Scope } from "effect"
import * as net from "node:net"
import { BackendNotConfigured } from "../../schemas/errors/Coder.ts"
import { fleetContract, type RegisterClient } from "../../schemas/fleet/FleetApi.ts"
import { isAlive } from "../Processes.ts"
import type { Environment } from "../Settings.ts"
import { type Place, readInfo, type SupervisorInfo } from "./Place.ts"
import { NobodyThere, present } from "./Presence.ts"
import { startSupervisor } from "./Start.ts"
import { wasNeverSent, wireTo } from "./Wire.ts"

/** How a front end looks for its supervisor. */
export class ConnectLimits extends Context.Reference<ConnectLimits>()(
  "fleet-mcp/commands/supervisor/Connection/ConnectLimits",
  {
    defaultValue: () => ({
      /** For all of it, the start of a supervisor included. */
      time: Duration.seconds(15),
      /** Between two looks (ms): at least at first, each longer than the one before, and at most. */
      shortestPause: 15,
      longestPause: 1000,
      /** Between two starts, where the first found that another supervisor runs. */
      respawn: Duration.seconds(1),
      /** For one answer to a registration. */
      answer: Duration.seconds(5)
    })
  }
) {}

/** A supervisor is there and did not answer in time. */
class Silent extends Data.TaggedError("Silent")<{ readonly pid: number }> {}

/** A connection to a supervisor, at which this process is registered. */
interface Connection {
  readonly wire: HttpClient.HttpClient
  /** Whether the supervisor is there still, as far as can be told. */
  readonly isOpen: () => boolean
  readonly close: Effect.Effect<void>
}

const answers = (socket: string): Effect.Effect<boolean> =>
  Effect.async((resume) => {
    const connection = net.connect(socket)
    connection.once("connect", () => {
      connection.destroy()
      resume(Effect.succeed(true))
    })
    connection.once("error", () => resume(Effect.succeed(false)))
    return Effect.sync(() => connection.destroy())
  })

/** What is told where two versions cannot speak to each other. */
const contractDiffers = ({ contract, pid, version }: SupervisorInfo) =>
  new BackendNotConfigured({
    problem: `The supervisor of this machine's fleet (process ${pid}, version ${version}) is ${contract > fleetContract ? "newer" : "older"} than this fleet-mcp (${__FLEET_MCP_VERSION__}), and the two cannot work together.`,
    remedy:
      contract > fleetContract
        ? "Start that version of fleet-mcp. No agent was ended."
        : "Run fleet-mcp stop when its agents are at rest (it says what is at work); the next call starts this version. No agent was ended."
  })

/** Registers with the supervisor that the place names; those of this contract alone are spoken to. */
const open = ({ client, place }: ConnectOptions) =>
  Effect.gen(function* () {
    const { answer } = yield* ConnectLimits
    const info = readInfo(place)
    if (info === undefined) return yield* new NobodyThere({ reason: `${place.info} is not there or cannot be read` })
    if (info.contract !== fleetContract) {
      return yield* (yield* answers(info.socket)) ? contractDiffers(info) : new NobodyThere({ reason: info.socket })
    }
    const isOpen = yield* Effect.timeoutFail(present(info, client), {
      duration: answer,
      onTimeout: () => new Silent({ pid: info.pid })
    })
    return { isOpen, wire: Context.get(yield* Layer.build(wireTo(info.socket)), HttpClient.HttpClient) }
  })

/** A connection is never made without being adopted: nobody else knows that it has to be closed. */
const connectOnce = (options: ConnectOptions, parent: Scope.Scope, adopt: (connection: Connection) => void) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const own = yield* Scope.fork(parent, ExecutionStrategy.sequential)
      const opened = yield* restore(Scope.extend(open(options), own)).pipe(
        Effect.onError((cause) => Scope.close(own, Exit.failCause(cause)))
      )
      const connection: Connection = { ...opened, close: Scope.close(own, Exit.void) }
      adopt(connection)
      return connection
    })
  )

export interface ConnectOptions {
  readonly place: Place
  /** The path of the program whose supervisor is started. */
  readonly program: string
  /** That of this process. */
  readonly environment: Environment
  readonly client: RegisterClient
}

const notStarted = (place: Place, problem: string) =>
  new BackendNotConfigured({
    problem: `The supervisor of this machine's fleet did not start: ${problem.replace(/\.$/, "")}.`,
    remedy: `Look at ${place.log}, and call again. With FLEET_MCP_SUPERVISOR=false this server has a private fleet, in memory, and needs no supervisor.`
  })

const silent = (pid: number) =>
  new BackendNotConfigured({
    problem: `The supervisor of this machine's fleet (process ${pid}) is there, but process ${pid} does not answer.`,
    remedy: `Call again. If it stays so, end it (kill -9 ${pid}): the next call starts another, which brings the agents up again; a turn that runs is cut.`
  })

/** A supervisor lives, as its lock tells, and is not where its file says, or there is no such file. */
const unreachable = (place: Place, reason: string) => {
  const pid = readInfo(place)?.pid
  const which = pid !== undefined && isAlive(pid) ? `process ${pid}` : "its process is not known"
  return new BackendNotConfigured({
    problem: `A supervisor holds ${place.lock} (${which}), but cannot be reached: ${reason}.`,
    remedy: `It mends its files within seconds, or ends when no client is connected: call again. If it stays so, close the other clients, or end the process "fleet-mcp supervisor" of ${place.stateDirectory}.`
  })
}

/**
 * Connects to the supervisor; where nobody answers, starts one. One that lives is not started again: it is looked for,
 * more and more seldom.
 */
const findOrStart = (options: ConnectOptions, scope: Scope.Scope, adopt: (connection: Connection) => void) =>
  Effect.gen(function* () {
    const { environment, place, program } = options
    const { longestPause, respawn, shortestPause, time } = yield* ConnectLimits
    let problem = () => notStarted(place, `nobody answered within ${Duration.toSeconds(time)} s`)
    let pause = shortestPause
    let startsAt = 0
    let isHeld = false

    const start = Effect.gen(function* () {
      const report = yield* startSupervisor(place, program, environment)
      // Somebody else is starting one.
      if (Option.isNone(report)) return
      const { message, state } = report.value
      if (state === "failed") return yield* notStarted(place, message)
      // Killed, perhaps: that says nothing of the next one.
      if (state === "lost") problem = () => notStarted(place, message)
      isHeld = state === "taken"
      startsAt = (yield* Clock.currentTimeMillis) + Duration.toMillis(respawn)
    })

    const search = Effect.gen(function* () {
      for (;;) {
        const found = yield* connectOnce(options, scope, adopt).pipe(
          Effect.asSome,
          Effect.catchTags({
            Silent: ({ pid }) => {
              problem = () => silent(pid)
              return Effect.succeedNone
            },
            NobodyThere: ({ reason }) =>
              Effect.gen(function* () {
                if (isHeld) problem = () => unreachable(place, reason)
                if ((yield* Clock.currentTimeMillis) >= startsAt) yield* start
                return Option.none<Connection>()
              })
          })
        )
        if (Option.isSome(found)) return found.value
        yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(Math.ceil(pause / 2), pause)))
        pause = Math.min(2 * pause, longestPause)
      }
    })

    return yield* Effect.timeoutFail(search, { duration: time, onTimeout: () => problem() })
  })

/**
 * An `HttpClient` that reaches the supervisor and nothing else. The first connection is made now, and another where the
 * supervisor has gone: the next request finds or starts its heir. A request of which nothing was sent is sent again, once.
 */
export const connected = (
  options: ConnectOptions
): Effect.Effect<HttpClient.HttpClient, BackendNotConfigured, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const inTurn = yield* Effect.makeSemaphore(1)
    let current: Connection | undefined

    const forget = (before: Connection) =>
      Effect.suspend(() => {
        if (current === before) current = undefined
        return before.close
      })

    const connection = Effect.gen(function* () {
      if (current?.isOpen() === true) return current
      if (current !== undefined) yield* forget(current)
      return yield* findOrStart(options, scope, (made) => {
        current = made
      })
    }).pipe(inTurn.withPermits(1))

    /** Another connection than one that did not work. */
    const anotherThan = (before: Connection) => Effect.zipRight(forget(before), connection)

    yield* connection
    return HttpClient.make((request) => {
      const reached = <E>(found: Effect.Effect<Connection, E>) =>
        Effect.mapError(
          found,
          (cause) =>
            new HttpClientError.RequestError({ request, reason: "Transport", cause: { code: "ECONNREFUSED", cause } })
        )
      return Effect.gen(function* () {
        const first = yield* reached(connection)
        const again = Effect.flatMap(reached(anotherThan(first)), ({ wire }) => wire.execute(request))
        return yield* first.wire.execute(request).pipe(
          Effect.matchEffect({
            onFailure: (error) => (wasNeverSent(error) ? again : Effect.fail(error)),
            // The heir does not know this client yet: it refused the request, or sent it to the page where people sign in.
            onSuccess: (response) =>
              response.status === 401 || response.status === 303 ? again : Effect.succeed(response)
          })
        )
      })
    })
  })
