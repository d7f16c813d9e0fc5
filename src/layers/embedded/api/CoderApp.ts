import { HttpApiBuilder, type HttpApp, type HttpRouter, HttpServer, HttpServerRequest } from "@effect/platform"
import { Context, Effect, Layer } from "effect"
import { EmbeddedApi } from "../../../schemas/fleet/JournalApi.ts"
import { AgentApiServer } from "../../agenthost/AgentApiServer.ts"
import type { ConversationStore } from "../../agenthost/ConversationStore.ts"
import { Worktree } from "../../agenthost/git/Worktree.ts"
import { EmbeddedConfig, type EmbeddedOptions } from "../../config/EmbeddedConfig.ts"
import { Surroundings } from "../../agenthost/process/Surroundings.ts"
import { Sweeper } from "../../agenthost/process/Sweeper.ts"
import { TurnCaller } from "../../agenthost/process/TurnCaller.ts"
import { AgentHosts } from "../engine/AgentHosts.ts"
import { appProxy } from "./AppProxy.ts"
import { agentSession, userSession } from "./Authentication.ts"
import { BuildRunner } from "../engine/BuildRunner.ts"
import { Callers } from "./Callers.ts"
import { layerRecovery } from "../engine/Recovery.ts"
import { Catalog } from "../engine/Catalog.ts"
import { withCoderBody } from "./CoderBody.ts"
import { Deployment } from "../Deployment.ts"
import { agentsHandlers } from "./handlers/Agents.ts"
import { buildsHandlers } from "./handlers/Builds.ts"
import { journalHandlers } from "./handlers/Journal.ts"
import { keysHandlers } from "./handlers/Keys.ts"
import { templatesHandlers } from "./handlers/Templates.ts"
import { serverHandlers, usersHandlers } from "./handlers/Users.ts"
import { workspacesHandlers } from "./handlers/Workspaces.ts"
import { Views } from "./Views.ts"
import type { RowStore } from "../store/RowStore.ts"
import { WorkspaceStore } from "../store/WorkspaceStore.ts"

/** Projects that clients have registered are known before anything of them is brought up again. */
const restoredProjects = Layer.effectDiscard(
  Effect.gen(function* () {
    const { registered } = yield* EmbeddedConfig
    const { restore } = yield* Catalog
    if (registered === true) yield* restore
  }).pipe(
    Effect.catchTag("StoreFailed", ({ message }) => Effect.logError(`The known projects could not be read: ${message}`))
  )
)

/** Where clients bring surroundings of their own, those beneath them are the user's, and not those of this process. */
const surroundings = Layer.unwrapEffect(
  Effect.map(EmbeddedConfig, ({ agentEnvironment, environment, registered }) =>
    registered === true ? Surroundings.layerLoginShell(environment) : Surroundings.layer(environment, agentEnvironment)
  )
)

/** What does the work behind the answers. Routers of others in the same graph of layers are kept apart by `fresh`. */
const parts = (options: EmbeddedOptions) =>
  layerRecovery.pipe(
    Layer.provide(restoredProjects),
    Layer.provideMerge(BuildRunner.layer),
    Layer.provideMerge(Layer.merge(AgentHosts.layer, Views.layer)),
    Layer.provideMerge(Catalog.layer),
    Layer.provideMerge(
      Layer.mergeAll(
        Layer.provideMerge(Callers.layer, Deployment.layer),
        WorkspaceStore.layer,
        Sweeper.layer,
        Layer.fresh(AgentApiServer.layer),
        Layer.provideMerge(Worktree.layer, surroundings)
      )
    ),
    Layer.provideMerge(EmbeddedConfig.layer(options))
  )

/** The routes of the contract and those of the app proxy, with what every request goes through. */
const routes = Layer.mergeAll(
  HttpApiBuilder.api(EmbeddedApi).pipe(
    Layer.provide([
      serverHandlers,
      usersHandlers,
      templatesHandlers,
      workspacesHandlers,
      buildsHandlers,
      agentsHandlers,
      journalHandlers,
      keysHandlers
    ]),
    Layer.provide([userSession, agentSession])
  ),
  appProxy,
  HttpApiBuilder.middleware(withCoderBody),
  HttpApiBuilder.Router.Live,
  HttpApiBuilder.Middleware.layer,
  HttpServer.layerContext
)

/** The whole embedded Coder as one HTTP app. */
export class CoderApp extends Context.Tag("fleet-mcp/layers/embedded/api/CoderApp")<
  CoderApp,
  {
    /** The API and the apps of workspaces. */
    readonly httpApp: HttpApp.Default
  }
>() {
  /** With what other apps of the same fleet need of it. */
  static readonly layer = (
    options: EmbeddedOptions
  ): Layer.Layer<
    AgentHosts | Callers | Catalog | CoderApp | Deployment | WorkspaceStore,
    never,
    ConversationStore | RowStore
  > =>
    Layer.effect(
      this,
      Effect.gen(function* () {
        const services = yield* Effect.context<HttpRouter.HttpRouter.DefaultServices>()
        const routed = yield* HttpApiBuilder.httpApp
        const callers = yield* Callers
        const httpApp: HttpApp.Default = Effect.mapInputContext(routed, (request) => Context.merge(services, request))
        return {
          httpApp: Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
            Effect.provideService(httpApp, TurnCaller, callers.clientOf(request))
          )
        }
      })
    ).pipe(Layer.provide(routes), Layer.fresh, Layer.provideMerge(parts(options)))
}
