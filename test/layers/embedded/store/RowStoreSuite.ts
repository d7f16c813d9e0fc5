import { assert, describe, it } from "@effect/vitest"
import { Chunk, Deferred, Effect, Either, Exit, FastCheck, Fiber, Layer, Option, Schema, Stream } from "effect"
import { RowStore } from "../../../../src/layers/embedded/store/RowStore.ts"
import type { StoreFailed } from "../../../../src/layers/embedded/store/StoreFailed.ts"
import { StoreLimits } from "../../../../src/layers/embedded/store/StoreLimits.ts"
import { type Commit, type Rows, tables } from "../../../../src/layers/embedded/store/Tables.ts"

type BuildRow = typeof tables.builds.row.Type
type WorkspaceRow = typeof tables.workspaces.row.Type

const time = "2026-01-01T00:00:00.000000Z"

export const workspaceRow = (id: string, more: Partial<WorkspaceRow> = {}): WorkspaceRow => ({
  id,
  name: id,
  template_id: "t",
  created_at: time,
  updated_at: time,
  deleted: false,
  worktree: null,
  first_prompt: "pending",
  ...more
})

export const buildRow = (id: string, workspace_id: string): BuildRow => ({
  id,
  workspace_id,
  build_number: 1,
  transition: "start",
  reason: "initiator",
  template_version_id: "v",
  template_version_preset_id: null,
  parameters: [{ name: "AI Prompt", value: 'quotes " and ünïcödé \u0000' }],
  created_at: time,
  updated_at: time,
  job: { id: "j", status: "pending" }
})

const write = (step: (rows: Rows) => void) =>
  Effect.flatMap(RowStore, (store) => store.transaction("test", (rows) => Either.right(step(rows))))

const put = (...ids: ReadonlyArray<string>) =>
  Effect.forEach(ids, (id) => write((rows) => rows.workspaces.put(workspaceRow(id))), { discard: true })

const positions = (commits: Iterable<Commit>) => Array.from(commits, ({ position }) => position)

type Act =
  | { readonly act: "put"; readonly id: string; readonly workspace: string }
  | { readonly act: "remove"; readonly id: string }

const acts: FastCheck.Arbitrary<ReadonlyArray<Act>> = FastCheck.array(
  FastCheck.oneof(
    FastCheck.record({
      act: FastCheck.constant("put" as const),
      id: FastCheck.constantFrom("a", "b", "c", "d"),
      workspace: FastCheck.constantFrom("x", "y")
    }),
    FastCheck.record({ act: FastCheck.constant("remove" as const), id: FastCheck.constantFrom("a", "b", "c", "d") })
  ),
  { maxLength: 6 }
)

const transactions = FastCheck.array(FastCheck.record({ acts, fails: FastCheck.boolean() }), { maxLength: 8 })

/** What any driver of rows holds to. `layer` makes an empty one, which follows `StoreLimits`. */
export const rowStoreSuite = (name: string, layer: Layer.Layer<RowStore, StoreFailed>): void => {
  const limited = (few: Partial<StoreLimits["Type"]>) =>
    Layer.unwrapEffect(
      Effect.map(StoreLimits, (limits) => Layer.provide(layer, Layer.succeed(StoreLimits, { ...limits, ...few })))
    )
  const keeping = (changes: number) => limited({ changes })

  describe(`rows: ${name}`, () => {
    it.effect.prop(
      "hold what a map of the committed rows holds, in the order of their first put",
      [transactions],
      ([script]) =>
        Effect.gen(function* () {
          const store = yield* RowStore
          let model: ReadonlyArray<BuildRow> = []
          for (const { acts: steps, fails } of script) {
            let next = model
            yield* Effect.either(
              store.transaction("test", (rows) => {
                for (const step of steps) {
                  if (step.act === "remove") {
                    rows.builds.remove(step.id)
                    next = next.filter(({ id }) => id !== step.id)
                  } else {
                    const row = buildRow(step.id, step.workspace)
                    rows.builds.put(row)
                    next = next.some(({ id }) => id === row.id)
                      ? next.map((other) => (other.id === row.id ? row : other))
                      : [...next, row]
                  }
                  assert.deepStrictEqual(
                    rows.builds.get(step.id),
                    Option.fromNullable(next.find(({ id }) => id === step.id))
                  )
                }
                return fails ? Either.left("no") : Either.right(undefined)
              })
            )
            if (!fails) model = next
            yield* store.read("test", (rows) => {
              for (const workspace of ["x", "y"]) {
                const own = model.filter(({ workspace_id }) => workspace_id === workspace)
                assert.deepStrictEqual(rows.builds.select("workspace", workspace), own)
                assert.deepStrictEqual(rows.builds.select("workspace", workspace, { first: 2 }), own.slice(0, 2))
                assert.deepStrictEqual(rows.builds.select("workspace", workspace, { last: 2 }), own.slice(-2))
                assert.strictEqual(rows.builds.count("workspace", workspace), own.length)
              }
            })
          }
        }).pipe(Effect.provide(layer))
    )

    it.effect("a step that throws changes nothing, and the next one is as if it had not been", () =>
      Effect.gen(function* () {
        const store = yield* RowStore
        yield* put("a")
        const exit = yield* Effect.exit(
          write((rows) => {
            rows.workspaces.put(workspaceRow("a", { deleted: true }))
            rows.workspaces.put(workspaceRow("b"))
            throw new Error("broken")
          })
        )
        assert.isTrue(Exit.isFailure(exit))
        yield* put("c")
        yield* store.read("test", (rows) => {
          assert.deepStrictEqual(
            rows.workspaces.select("deleted", "false").map(({ id }) => id),
            ["a", "c"]
          )
          assert.strictEqual(rows.workspaces.count("deleted", "true"), 0)
          assert.strictEqual(rows.position, 2)
        })
      }).pipe(Effect.provide(layer))
    )

    it.effect("rows come back as they were put, and survive JSON", () =>
      Effect.gen(function* () {
        const store = yield* RowStore
        const row = buildRow("b", "w")
        yield* write((rows) => rows.builds.put(row))
        const [found] = yield* store.read("test", (rows) => rows.builds.select("workspace", "w"))
        assert.deepStrictEqual(found, row)
        const text = Schema.parseJson(tables.builds.row)
        assert.deepStrictEqual(yield* Schema.decode(text)(yield* Schema.encode(text)(row)), row)
      }).pipe(Effect.provide(layer))
    )

    it.effect("steps at once: none is lost", () =>
      Effect.gen(function* () {
        const store = yield* RowStore
        yield* put("a")
        yield* Effect.forEach(
          [...Array(50).keys()],
          () =>
            write((rows) => {
              const { name: before } = Option.getOrThrow(rows.workspaces.get("a"))
              rows.workspaces.put(workspaceRow("a", { name: `${before}+` }))
            }),
          { concurrency: 50, discard: true }
        )
        const { name: after } = Option.getOrThrow(yield* store.read("test", (rows) => rows.workspaces.get("a")))
        assert.strictEqual(after, `a${"+".repeat(50)}`)
      }).pipe(Effect.provide(layer))
    )
  })

  describe(`changes: ${name}`, () => {
    it.effect("each commit once, whole, in order: to one who was there before and to one who comes late", () =>
      Effect.gen(function* () {
        const store = yield* RowStore
        const begun = yield* Deferred.make<void>()
        const early = yield* store.changes(0).pipe(
          Stream.tap(() => Deferred.succeed(begun, undefined)),
          Stream.take(6),
          Stream.runCollect,
          Effect.fork
        )
        yield* put("a", "b")
        yield* Deferred.await(begun)
        yield* write((rows) => {
          rows.workspaces.put(workspaceRow("c"))
          rows.workspaces.remove("a")
        })
        yield* write(() => undefined)
        yield* Effect.either(
          store.transaction("test", (rows) => {
            rows.workspaces.put(workspaceRow("never"))
            return Either.left("no")
          })
        )
        const late = yield* store.changes(1).pipe(Stream.take(5), Stream.runCollect, Effect.fork)
        yield* Effect.yieldNow()
        yield* put("d", "e", "f")
        const seen = Chunk.toReadonlyArray(yield* Fiber.join(early))
        assert.deepStrictEqual(positions(seen), [1, 2, 3, 4, 5, 6])
        assert.deepStrictEqual(Chunk.toReadonlyArray(yield* Fiber.join(late)), seen.slice(1))
        assert.deepStrictEqual(seen[2]?.changes, [
          { table: "workspaces", key: "c", row: Option.some(workspaceRow("c")) },
          { table: "workspaces", key: "a", row: Option.none() }
        ])
      }).pipe(Effect.provide(layer))
    )

    it.effect("from the position of a read, the changes after it make what is read later", () =>
      Effect.gen(function* () {
        const store = yield* RowStore
        yield* put("a", "b")
        const { ids, position } = yield* store.read("test", (rows) => ({
          ids: rows.workspaces.select("deleted", "false").map(({ id }) => id),
          position: rows.position
        }))
        yield* put("c", "d")
        const after = yield* store.changes(position).pipe(Stream.take(2), Stream.runCollect)
        const followed = [...ids, ...Array.from(after).flatMap(({ changes }) => changes.map(({ key }) => key))]
        const now = yield* store.read("test", (rows) => rows.workspaces.select("deleted", "false").map(({ id }) => id))
        assert.deepStrictEqual(followed, now)
      }).pipe(Effect.provide(layer))
    )

    it.effect("a subscriber that fell behind what is kept is told, and reads afresh", () =>
      Effect.gen(function* () {
        const store = yield* RowStore
        const held = yield* Deferred.make<void>()
        const first = yield* Deferred.make<void>()
        const slow = yield* store.changes(0).pipe(
          Stream.tap(() => Effect.zipRight(Deferred.succeed(first, undefined), Deferred.await(held))),
          Stream.runDrain,
          Effect.flip,
          Effect.fork
        )
        yield* put("a")
        yield* Deferred.await(first)
        yield* put("b", "c", "d", "e", "f")
        yield* Deferred.succeed(held, undefined)
        const lost = yield* Fiber.join(slow)
        assert.deepInclude({ ...lost }, { _tag: "ChangesLost", position: 1, oldest: 3 })
        const kept = yield* store.changes(3).pipe(Stream.take(3), Stream.runCollect)
        assert.deepStrictEqual(positions(kept), [4, 5, 6])
      }).pipe(Effect.provide(keeping(3)))
    )

    it.effect("no more text than is promised is kept of them, however few they are, but always the newest", () =>
      Effect.gen(function* () {
        const store = yield* RowStore
        const long = (length: number) =>
          write((rows) => rows.workspaces.put(workspaceRow("a", { name: "x".repeat(length) })))
        yield* long(600)
        yield* long(100)
        yield* long(100)
        const kept = yield* store.changes(1).pipe(Stream.take(2), Stream.runCollect)
        assert.deepStrictEqual(positions(kept), [2, 3])
        yield* long(5000)
        const lost = yield* store.changes(2).pipe(Stream.runDrain, Effect.flip)
        assert.deepInclude({ ...lost }, { _tag: "ChangesLost", oldest: 3 })
        const newest = yield* store.changes(3).pipe(Stream.take(1), Stream.runCollect)
        assert.deepStrictEqual(positions(newest), [4])
      }).pipe(Effect.provide(limited({ changeCharacters: 1000 })))
    )

    it.effect("a commit of more changes than are kept is told to those who were up to date", () =>
      Effect.gen(function* () {
        const store = yield* RowStore
        yield* put("a")
        yield* write((rows) => ["b", "c", "d", "e", "f"].forEach((id) => rows.workspaces.put(workspaceRow(id))))
        const [newest] = Array.from(yield* store.changes(1).pipe(Stream.take(1), Stream.runCollect))
        assert.strictEqual(newest?.position, 2)
        assert.lengthOf(newest?.changes ?? [], 5)
        const lost = yield* store.changes(0).pipe(Stream.runDrain, Effect.flip)
        assert.deepInclude({ ...lost }, { _tag: "ChangesLost", oldest: 1 })
      }).pipe(Effect.provide(keeping(3)))
    )

    it.effect("text is stored, and told to nobody: a commit of text alone has no position", () =>
      Effect.gen(function* () {
        const store = yield* RowStore
        const part = (id: number) => ({ workspace_id: "w", id, message_id: 0, text: "said" })
        yield* put("a")
        yield* write((rows) => rows.parts.put(part(0)))
        yield* write((rows) => {
          rows.parts.put(part(1))
          rows.workspaces.put(workspaceRow("b"))
        })
        yield* write((rows) => rows.parts.remove("w/0"))
        yield* Effect.either(
          store.transaction("test", (rows) => {
            rows.parts.put(part(2))
            return Either.left("no")
          })
        )
        const seen = Chunk.toReadonlyArray(yield* store.changes(0).pipe(Stream.take(2), Stream.runCollect))
        assert.deepStrictEqual(
          seen.map(({ changes, position }) => [position, changes.map(({ table }) => table)]),
          [
            [1, ["workspaces"]],
            [2, ["workspaces"]]
          ]
        )
        yield* store.read("test", (rows) => {
          assert.deepStrictEqual(rows.parts.select("workspace", "w"), [part(1)])
          assert.strictEqual(rows.position, 2)
        })
      }).pipe(Effect.provide(layer))
    )

    it.effect("all text of a workspace goes at once, and that of no other; or none of it, where the step fails", () =>
      Effect.gen(function* () {
        const store = yield* RowStore
        const part = (workspace_id: string, id: number) => ({ workspace_id, id, message_id: 0, text: "said" })
        const ids = (workspaceId: string) =>
          store.read("test", (rows) => rows.parts.select("workspace", workspaceId).map(({ id }) => id))
        for (const owner of ["w", "w0", "v"]) {
          yield* write((rows) => [9, 10, 11].forEach((id) => rows.parts.put(part(owner, id))))
        }
        // Also where nothing of it has been read before.
        yield* store.release("w")
        yield* Effect.either(
          store.transaction("test", (rows) => {
            rows.parts.removeOf("w")
            rows.parts.put(part("w", 12))
            return Either.left("no")
          })
        )
        assert.deepStrictEqual(yield* ids("w"), [9, 10, 11])
        yield* write((rows) => {
          rows.parts.removeOf("w")
          rows.parts.put(part("w", 10))
        })
        for (const released of [false, true]) {
          if (released) yield* Effect.forEach(["w", "w0", "v"], store.release)
          assert.deepStrictEqual(yield* Effect.forEach(["w", "w0", "v"], ids), [[10], [9, 10, 11], [9, 10, 11]])
        }
        assert.strictEqual(yield* store.read("test", ({ position }) => position), 0)
      }).pipe(Effect.provide(layer))
    )

    it.effect("a position that was never given is told likewise", () =>
      Effect.gen(function* () {
        const store = yield* RowStore
        yield* put("a")
        const lost = yield* store.changes(7).pipe(Stream.runDrain, Effect.flip)
        assert.deepInclude({ ...lost }, { _tag: "ChangesLost", position: 7 })
      }).pipe(Effect.provide(layer))
    )
  })
}
