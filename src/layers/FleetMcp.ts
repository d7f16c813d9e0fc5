import { FetchHttpClient, type HttpClient } from "@effect/platform"
import { Layer, type ConfigError } from "effect"
import { AgentApiClient } from "./clients/AgentApiClient.ts"
import { CoderClient } from "./clients/CoderClient.ts"
import { CoderHttp } from "./clients/CoderHttp.ts"
import { JournalClient } from "./clients/JournalClient.ts"
import { CoderConfig, type CoderOptions } from "./config/CoderConfig.ts"
import { FleetConfig, type FleetOptions } from "./config/FleetConfig.ts"
import { AgentEvents } from "./repositories/AgentEvents.ts"
import { AgentLifecycle } from "./repositories/AgentLifecycle.ts"
import { AgentRepository } from "./repositories/AgentRepository.ts"
import { IdempotencyKeys } from "./repositories/IdempotencyKeys.ts"
import { ProjectRepository } from "./repositories/ProjectRepository.ts"
import { TaskRepository } from "./repositories/TaskRepository.ts"
import { AgentService } from "./services/AgentService.ts"
import { CreateAgent } from "./services/CreateAgent.ts"
import type { FleetServices } from "./services/FleetServices.ts"
import { ProjectService } from "./services/ProjectService.ts"
import { TaskService } from "./services/TaskService.ts"
import { WaitService } from "./services/WaitService.ts"

export { AgentService, ProjectService, TaskService, WaitService }
export type { FleetServices }

const clients = Layer.mergeAll(CoderClient.layer, AgentApiClient.layer, JournalClient.layer).pipe(
  Layer.provide(CoderHttp.layer)
)

const repositories = Layer.mergeAll(
  AgentEvents.layer,
  AgentLifecycle.layer,
  IdempotencyKeys.layer,
  TaskRepository.layer
).pipe(Layer.provideMerge(AgentRepository.layer), Layer.provideMerge(ProjectRepository.layer), Layer.provide(clients))

/**
 * The fleet over any Coder: the services, from an `HttpClient` that reaches it. A server and the embedded Coder differ
 * in that layer alone.
 */
export const layer: Layer.Layer<FleetServices, never, HttpClient.HttpClient | CoderConfig | FleetConfig> =
  Layer.mergeAll(
    AgentService.layer.pipe(Layer.provide(CreateAgent.layer)),
    ProjectService.layer,
    TaskService.layer,
    WaitService.layer
  ).pipe(Layer.provide(repositories))

/** How agents are recognised; without options, by what their templates declare. */
export const layerFleetConfig: (options?: FleetOptions) => Layer.Layer<FleetConfig> = FleetConfig.layer

/** The fleet of a Coder server, spoken to by `fetch`. */
export const layerCoder = (options: CoderOptions & FleetOptions): Layer.Layer<FleetServices> =>
  layer.pipe(Layer.provide([FetchHttpClient.layer, CoderConfig.layer(options), FleetConfig.layer(options)]))

/**
 * The fleet of the Coder server that the configuration names: `CODER_URL`, `CODER_SESSION_TOKEN`, and what
 * `FleetConfig.layerConfig` reads.
 */
export const layerConfig: Layer.Layer<FleetServices, ConfigError.ConfigError> = layer.pipe(
  Layer.provide([FetchHttpClient.layer, CoderConfig.layerConfig, FleetConfig.layerConfig])
)
