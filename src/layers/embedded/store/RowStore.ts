import { Context, Data, Effect, Either, Layer, type Stream } from "effect"
import { type ChangesLost, makeChangeLog } from "./ChangeLog.ts"
import { memoryTable } from "./MemoryTable.ts"
import { StoreLimits } from "./StoreLimits.ts"
import { type Change, type Commit, type ReadRows, type Rows, tables } from "./Tables.ts"

/** The rows could not be read or changed, and are as they were. */
export class StoreFailed extends Data.TaggedError("StoreFailed")<{
  /** What was to be done, as a method of `WorkspaceStore`. */
  readonly operation: string
  readonly reason: string
}> {
  override get message(): string {
    return `the store failed in ${this.operation}: ${this.reason}`
  }
}

/**
 * Keeps rows, and knows nothing of what they mean. A step is synchronous and has no effect but on the rows that it is
 * given; it may be carried out more than once. Steps come one after another.
 */
export class RowStore extends Context.Tag("fleet-mcp/layers/embedded/store/RowStore")<
  RowStore,
  {
    /** All of what a step changes or, where it answers a `Left` or throws, nothing. */
    readonly transaction: <A, E>(
      operation: string,
      step: (rows: Rows) => Either.Either<A, E>
    ) => Effect.Effect<A, E | StoreFailed>
    /** Reads at one moment. */
    readonly read: <A>(operation: string, query: (rows: ReadRows) => A) => Effect.Effect<A, StoreFailed>
    /** The commits after a position: those that are kept, then those to come; each once, in order, none left out. */
    readonly changes: (after: number) => Stream.Stream<Commit, ChangesLost | StoreFailed>
  }
>() {
  /** Keeps everything in this process, and forgets it with it. It never fails. */
  static readonly layerMemory: Layer.Layer<RowStore> = Layer.effect(
    this,
    Effect.map(StoreLimits, (limits) => {
      const log = makeChangeLog(limits.changes)
      // Those of the transaction under way.
      let changes: Array<Change> | undefined
      const note = (change: Change): void => {
        if (changes === undefined) throw new Error("A row was changed outside of a transaction")
        changes.push(change)
      }

      const all = {
        workspaces: memoryTable(tables.workspaces, note),
        builds: memoryTable(tables.builds, note),
        agents: memoryTable(tables.agents, note),
        statuses: memoryTable(tables.statuses, note),
        buildLogs: memoryTable(tables.buildLogs, note),
        agentLogs: memoryTable(tables.agentLogs, note)
      }
      const every = Object.values(all)
      const rows: Rows = {
        ...all,
        get position() {
          return log.position()
        }
      }

      return {
        transaction: (_operation, step) =>
          Effect.suspend(() => {
            for (const { checkpoint } of every) checkpoint()
            const made: Array<Change> = []
            let committed = false
            changes = made
            try {
              const result = step(rows)
              committed = Either.isRight(result)
              return result
            } finally {
              changes = undefined
              if (committed) log.append(made)
              else for (const { rollback } of every) rollback()
            }
          }),
        read: (_operation, query) => Effect.sync(() => query(rows)),
        changes: log.after
      }
    })
  )
}
