import { Effect, Either, Option } from "effect"
import { type Capacity, makeChangeLog } from "./ChangeLog.ts"
import { type EventCapacity, type EventChange, type EventRows, makeEventLog } from "./EventLog.ts"
import { eventRecorder, knownEvent, type NewEvent } from "./EventRecorder.ts"
import { memoryTable } from "./MemoryTable.ts"
import { StoreFailed } from "./StoreFailed.ts"
import {
  type Change,
  type Commit,
  isJournaled,
  type ReadRows,
  type RowChange,
  type Rows,
  type Table,
  tables,
  type TextRemoval
} from "./Tables.ts"

/** Rows (but text) and commits as they were kept elsewhere: rows in the order of their first put, commits without gaps. */
export interface Kept {
  readonly rows: <Name extends string, Row, Index extends string>(table: Table<Name, Row, Index>) => Iterable<Row>
  readonly commits: ReadonlyArray<Commit>
  readonly position: number
}

export interface HeldRowsOptions {
  /** What is kept for those who follow the changes. */
  readonly capacity: Capacity
  /** Where the events of agents are, and how many. */
  readonly events: { readonly capacity: EventCapacity; readonly rows: EventRows }
  /** What there is at the beginning; default nothing. */
  readonly kept?: Kept
  /**
   * Called with each commit before it counts, and with the oldest position that is kept. Where it answers a failure
   * nothing has changed. Default: nothing is kept elsewhere.
   */
  readonly keep?: (operation: string, commit: KeptCommit, oldest: number) => Either.Either<void, StoreFailed>
  /** Reads the rows of text of a workspace from where they are kept; it throws `StoreFailed` where that fails. */
  readonly load?: <Name extends string, Row, Index extends string>(
    table: Table<Name, Row, Index>
  ) => (workspaceId: string) => Iterable<Row>
}

/** A commit with everything that is to be kept; `commit` is what is told of it, if anything is. */
export interface KeptCommit {
  readonly changes: ReadonlyArray<Change | TextRemoval>
  readonly commit: Commit | undefined
  readonly events: EventChange
}

const forgottenIn = (changes: ReadonlyArray<Change | TextRemoval>): ReadonlyArray<string> =>
  changes.flatMap((change) =>
    "row" in change && change.table === "workspaces" && Option.isNone(change.row) ? [change.key] : []
  )

/**
 * Rows in this process, above whatever keeps them: reads never leave it, and a step is carried out here first. All of it
 * is synchronous, so nobody sees a step that is not kept yet.
 */
export const heldRows = ({ capacity, events, keep, kept, load }: HeldRowsOptions) => {
  const log = makeChangeLog(capacity, kept)
  const eventLog = makeEventLog(events.capacity, events.rows)
  // Those of the transaction under way.
  let changes: Array<Change | TextRemoval> | undefined
  let recorder: ReturnType<typeof eventRecorder> | undefined
  const note = (change: Change | TextRemoval): void => {
    if (changes === undefined) throw new Error("A row was changed outside of a transaction")
    recorder?.note(change)
    changes.push(change)
  }

  const heldTable = <Name extends Change["table"], Row, Index extends string>(
    table: Table<Name, Row, Index>,
    noteIt: (change: RowChange<Name, Row> | TextRemoval) => void
  ) => memoryTable(table, noteIt, table.isText === true ? { load: load?.(table) } : { rows: kept?.rows(table) })

  const all = {
    workspaces: heldTable(tables.workspaces, note),
    builds: heldTable(tables.builds, note),
    agents: heldTable(tables.agents, note),
    statuses: heldTable(tables.statuses, note),
    buildLogs: heldTable(tables.buildLogs, note),
    agentLogs: heldTable(tables.agentLogs, note),
    projects: heldTable(tables.projects, note),
    turns: heldTable(tables.turns, note),
    queues: heldTable(tables.queues, note),
    queuedTasks: heldTable(tables.queuedTasks, note),
    keys: heldTable(tables.keys, note),
    transcripts: heldTable(tables.transcripts, note),
    messages: heldTable(tables.messages, note),
    parts: heldTable(tables.parts, note),
    queuedTexts: heldTable(tables.queuedTexts, note)
  }
  const every = Object.values(all)
  const rows: Rows = {
    ...all,
    get position() {
      return log.position()
    }
  }

  /** The changes that a step makes, and what happens by it; nothing of it, unless it answers with a `Right`. */
  const carryOut = <A, E>(step: (rows: Rows) => Either.Either<A, E>) => {
    const made: Array<Change | TextRemoval> = []
    changes = made
    recorder = eventRecorder(rows)
    let agreed = false
    for (const { checkpoint } of every) checkpoint()
    try {
      const result = step(rows)
      const happened = Either.isRight(result) ? recorder.events() : []
      agreed = Either.isRight(result)
      return { result, made, happened }
    } finally {
      changes = undefined
      recorder = undefined
      if (!agreed) rollback()
    }
  }

  const rollback = () => {
    for (const table of every) table.rollback()
  }

  /** Has a commit kept, and then tells of it. */
  const commit = (
    operation: string,
    made: ReadonlyArray<Change | TextRemoval>,
    happened: ReadonlyArray<NewEvent>,
    now: number
  ): Either.Either<void, StoreFailed> => {
    const told = made.filter((change): change is Change => !("owner" in change) && isJournaled(change))
    const next = told.length === 0 ? undefined : { position: log.position() + 1, changes: told }
    const { apply, change } = eventLog.plan(happened, forgottenIn(made), now)
    const done = keep?.(operation, { changes: made, commit: next, events: change }, log.oldest()) ?? Either.void
    if (Either.isRight(done)) {
      log.append(told)
      apply()
    }
    return done
  }

  return {
    transaction: <A, E>(operation: string, step: (rows: Rows) => Either.Either<A, E>) =>
      Effect.clockWith((clock) =>
        Effect.suspend(
          unlessFailed((): Either.Either<A, E | StoreFailed> => {
            const { happened, made, result } = carryOut(step)
            if (Either.isLeft(result) || made.length === 0) return result
            const done = commit(operation, made, happened, clock.unsafeCurrentTimeMillis())
            if (Either.isLeft(done)) rollback()
            return Either.flatMap(done, () => result)
          })
        )
      ),
    journal: eventLog.journal,
    /** Has the journal know the agents that were there before it. */
    beginJournal: Effect.clockWith((clock) =>
      Effect.suspend(() => {
        const unknown = rows.workspaces.select("deleted", "false").filter(({ id }) => !eventLog.knows(id))
        const known = unknown.flatMap(({ id }) => knownEvent(rows, id) ?? [])
        return known.length === 0 ? Either.void : commit("beginJournal", [], known, clock.unsafeCurrentTimeMillis())
      })
    ),
    read: <A>(_operation: string, query: (rows: ReadRows) => A) =>
      Effect.suspend(unlessFailed((): Either.Either<A, StoreFailed> => Either.right(query(rows)))),
    changes: log.after,
    release: (workspaceId: string) =>
      Effect.sync(() => {
        for (const { release } of every) release(workspaceId)
      })
  }
}

/** What a table could not read is a failure of the store. */
const unlessFailed =
  <A, E>(work: () => Either.Either<A, E | StoreFailed>) =>
  (): Either.Either<A, E | StoreFailed> => {
    try {
      return work()
    } catch (error) {
      if (error instanceof StoreFailed) return Either.left(error)
      throw error
    }
  }
