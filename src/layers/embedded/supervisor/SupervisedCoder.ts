import { HttpServer, HttpServerRequest, HttpMiddleware } from "@effect/platform"
import { Effect, Layer } from "effect"
import type { EmbeddedOptions } from "../../config/EmbeddedConfig.ts"
import { CoderApp } from "../api/CoderApp.ts"
import { layerSqlite } from "../store/sqlite/SqliteRowStore.ts"
import { layerStoredConversations } from "../store/StoredConversations.ts"
import type { StoreFailed } from "../store/StoreFailed.ts"
import { FairShare } from "./FairShare.ts"
import { FleetApp, type SupervisorProcess } from "./FleetApp.ts"
import { Supervision } from "./Supervision.ts"

/** The token is needed: whoever starts a supervisor tells others where it is, and with what they may ask. */
export type SupervisedOptions = Pick<EmbeddedOptions, "stateDirectory" | "environment"> &
  Required<Pick<EmbeddedOptions, "sessionToken">>

const requests = Effect.map(
  Effect.all([CoderApp, FairShare, FleetApp, Supervision]),
  ([coder, { within }, fleet, supervision]) =>
    // Each of the two refuses by itself who may not ask, so it is no matter of safety which of them gets a request.
    Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ method, url }) => {
      if (url.startsWith("/fleet/")) return fleet.httpApp
      return within(method === "GET" || method === "HEAD" ? coder.httpApp : supervision.changing(coder.httpApp))
    })
)

/**
 * The embedded Coder of several clients, over a store in a file, with `FleetApi` beside its contract. A client registers
 * its projects; role, environment and rights of a turn are those of the client that starts it.
 */
export const layer = (
  file: string,
  supervisor: SupervisorProcess,
  options: SupervisedOptions
): Layer.Layer<Supervision, StoreFailed, HttpServer.HttpServer> =>
  Layer.unwrapEffect(Effect.map(requests, (app) => HttpServer.serve(app))).pipe(
    Layer.provide(FleetApp.layer(supervisor)),
    Layer.provideMerge(Supervision.layer),
    Layer.provide(FairShare.layer),
    // What it does by itself, such as to bring an idle agent up again, is of any role: clients have rights of their own.
    Layer.provide(CoderApp.layer({ ...options, workingDirectory: "/", registered: true, allowShell: true })),
    Layer.provide(layerStoredConversations),
    Layer.provide(layerSqlite(file)),
    HttpMiddleware.withTracerDisabledWhen(() => true)
  )
