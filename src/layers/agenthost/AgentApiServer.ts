import {
  HttpApiBuilder,
  HttpServer,
  HttpServerRequest,
  HttpServerResponse,
  type HttpApp,
  type HttpRouter
} from "@effect/platform"
import { RouteNotFound } from "@effect/platform/HttpServerError"
import { Array, Cause, Context, Effect, Layer, Option, ParseResult, Predicate, Schema } from "effect"
import { AgentApi, interruptKey, PostMessage } from "../../schemas/agentapi/AgentApi.ts"
import type { GivenTask, GiveTask } from "../../schemas/agentapi/FleetExtension.ts"
import type { AgentHost } from "./AgentHost.ts"
import type { NotStored } from "./NotStored.ts"

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

/** What the store says is told: nobody else could tell why. */
const notRead = ({ message }: NotStored) => Effect.succeed(failure({ message }))

const give = ({ content, idempotency, when_busy }: GiveTask): Effect.Effect<GivenTask> =>
  Effect.flatMap(host, (agent) => agent.give({ text: content, whenBusy: when_busy, key: idempotency })).pipe(
    Effect.map(({ ahead, id, state, usedAt }) => ({ state, task_id: id, ahead, used_at: usedAt, detail: "" })),
    Effect.catchTag("PromptRefused", ({ message, reason }) =>
      Effect.succeed({ state: reason, task_id: null, ahead: 0, used_at: null, detail: message })
    )
  )

const handlers = HttpApiBuilder.group(AgentApi, "agent", (handle) =>
  handle
    .handle("status", () =>
      Effect.gen(function* () {
        const agent = yield* host
        const [status, queue] = yield* Effect.all([agent.status, Effect.option(agent.queue)])
        return {
          status,
          agent_type: agent.agentType,
          transport: "pty",
          ...Option.match(
            Option.filter(queue, ({ tasks }) => tasks.length > 0),
            {
              onNone: () => ({}),
              onSome: ({ held, tasks }) => ({ queue: { waiting: tasks.length, held: held?.reason ?? null } })
            }
          )
        }
      })
    )
    .handle("messages", () => Effect.flatMap(host, (agent) => Effect.map(agent.messages, (messages) => ({ messages }))))
    .handleRaw("message", () => postMessage)
    .handle("queue", () =>
      Effect.gen(function* () {
        return yield* (yield* host).queue
      }).pipe(Effect.catchTag("NotStored", notRead))
    )
    .handle("give", ({ payload }) => give(payload))
    .handle("removeQueued", ({ path }) =>
      Effect.gen(function* () {
        const { queue, removeQueued } = yield* host
        const removed = /^\d{1,15}$/.test(path.task) && (yield* removeQueued(Number(path.task)))
        return { removed, waiting: (yield* queue).tasks.length }
      }).pipe(Effect.catchTag("NotStored", notRead))
    )
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
