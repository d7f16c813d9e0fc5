import { assert, describe, it } from "@effect/vitest"
import { Chunk, Deferred, Duration, Effect, Either, FastCheck, Fiber, Layer, Stream, TestClock } from "effect"
import { RowStore } from "../../../../src/layers/embedded/store/RowStore.ts"
import type { StoreFailed } from "../../../../src/layers/embedded/store/StoreFailed.ts"
import { StoreLimits } from "../../../../src/layers/embedded/store/StoreLimits.ts"
import type { Rows, tables } from "../../../../src/layers/embedded/store/Tables.ts"
import type { FleetEvent } from "../../../../src/schemas/fleet/FleetEvent.ts"
import { buildRow, workspaceRow } from "./RowStoreSuite.ts"

type TurnRow = typeof tables.turns.row.Type

const time = "2026-01-01T00:00:00.000Z"

const turnRow = (workspace_id: string, message_id: number, more: Partial<TurnRow> = {}): TurnRow => ({
  workspace_id,
  message_id,
  task: "work",
  begun_at: time,
  output: { bytes: 0, at: time },
  ended: null,
  ...more
})

const ended = { at: time, state: "complete" } as const

const write = (step: (rows: Rows) => void) =>
  Effect.flatMap(RowStore, (store) => store.transaction("test", (rows) => Either.right(step(rows))))

const begin = (id: string) =>
  write((rows) => {
    rows.workspaces.put(workspaceRow(id))
    rows.builds.put(buildRow(`${id}-1`, id))
  })

const turn = (id: string, message: number, more: Partial<TurnRow> = {}) =>
  write((rows) => rows.turns.put(turnRow(id, message, more)))

const journal = Effect.map(RowStore, (store) => store.journal)

const all = Effect.flatMap(journal, ({ since }) => Effect.map(since(0), ({ events }) => events))

const shown = ({ kind, name }: FleetEvent) => `${name} ${kind}`
const positions = (events: Iterable<FleetEvent>) => Array.from(events, ({ position }) => position)

/** Writes of several fibers, and when readers come: after so many yields, from the beginning or from where it stands. */
const scripts = FastCheck.record({
  writers: FastCheck.array(FastCheck.array(FastCheck.integer({ min: 0, max: 5 }), { maxLength: 12 }), {
    minLength: 1,
    maxLength: 4
  }),
  readers: FastCheck.array(
    FastCheck.record({ yields: FastCheck.integer({ min: 0, max: 60 }), late: FastCheck.boolean() }),
    {
      minLength: 1,
      maxLength: 5
    }
  )
})

const yields = (count: number) => Effect.repeatN(Effect.yieldNow(), count)

/** What any driver of rows holds to as to what happens to agents. `layer` makes an empty one. */
export const journalSuite = (driver: string, layer: Layer.Layer<RowStore, StoreFailed>): void => {
  const limited = (few: Partial<StoreLimits["Type"]>) =>
    Layer.unwrapEffect(
      Effect.map(StoreLimits, (limits) => Layer.provide(layer, Layer.succeed(StoreLimits, { ...limits, ...few })))
    )

  describe(`events: ${driver}`, () => {
    it.effect("each change of an agent is one, with how it stood and stands, in the commit of the change", () =>
      Effect.gen(function* () {
        yield* begin("a")
        const build = buildRow("a-1", "a")
        yield* write((rows) => rows.builds.put({ ...build, job: { ...build.job, status: "succeeded" } }))
        const agent = { id: "g", workspace_id: "a", build_id: "a-1", token: "secret-token" } as const
        const app = { id: "p", slug: "ccw", display_name: "x", health: "healthy" } as const
        const up = { ...agent, status: "connected", lifecycle_state: "ready", app } as const
        yield* write((rows) => rows.agents.put({ ...up, app: { ...app, health: "initializing" } }))
        yield* write((rows) => rows.agents.put(up))
        yield* turn("a", 1)
        yield* turn("a", 1, { output: { bytes: 7, at: time } })
        yield* turn("a", 1, { ended })
        const report = { id: "s", created_at: time, workspace_id: "a", agent_id: "g", app_id: "p", uri: "" }
        yield* write((rows) => rows.statuses.put({ ...report, state: "complete", message: "done" }))
        yield* write((rows) => rows.agents.put({ ...up, status: "disconnected", lifecycle_state: "off" }))
        yield* write((rows) => {
          rows.builds.put({ ...buildRow("a-2", "a"), build_number: 2, transition: "delete" })
          rows.workspaces.put(workspaceRow("a", { deleted: true }))
        })
        const events = yield* all
        assert.deepStrictEqual(
          events.map(({ kind }) => kind),
          [
            "build",
            "build",
            "agent",
            "agent",
            "turn_begun",
            "output",
            "turn_ended",
            "report",
            "lost",
            "build",
            "deleted"
          ]
        )
        for (const [index, event] of events.entries()) {
          assert.deepStrictEqual(event.before, index === 0 ? null : (events[index - 1]?.now ?? null))
        }
        assert.deepStrictEqual(
          events.map(({ now }) => [
            now.build.status,
            now.agent?.app?.health,
            now.turn?.ended?.state,
            now.report?.state
          ]),
          [
            ["pending", undefined, undefined, undefined],
            ["running", undefined, undefined, undefined],
            ["running", "initializing", undefined, undefined],
            ["running", "healthy", undefined, undefined],
            ["running", "healthy", undefined, undefined],
            ["running", "healthy", undefined, undefined],
            ["running", "healthy", "complete", undefined],
            ["running", "healthy", "complete", "complete"],
            ["running", "healthy", "complete", "complete"],
            ["pending", undefined, "complete", "complete"],
            ["pending", undefined, "complete", "complete"]
          ]
        )
        const sinceIndex = (index: number) => events.findIndex(({ position }) => position === events[index]?.since)
        assert.deepStrictEqual(
          events.map((_, index) => sinceIndex(index)),
          [0, 1, 2, 3, 4, 4, 6, 6, 8, 9, 10]
        )
        assert.notInclude(JSON.stringify(events), "secret-token")
      }).pipe(Effect.provide(layer))
    )

    it.effect("a turn that the next one ends has its own end", () =>
      Effect.gen(function* () {
        yield* begin("a")
        yield* turn("a", 1)
        yield* write((rows) => {
          rows.turns.put(turnRow("a", 1, { ended: { at: time, state: "interrupted" } }))
          rows.turns.put(turnRow("a", 3))
        })
        const events = (yield* all).slice(2)
        assert.deepStrictEqual(
          events.map(({ kind, now }) => [kind, now.turn?.message_id, now.turn?.ended?.state]),
          [
            ["turn_ended", 1, "interrupted"],
            ["turn_begun", 3, undefined]
          ]
        )
      }).pipe(Effect.provide(layer))
    )

    it.effect("what did not come about, what goes by itself and what is no agent's is none", () =>
      Effect.gen(function* () {
        const store = yield* RowStore
        yield* begin("a")
        yield* Effect.either(
          store.transaction("test", (rows) => {
            rows.turns.put(turnRow("a", 1))
            return Either.left("no")
          })
        )
        yield* write((rows) => rows.projects.put({ id: "p", name: "p", directory: "/p", template_name: "p" }))
        yield* write((rows) => rows.workspaces.put(workspaceRow("a", { first_prompt: "done" })))
        yield* write((rows) => rows.builds.remove("a-1"))
        assert.deepStrictEqual((yield* all).map(shown), ["a build"])
      }).pipe(Effect.provide(layer))
    )

    it.effect.prop(
      "are told once, in order, none left out: whoever writes meanwhile, and whenever a reader comes",
      [scripts],
      ([{ readers, writers }]) =>
        Effect.gen(function* () {
          const { changes, since, standing } = yield* journal
          yield* begin("a")
          const total = 1 + writers.flat().length
          const reading = yield* Effect.forEach(
            readers,
            ({ late, yields: pause }) =>
              Effect.gen(function* () {
                yield* yields(pause)
                const from = late ? (yield* standing).position : 0
                const left = total - (yield* since(0)).events.filter(({ position }) => position <= from).length
                const seen = yield* Stream.runCollect(Stream.take(changes(from), left))
                return { from, seen: positions(seen) }
              }).pipe(Effect.fork),
            { concurrency: "unbounded" }
          )
          yield* Effect.forEach(
            writers,
            (pauses, writer) =>
              Effect.forEach(pauses, (pause, index) => Effect.zipRight(yields(pause), turn("a", writer * 100 + index))),
            { concurrency: "unbounded" }
          )
          const stored = positions(yield* all)
          assert.lengthOf(stored, total)
          for (const { from, seen } of yield* Effect.forEach(reading, Fiber.join)) {
            assert.deepStrictEqual(
              seen,
              stored.filter((position) => position > from)
            )
          }
        }).pipe(Effect.provide(layer))
    )

    it.effect("that are too many go, but for the newest of each agent; who missed some is told", () =>
      Effect.gen(function* () {
        const { changes, since, standing } = yield* journal
        const first = yield* Deferred.make<void>()
        const held = yield* Deferred.make<void>()
        const slow = yield* changes(0).pipe(
          Stream.tap(() => Effect.zipRight(Deferred.succeed(first, undefined), Deferred.await(held))),
          Stream.runDrain,
          Effect.flip,
          Effect.fork
        )
        yield* begin("quiet")
        yield* Deferred.await(first)
        const early = (yield* standing).position
        yield* begin("a")
        for (const message of [1, 3, 5, 7]) yield* turn("a", message, { ended })
        yield* Deferred.succeed(held, undefined)
        assert.deepInclude({ ...(yield* Fiber.join(slow)) }, { _tag: "EventsLost", reason: "dropped", position: early })
        assert.deepInclude({ ...(yield* Effect.flip(since(0))) }, { _tag: "EventsLost", reason: "dropped" })
        const { events, position } = yield* standing
        assert.deepStrictEqual(events.map(shown).toSorted(), ["a turn_begun", "quiet build"])
        assert.deepStrictEqual(
          (yield* since(position - 2)).events.map(({ now }) => now.turn?.message_id),
          [5, 7]
        )
        yield* turn("quiet", 1)
        assert.deepStrictEqual((yield* standing).events.map(shown).toSorted(), ["a turn_begun", "quiet turn_begun"])
        assert.strictEqual((yield* since(position)).events.length, 1)
      }).pipe(Effect.provide(limited({ events: 3 })))
    )

    it.effect("that are too old go; a workspace that is forgotten takes its newest along", () =>
      Effect.gen(function* () {
        const { since, standing } = yield* journal
        yield* begin("a")
        yield* begin("b")
        yield* TestClock.adjust("1 hour")
        yield* begin("c")
        assert.lengthOf((yield* since(0)).events, 3)
        yield* TestClock.adjust("23.5 hours")
        yield* begin("d")
        assert.strictEqual((yield* Effect.flip(since(0)))._tag, "EventsLost")
        assert.deepStrictEqual((yield* standing).events.map(shown).toSorted(), [
          "a build",
          "b build",
          "c build",
          "d build"
        ])
        yield* write((rows) => rows.workspaces.remove("a"))
        assert.deepStrictEqual((yield* standing).events.map(shown).toSorted(), ["b build", "c build", "d build"])
      }).pipe(Effect.provide(limited({ eventAge: Duration.hours(24) })))
    )

    it.effect("keep their order when the clock is set back, and a position that was never given is told", () =>
      Effect.gen(function* () {
        const { changes, since, standing } = yield* journal
        yield* TestClock.setTime(1_800_000_000_000)
        yield* begin("a")
        yield* TestClock.setTime(1_700_000_000_000)
        yield* begin("b")
        const [one = 0, two = 0] = positions(yield* all)
        assert.deepStrictEqual([one, two], [1_800_000_000_000, 1_800_000_000_001])
        const never = yield* Effect.flip(since((yield* standing).position + 1))
        assert.deepInclude({ ...never }, { _tag: "EventsLost", reason: "unknown" })
        assert.strictEqual((yield* Effect.flip(Stream.runDrain(changes(two + 1))))._tag, "EventsLost")
      }).pipe(Effect.provide(layer))
    )

    it.effect("come in pages", () =>
      Effect.gen(function* () {
        const { changes, since } = yield* journal
        yield* begin("a")
        yield* write((rows) => {
          for (let message = 1; message <= 1200; message++) rows.turns.put(turnRow("a", message))
        })
        const page = yield* since(0)
        assert.deepStrictEqual([page.events.length, page.hasMore], [500, true])
        const read = Chunk.toReadonlyArray(yield* Stream.runCollect(Stream.take(changes(0), 1201)))
        assert.deepStrictEqual(
          read.map(({ now }) => now.turn?.message_id ?? 0),
          Array.from({ length: 1201 }, (_, index) => index)
        )
      }).pipe(Effect.provide(layer))
    )
  })
}
