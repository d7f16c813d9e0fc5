import { HttpClient, HttpClientRequest } from "@effect/platform"
import { Context, Effect, Layer, Schema } from "effect"
import { AgentApi, type AgentApp } from "../../schemas/agentapi/AgentApi.ts"
import { CoderError } from "../../schemas/coder/CoderError.ts"
import { Segment } from "../../schemas/coder/Segment.ts"
import { CoderHttp } from "./CoderHttp.ts"
import { deriveGroup, type GroupClient } from "./derive.ts"

/** AgentAPI of one agent. */
export type AgentApiOf = GroupClient<(typeof AgentApi.groups)[keyof typeof AgentApi.groups], "agent">

/** Where the request at hand goes: the one client that is derived serves all agents. */
class BasePath extends Context.Reference<BasePath>()("fleet-mcp/layers/clients/AgentApiClient/BasePath", {
  defaultValue: (): Effect.Effect<string, CoderError> => Effect.succeed("")
}) {}

/** AgentAPI of any agent, through the path form of Coder's app proxy: `/@{owner}/{workspace}/apps/{slug}/`. */
export class AgentApiClient extends Context.Tag("fleet-mcp/layers/clients/AgentApiClient")<
  AgentApiClient,
  { readonly of: (app: AgentApp) => Effect.Effect<AgentApiOf> }
>() {
  static readonly layer: Layer.Layer<AgentApiClient, never, CoderHttp> = Layer.effect(
    this,
    Effect.gen(function* () {
      const { app: httpClient } = yield* CoderHttp
      const api = yield* deriveGroup(AgentApi, {
        group: "agent",
        httpClient: HttpClient.mapRequestInputEffect(httpClient, (request) =>
          Effect.map(Effect.flatten(BasePath), (path) => HttpClientRequest.prependUrl(request, path))
        )
      })
      return {
        of: (app) => {
          const there = Effect.provideService(BasePath, pathOf(app))
          return Effect.succeed({
            status: (request) => there(api.status(request)),
            messages: (request) => there(api.messages(request)),
            message: (request) => there(api.message(request)),
            queue: (request) => there(api.queue(request)),
            give: (request) => there(api.give(request)),
            removeQueued: (request) => there(api.removeQueued(request))
          })
        }
      }
    })
  )
}

const encodeNames = Schema.encode(Schema.Tuple(Segment, Segment, Segment))

const pathOf = ({ owner_name, slug, workspace_name }: AgentApp): Effect.Effect<string, CoderError> =>
  encodeNames([owner_name, workspace_name, slug]).pipe(
    Effect.mapBoth({
      onFailure: () =>
        new CoderError({ reason: "invalid_request", status: null, message: "a name that cannot stand in a path" }),
      onSuccess: ([owner, workspace, app]) => `/@${owner}/${workspace}/apps/${app}`
    })
  )
