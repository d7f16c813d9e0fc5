import { DatabaseSync } from "@photostructure/sqlite"
import { assert, it } from "@effect/vitest"
import { Chunk, Effect, Layer, Option, Schema, Stream } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { layerSqlite } from "../../../../src/layers/embedded/store/sqlite/SqliteRowStore.ts"
import { RowStore } from "../../../../src/layers/embedded/store/RowStore.ts"
import type { tables } from "../../../../src/layers/embedded/store/Tables.ts"
import { temporaryDirectory } from "../../agenthost/support.ts"

/** A store as the program of version 1 has left it, with every kind of row. */
const version1 = readFileSync(new URL("../../../fixtures/store/v1.sql", import.meta.url), "utf8")

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
] satisfies ReadonlyArray<keyof typeof tables>

const over = <A, E>(file: string, effect: Effect.Effect<A, E, RowStore>) =>
  Effect.provide(effect, Layer.fresh(layerSqlite(file)))

const sqlite = <A>(file: string, use: (database: InstanceType<typeof DatabaseSync>) => A) =>
  Effect.acquireUseRelease(
    Effect.sync(() => new DatabaseSync(file)),
    (database) => Effect.sync(() => use(database)),
    (database) => Effect.sync(() => database.close())
  )

const schemaOf = (file: string) =>
  sqlite(file, (database) => database.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").all())

const decodeRows = Schema.decodeUnknownSync(
  Schema.Array(Schema.Struct({ key: Schema.String, row: Schema.parseJson() }))
)

it.scoped("a store of version 1 is opened, and each of its rows and commits is read", () =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    const file = join(directory, "store.db")
    const written = yield* sqlite(file, (database) => {
      database.exec(version1)
      return tablesOf1.map(
        (name) => [name, decodeRows(database.prepare(`SELECT key, row FROM ${name}`).all())] as const
      )
    })
    yield* over(
      file,
      Effect.gen(function* () {
        const store = yield* RowStore
        for (const [name, found] of written) {
          assert.isAtLeast(found.length, 1, name)
          const read = yield* store.read("all", (rows) => {
            const table: { readonly get: (key: string) => Option.Option<unknown> } = rows[name]
            return found.map(({ key }) => Option.getOrNull(table.get(key)))
          })
          assert.deepStrictEqual(
            read,
            found.map(({ row }) => row)
          )
        }
        const position = yield* store.read("position", (rows) => rows.position)
        const commits = yield* Stream.runCollect(Stream.take(store.changes(0), position))
        assert.deepStrictEqual(
          Chunk.toReadonlyArray(commits).map((commit) => commit.position),
          Array.from({ length: position }, (_, index) => index + 1)
        )
      })
    )
    // The journal begins with the agents that are there, and tells nothing of the time before.
    yield* over(
      file,
      Effect.gen(function* () {
        const { journal, read } = yield* RowStore
        const { events, position } = yield* journal.standing
        const names = yield* read("names", (rows) => rows.workspaces.select("deleted", "false").map(({ name }) => name))
        assert.sameMembers(
          events.map(({ kind, name }) => `${name} ${kind}`),
          names.map((name) => `${name} known`)
        )
        assert.strictEqual((yield* journal.since(position)).events.length, 0)
        assert.strictEqual((yield* journal.since(0)).events.length, names.length)
      })
    )
    // What is brought to the newest version is what that makes anew.
    const fresh = join(directory, "fresh.db")
    yield* over(fresh, Effect.void)
    assert.deepStrictEqual(yield* schemaOf(file), yield* schemaOf(fresh))
  })
)
