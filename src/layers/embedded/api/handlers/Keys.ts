import { HttpApiBuilder } from "@effect/platform"
import { Effect, Option, Struct } from "effect"
import { CoderApi } from "../../../../schemas/coder/CoderApi.ts"
import { WorkspaceStore } from "../../store/WorkspaceStore.ts"
import { storeFailed } from "../CoderBody.ts"

/** What idempotency keys were used for. */
export const keysHandlers = HttpApiBuilder.group(CoderApi, "keys", (handlers) =>
  Effect.map(WorkspaceStore, (store) =>
    handlers.handle("use", ({ path }) =>
      Effect.map(Effect.catchTag(store.keyUse(path.name), "StoreFailed", storeFailed), (use) => ({
        use: Option.getOrNull(Option.map(use, Struct.omit("key")))
      }))
    )
  )
)
