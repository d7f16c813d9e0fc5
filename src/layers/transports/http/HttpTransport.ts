import { HttpMiddleware, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Cause, Data, Duration, Effect, type Scope } from "effect"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import { TimeLimits, within } from "../../time/Deadline.ts"
import { once } from "../../time/Shared.ts"
import * as HttpGate from "./HttpGate.ts"
import { HttpLimits } from "./HttpLimits.ts"
import * as HttpMcp from "./HttpMcp.ts"
import * as HttpRefusal from "./HttpRefusal.ts"
import type { Connect } from "./HttpSessions.ts"
import { McpSession, type McpSessionOptions } from "../session/McpSession.ts"

/** Where the server listens, whom it lets in, and what it serves them. */
export interface HttpTransportOptions extends HttpGate.GateOptions {
  readonly host: string
  /** 0 takes any that is free. */
  readonly port: number
  /** Usually `sessions`. */
  readonly connect: Connect
}

/** A server that listens. */
export interface HttpTransport {
  readonly port: number
  /** How many sessions there are. */
  readonly sessions: Effect.Effect<number>
  /** How many connections are open. */
  readonly connections: Effect.Effect<number>
}

/** The address cannot be listened on. */
export class CannotListen extends Data.TaggedError("CannotListen")<{
  readonly host: string
  readonly port: number
  readonly cause: unknown
}> {
  override get message() {
    const reason = this.cause instanceof Error ? this.cause.message : "unknown"
    return `fleet-mcp http cannot listen on ${this.host}, port ${this.port} (${reason}). Choose another with --port, or --port 0 for any.`
  }
}

/** The one answer of `/health`: it says that the server answers, and nothing about it. */
const health = '{"status":"ok"}'
const healthHeaders = { "Content-Type": "application/json", "Content-Length": `${health.length}` }

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0"

/** A connection on which no request can be read. Too large a header is as good as no token. */
const answerBroken = (server: Server) => {
  const answers = new WeakMap<Duplex, ServerResponse>()
  server.on("request", ({ socket }, response) => {
    answers.set(socket, response)
  })
  server.on("clientError", (error, socket) => {
    const last = answers.get(socket)
    // An answer in the middle of another would be taken for a part of it.
    const answering = last !== undefined && last.headersSent && !last.writableFinished
    if (!socket.writable || socket.destroyed || answering) {
      socket.destroy()
      return
    }
    const overflow = "code" in error && error.code === "HPE_HEADER_OVERFLOW"
    const timeout = "code" in error && error.code === "ERR_HTTP_REQUEST_TIMEOUT"
    const answer = overflow
      ? HttpRefusal.toBytes(HttpRefusal.unauthorized, "Unauthorized")
      : `HTTP/1.1 ${timeout ? "408 Request Timeout" : "400 Bad Request"}\r\nConnection: close\r\n\r\n`
    socket.end(answer, () => socket.destroy())
  })
}

const openServer = (limits: HttpLimits["Type"]): Server => {
  const server = createServer({
    headersTimeout: Duration.toMillis(limits.headersTimeout),
    requestTimeout: Duration.toMillis(limits.requestTimeout),
    connectionsCheckingInterval: Duration.toMillis(limits.timeoutCheck),
    keepAliveTimeout: Duration.toMillis(limits.keepAlive),
    maxHeaderSize: limits.headerSize,
    keepAlive: true
  })
  server.maxConnections = limits.connections
  server.timeout = Duration.toMillis(limits.silence)
  // Whether the client may send its body is decided by the gate, whatever the client expects.
  const toGate = (request: IncomingMessage, response: ServerResponse) => server.emit("request", request, response)
  server.on("checkContinue", toGate).on("checkExpectation", toGate)
  // The SDK says keep-alive, whatever the client asked for.
  server.on("request", (request, response) => {
    if (!response.shouldKeepAlive) response.once("finish", () => request.socket.destroySoon())
  })
  answerBroken(server)
  return server
}

const listen = (server: Server, host: string, port: number): Effect.Effect<AddressInfo, CannotListen> =>
  Effect.async((resume) => {
    const onError = (cause: unknown) => resume(Effect.fail(new CannotListen({ host, port, cause })))
    server.once("error", onError)
    server.listen({ host, port }, () => {
      server.off("error", onError)
      const address = server.address()
      resume(
        typeof address === "object" && address !== null
          ? Effect.succeed(address)
          : Effect.fail(new CannotListen({ host, port, cause: address }))
      )
    })
  })

const connectionsOf = (server: Server): Effect.Effect<number> =>
  Effect.async((resume) => {
    server.getConnections((error, count) => resume(error === null ? Effect.succeed(count) : Effect.die(error)))
  })

const close = (server: Server): Effect.Effect<void> =>
  Effect.async((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

/** A route of @effect/platform over the raw request and response, which the SDK wants. */
const toApp = (
  handle: (request: IncomingMessage, response: ServerResponse) => Effect.Effect<void, HttpRefusal.HttpRefusal>,
  limits: HttpLimits["Type"]
) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (platform) => {
    const request = NodeHttpServerRequest.toIncomingMessage(platform)
    const response = NodeHttpServerRequest.toServerResponse(platform)
    // A route of the platform is beyond interruption; this one ends when its client goes.
    return Effect.interruptible(handle(request, response)).pipe(
      Effect.catchAll((refusal) => HttpRefusal.send(request, response, refusal, limits)),
      Effect.catchAllCause((cause) =>
        Cause.isInterruptedOnly(cause)
          ? Effect.sync(() => response.end())
          : Effect.zipRight(
              Effect.logError("a request failed by a fault", cause),
              HttpRefusal.send(request, response, HttpRefusal.internalError, limits)
            )
      ),
      Effect.as(HttpServerResponse.empty())
    )
  })

/**
 * Serves the same tools to every client; those of role `read` only see and call what changes nothing. The services
 * beneath them are built at the first tool call of any client, and shared by all.
 */
export const sessions = <R>(options: McpSessionOptions<R>): Effect.Effect<Connect, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { read } = yield* TimeLimits
    const services = yield* once(options.services)
    const waiting = yield* once(
      Effect.map(options.tools, (all) => new Set(all.flatMap(({ name, waits }) => (waits ? [name] : [])))).pipe(
        within(read, () => "late" as const)
      )
    )
    const connect: Connect = (transport, { role }) => {
      const readOnly = options.readOnly ?? (role === "read" ? "token" : undefined)
      return McpSession.make(transport, { ...options, services, readOnly })
    }
    // Where the tools cannot be loaded, the call itself says so.
    return Object.assign(connect, { waits: Effect.orElseSucceed(waiting, () => new Set<string>()) })
  })

/**
 * MCP over Streamable HTTP, until the scope ends; then new calls are refused, and those at work have a moment to end.
 */
export const serve = (options: HttpTransportOptions): Effect.Effect<HttpTransport, CannotListen, Scope.Scope> =>
  Effect.gen(function* () {
    const { auth, connect, host, port } = options
    const limits = yield* HttpLimits
    const gate = HttpGate.make(options, limits)
    const mcp = yield* HttpMcp.make(connect, auth, limits)

    const handle = (request: IncomingMessage, response: ServerResponse) =>
      Effect.flatMap(gate(request, response), (passed): Effect.Effect<void, HttpRefusal.HttpRefusal> => {
        // Its end would be waited for; nobody reads it.
        if (passed.to !== "mcp" && hasBody(request)) response.shouldKeepAlive = false
        switch (passed.to) {
          case "mcp":
            return mcp.serve(passed.caller, request, response)
          case "health":
            return Effect.sync(() => {
              response.writeHead(200, healthHeaders).end(health)
            })
          case "preflight":
            return Effect.sync(() => HttpGate.answerPreflight(response))
        }
      })

    // Its spans would show headers and addresses.
    const handler = yield* HttpMiddleware.withTracerDisabledWhenEffect(
      NodeHttpServer.makeHandler(toApp(handle, limits)),
      () => true
    )
    const server = yield* Effect.acquireRelease(
      Effect.sync(() => openServer(limits)),
      close
    )
    server.on("request", handler)
    const address = yield* listen(server, host, port)
    yield* Effect.addFinalizer(() => mcp.drain)
    return { port: address.port, sessions: mcp.sessions, connections: connectionsOf(server) }
  })
