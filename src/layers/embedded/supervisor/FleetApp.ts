import { HttpApiBuilder, type HttpApp, type HttpRouter, HttpServer, HttpServerResponse } from "@effect/platform"
import { Context, Effect, Layer, Option, Redacted, Schema, Stream } from "effect"
import { CoderError } from "../../../schemas/coder/CoderError.ts"
import { FleetApi, fleetContract, RegisterClient, type SupervisorStatus } from "../../../schemas/fleet/FleetApi.ts"
import { TurnCaller } from "../../agenthost/process/TurnCaller.ts"
import { userSession } from "../api/Authentication.ts"
import { Callers } from "../api/Callers.ts"
import { storeFailed, withCoderBody } from "../api/CoderBody.ts"
import type { Deployment } from "../Deployment.ts"
import { Catalog } from "../engine/Catalog.ts"
import { Supervision } from "./Supervision.ts"

/** The process that supervises. */
export interface SupervisorProcess extends Pick<SupervisorStatus, "pid" | "since" | "version"> {
  readonly storeBytes: Effect.Effect<number>
  /** Tells it to end; its agents end with it. */
  readonly stop: Effect.Effect<void>
}

/** What a client reads when it is registered. */
const registered = new TextEncoder().encode("registered\n")

const handlers = (supervisor: SupervisorProcess) =>
  HttpApiBuilder.group(FleetApi, "supervisor", (handle) =>
    Effect.gen(function* () {
      const callers = yield* Callers
      const catalog = yield* Catalog
      const supervision = yield* Supervision
      const atWork = Effect.catchTag(supervision.atWork, "StoreFailed", storeFailed)

      return handle
        .handleRaw("register", ({ request }) =>
          Effect.gen(function* () {
            const body = yield* Effect.orElseSucceed(request.json, () => null)
            const payload = yield* Effect.catchTag(Schema.decodeUnknown(RegisterClient)(body), "ParseError", () =>
              CoderError.answer(400, "This is no registration of a client.")
            )
            const caller = {
              allowShell: payload.allow_shell,
              environment: Redacted.value(payload.environment),
              agentEnvironment: payload.agent_environment
            }
            const named = yield* catalog
              .register({
                projects: payload.projects,
                workingDirectory: payload.working_directory,
                projectAdvice: payload.project_advice
              })
              .pipe(Effect.provideService(TurnCaller, Option.some(caller)), Effect.catchTag("StoreFailed", storeFailed))
            // It looks for the heir, as where nobody knows it.
            if (!callers.isOpen()) return yield* CoderError.answer(401, "This supervisor is about to end.")
            const client = { ...caller, token: payload.token, named }
            const presence = Stream.unwrapScoped(
              Effect.as(callers.register(client), Stream.concat(Stream.make(registered), Stream.never))
            )
            return HttpServerResponse.stream(presence, { contentType: "text/plain" })
          })
        )
        .handle("status", () =>
          Effect.gen(function* () {
            const { pid, since, storeBytes, version } = supervisor
            return {
              pid,
              since,
              version,
              contract: fleetContract,
              clients: yield* supervision.clients,
              at_work: yield* atWork,
              store_bytes: yield* storeBytes
            }
          })
        )
        .handle("projects", () => Effect.catchTag(catalog.known, "StoreFailed", storeFailed))
        .handle("removeProject", ({ payload: { directory } }) =>
          Effect.map(catalog.forget(directory), (removed) => ({ removed })).pipe(
            Effect.catchTags({
              ProjectUnknown: () =>
                CoderError.answer(404, `No project of ${directory} is known: fleet-mcp projects lists those that are.`),
              ProjectUsed: ({ agents }) =>
                CoderError.answer(
                  409,
                  `${directory} has the ${agents.length === 1 ? "agent" : "agents"} ${agents.join(", ")}, and stays: delete ${agents.length === 1 ? "it" : "them"} first.`
                ),
              StoreFailed: storeFailed
            })
          )
        )
        .handle("stop", ({ payload }) =>
          Effect.gen(function* () {
            const { leaving, rest } = yield* supervision
              .leave(({ atWork: names, isSettled }) => payload.now || (isSettled && names.length === 0))
              .pipe(Effect.catchTag("StoreFailed", storeFailed))
            if (leaving) yield* supervisor.stop
            return { stopping: leaving, at_work: rest.atWork }
          })
        )
    })
  )

/** `FleetApi` as one HTTP app. */
export class FleetApp extends Context.Tag("fleet-mcp/layers/embedded/supervisor/FleetApp")<
  FleetApp,
  { readonly httpApp: HttpApp.Default }
>() {
  static readonly layer = (
    supervisor: SupervisorProcess
  ): Layer.Layer<FleetApp, never, Callers | Catalog | Deployment | Supervision> =>
    Layer.effect(
      this,
      Effect.gen(function* () {
        const services = yield* Effect.context<HttpRouter.HttpRouter.DefaultServices>()
        const routed = yield* HttpApiBuilder.httpApp
        return { httpApp: Effect.mapInputContext(routed, (request) => Context.merge(services, request)) }
      })
    ).pipe(
      Layer.provide([
        HttpApiBuilder.api(FleetApi).pipe(Layer.provide(handlers(supervisor)), Layer.provide(userSession)),
        HttpApiBuilder.middleware(withCoderBody),
        HttpApiBuilder.Router.Live,
        HttpApiBuilder.Middleware.layer,
        HttpServer.layerContext
      ]),
      Layer.fresh
    )
}
