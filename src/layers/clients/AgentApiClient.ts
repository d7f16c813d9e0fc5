import { Context, Effect, Layer } from "effect"
import { AgentApi, type AgentApp } from "../../schemas/agentapi/AgentApi.ts"
import { CoderHttp } from "./CoderHttp.ts"
import { deriveGroup, type GroupClient } from "./derive.ts"

/** AgentAPI of one agent. */
export type AgentApiOf = GroupClient<(typeof AgentApi.groups)[keyof typeof AgentApi.groups], "agent">

/** AgentAPI of any agent, through the path form of Coder's app proxy: `/@{owner}/{workspace}/apps/{slug}/`. */
export class AgentApiClient extends Context.Tag("fleet-mcp/layers/clients/AgentApiClient")<
  AgentApiClient,
  { readonly of: (app: AgentApp) => Effect.Effect<AgentApiOf> }
>() {
  static readonly layer: Layer.Layer<AgentApiClient, never, CoderHttp> = Layer.effect(
    this,
    Effect.gen(function* () {
      const { app: httpClient } = yield* CoderHttp
      return {
        of: ({ owner_name, slug, workspace_name }) => {
          const [owner, workspace, app] = [owner_name, workspace_name, slug].map(encodeURIComponent)
          return deriveGroup(AgentApi, { group: "agent", httpClient, baseUrl: `/@${owner}/${workspace}/apps/${app}` })
        }
      }
    })
  )
}
