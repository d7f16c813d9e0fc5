import { DatabaseSync } from "@photostructure/sqlite"
import { Effect, type Scope } from "effect"
import { statSync } from "node:fs"
import { StoreFailed } from "../StoreFailed.ts"

/** An open database file. Its interface is that of `node:sqlite`. */
export type Database = InstanceType<typeof DatabaseSync>

/** The facts of an error of SQLite, as `@photostructure/sqlite` tells them. */
interface SqliteError {
  readonly sqliteCodeName: string
  readonly message: string
}

const isSqliteError = (error: unknown): error is SqliteError =>
  error instanceof Error && "sqliteCodeName" in error && typeof error.sqliteCodeName === "string"

/** What a code of SQLite means for whoever runs the fleet, and what can be done about it. https://sqlite.org/rescode.html */
const meanings: ReadonlyArray<readonly [code: RegExp, meaning: string]> = [
  [/^SQLITE_FULL/, "the disk is full: free some space, and call again"],
  [/^SQLITE_READONLY/, "the file or its directory cannot be written: give this user the right to, and restart"],
  [/^SQLITE_(CORRUPT|NOTADB)/, "the file is damaged: stop the fleet, move the file away, and put back a copy"],
  [/^SQLITE_CANTOPEN/, "the file cannot be opened: look at the rights of its directory, and at the disk"],
  [/^SQLITE_IOERR/, "the disk failed: look at it, and at the log of the system"],
  [/^SQLITE_(BUSY|LOCKED)/, "another process has the file: stop that one first"]
]

/** Whether another process has the file. */
export const isBusy = (error: unknown): boolean =>
  isSqliteError(error) && /^SQLITE_(BUSY|LOCKED)/.test(error.sqliteCodeName)

/** Names the file, and what to do. */
export const failed = (operation: string, file: string, error: unknown): StoreFailed => {
  const code = isSqliteError(error) ? error.sqliteCodeName : undefined
  const meaning = meanings.find(([pattern]) => pattern.test(code ?? ""))?.[1]
  const said = error instanceof Error ? error.message : String(error)
  return new StoreFailed({ operation, reason: `${file}: ${meaning ?? said}${code === undefined ? "" : ` (${code})`}` })
}

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0

/** SQLite removes a WAL beside an empty file (`pagerOpenWalIfPresent`, https://sqlite.org/src/file/src/pager.c). */
const hasOnlyWal = (file: string): boolean => sizeOf(file) === 0 && sizeOf(`${file}-wal`) > 0

/**
 * A database file, open as long as the scope. Nothing of it is changed yet; one that is not there is made, empty. One that
 * is empty or gone while its WAL is not is refused: what was committed would be lost for good.
 */
export const open = (file: string): Effect.Effect<Database, StoreFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => {
        if (hasOnlyWal(file)) {
          throw new Error(
            `the file is empty, and ${file}-wal beside it is not: put back a copy of both, or move both away`
          )
        }
        return new DatabaseSync(file, { timeout: 0 })
      },
      catch: (error) => failed("open", file, error)
    }),
    (database) => Effect.sync(() => database.close())
  )

/**
 * What is committed from here on is on the disk before the commit returns: `synchronous=FULL` in WAL mode
 * (https://sqlite.org/pragma.html#pragma_synchronous).
 */
export const makeDurable = (database: Database): void => {
  database.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
}

/** Carries out all of it in one transaction, or nothing. */
export const transaction = <A>(database: Database, work: () => A): A => {
  database.exec("BEGIN IMMEDIATE")
  try {
    const result = work()
    database.exec("COMMIT")
    return result
  } catch (error) {
    // Some failures have ended it already: https://sqlite.org/lang_transaction.html
    if (database.isTransaction) database.exec("ROLLBACK")
    throw error
  }
}
