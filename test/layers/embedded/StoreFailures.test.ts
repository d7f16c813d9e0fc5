import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer, Logger, Ref } from "effect"
import { layerStoredConversations } from "../../../src/layers/embedded/store/StoredConversations.ts"
import { RowStore } from "../../../src/layers/embedded/store/RowStore.ts"
import { StoreLimits } from "../../../src/layers/embedded/store/StoreLimits.ts"
import { embeddedApp } from "../../support/EmbeddedFixture.ts"
import { faultyRowStore, type StoreFaults } from "../../support/FaultyRowStore.ts"
import { type Answer, built, byId, create, createReady, get, send, startBuild, until } from "./Requests.ts"

/** An embedded Coder whose store fails as it is told, and what it logs. */
const withFaults = <A, E>(
  body: (
    faults: Ref.Ref<StoreFaults>,
    logged: ReadonlyArray<string>
  ) => Effect.Effect<A, E, Layer.Layer.Success<ReturnType<typeof embeddedApp>>>
) =>
  Effect.gen(function* () {
    const faults = yield* Ref.make<StoreFaults>({})
    const logged: Array<string> = []
    const limits = yield* StoreLimits
    return yield* Effect.provide(
      body(faults, logged),
      embeddedApp(
        { allowShell: true },
        Layer.provideMerge(layerStoredConversations, Layer.provide(faultyRowStore(faults), RowStore.layerMemory))
      ).pipe(
        Layer.provide([
          Layer.succeed(StoreLimits, { ...limits, retries: 3, retryDelay: Duration.millis(1) }),
          Logger.replace(
            Logger.defaultLogger,
            Logger.make(({ message }) => void logged.push(String(message)))
          )
        ])
      )
    )
  })

const internal = { status: 500, body: { message: "An internal server error occurred." } }

it.live(
  "what cannot be stored is answered with 500, logged once and not there; reads go on, and the next try works",
  () =>
    withFaults((faults, logged) =>
      Effect.gen(function* () {
        const kept = yield* create("kept")
        yield* built(kept.body.id)
        yield* Ref.set(faults, { operations: ["insertWorkspace", "insertBuild"] })
        const refused: Answer = yield* create("other")
        assert.deepInclude(refused, internal)
        const stop = yield* send("POST", `/api/v2/workspaces/${kept.body.id}/builds`, { body: { transition: "stop" } })
        assert.deepInclude(stop, internal)
        assert.deepStrictEqual(
          logged.filter((line) => line.includes("disk full")),
          ["insertWorkspace", "insertBuild"].map(
            (operation) => `A request to the embedded Coder failed: the store failed in ${operation}: disk full`
          )
        )
        const { workspaces } = yield* get<{ readonly workspaces: ReadonlyArray<{ readonly name: string }> }>(
          "/api/v2/workspaces"
        )
        assert.deepStrictEqual(
          workspaces.map(({ name }) => name),
          ["kept"]
        )
        assert.strictEqual((yield* byId(kept.body.id)).latest_build.build_number, 1)
        yield* Ref.set(faults, {})
        assert.strictEqual((yield* create("other")).status, 201)
      })
    )
)

it.live("a store that cannot be read is answered with 500, by the API and by the apps", () =>
  withFaults((faults) =>
    Effect.gen(function* () {
      const { body } = yield* create("kept")
      yield* built(body.id)
      yield* Ref.set(faults, { reads: true })
      assert.deepInclude(yield* send("GET", "/api/v2/workspaces"), internal)
      assert.deepInclude(yield* send("GET", `/api/v2/workspaces/${body.id}`), internal)
      assert.deepInclude(yield* send("GET", "/api/v2/users/me/workspace/kept"), internal)
      assert.deepInclude(yield* send("GET", `/api/v2/workspacebuilds/${body.latest_build.id}/logs`), internal)
      const app = yield* send("GET", "/@local/kept/apps/ccw/status")
      assert.deepStrictEqual([app.status, String(app.body).includes("disk full")], [500, false])
    })
  )
)

it.live("the outcome of a job is tried again; the job fails with what could not be stored", () =>
  withFaults((faults) =>
    Effect.gen(function* () {
      yield* Ref.set(faults, { operations: ["setWorktree"] })
      const { body } = yield* create("a")
      const { latest_build } = yield* built(body.id)
      assert.deepInclude(latest_build.job, {
        status: "failed",
        error:
          "What was about to be made could not be noted, so nothing was made: the store failed in setWorktree: disk full. It may pass: try again."
      })
      yield* Ref.set(faults, {})
      yield* send("POST", `/api/v2/workspaces/${body.id}/builds`, { body: { transition: "start" } })
      assert.strictEqual((yield* built(body.id)).latest_build.job.status, "succeeded")
    })
  )
)

it.live("a job whose outcome cannot be stored is tried so often, then logged, and not told as ended", () =>
  withFaults((faults, logged) =>
    Effect.gen(function* () {
      const { id } = yield* createReady("a")
      const given = "What happened was not stored: the store failed in updateJob: disk full"
      yield* Ref.set(faults, { operations: ["updateJob"] })
      yield* startBuild(id, "stop")
      yield* until(
        // One for the mark that it runs, one for its outcome.
        Effect.sync(() => logged.filter((line) => line === given).length),
        (count) => count === 2
      )
      const { latest_build } = yield* byId(id)
      assert.deepInclude(latest_build, { build_number: 2, transition: "stop" })
      assert.strictEqual(latest_build.job.completed_at, undefined)
      assert.strictEqual((yield* startBuild(id, "start")).status, 409)
    })
  )
)
