import { ConfigError, Context, Data, Duration, Effect, Exit, Layer, Scope } from "effect"
import { isIP } from "node:net"
import { BearerAuth } from "../layers/auth/BearerAuth.ts"
import { TokenStore } from "../layers/auth/TokenStore.ts"
import { AuthConfig } from "../layers/config/AuthConfig.ts"
import { Backend } from "../layers/config/Backend.ts"
import { StateDirectory } from "../layers/config/StateDirectory.ts"
import * as StderrLogger from "../layers/observability/StderrLogger.ts"
import { allowedHost, isLoopback, originName } from "../layers/transports/http/HttpGate.ts"
import * as HttpTransport from "../layers/transports/http/HttpTransport.ts"
import { asked, exitWithin, served } from "./Serving.ts"
import { providerOf, type Settings } from "./Settings.ts"

/** For all of the process, after SIGTERM: longer than `HttpLimits.drain`, and within the 5 s that are promised. */
const processEnds = Duration.millis(4800)

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

/** Where agents run is never chosen silently: who calls over HTTP may sit elsewhere. */
const checkBackend = (backend: Backend) =>
  Backend.$match(backend, {
    Coder: () => Effect.void,
    Incomplete: ({ problem, remedy }) => refuse(problem, remedy),
    Local: ({ byDefault }) =>
      byDefault
        ? refuse(
            "nothing says where agents run.",
            "Set CODER_URL and CODER_SESSION_TOKEN (or --coder-url) for a Coder server, or give --local to run agents on this machine."
          )
        : Effect.void
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

const listening = ({ allowHosts, host }: HttpFlags, port: number) => {
  const shown = host.includes(":") ? `[${host}]` : host
  const also = allowHosts.length === 0 ? "" : `, also asked as ${allowHosts.join(", ")}`
  return Effect.logInfo(`fleet-mcp listens on http://${shown}:${port}/mcp${also}`)
}

const configured = AuthConfig.layerConfig.pipe(Layer.provide(StateDirectory.layerConfig))

/** The MCP server over Streamable HTTP, until it is told to end. */
export const http = (settings: Settings, flags: HttpFlags) =>
  Effect.gen(function* () {
    const wanted = yield* asked
    yield* checkBackend(wanted.backend)
    const { enabled = true } = yield* AuthConfig
    yield* checkAddress(flags, enabled)
    yield* checkNames(flags)
    if (!enabled)
      yield* Effect.logWarning("FLEET_MCP_AUTH_ENABLED=false: every program on this machine may use the fleet")
    // Ends last: calls at work still need the fleet.
    const fleet = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    const { services, ...session } = served(wanted, settings.environment)
    const connect = yield* HttpTransport.sessions({ ...session, services: Scope.extend(services, fleet) })
    const server = yield* HttpTransport.serve({
      host: flags.host,
      port: flags.port,
      hosts: [...flags.allowHosts, flags.host],
      origins: flags.allowOrigins,
      proxies: flags.trustedProxies,
      auth: yield* authenticate,
      connect
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => exitWithin(processEnds)))
    yield* listening(flags, server.port)
    return yield* Effect.never
  }).pipe(
    Effect.scoped,
    Effect.provide(Layer.merge(configured, StderrLogger.layer)),
    Effect.withConfigProvider(providerOf(settings)),
    Effect.catchIf(ConfigError.isConfigError, ({ message }) => refuse(`${message}.`, "See docs/http.md."))
  )
