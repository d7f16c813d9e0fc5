import { ConfigError, ConfigProvider, Context, Data, Duration, Effect, Exit, Layer, Scope } from "effect"
import { isIP } from "node:net"
import { BearerAuth } from "../layers/auth/BearerAuth.ts"
import { TokenStore } from "../layers/auth/TokenStore.ts"
import { AuthConfig } from "../layers/config/AuthConfig.ts"
import { Backend, chooseBackend, type Environment } from "../layers/config/Backend.ts"
import { Limits } from "../layers/config/Limits.ts"
import * as StderrLogger from "../layers/observability/StderrLogger.ts"
import { allowedHost, isLoopback, originName } from "../layers/transports/http/HttpGate.ts"
import * as HttpTransport from "../layers/transports/http/HttpTransport.ts"
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

/** What nothing could ever match would be noticed only by the clients that are refused. */
const checkNames = ({ allowHosts, allowOrigins, port, trustedProxies }: HttpFlags) => {
  if (port < 0 || port > 65_535) return refuse(`--port ${port} is no port.`, "Take one up to 65535, or 0 for any.")
  const host = allowHosts.find((name) => allowedHost(name) === undefined)
  if (host !== undefined) {
    return refuse(`--allow-host ${host} is no host name.`, "Give the name alone, for example fleet.example.com.")
  }
  const origin = allowOrigins.find((name) => originName(name) === undefined)
  if (origin !== undefined) {
    return refuse(
      `--allow-origin ${origin} is no origin.`,
      "Give scheme and host, for example https://app.example.com."
    )
  }
  const proxy = trustedProxies.find((address) => isIP(address) === 0)
  return proxy === undefined
    ? Effect.void
    : refuse(`--trust-proxy ${proxy} is no IP address.`, "Give that of the proxy, for example 127.0.0.1.")
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
    yield* checkNames(flags)
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
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(variables))),
    Effect.catchIf(ConfigError.isConfigError, ({ message }) => refuse(`${message}.`, "See docs/http.md."))
  )
}
