import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "@effect/platform"
import { Effect, Layer, Schema } from "effect"
import { AgentService, TaskService, type FleetServices } from "fleet-mcp"
import { AgentView, NextStep, Outcome } from "fleet-mcp/schemas"

// A small service of its own that has a fleet inside: it lists the agents, and gives them tasks.

/** The fleet could not be asked. */
export class FleetUnavailable extends Schema.TaggedError<FleetUnavailable>()(
  "FleetUnavailable",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 503 })
) {}

/** The agent cannot take this task now; the message says why, and `next` what helps. */
export class TaskRefused extends Schema.TaggedError<TaskRefused>()(
  "TaskRefused",
  { message: Schema.String, next: Schema.Array(NextStep) },
  HttpApiSchema.annotations({ status: 409 })
) {}

/** The agent is not one of ours. */
export class NoSuchAgent extends Schema.TaggedError<NoSuchAgent>()(
  "NoSuchAgent",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 404 })
) {}

export const DeskApi = HttpApi.make("desk").add(
  HttpApiGroup.make("desk")
    .add(HttpApiEndpoint.get("agents", "/agents").addSuccess(Schema.Array(AgentView)).addError(FleetUnavailable))
    .add(
      HttpApiEndpoint.post("task")`/agents/${HttpApiSchema.param("name", Schema.String)}/tasks`
        .setPayload(Schema.Struct({ task: Schema.String }))
        .addSuccess(Schema.Struct({ outcome: Outcome }))
        .addError(NoSuchAgent)
        .addError(TaskRefused)
        .addError(FleetUnavailable)
    )
)

const refused = ({ message, next }: { readonly message: string; readonly next: ReadonlyArray<NextStep> }) =>
  new TaskRefused({ message, next })
const missing = (error: { readonly message: string }) => new NoSuchAgent({ message: error.message })
const unavailable = (error: { readonly message: string }) => new FleetUnavailable({ message: error.message })

const handlers = HttpApiBuilder.group(DeskApi, "desk", (group) =>
  Effect.gen(function* () {
    const agents = yield* AgentService
    const tasks = yield* TaskService
    return group
      .handle("agents", () =>
        agents.list({}).pipe(
          Effect.map((list) => list.agents),
          Effect.mapError(unavailable)
        )
      )
      .handle("task", ({ path, payload }) =>
        tasks.start(path.name, payload.task).pipe(
          Effect.map(({ outcome }) => ({ outcome })),
          Effect.catchTags({
            AgentNotFound: missing,
            NotAnAgent: missing,
            NotYourAgent: missing,
            AgentUnreadable: unavailable,
            AgentNotIdle: refused,
            AgentRefused: refused,
            InvalidTask: refused,
            AgentUnreachable: unavailable,
            CoderUnauthorized: unavailable,
            CoderForbidden: unavailable,
            CoderRateLimited: unavailable,
            CoderUnavailable: unavailable,
            CoderRejected: unavailable,
            DeadlineExceeded: unavailable
          })
        )
      )
  })
)

/** The service's HTTP API, over any fleet. */
export const layerDesk: Layer.Layer<HttpApi.Api, never, FleetServices> = HttpApiBuilder.api(DeskApi).pipe(
  Layer.provide(handlers)
)
