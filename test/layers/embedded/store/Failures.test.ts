import { assert, it } from "@effect/vitest"
import { Chunk, Effect, FastCheck, Layer, Option, Ref, Stream, TestClock } from "effect"
import { isActive } from "../../../../src/layers/embedded/store/Rows.ts"
import { RowStore } from "../../../../src/layers/embedded/store/RowStore.ts"
import { StoreLimits } from "../../../../src/layers/embedded/store/StoreLimits.ts"
import { WorkspaceStore } from "../../../../src/layers/embedded/store/WorkspaceStore.ts"
import { faultyRowStore, type StoreFaults } from "../../../support/FaultyRowStore.ts"

const fields = {
  reason: "initiator",
  template_version_id: "v",
  template_version_preset_id: null,
  parameters: []
} as const

const acts = ["create", "start", "delete", "run", "succeed", "fail", "agent", "report", "log", "agentLog"] as const
type Act = (typeof acts)[number]

const script = FastCheck.array(FastCheck.record({ act: FastCheck.constantFrom(...acts), which: FastCheck.nat(3) }), {
  minLength: 5,
  maxLength: 40
})

/** Does one thing to one of the workspaces that were made. */
const carryOut = (act: Act, id: string) =>
  Effect.gen(function* () {
    const store = yield* WorkspaceStore
    if (act === "create") {
      const build = { ...fields, transition: "start" } as const
      return (yield* store.insertWorkspace({ name: `w${id.length}`, template_id: "t" }, build)).workspace.id
    }
    const state = Option.getOrUndefined(yield* store.workspace(id))
    if (state === undefined) return undefined
    const { agent, build } = state
    const report = { app_slug: "ccw", state: "working", message: "m", uri: "" } as const
    switch (act) {
      case "start":
      case "delete":
        yield* store.insertBuild(id, { ...fields, transition: act, build_number: build.build_number + 1 })
        break
      case "run":
        yield* store.updateJob(build.id, { status: "running" })
        break
      case "succeed":
        yield* store.updateJob(build.id, { status: "succeeded" })
        break
      case "fail":
        yield* store.updateJob(build.id, { status: "failed", error: "e" })
        break
      case "agent":
        yield* store.insertAgent(build.id, { slug: "ccw", display_name: "x" })
        break
      case "report":
        yield* store.addAppStatus(agent?.id ?? "", report)
        break
      case "log":
        yield* store.appendBuildLog(build.id, { log_source: "p", log_level: "info", stage: "s", output: "o" })
        break
      case "agentLog":
        yield* store.appendAgentLog(agent?.id ?? "", { level: "info", output: "o" })
    }
    return undefined
  })

/** Everything that can be read. */
const everything = (ids: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const store = yield* WorkspaceStore
    const states = yield* Effect.forEach(ids, (id) => store.workspace(id))
    const logs = yield* Effect.forEach(states.flatMap(Option.toArray), ({ agent, build }) =>
      Effect.all([store.buildLogs(build.id), store.agentLogs(agent?.id ?? "")])
    )
    return {
      list: yield* store.list,
      states,
      logs,
      position: yield* (yield* RowStore).read("test", (rows) => rows.position)
    }
  })

const small = Effect.map(StoreLimits, (limits) =>
  Layer.succeed(StoreLimits, { ...limits, appStatuses: 2, buildLog: 2, agentLog: 2, builds: 2, deletedWorkspaces: 1 })
)

const faulty = (faults: Ref.Ref<StoreFaults>) =>
  WorkspaceStore.layer.pipe(
    Layer.provideMerge(Layer.provide(faultyRowStore(faults), RowStore.layerMemory)),
    Layer.provide(Layer.unwrapEffect(small))
  )

it.effect.prop(
  "whichever write fails: what it was part of is not there, in no read and in no change, and works the next time",
  [script, FastCheck.integer({ min: 1, max: 40 })],
  ([steps, write]) =>
    Effect.gen(function* () {
      const faults = yield* Ref.make<StoreFaults>({ write })
      yield* Effect.gen(function* () {
        const made: Array<string> = []
        for (const { act, which } of steps) {
          const id = made[which % Math.max(1, made.length)] ?? ""
          const before = yield* everything(made)
          const step = Effect.tap(carryOut(act, id), (created) => {
            if (created !== undefined) made.push(created)
          })
          const result = yield* Effect.either(step)
          if (result._tag === "Left") assert.deepStrictEqual(yield* everything(made), before)
          if (result._tag === "Left" && result.left._tag === "StoreFailed") {
            const again = yield* Effect.either(step)
            assert.isFalse(again._tag === "Left" && again.left._tag === "StoreFailed")
          }
        }
        const store = yield* RowStore
        const { position } = yield* everything(made)
        const seen = yield* store.changes(0).pipe(Stream.take(position), Stream.runCollect)
        assert.deepStrictEqual(
          Chunk.toReadonlyArray(seen).map((commit) => commit.position),
          [...Array(position).keys()].map((index) => index + 1)
        )
      }).pipe(Effect.provide(faulty(faults)))
    })
)

it.effect("what is kept is bounded: reports, lines, builds with what belongs to them, deleted workspaces", () =>
  Effect.gen(function* () {
    const faults = yield* Ref.make<StoreFaults>({})
    yield* Effect.gen(function* () {
      const store = yield* WorkspaceStore
      const life = (name: string) =>
        Effect.gen(function* () {
          const first = yield* store.insertWorkspace({ name, template_id: "t" }, { ...fields, transition: "start" })
          const { id } = first.workspace
          for (let build_number = 1; build_number <= 4; build_number++) {
            const { build } = Option.getOrThrow(yield* store.workspace(id))
            const agent = yield* store.insertAgent(build.id, { slug: "ccw", display_name: "x" })
            for (let line = 0; line < 4; line++) {
              yield* carryOut("log", id)
              yield* carryOut("agentLog", id)
              yield* carryOut("report", id)
            }
            assert.strictEqual((yield* store.buildLogs(build.id)).length, 2)
            assert.strictEqual(Option.getOrThrow(yield* store.agentLogs(agent.id)).length, 2)
            yield* carryOut("succeed", id)
            yield* carryOut(build_number === 4 ? "delete" : "start", id)
          }
          yield* carryOut("succeed", id)
          return first
        })
      const one = yield* life("one")
      assert.isTrue(Option.isNone(yield* store.build(one.build.id)))
      const kept = Option.getOrThrow(yield* store.workspace(one.workspace.id))
      assert.deepStrictEqual([kept.build.build_number, kept.statuses.length, kept.workspace.deleted], [5, 2, true])
      const two = yield* life("two")
      assert.isTrue(Option.isNone(yield* store.workspace(one.workspace.id)))
      assert.isTrue(Option.isSome(yield* store.workspace(two.workspace.id)))
      const next = { ...fields, transition: "delete", build_number: 6 } as const
      assert.strictEqual((yield* Effect.flip(store.insertBuild(one.workspace.id, next)))._tag, "WorkspaceMissing")
      // What is left is what belongs to the two builds of the second, and nothing else.
      const rows = yield* (yield* RowStore).read("test", (all) => ({
        workspaces: all.workspaces.count("deleted", "true"),
        builds: all.builds.count("workspace", two.workspace.id) + all.builds.count("workspace", one.workspace.id),
        statuses: all.statuses.count("workspace", two.workspace.id) + all.statuses.count("workspace", one.workspace.id)
      }))
      assert.deepStrictEqual(rows, { workspaces: 1, builds: 2, statuses: 2 })
    }).pipe(Effect.provide(faulty(faults)))
  })
)

it.effect("a deleted workspace whose build runs is not forgotten under it", () =>
  Effect.gen(function* () {
    const faults = yield* Ref.make<StoreFaults>({})
    yield* Effect.gen(function* () {
      const store = yield* WorkspaceStore
      const deleted = (name: string) =>
        Effect.gen(function* () {
          const id = (yield* carryOut("create", name)) ?? ""
          for (const act of ["succeed", "delete", "succeed"] as const) yield* carryOut(act, id)
          return id
        })
      const one = yield* deleted("a")
      yield* carryOut("delete", one)
      yield* deleted("ab")
      const state = Option.getOrThrow(yield* store.workspace(one))
      assert.isTrue(isActive(state.build))
    }).pipe(Effect.provide(faulty(faults)))
  })
)

it.effect("times and the ids of log lines rise over a restart, also where the clock was set back", () =>
  Effect.gen(function* () {
    const rows = yield* Layer.build(RowStore.layerMemory)
    const life = <A, E>(effect: Effect.Effect<A, E, WorkspaceStore>) =>
      Effect.provide(effect, Layer.provide(WorkspaceStore.layer, Layer.succeedContext(rows)))
    yield* TestClock.setTime(1_800_000_000_000)
    const id = (yield* life(carryOut("create", ""))) ?? ""
    yield* life(Effect.all([carryOut("log", id), carryOut("agent", id), carryOut("report", id)]))
    yield* TestClock.setTime(1_700_000_000_000)
    yield* life(Effect.all([carryOut("log", id), carryOut("report", id)]))
    yield* life(
      Effect.gen(function* () {
        const store = yield* WorkspaceStore
        const { build, statuses } = Option.getOrThrow(yield* store.workspace(id))
        const lines = yield* store.buildLogs(build.id)
        for (const times of [statuses, lines].map((all) => all.map(({ created_at }) => created_at))) {
          assert.deepStrictEqual([times.length, times], [2, [...new Set(times)].toSorted()])
        }
        assert.isTrue((lines[0]?.id ?? 0) < (lines[1]?.id ?? 0))
      })
    )
  }).pipe(Effect.scoped)
)
