import { FetchHttpClient, HttpApp, HttpClient, HttpClientError, HttpMiddleware, HttpServer } from "@effect/platform"
import { Effect, Layer } from "effect"
import { CoderConfig } from "../config/CoderConfig.ts"
import type { EmbeddedOptions } from "../config/EmbeddedConfig.ts"
import { CoderApp } from "./api/CoderApp.ts"
import { Deployment, embeddedUrl } from "./Deployment.ts"
import { RowStore } from "./store/RowStore.ts"
import { layerStoredConversations } from "./store/StoredConversations.ts"

const inProcessConfig: Layer.Layer<CoderConfig, never, Deployment> = Layer.effect(
  CoderConfig,
  Effect.map(Deployment, ({ sessionToken }) => ({
    url: new URL(embeddedUrl),
    sessionToken,
    displayName: "this machine"
  }))
)

/**
 * Requests are handled in fibers of their own, as on a server: a caller that goes away interrupts what is only read,
 * while a change that has begun is made.
 */
const inProcessClient: Layer.Layer<HttpClient.HttpClient, never, CoderApp> = Layer.effect(
  HttpClient.HttpClient,
  Effect.gen(function* () {
    const { httpApp } = yield* CoderApp
    const handle = HttpApp.toWebHandlerRuntime(yield* Effect.runtime())(httpApp)
    const fetch = HttpClient.withTracerDisabledWhen(yield* HttpClient.HttpClient, () => true)
    return HttpClient.make((request, url) =>
      url.origin === embeddedUrl
        ? Effect.provideService(fetch.execute(request), FetchHttpClient.Fetch, (input, init) =>
            handle(new Request(input, init))
          )
        : new HttpClientError.RequestError({
            request,
            reason: "Transport",
            description: `only ${embeddedUrl} can be reached`,
            cause: { code: "EHOSTUNREACH" }
          })
    )
  })
).pipe(Layer.provide(FetchHttpClient.layer))

const inMemory = (options: EmbeddedOptions) =>
  CoderApp.layer(options).pipe(Layer.provide(layerStoredConversations), Layer.provide(RowStore.layerMemory))

/** The span of a request would hold its token: the header, or the address with the query. */
const untraced = HttpMiddleware.withTracerDisabledWhen(() => true)

/**
 * A small Coder of our own, for one user on one machine: projects are git repositories, and each agent works in a git
 * worktree of its own. It answers the contract as Coder does. What it remembers ends with it, and so do its agents.
 */
export const EmbeddedCoder: {
  /** Inside this process: a client that reaches nothing but the embedded Coder, and where that is. */
  readonly layer: (options: EmbeddedOptions) => Layer.Layer<HttpClient.HttpClient | CoderConfig>
  /** The same on a server, for example on a Unix socket. Requests must carry `options.sessionToken`. */
  readonly layerServer: (options: EmbeddedOptions) => Layer.Layer<never, never, HttpServer.HttpServer>
} = {
  layer: (options) => Layer.merge(inProcessClient, inProcessConfig).pipe(Layer.provide(inMemory(options)), untraced),
  layerServer: (options) =>
    Layer.unwrapEffect(Effect.map(CoderApp, ({ httpApp }) => HttpServer.serve(httpApp))).pipe(
      Layer.provide(inMemory(options)),
      untraced
    )
}
