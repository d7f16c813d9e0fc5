import { Effect, Either, Layer, Option, ParseResult, Record, Schema } from "effect"
import { heldRows, type Kept } from "../HeldRows.ts"
import { RowStore } from "../RowStore.ts"
import { StoreFailed } from "../StoreFailed.ts"
import { capacitiesOf, StoreLimits } from "../StoreLimits.ts"
import { type Change, type Commit, tables, type TextRemoval } from "../Tables.ts"
import { type Database, failed, open, transaction } from "./Database.ts"
import { migrate, Unusable } from "./Migrations.ts"
import { sqliteEvents } from "./SqliteEvents.ts"

type TableName = keyof typeof tables

const changeOf = <Name extends TableName, Row, Encoded>(table: Name, row: Schema.Schema<Row, Encoded>) =>
  Schema.Struct({ table: Schema.Literal(table), key: Schema.String, row: Schema.OptionFromNullOr(row) })

/** A change as it is written: the row, or null where it was removed. */
const StoredChange = Schema.Union(
  changeOf("workspaces", tables.workspaces.row),
  changeOf("builds", tables.builds.row),
  changeOf("agents", tables.agents.row),
  changeOf("statuses", tables.statuses.row),
  changeOf("buildLogs", tables.buildLogs.row),
  changeOf("agentLogs", tables.agentLogs.row),
  changeOf("projects", tables.projects.row),
  changeOf("turns", tables.turns.row),
  changeOf("queues", tables.queues.row),
  changeOf("queuedTasks", tables.queuedTasks.row),
  changeOf("keys", tables.keys.row),
  changeOf("transcripts", tables.transcripts.row),
  changeOf("messages", tables.messages.row),
  changeOf("parts", tables.parts.row),
  changeOf("queuedTexts", tables.queuedTexts.row)
)
const StoredChanges = Schema.parseJson(Schema.Array(StoredChange))
const StoredCommit = Schema.Struct({ position: Schema.Number, changes: Schema.String })

const decodeChanges = Schema.decodeUnknownSync(StoredChanges)
const encodeChanges = Schema.encodeSync(StoredChanges)
const decodeCommits = Schema.decodeUnknownSync(Schema.Array(StoredCommit))

/** The rows that were written as JSON in the column `row`. */
const rowsIn = <Row>(row: Schema.Schema<Row>) => {
  const decode = Schema.decodeUnknownSync(Schema.Array(Schema.Struct({ row: Schema.parseJson(row) })))
  return (found: unknown): ReadonlyArray<Row> => decode(found).map((one) => one.row)
}

/** All that is kept but text, rows of each table in the order of their first put. */
const loadAll = (database: Database): Kept => {
  const commits = decodeCommits(database.prepare("SELECT position, changes FROM commits ORDER BY position").all()).map(
    ({ changes: text, position }): Commit => ({ position, changes: decodeChanges(text) })
  )
  return {
    rows: ({ name, row }) => rowsIn(row)(database.prepare(`SELECT row FROM ${name} ORDER BY place`).all()),
    commits,
    position: commits.at(-1)?.position ?? 0
  }
}

/** For the keys of the rows of text of a workspace, with `rangeOf` that. */
const ofWorkspace = "key >= ? AND key < ?"
// "0" is what comes after "/".
const rangeOf = (workspaceId: string) => [`${workspaceId}/`, `${workspaceId}0`] as const

const statements = (database: Database) => ({
  put: Record.map(tables, ({ name }) =>
    database.prepare(`INSERT INTO ${name} (key, row) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET row = excluded.row`)
  ),
  remove: Record.map(tables, ({ name }) => database.prepare(`DELETE FROM ${name} WHERE key = ?`)),
  removeOf: Record.map(tables, ({ name }) => database.prepare(`DELETE FROM ${name} WHERE ${ofWorkspace}`)),
  commit: database.prepare("INSERT INTO commits (position, changes) VALUES (?, ?)"),
  forget: database.prepare("DELETE FROM commits WHERE position <= ?")
})

const refused = (file: string) => (error: unknown) => {
  if (error instanceof Unusable) return new StoreFailed({ operation: "open", reason: `${file}: ${error.message}` })
  if (ParseResult.isParseError(error) || error instanceof SyntaxError) {
    return new StoreFailed({ operation: "open", reason: `${file}: what it holds cannot be read: put back a copy` })
  }
  return failed("open", file, error)
}

/**
 * Keeps rows in a file of SQLite, which nobody else may have open: reads come from this process, and a change counts
 * once it is on the disk. A file that is not there is made; its directory must be. The layer fails where the file cannot
 * be used, and then nothing in it was changed.
 */
export const layerSqlite = (file: string): Layer.Layer<RowStore, StoreFailed> =>
  Layer.scoped(
    RowStore,
    Effect.gen(function* () {
      const limits = yield* StoreLimits
      const database = yield* open(file)
      const { beginJournal, ...store } = yield* Effect.try({
        try: () => {
          migrate(database, file)
          return rowsOf(database, file, limits)
        },
        catch: refused(file)
      })
      yield* beginJournal
      return store
    })
  )

const rowsOf = (database: Database, file: string, limits: StoreLimits["Type"]) => {
  const prepared = statements(database)
  const events = sqliteEvents(database, refused(file))
  const write = (change: Change | TextRemoval): void => {
    if ("owner" in change) {
      prepared.removeOf[change.table].run(...rangeOf(change.owner))
      return
    }
    const { key, row, table } = change
    const value: unknown = Option.getOrUndefined<unknown>(row)
    if (value === undefined) prepared.remove[table].run(key)
    else prepared.put[table].run(key, JSON.stringify(value))
  }

  return heldRows({
    ...capacitiesOf(limits, events.rows),
    kept: loadAll(database),
    load: ({ name, row }) => {
      const decode = rowsIn(row)
      const select = database.prepare(`SELECT row FROM ${name} WHERE ${ofWorkspace} ORDER BY place`)
      return (workspaceId) => {
        try {
          return decode(select.all(...rangeOf(workspaceId)))
        } catch (error) {
          throw refused(file)(error)
        }
      }
    },
    keep: (operation, { changes: made, commit, events: happened }, oldest) =>
      Either.try({
        try: () =>
          transaction(database, () => {
            for (const change of made) write(change)
            events.keep(happened)
            if (commit === undefined) return
            prepared.commit.run(commit.position, encodeChanges(commit.changes))
            prepared.forget.run(oldest)
          }),
        catch: (error) => failed(operation, file, error)
      })
  })
}
