import { Context, Effect, Layer } from "effect"
import { CoderApi } from "../../schemas/coder/CoderApi.ts"
import { CoderHttp } from "./CoderHttp.ts"
import { deriveGroup } from "./derive.ts"

const make = Effect.gen(function* () {
  const { api: httpClient } = yield* CoderHttp
  return {
    server: yield* deriveGroup(CoderApi, { group: "server", httpClient }),
    users: yield* deriveGroup(CoderApi, { group: "users", httpClient }),
    templates: yield* deriveGroup(CoderApi, { group: "templates", httpClient }),
    workspaces: yield* deriveGroup(CoderApi, { group: "workspaces", httpClient }),
    builds: yield* deriveGroup(CoderApi, { group: "builds", httpClient }),
    agents: yield* deriveGroup(CoderApi, { group: "agents", httpClient }),
    keys: yield* deriveGroup(CoderApi, { group: "keys", httpClient })
  }
})

/** Coder's API, derived from the contract. Every call fails with nothing but `CoderError`. */
export class CoderClient extends Context.Tag("fleet-mcp/layers/clients/CoderClient")<
  CoderClient,
  Effect.Effect.Success<typeof make>
>() {
  static readonly layer: Layer.Layer<CoderClient, never, CoderHttp> = Layer.effect(this, make)
}
