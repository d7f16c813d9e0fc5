import { Context, Duration, Effect, Layer, Option } from "effect"
import { Callers } from "../api/Callers.ts"
import { AgentHosts } from "../engine/AgentHosts.ts"
import { isActive } from "../store/Rows.ts"
import type { StoreFailed } from "../store/StoreFailed.ts"
import { WorkspaceStore } from "../store/WorkspaceStore.ts"

/** How a supervisor takes its leave. */
export class LeaveLimits extends Context.Reference<LeaveLimits>()(
  "fleet-mcp/layers/embedded/supervisor/Supervision/LeaveLimits",
  {
    defaultValue: () => ({
      /** How long changes that are under way are waited for: less than a client waits for its answer to a stop. */
      settle: Duration.seconds(3),
      /** Changes at once. */
      changes: 10_000
    })
  }
) {}

/** What is there when nobody can begin anything any more. */
export interface Rest {
  readonly clients: number
  /** Names of agents whose turn or build runs. */
  readonly atWork: ReadonlyArray<string>
  /** Whether no change is under way. */
  readonly isSettled: boolean
}

/** What a supervisor knows of its own fleet. */
export class Supervision extends Context.Tag("fleet-mcp/layers/embedded/supervisor/Supervision")<
  Supervision,
  {
    readonly clients: Effect.Effect<number>
    /** Names of agents whose turn or build runs. */
    readonly atWork: Effect.Effect<ReadonlyArray<string>, StoreFailed>
    /** Notes that a request is under way which may change something. */
    readonly changing: <A, E, R>(request: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
    /**
     * Refuses all clients from now on, waits until their changes have ended, and looks what is at work then. Where it is
     * not to end for that, and where that cannot be told, clients are taken as before.
     */
    readonly leave: (
      ends: (rest: Rest) => boolean
    ) => Effect.Effect<{ readonly leaving: boolean; readonly rest: Rest }, StoreFailed>
  }
>() {
  static readonly layer: Layer.Layer<Supervision, never, AgentHosts | Callers | WorkspaceStore> = Layer.effect(
    this,
    Effect.gen(function* () {
      const callers = yield* Callers
      const hosts = yield* AgentHosts
      const store = yield* WorkspaceStore
      const { changes, settle } = yield* LeaveLimits
      const underWay = yield* Effect.makeSemaphore(changes)
      const inTurn = yield* Effect.makeSemaphore(1)
      let hasLeft = false

      const atWork = Effect.gen(function* () {
        const turns = yield* hosts.atWork
        return (yield* store.list)
          .filter(({ build, workspace }) => isActive(build) || turns.has(workspace.id))
          .map(({ workspace }) => workspace.name)
      })

      const settled = Effect.map(
        Effect.timeoutOption(underWay.withPermits(changes)(Effect.void), settle),
        Option.isSome
      )

      return {
        clients: callers.count,
        atWork,
        changing: underWay.withPermits(1),
        leave: Effect.fn("Supervision.leave")(
          function* (ends) {
            callers.setOpen(false)
            const isSettled = yield* settled
            const rest: Rest = { isSettled, clients: yield* callers.count, atWork: yield* atWork }
            hasLeft = hasLeft || ends(rest)
            return { leaving: hasLeft, rest }
          },
          Effect.ensuring(Effect.sync(() => callers.setOpen(!hasLeft))),
          inTurn.withPermits(1)
        )
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
