import { Context, Effect, Layer, Option } from "effect"
import { Callers } from "../api/Callers.ts"
import { AgentHosts } from "../engine/AgentHosts.ts"
import { isActive } from "../store/Rows.ts"
import type { StoreFailed } from "../store/StoreFailed.ts"
import { WorkspaceStore } from "../store/WorkspaceStore.ts"

/** What a supervisor knows of its own fleet. */
export class Supervision extends Context.Tag("fleet-mcp/layers/embedded/supervisor/Supervision")<
  Supervision,
  {
    readonly clients: Effect.Effect<number>
    /** Names of agents whose turn or build runs. */
    readonly atWork: Effect.Effect<ReadonlyArray<string>, StoreFailed>
  }
>() {
  static readonly layer: Layer.Layer<Supervision, never, AgentHosts | Callers | WorkspaceStore> = Layer.effect(
    this,
    Effect.gen(function* () {
      const callers = yield* Callers
      const hosts = yield* AgentHosts
      const store = yield* WorkspaceStore
      return {
        clients: callers.count,
        atWork: Effect.gen(function* () {
          const turns = yield* hosts.atWork
          return (yield* store.list)
            .filter(({ build, workspace }) => isActive(build) || turns.has(workspace.id))
            .map(({ workspace }) => workspace.name)
        })
      }
    })
  )

  /** Whether nobody needs it: no client is there, no turn and no build runs. Where that cannot be told it is needed. */
  static readonly isIdle = (supervision: Supervision["Type"]): Effect.Effect<boolean> =>
    Effect.gen(function* () {
      if ((yield* supervision.clients) > 0) return false
      return Option.exists(yield* Effect.option(supervision.atWork), (names) => names.length === 0)
    })
}
