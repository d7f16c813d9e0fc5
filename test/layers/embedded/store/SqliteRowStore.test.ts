import { DatabaseSync } from "@photostructure/sqlite"
import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Either, Layer, Option, type Scope, Stream } from "effect"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { RowStore } from "../../../../src/layers/embedded/store/RowStore.ts"
import { open } from "../../../../src/layers/embedded/store/sqlite/Database.ts"
import { migrate } from "../../../../src/layers/embedded/store/sqlite/Migrations.ts"
import { layerSqlite } from "../../../../src/layers/embedded/store/sqlite/SqliteRowStore.ts"
import { StoreLimits } from "../../../../src/layers/embedded/store/StoreLimits.ts"
import { temporaryDirectory } from "../../agenthost/support.ts"
import { rowStoreSuite, workspaceRow } from "./RowStoreSuite.ts"

rowStoreSuite(
  "in a file",
  Layer.unwrapScoped(Effect.map(temporaryDirectory, (directory) => layerSqlite(join(directory, "store.db"))))
)

const put = (id: string) =>
  Effect.flatMap(RowStore, (store) =>
    store.transaction("put", (rows) => Either.right(rows.workspaces.put(workspaceRow(id))))
  )

const stored = Effect.flatMap(RowStore, (store) =>
  store.read("ids", (rows) => ({
    ids: rows.workspaces.select("deleted", "false").map(({ id }) => id),
    position: rows.position
  }))
)

/** Runs over the store in a file, which is opened for it and closed at its end. */
const over = <A, E>(file: string, effect: Effect.Effect<A, E, RowStore>) =>
  Effect.provide(effect, Layer.fresh(layerSqlite(file)))

const inDirectory = <A, E>(test: (file: string) => Effect.Effect<A, E, Scope.Scope>) =>
  Effect.scoped(Effect.flatMap(temporaryDirectory, (directory) => test(join(directory, "store.db"))))

/** Changes the file as another program would. */
const tamper = (file: string, sql: string) =>
  Effect.sync(() => {
    const database = new DatabaseSync(file)
    database.exec(sql)
    database.close()
  })

const refusal = (file: string) => Effect.map(Effect.flip(over(file, stored)), ({ message }) => message)

describe("a file", () => {
  it.effect("holds what was acknowledged: rows, their order, positions and changes", () =>
    inDirectory((file) =>
      Effect.gen(function* () {
        yield* over(file, Effect.forEach(["a", "b", "c"], put))
        yield* over(
          file,
          Effect.flatMap(RowStore, (store) =>
            store.transaction("mix", (rows) => {
              rows.workspaces.remove("a")
              rows.workspaces.put(workspaceRow("b", { first_prompt: "done" }))
              return Either.right(rows.workspaces.put(workspaceRow("a")))
            })
          )
        )
        yield* over(
          file,
          Effect.gen(function* () {
            assert.deepStrictEqual(yield* stored, { ids: ["b", "c", "a"], position: 4 })
            yield* put("d")
            const store = yield* RowStore
            const commits = Chunk.toReadonlyArray(yield* Stream.runCollect(Stream.take(store.changes(0), 5)))
            assert.deepStrictEqual(
              commits.map(({ position }) => position),
              [1, 2, 3, 4, 5]
            )
            assert.deepStrictEqual(commits[3]?.changes, [
              { table: "workspaces", key: "a", row: Option.none() },
              { table: "workspaces", key: "b", row: Option.some(workspaceRow("b", { first_prompt: "done" })) },
              { table: "workspaces", key: "a", row: Option.some(workspaceRow("a")) }
            ])
          })
        )
      })
    )
  )

  it.effect("keeps no more commits than are promised, and none is told that is not kept", () =>
    inDirectory((file) =>
      Effect.gen(function* () {
        const limits = yield* StoreLimits
        const few = Effect.provideService(StoreLimits, { ...limits, changes: 3 })
        yield* few(over(file, Effect.forEach(["a", "b", "c", "d", "e", "f"], put)))
        const lost = yield* few(
          over(
            file,
            Effect.flatMap(RowStore, (store) => Effect.flip(Stream.runDrain(store.changes(0))))
          )
        )
        assert.deepInclude({ ...lost }, { _tag: "ChangesLost", position: 0 })
        const database = new DatabaseSync(file)
        const kept = database.prepare("SELECT count(*) AS count FROM commits").get()
        database.close()
        assert.deepInclude({ ...kept }, { count: 4 })
      })
    )
  )

  it.effect("a change that cannot be written is not acknowledged, is not there, and the next one is", () =>
    inDirectory((file) =>
      over(
        file,
        Effect.gen(function* () {
          yield* put("a")
          const other = new DatabaseSync(file)
          other.exec("BEGIN IMMEDIATE")
          const error = yield* Effect.flip(put("b"))
          assert.strictEqual(error._tag, "StoreFailed")
          assert.include(error.message, "another process has the file")
          assert.deepStrictEqual(yield* stored, { ids: ["a"], position: 1 })
          other.exec("ROLLBACK")
          other.close()
          yield* put("b")
          assert.deepStrictEqual(yield* stored, { ids: ["a", "b"], position: 2 })
        })
      )
    )
  )
})

it.effect("text is read when it is first asked for; what cannot be read fails that alone", () =>
  inDirectory((file) =>
    Effect.gen(function* () {
      const part = (workspace_id: string, id: number) => ({ workspace_id, id, message_id: 0, text: "said" })
      const parts = (workspaceId: string) =>
        Effect.flatMap(RowStore, (store) =>
          store.read("parts", (rows) => rows.parts.select("workspace", workspaceId).map(({ id }) => id))
        )
      const add = (workspaceId: string, ...ids: ReadonlyArray<number>) =>
        Effect.flatMap(RowStore, (store) =>
          store.transaction("add", (rows) => Either.right(ids.forEach((id) => rows.parts.put(part(workspaceId, id)))))
        )
      yield* over(file, Effect.zipRight(add("a", 9, 10, 11), add("b", 1)))
      yield* tamper(file, `UPDATE parts SET row = '{' WHERE key = 'b/1'`)
      yield* over(
        file,
        Effect.gen(function* () {
          yield* add("a", 12)
          assert.deepStrictEqual(yield* parts("a"), [9, 10, 11, 12])
          const error = yield* Effect.flip(parts("b"))
          assert.include(error.message, "cannot be read")
          assert.strictEqual((yield* Effect.flip(add("b", 2)))._tag, "StoreFailed")
          assert.deepStrictEqual(yield* parts("a"), [9, 10, 11, 12])
        })
      )
    })
  )
)

describe("a file that cannot be used is refused, and stays as it is", () => {
  const cases: ReadonlyArray<readonly [what: string, make: (file: string) => Effect.Effect<void>, said: string]> = [
    [
      "of a newer version",
      (file) => Effect.zipRight(Effect.orDie(over(file, put("a"))), tamper(file, "PRAGMA user_version=99")),
      "newer fleet-mcp (version 99"
    ],
    ["of another program", (file) => tamper(file, "CREATE TABLE theirs (x)"), "database of another program"],
    [
      "no database",
      (file) => Effect.sync(() => writeFileSync(file, "a text that is long enough for a header ".repeat(100))),
      "the file is damaged"
    ],
    [
      "with a row that nobody can read",
      (file) =>
        Effect.zipRight(
          Effect.orDie(over(file, put("a"))),
          tamper(file, `INSERT INTO builds (key, row) VALUES ('b', '{"id":"b"}')`)
        ),
      "cannot be read"
    ]
  ]
  for (const [what, make, said] of cases) {
    it.effect(what, () =>
      inDirectory((file) =>
        Effect.gen(function* () {
          yield* make(file)
          const before = readFileSync(file)
          const message = yield* refusal(file)
          assert.include(message, said)
          assert.include(message, file)
          assert.isTrue(before.equals(readFileSync(file)))
        })
      )
    )
  }

  it.effect("in a directory that is not there", () =>
    inDirectory((file) =>
      Effect.map(refusal(join(file, "nowhere", "store.db")), (message) =>
        assert.include(message, "the file cannot be opened")
      )
    )
  )
})

it.effect("an older version is copied before it is brought to the newest, as a whole", () =>
  inDirectory((file) =>
    Effect.gen(function* () {
      yield* over(file, put("a"))
      const database = yield* open(file)
      const done = () => undefined
      const broken = () => migrate(database, file, [done, done, () => database.exec("CREATE TABLE nonsense")])
      assert.throws(broken, /syntax|incomplete/)
      migrate(database, file, [done, done, (store) => store.exec("ALTER TABLE workspaces ADD COLUMN more TEXT")])
      const version = database.prepare("PRAGMA user_version").get()
      assert.deepInclude({ ...version }, { user_version: 3 })
      assert.isTrue(existsSync(`${file}.v2`))
      assert.deepStrictEqual(yield* over(`${file}.v2`, stored), { ids: ["a"], position: 1 })
    })
  )
)
