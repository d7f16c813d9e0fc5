import { Context, Effect, Either, Layer, type Stream } from "effect"
import type { ChangesLost } from "./ChangeLog.ts"
import type { Journal } from "./EventLog.ts"
import { heldRows } from "./HeldRows.ts"
import { memoryEvents } from "./MemoryEvents.ts"
import type { StoreFailed } from "./StoreFailed.ts"
import { capacitiesOf, StoreLimits } from "./StoreLimits.ts"
import type { Commit, ReadRows, Rows } from "./Tables.ts"

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
    /** Has the text of a workspace take no memory until it is asked for again, where it is kept elsewhere. */
    readonly release: (workspaceId: string) => Effect.Effect<void>
    /** What has happened to agents, and what happens: each change of one is an event, stored in the same commit. */
    readonly journal: Journal
    /** The commits after a position: those that are kept, then those to come; each once, in order, none left out. */
    readonly changes: (after: number) => Stream.Stream<Commit, ChangesLost | StoreFailed>
  }
>() {
  /** Keeps everything in this process, and forgets it with it. It never fails. */
  static readonly layerMemory: Layer.Layer<RowStore> = Layer.effect(
    this,
    Effect.map(StoreLimits, (limits) => {
      const { keep, rows } = memoryEvents()
      return heldRows({
        ...capacitiesOf(limits, rows),
        keep: (_operation, { events }) => Either.right(keep(events))
      })
    })
  )
}
