import { assert, it } from "@effect/vitest"
import { Effect, FastCheck, Option } from "effect"
import { type BuildState, isActive } from "../../../../src/layers/embedded/store/Rows.ts"
import { StoreLimits } from "../../../../src/layers/embedded/store/StoreLimits.ts"
import { WorkspaceStore } from "../../../../src/layers/embedded/store/WorkspaceStore.ts"

const fields = {
  reason: "initiator",
  template_version_id: "v",
  template_version_preset_id: null,
  parameters: []
} as const
const start = { ...fields, transition: "start" } as const

const make = (name: string) =>
  Effect.flatMap(WorkspaceStore, (store) => store.insertWorkspace({ name, template_id: "t" }, start))

const next = ({ build }: BuildState, transition: "start" | "stop" | "delete" = "start") => ({
  ...fields,
  transition,
  build_number: build.build_number + 1
})

const names = ["a", "A", "b"] as const
type Step =
  | { readonly act: "create"; readonly name: (typeof names)[number] }
  | { readonly act: "start" | "stop" | "delete" | "run" | "succeed" | "fail"; readonly which: number }

const steps: FastCheck.Arbitrary<ReadonlyArray<Step>> = FastCheck.array(
  FastCheck.oneof(
    FastCheck.record({ act: FastCheck.constant("create" as const), name: FastCheck.constantFrom(...names) }),
    FastCheck.record({
      act: FastCheck.constantFrom(
        "start" as const,
        "stop" as const,
        "delete" as const,
        "run" as const,
        "succeed" as const,
        "fail" as const
      ),
      which: FastCheck.nat(5)
    })
  ),
  { maxLength: 25 }
)

it.effect.prop("names are unique, build numbers consecutive, and one job at most is active", [steps], ([script]) =>
  Effect.gen(function* () {
    const store = yield* WorkspaceStore
    const made: Array<string> = []
    const builds: Array<BuildState["build"]> = []
    for (const step of script) {
      if (step.act === "create") {
        const taken = (yield* store.list).some(
          ({ workspace }) => workspace.name.toLowerCase() === step.name.toLowerCase()
        )
        const created = yield* Effect.option(make(step.name))
        assert.strictEqual(Option.isNone(created), taken)
        if (Option.isSome(created)) {
          made.push(created.value.workspace.id)
          builds.push(created.value.build)
        }
        continue
      }
      const id = made[step.which % Math.max(1, made.length)]
      if (id === undefined) continue
      const state = Option.getOrThrow(yield* store.workspace(id))
      if (step.act === "run") yield* store.updateJob(state.build.id, { status: "running" })
      else if (step.act === "succeed") yield* store.updateJob(state.build.id, { status: "succeeded" })
      else if (step.act === "fail") yield* store.updateJob(state.build.id, { status: "failed", error: "e" })
      else {
        const inserted = yield* Effect.option(store.insertBuild(id, next(state, step.act)))
        assert.strictEqual(Option.isNone(inserted), isActive(state.build))
        if (Option.isSome(inserted)) builds.push(inserted.value.build)
      }
    }
    const visible = (yield* store.list).map(({ workspace }) => workspace.name.toLowerCase())
    assert.strictEqual(new Set(visible).size, visible.length)
    for (const id of made) {
      const numbers = builds.filter((build) => build.workspace_id === id).map(({ build_number }) => build_number)
      assert.deepStrictEqual(
        numbers,
        [...numbers.keys()].map((index) => index + 1)
      )
    }
    const now = yield* Effect.forEach(builds, ({ id }) => Effect.map(store.build(id), Option.getOrThrow))
    const active = now.filter(({ build }) => isActive(build)).map(({ workspace }) => workspace.id)
    assert.strictEqual(new Set(active).size, active.length)
  }).pipe(Effect.provide(WorkspaceStore.layerMemory))
)

it.effect("a build with a number that another one has is refused", () =>
  Effect.gen(function* () {
    const store = yield* WorkspaceStore
    const first = yield* make("a")
    yield* store.updateJob(first.build.id, { status: "succeeded" })
    const second = yield* store.insertBuild(first.workspace.id, next(first))
    const active = yield* Effect.flip(store.insertBuild(first.workspace.id, next(second)))
    yield* store.updateJob(second.build.id, { status: "failed", error: "e" })
    const late = yield* Effect.flip(store.insertBuild(first.workspace.id, next(first)))
    assert.deepStrictEqual([active._tag, late._tag], ["BuildActive", "BuildNumberTaken"])
  }).pipe(Effect.provide(WorkspaceStore.layerMemory))
)

it.effect("a job that has ended stays as it is", () =>
  Effect.gen(function* () {
    const store = yield* WorkspaceStore
    const { build } = yield* make("a")
    yield* store.updateJob(build.id, { status: "failed", error: "first" })
    yield* store.updateJob(build.id, { status: "succeeded" })
    const state = Option.getOrThrow(yield* store.build(build.id))
    assert.deepInclude(state.build.job, { status: "failed", error: "first" })
  }).pipe(Effect.provide(WorkspaceStore.layerMemory))
)

it.effect("reports: each later than the one before, the oldest go, and only of apps that exist", () =>
  Effect.gen(function* () {
    const store = yield* WorkspaceStore
    const { appStatuses: limit } = yield* StoreLimits
    const { build, workspace } = yield* make("a")
    const agent = yield* store.insertAgent(build.id, { slug: "ccw", display_name: "x" })
    const report = (message: string, app_slug = "ccw") =>
      store.addAppStatus(agent.id, { app_slug, state: "working", message, uri: "" })
    yield* Effect.forEach([...Array(limit + 5).keys()], (index) => report(String(index)), {
      discard: true
    })
    assert.strictEqual((yield* Effect.flip(report("x", "nope")))._tag, "AppMissing")
    const { statuses } = Option.getOrThrow(yield* store.workspace(workspace.id))
    assert.deepStrictEqual([statuses.length, statuses[0]?.message], [limit, "5"])
    const times = statuses.map(({ created_at }) => created_at)
    assert.deepStrictEqual(times, [...new Set(times)].toSorted())
  }).pipe(Effect.provide(WorkspaceStore.layerMemory))
)

it.effect("the token of an agent is good until the next build", () =>
  Effect.gen(function* () {
    const store = yield* WorkspaceStore
    const first = yield* make("a")
    const agent = yield* store.insertAgent(first.build.id, null)
    yield* store.updateJob(first.build.id, { status: "succeeded" })
    assert.isTrue(Option.isSome(yield* store.agentByToken(agent.token)))
    yield* store.insertBuild(first.workspace.id, next(first, "stop"))
    assert.isTrue(Option.isNone(yield* store.agentByToken(agent.token)))
  }).pipe(Effect.provide(WorkspaceStore.layerMemory))
)
