import { Data } from "effect"
import { closeSync, existsSync, fsyncSync, openSync, rmSync } from "node:fs"
import { dirname } from "node:path"
import { type Database, makeDurable, transaction } from "./Database.ts"

const tableOf = (name: string) =>
  `CREATE TABLE ${name} (place INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, row TEXT NOT NULL) STRICT`

// Never those of today: a table that comes later is made by the step that brings it.
const tablesOf1 = [
  "workspaces",
  "builds",
  "agents",
  "statuses",
  "buildLogs",
  "agentLogs",
  "projects",
  "turns",
  "transcripts",
  "messages",
  "parts"
]
const tablesOf2 = ["queues", "queuedTasks", "keys", "queuedTexts"]

/**
 * What makes each version of the store from the one before it; version 0 is an empty file. A step that has been released
 * never changes: rows of its time are a fixture of the tests.
 */
type Migrations = ReadonlyArray<(database: Database) => void>
const released: Migrations = [
  (database) => {
    for (const name of tablesOf1) database.exec(tableOf(name))
    database.exec("CREATE TABLE commits (position INTEGER PRIMARY KEY, changes TEXT NOT NULL) STRICT")
  },
  (database) => {
    database.exec(
      "CREATE TABLE events (position INTEGER PRIMARY KEY, workspace_id TEXT NOT NULL, since INTEGER NOT NULL, at INTEGER NOT NULL, event TEXT NOT NULL) STRICT"
    )
    database.exec("CREATE TABLE journal (id TEXT NOT NULL, dropped INTEGER NOT NULL) STRICT")
    database.exec("INSERT INTO journal VALUES (lower(hex(randomblob(4))), 0)")
    for (const name of tablesOf2) database.exec(tableOf(name))
  }
]

/** "Flmc" in the header of the file tells it from databases of other programs. */
const applicationId = 0x46_6c_6d_63

const pragma = (database: Database, name: "user_version" | "application_id"): number => {
  const found: unknown = database.prepare(`PRAGMA ${name}`).get()
  return typeof found === "object" && found !== null && name in found ? Number(Reflect.get(found, name)) : 0
}

const isEmpty = (database: Database): boolean =>
  database.prepare("SELECT name FROM sqlite_schema LIMIT 1").get() === undefined

/** The file is not one that this program may change; nothing in it was. */
export class Unusable extends Data.TaggedError("Unusable")<{ readonly message: string }> {}

/**
 * Brings the store to the newest version, and has it durable. One that is older is copied first, to `<file>.v<version>`; one that is newer,
 * or of another program, is refused unchanged.
 */
export const migrate = (database: Database, file: string, migrations: Migrations = released): void => {
  const version = pragma(database, "user_version")
  const application = pragma(database, "application_id")
  const isNew = version === 0 && application === 0 && isEmpty(database)
  if (!isNew && application !== applicationId)
    throw new Unusable({ message: "it is a database of another program: move it away" })
  const newest = migrations.length
  if (version > newest) {
    throw new Unusable({
      message: `it was written by a newer fleet-mcp (version ${version} of the store; this one knows ${newest}): start that one`
    })
  }
  makeDurable(database)
  if (version === newest) return
  if (!isNew) copy(database, `${file}.v${version}`)
  transaction(database, () => {
    for (const step of migrations.slice(version)) step(database)
    database.exec(`PRAGMA application_id=${applicationId}; PRAGMA user_version=${newest}`)
  })
}

/** Has a file, or the names in a directory, on the disk. */
const sync = (path: string): void => {
  const descriptor = openSync(path, "r")
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/**
 * A copy that was begun before is made anew: the store has been changed by nobody since. SQLite does not sync one by
 * itself (https://sqlite.org/lang_vacuum.html#vacuuminto).
 */
const copy = (database: Database, to: string): void => {
  if (existsSync(to)) rmSync(to)
  database.prepare("VACUUM INTO ?").run(to)
  sync(to)
  sync(dirname(to))
}
