import { HttpClient, HttpClientError } from "@effect/platform"
import {
  Context,
  Data,
  Duration,
  Effect,
  ExecutionStrategy,
  Exit,
  Layer,
  Option,
  Random,
  Redacted,
  Schema,
  Scope
} from "effect"
import * as http from "node:http"
import * as net from "node:net"
import { BackendNotConfigured } from "../../schemas/errors/Coder.ts"
import { fleetContract, RegisterClient } from "../../schemas/fleet/FleetApi.ts"
import type { Environment } from "../Settings.ts"
import { type Place, readInfo, type SupervisorInfo } from "./Place.ts"
import { startSupervisor } from "./Start.ts"
import { wireTo } from "./Wire.ts"

/** How a front end looks for its supervisor. */
export class ConnectLimits extends Context.Reference<ConnectLimits>()(
  "fleet-mcp/commands/supervisor/Connection/ConnectLimits",
  {
    defaultValue: () => ({
      /** For all of it, the start of a supervisor included. */
      time: Duration.seconds(15),
      /** Between two looks: at least, and at most. */
      pause: [15, 45] as const,
      /** For one answer to a registration. */
      answer: Duration.seconds(5)
    })
  }
) {}

/** Nobody answers where a supervisor said that it was. */
class NobodyThere extends Data.TaggedError("NobodyThere") {}

/** A connection to a supervisor, at which this process is registered. */
interface Connection {
  readonly wire: HttpClient.HttpClient
  /** Whether the supervisor is there still, as far as can be told. */
  readonly isOpen: () => boolean
  readonly close: Effect.Effect<void>
}

const encodeClient = Schema.encodeSync(Schema.parseJson(RegisterClient))

/** Holds a request open by which a supervisor knows that this client is there. */
const present = (info: SupervisorInfo, client: RegisterClient) =>
  Effect.acquireRelease(
    Effect.async<{ readonly request: http.ClientRequest; open: boolean }, NobodyThere | BackendNotConfigured>(
      (resume) => {
        const request = http.request({
          socketPath: info.socket,
          method: "POST",
          path: "/fleet/v1/clients",
          // Its own, which ends with the request.
          agent: false,
          headers: {
            host: "embedded.fleet-mcp.internal",
            "content-type": "application/json",
            "coder-session-token": Redacted.value(info.token)
          }
        })
        const presence = { request, open: false }
        const gone = () => {
          presence.open = false
          resume(new NobodyThere())
        }
        request.on("error", gone).on("close", gone)
        request.on("response", (response) => {
          response.on("error", gone).on("close", gone)
          const { statusCode } = response
          if (statusCode !== 200) {
            response.resume()
            if (statusCode === 401) return gone()
            return resume(
              new BackendNotConfigured({
                problem: `The supervisor of this machine's fleet (process ${info.pid}) does not take this client (${statusCode}).`,
                remedy: "See fleet-mcp logs; fleet-mcp stop ends it, and the next call starts another."
              })
            )
          }
          response.on("data", () => {
            presence.open = true
            resume(Effect.succeed(presence))
          })
        })
        request.end(encodeClient(client))
        return Effect.sync(() => request.destroy())
      }
    ),
    ({ request }) => Effect.sync(() => request.destroy())
  )

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

/** Supervisors of this version alone are spoken to. */
const compatible = (place: Place) =>
  Effect.gen(function* () {
    const info = readInfo(place)
    if (info === undefined) return yield* new NobodyThere()
    if (info.contract === fleetContract) return info
    return yield* (yield* answers(info.socket)) ? contractDiffers(info) : new NobodyThere()
  })

const connectOnce = (place: Place, client: RegisterClient, parent: Scope.Scope) =>
  Effect.gen(function* () {
    const { answer } = yield* ConnectLimits
    const info = yield* compatible(place)
    const scope = yield* Scope.fork(parent, ExecutionStrategy.sequential)
    return yield* Effect.gen(function* () {
      const presence = yield* present(info, client).pipe(
        Effect.interruptible,
        Effect.timeoutFail({ duration: answer, onTimeout: () => new NobodyThere() })
      )
      return {
        wire: Context.get(yield* Layer.build(wireTo(info.socket)), HttpClient.HttpClient),
        isOpen: () => presence.open,
        close: Scope.close(scope, Exit.void)
      } satisfies Connection
    }).pipe(
      Scope.extend(scope),
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
    )
  })

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
    problem: `The supervisor of this machine's fleet did not start: ${problem}`,
    remedy: `Look at ${place.log}, and call again.`
  })

/** Connects to the supervisor; where nobody answers, starts one. */
const findOrStart = ({ client, environment, place, program }: ConnectOptions, scope: Scope.Scope) =>
  Effect.gen(function* () {
    const { pause } = yield* ConnectLimits
    for (;;) {
      const connection = yield* Effect.catchTag(
        Effect.asSome(connectOnce(place, client, scope)),
        "NobodyThere",
        () => Effect.succeedNone
      )
      if (Option.isSome(connection)) return connection.value
      const report = yield* startSupervisor(place, program, environment)
      if (Option.isSome(report) && report.value.state === "failed")
        return yield* notStarted(place, report.value.message)
      if (Option.isNone(report) || report.value.state === "taken") {
        yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(...pause)))
      }
    }
  })

/** Codes of a connection that was never made: nothing was sent. */
const neverSent = new Set(["ENOENT", "ECONNREFUSED"])

const wasNeverSent = ({ cause }: HttpClientError.HttpClientError): boolean =>
  typeof cause === "object" && cause !== null && "code" in cause && neverSent.has(String(cause.code))

/**
 * An `HttpClient` that reaches the supervisor and nothing else. The first connection is made now, and another where the
 * supervisor has gone: the next request finds or starts its heir. A request of which nothing was sent is sent again, once.
 */
export const connected = (
  options: ConnectOptions
): Effect.Effect<HttpClient.HttpClient, BackendNotConfigured, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const { time } = yield* ConnectLimits
    const inTurn = yield* Effect.makeSemaphore(1)
    let current: Connection | undefined

    const connection = Effect.gen(function* () {
      if (current?.isOpen() === true) return current
      if (current !== undefined) yield* current.close
      current = undefined
      current = yield* findOrStart(options, scope).pipe(
        Effect.timeoutFail({
          duration: time,
          onTimeout: () => notStarted(options.place, `nobody answered within ${Duration.toSeconds(time)} s`)
        })
      )
      return current
    }).pipe(inTurn.withPermits(1))

    /** Another connection than one that did not work. */
    const anotherThan = (before: Connection) =>
      Effect.zipRight(
        Effect.suspend(() => (current === before ? before.close : Effect.void)),
        connection
      )

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
