import { Context, Effect, Layer } from "effect"
import { EmbeddedApi, type JournalGroup } from "../../schemas/fleet/JournalApi.ts"
import { CoderHttp } from "./CoderHttp.ts"
import { deriveGroup, type GroupClient } from "./derive.ts"

/** The journal of an embedded Coder, derived from the contract. A real one has none, and answers 404. */
export class JournalClient extends Context.Tag("fleet-mcp/layers/clients/JournalClient")<
  JournalClient,
  GroupClient<typeof JournalGroup, "journal">
>() {
  static readonly layer: Layer.Layer<JournalClient, never, CoderHttp> = Layer.effect(
    this,
    Effect.flatMap(CoderHttp, ({ api: httpClient }) => deriveGroup(EmbeddedApi, { group: "journal", httpClient }))
  )
}
