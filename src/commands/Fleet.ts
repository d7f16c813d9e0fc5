import { FetchHttpClient } from "@effect/platform"
import { ConfigError, Effect, Layer, type Context, type Scope } from "effect"
import { Backend } from "../layers/config/Backend.ts"
import { CoderConfig, type CoderOptions } from "../layers/config/CoderConfig.ts"
import { FleetConfig } from "../layers/config/FleetConfig.ts"
import { proxyFor } from "../layers/config/ProxyConfig.ts"
import * as FleetMcp from "../layers/FleetMcp.ts"
import { BackendNotConfigured } from "../schemas/errors/Coder.ts"
import { cannotBeRead, type Environment } from "./Settings.ts"

/** `fetch`, or through the proxy that the configuration names for this server. */
const clientFor = (url: URL) =>
  Effect.gen(function* () {
    const proxy = yield* proxyFor(url)
    if (proxy === undefined) return FetchHttpClient.layer
    yield* Effect.logInfo("Coder is asked through a proxy, except what NO_PROXY names", {
      variable: proxy.variable,
      proxy: proxy.url.origin
    })
    const { layer } = yield* Effect.promise(() => import("./ProxiedClient.ts"))
    return layer(proxy)
  })

const coderServer = (options: CoderOptions) =>
  Effect.map(clientFor(options.url), (client) => Layer.merge(client, CoderConfig.layer(options)))

/** The fleet's services over the backend that was chosen. This module is loaded at the first tool call. */
export const connect = (
  backend: Backend,
  environment: Environment
): Effect.Effect<Context.Context<FleetMcp.FleetServices>, BackendNotConfigured, Scope.Scope> =>
  Effect.gen(function* () {
    const coder = yield* Backend.$match(backend, {
      Coder: (options) => coderServer(options),
      Local: () =>
        Effect.flatMap(
          Effect.promise(() => import("./ThisMachine.ts")),
          ({ thisMachine }) => thisMachine(environment)
        ),
      Incomplete: ({ problem, remedy }) => new BackendNotConfigured({ problem, remedy })
    })
    const fleet = FleetMcp.layer.pipe(Layer.provide([coder, FleetConfig.layerConfig]))
    return yield* Layer.build(fleet)
  }).pipe(Effect.catchIf(ConfigError.isConfigError, (error) => new BackendNotConfigured(cannotBeRead(error))))
