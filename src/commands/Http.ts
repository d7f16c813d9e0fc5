import { ConfigProvider, Context, Data, Duration, Effect, Exit, Layer, Scope } from "effect"
import { BearerAuth } from "../layers/auth/BearerAuth.ts"
import { TokenStore } from "../layers/auth/TokenStore.ts"
import { AuthConfig } from "../layers/config/AuthConfig.ts"
import { Backend, chooseBackend, type Environment } from "../layers/config/Backend.ts"
import { Limits } from "../layers/config/Limits.ts"
import * as StderrLogger from "../layers/observability/StderrLogger.ts"
import { isLoopback } from "../layers/transports/HttpGate.ts"
import * as HttpTransport from "../layers/transports/HttpTransport.ts"
import { place } from "./Place.ts"
import { readOnlyReason, type Settings } from "./Settings.ts"

/** What `fleet-mcp http` is told on its command line. */
export interface HttpFlags {
  readonly host: string
  readonly port: number
  readonly behindTls: boolean
  readonly allowOrigins: ReadonlyArray<string>
  readonly allowHosts: ReadonlyArray<string>
  readonly trustedProxies: ReadonlyArray<string>
}

/** The server would not be what its user thinks it is, so it does not start. */
export class HttpNotStarted extends Data.TaggedError("HttpNotStarted")<{
  readonly problem: string
  readonly remedy: string
}> {
  override get message() {
    return `fleet-mcp http did not start: ${this.problem} ${this.remedy}`
  }
}

const refuse = (problem: string, remedy: string) => Effect.fail(new HttpNotStarted({ problem, remedy }))

const pinnedLocal = (environment: Environment) => environment["FLEET_MCP_BACKEND"]?.trim().toLowerCase() === "local"

/** Where agents run is never chosen silently: who calls over HTTP may sit elsewhere. */
const checkBackend = (backend: Backend, { environment, flags }: Settings) =>
  Backend.$match(backend, {
    Coder: () => Effect.void,
    Incomplete: ({ problem, remedy }) => refuse(problem, remedy),
    Local: () =>
      flags.local || pinnedLocal(environment)
        ? Effect.void
        : refuse(
            "nothing says where agents run.",
            "Set CODER_URL and CODER_SESSION_TOKEN (or --coder-url) for a Coder server, or give --local to run agents on this machine."
          )
  })

const checkAddress = ({ behindTls, host }: HttpFlags, authenticated: boolean) => {
  if (isLoopback(host)) return Effect.void
  if (!authenticated) {
    return refuse(
      `--host ${host} is reachable from elsewhere, and FLEET_MCP_AUTH_ENABLED=false lets everybody in.`,
      "Unset it, or listen on 127.0.0.1."
    )
  }
  return behindTls
    ? Effect.void
    : refuse(
        `--host ${host} is reachable from elsewhere, and the token would travel in the clear.`,
        "Put a reverse proxy with TLS in front (docs/http.md) and say so with --behind-tls, or listen on 127.0.0.1."
      )
}

/** Reads the tokens, and makes the first one. */
const authenticate = Effect.map(Layer.build(Layer.provide(BearerAuth.layer, TokenStore.layer)), Context.get(BearerAuth))

/** Ends the process when something still holds it at the end. */
const exitInTime = () => {
  setTimeout(() => process.exit(), Duration.toMillis(Limits.httpExit)).unref()
}

const listening = ({ allowHosts, host }: HttpFlags, port: number) => {
  const shown = host.includes(":") ? `[${host}]` : host
  const also = allowHosts.length === 0 ? "" : `, also asked as ${allowHosts.join(", ")}`
  return Effect.logInfo(`fleet-mcp listens on http://${shown}:${port}/mcp${also}`)
}

/** The MCP server over Streamable HTTP, until it is told to end. */
export const http = (settings: Settings, flags: HttpFlags) => {
  const { environment } = settings
  const backend = chooseBackend(environment, settings.flags)
  const variables = Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined)

  const services = Effect.flatMap(
    Effect.promise(() => import("./Fleet.ts")),
    ({ connect }) => connect(backend, settings)
  )
  const serve = Effect.gen(function* () {
    yield* checkBackend(backend, settings)
    const { enabled = true } = yield* AuthConfig
    yield* checkAddress(flags, enabled)
    if (!enabled)
      yield* Effect.logWarning("FLEET_MCP_AUTH_ENABLED=false: every program on this machine may use the fleet")
    // Ends last: calls at work still need the fleet.
    const fleet = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    const connect = yield* HttpTransport.sessions({
      place: place(backend),
      readOnly: readOnlyReason(settings),
      tools: Effect.map(
        Effect.promise(() => import("../tools/FleetTools.ts")),
        ({ fleetTools }) => fleetTools
      ),
      services: Scope.extend(services, fleet)
    })
    const server = yield* HttpTransport.serve({
      host: flags.host,
      port: flags.port,
      hosts: [...flags.allowHosts, flags.host],
      origins: flags.allowOrigins,
      proxies: flags.trustedProxies,
      auth: yield* authenticate,
      connect
    })
    yield* Effect.addFinalizer(() => Effect.sync(exitInTime))
    yield* listening(flags, server.port)
    return yield* Effect.never
  })
  return serve.pipe(
    Effect.scoped,
    Effect.provide(Layer.merge(AuthConfig.layerConfig, StderrLogger.layer)),
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(variables)))
  )
}
