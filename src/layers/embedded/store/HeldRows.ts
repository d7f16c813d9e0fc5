import { Effect, Either, Option } from "effect"
import { makeChangeLog } from "./ChangeLog.ts"
import { memoryTable } from "./MemoryTable.ts"
import type { StoreFailed } from "./StoreFailed.ts"
import { type Change, type Commit, type ReadRows, type Rows, tables } from "./Tables.ts"

/** Rows and commits as they were kept elsewhere: rows in the order of their first put, commits without gaps. */
export interface Kept {
  readonly changes: Iterable<Change>
  readonly commits: ReadonlyArray<Commit>
  readonly position: number
}

export interface HeldRowsOptions {
  /** Changes of rows kept for those who follow them. */
  readonly changes: number
  /** What there is at the beginning; default nothing. */
  readonly kept?: Kept
  /**
   * Called with each commit before it counts, and with the oldest position that is kept. Where it answers a failure
   * nothing has changed. Default: nothing is kept elsewhere.
   */
  readonly keep?: (operation: string, commit: Commit, oldest: number) => Either.Either<void, StoreFailed>
}

/**
 * Rows in this process, above whatever keeps them: reads never leave it, and a step is carried out here first. All of it
 * is synchronous, so nobody sees a step that is not kept yet.
 */
export const heldRows = ({ changes: capacity, keep, kept }: HeldRowsOptions) => {
  const log = makeChangeLog(capacity, kept)
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
    agentLogs: memoryTable(tables.agentLogs, note),
    projects: memoryTable(tables.projects, note)
  }
  const every = Object.values(all)
  const rows: Rows = {
    ...all,
    get position() {
      return log.position()
    }
  }

  /** The changes that a step makes; none of them is there any more unless it answers with a `Right`. */
  const carryOut = <A, E>(step: (rows: Rows) => Either.Either<A, E>) => {
    const made: Array<Change> = []
    changes = made
    let agreed = false
    for (const { checkpoint } of every) checkpoint()
    try {
      const result = step(rows)
      agreed = Either.isRight(result)
      return { result, made }
    } finally {
      changes = undefined
      if (!agreed) rollback()
    }
  }

  const rollback = () => {
    for (const table of every) table.rollback()
  }

  for (const change of kept?.changes ?? []) {
    carryOut((rows_) => Either.right(apply(rows_, change)))
  }

  return {
    transaction: <A, E>(operation: string, step: (rows: Rows) => Either.Either<A, E>) =>
      Effect.suspend((): Either.Either<A, E | StoreFailed> => {
        const { made, result } = carryOut(step)
        if (Either.isLeft(result) || made.length === 0) return result
        const commit = { position: log.position() + 1, changes: made }
        const done = keep?.(operation, commit, log.oldest()) ?? Either.void
        if (Either.isLeft(done)) {
          rollback()
          return Either.left(done.left)
        }
        log.append(made)
        return result
      }),
    read: <A>(_operation: string, query: (rows: ReadRows) => A) => Effect.sync(() => query(rows)),
    changes: log.after
  }
}

const apply = (rows: Rows, change: Change): void => {
  switch (change.table) {
    case "workspaces":
      return place(rows.workspaces, change)
    case "builds":
      return place(rows.builds, change)
    case "agents":
      return place(rows.agents, change)
    case "statuses":
      return place(rows.statuses, change)
    case "buildLogs":
      return place(rows.buildLogs, change)
    case "agentLogs":
      return place(rows.agentLogs, change)
    case "projects":
      return place(rows.projects, change)
  }
}

const place = <Row>(
  table: { readonly put: (row: Row) => void; readonly remove: (key: string) => void },
  { key, row }: { readonly key: string; readonly row: Option.Option<Row> }
): void => Option.match(row, { onNone: () => table.remove(key), onSome: table.put })
