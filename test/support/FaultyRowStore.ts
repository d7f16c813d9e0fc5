import { Data, Effect, Layer, Ref } from "effect"
import { RowStore } from "../../src/layers/embedded/store/RowStore.ts"
import { StoreFailed } from "../../src/layers/embedded/store/StoreFailed.ts"
import type { Rows } from "../../src/layers/embedded/store/Tables.ts"

/** When writes of rows fail, and the reads. */
export interface StoreFaults {
  /** The write of a row (counted from 1 over all transactions) that fails, and the `count` - 1 after it. */
  readonly write?: number
  readonly count?: number
  /** Transactions of these operations fail when they are to be committed. */
  readonly operations?: ReadonlyArray<string>
  readonly reads?: boolean
}

class Broken extends Data.TaggedError("Broken") {}

/** A driver of rows above another one, which fails as disks do: in the midst of a transaction, or at its end. */
export const faultyRowStore = (faults: Ref.Ref<StoreFaults>): Layer.Layer<RowStore, never, RowStore> =>
  Layer.effect(
    RowStore,
    Effect.map(RowStore, (store) => {
      let writes = 0
      const failed = (operation: string) => new StoreFailed({ operation, reason: "disk full" })

      const counted = (rows: Rows, { count = 1, write = Infinity }: StoreFaults): Rows => {
        const guarded = <Table extends { readonly put: (row: never) => void; readonly remove: (key: string) => void }>(
          table: Table
        ): Table =>
          new Proxy(table, {
            get: (target, property, receiver) => {
              if (property === "put" || property === "remove" || property === "removeOf") {
                writes++
                if (writes >= write && writes < write + count) throw new Broken()
              }
              return Reflect.get(target, property, receiver)
            }
          })
        return {
          workspaces: guarded(rows.workspaces),
          builds: guarded(rows.builds),
          agents: guarded(rows.agents),
          statuses: guarded(rows.statuses),
          buildLogs: guarded(rows.buildLogs),
          agentLogs: guarded(rows.agentLogs),
          projects: guarded(rows.projects),
          turns: guarded(rows.turns),
          queues: guarded(rows.queues),
          queuedTasks: guarded(rows.queuedTasks),
          keys: guarded(rows.keys),
          transcripts: guarded(rows.transcripts),
          messages: guarded(rows.messages),
          parts: guarded(rows.parts),
          queuedTexts: guarded(rows.queuedTexts),
          position: rows.position
        }
      }

      return {
        transaction: (operation, step) =>
          Effect.flatMap(Ref.get(faults), (now) =>
            store.transaction(operation, (rows) => {
              const result = step(counted(rows, now))
              if (now.operations?.includes(operation) === true) throw new Broken()
              return result
            })
          ).pipe(
            Effect.catchAllDefect((defect) => (defect instanceof Broken ? failed(operation) : Effect.die(defect)))
          ),
        read: (operation, query) =>
          Effect.flatMap(Ref.get(faults), ({ reads }) =>
            reads === true ? failed(operation) : store.read(operation, query)
          ),
        journal: store.journal,
        changes: store.changes,
        release: store.release
      }
    })
  )
