import {
  HttpApiBuilder,
  HttpServer,
  HttpServerRequest,
  HttpServerResponse,
  type HttpApp,
  type HttpRouter
} from "@effect/platform"
import { RouteNotFound } from "@effect/platform/HttpServerError"
import { Array, Cause, Context, Effect, Layer, ParseResult, Predicate, Schema } from "effect"
import { AgentApi, interruptKey, PostMessage } from "../../schemas/agentapi/AgentApi.ts"
import type { AgentHost } from "./AgentHost.ts"

interface ErrorDetail {
  readonly message?: string
  readonly location?: string
  readonly value?: unknown
}

// AgentAPI's error body (schemas/agentapi, `Problem`), with the value at fault.
const problem = (status: number, title: string, detail: string, errors: ReadonlyArray<ErrorDetail>) =>
  HttpServerResponse.unsafeJson({ title, status, detail, errors }, { status, contentType: "application/problem+json" })

const failure = (...errors: ReadonlyArray<ErrorDetail>) =>
  problem(500, "Internal Server Error", "unexpected error occurred", errors)

const invalid = (...errors: ReadonlyArray<ErrorDetail>) =>
  problem(422, "Unprocessable Entity", "validation failed", errors)

const complaint =
  (body: unknown) =>
  ({ _tag, path, message }: ParseResult.ArrayFormatterIssue): ErrorDetail => {
    const location = ["body", ...path].join(".")
    if (_tag === "Unexpected") return { message: "unexpected property", location, value: body }
    const key = path[0] ?? ""
    const value = Predicate.hasProperty(body, key) ? body[key] : undefined
    if (value === undefined) return { message, location, value: body }
    // The recorded complaint about an unknown type carries no message.
    return location === "body.type" && typeof value === "string" ? { location, value } : { message, location, value }
  }

const complaints = (error: ParseResult.ParseError, body: unknown) =>
  Array.dedupeWith(
    ParseResult.ArrayFormatter.formatErrorSync(error).map(complaint(body)),
    (one, other) => one.location === other.location
  )

/** The agent whose turn it is to answer a request. */
class CurrentHost extends Context.Reference<CurrentHost>()("fleet-mcp/layers/agenthost/AgentApiServer/CurrentHost", {
  defaultValue: (): AgentHost | undefined => undefined
}) {}

const host = Effect.flatMap(CurrentHost, (current) =>
  current === undefined ? Effect.dieMessage("AgentAPI was asked without an agent") : Effect.succeed(current)
)

const ok = HttpServerResponse.unsafeJson({ ok: true })

const deliver = ({ content, type }: PostMessage) =>
  Effect.gen(function* () {
    const agent = yield* host
    if (type === "user") yield* agent.prompt(content)
    else if (content === interruptKey) yield* agent.interrupt
    return ok
  }).pipe(
    Effect.catchTag("PromptRefused", ({ message, reason }) =>
      Effect.succeed(
        // What only this host knows, so not with the status of AgentAPI's other refusals, which may have left something.
        reason === "forbidden" ? invalid({ message }) : failure({ message: `failed to send message: ${message}` })
      )
    )
  )

const postMessage = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  const body = yield* request.json
  const message = yield* Schema.decodeUnknown(PostMessage)(body, { errors: "all", onExcessProperty: "error" }).pipe(
    Effect.mapError((error) => invalid(...complaints(error, body)))
  )
  return yield* deliver(message)
}).pipe(
  Effect.catchTag("RequestError", () => Effect.succeed(invalid({ message: "invalid JSON", location: "body" }))),
  Effect.catchAll(Effect.succeed)
)

const handlers = HttpApiBuilder.group(AgentApi, "agent", (handle) =>
  handle
    .handle("status", () =>
      Effect.gen(function* () {
        const agent = yield* host
        return { status: yield* agent.status, agent_type: agent.agentType, transport: "pty" }
      })
    )
    .handle("messages", () => Effect.flatMap(host, (agent) => Effect.map(agent.messages, (messages) => ({ messages }))))
    .handleRaw("message", () => postMessage)
)

const problems = HttpApiBuilder.middleware((app) =>
  Effect.catchAllCause(app, (cause) =>
    Cause.squash(cause) instanceof RouteNotFound
      ? Effect.succeed(problem(404, "Not Found", "no such route", []))
      : Effect.as(Effect.logError("AgentAPI broke", cause), failure())
  )
)

/** AgentAPI over HTTP, for any number of agents: the routes are built once. */
export class AgentApiServer extends Context.Tag("fleet-mcp/layers/agenthost/AgentApiServer")<
  AgentApiServer,
  {
    /** AgentAPI of one agent, to be run for a request (paths as in the contract) or served on a port. */
    readonly app: (agent: AgentHost) => HttpApp.Default
  }
>() {
  static readonly layer: Layer.Layer<AgentApiServer> = Layer.effect(
    this,
    Effect.gen(function* () {
      const services = yield* Effect.context<HttpRouter.HttpRouter.DefaultServices>()
      const routes = yield* HttpApiBuilder.httpApp
      // The request wins: this may be built while a request of someone else is being served.
      const httpApp: HttpApp.Default = Effect.mapInputContext(routes, (request) => Context.merge(services, request))
      return {
        app: (agent: AgentHost) => Effect.provideService(httpApp, CurrentHost, agent)
      }
    })
  ).pipe(
    Layer.provide([
      HttpApiBuilder.api(AgentApi).pipe(Layer.provide(handlers)),
      problems,
      HttpApiBuilder.Router.Live,
      HttpApiBuilder.Middleware.layer,
      HttpServer.layerContext
    ])
  )
}
