import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { embedded } from "../../support/EmbeddedFixture.ts"
import { agentOf, appOf, build, built, byId, create, createReady, get, idle, logOf, send, until } from "./Requests.ts"

it.live("failBuilds: the named builds fail with their error, and nothing is done", () =>
  Effect.gen(function* () {
    const { body } = yield* create("failing")
    const failed = yield* built(body.id)
    assert.deepInclude(failed.latest_build, { status: "failed", transition: "start", resources: [] })
    assert.strictEqual(failed.latest_build.job.error, "quota exceeded: no machines left")
    assert.deepStrictEqual(yield* logOf(failed.latest_build.id), ["quota exceeded: no machines left"])

    const workspace = yield* createReady("undeletable")
    const deletion = yield* build(workspace.id, "delete")
    assert.deepInclude(deletion, { status: "failed", transition: "delete", resources: [] })
    assert.strictEqual(deletion.job.error, "bucket not empty")
    assert.strictEqual((yield* send("GET", `/api/v2/workspaces/${workspace.id}`)).status, 200)
  }).pipe(
    Effect.provide(
      embedded({
        allowShell: true,
        faults: {
          failBuilds: [
            { workspace: "failing", transition: "start", error: "quota exceeded: no machines left" },
            { workspace: "undeletable", transition: "delete", error: "bucket not empty" }
          ]
        }
      })
    )
  )
)

it.live("agents: start_error and disconnected; apps: missing and unhealthy", () =>
  Effect.gen(function* () {
    const seen = (name: string, wanted: (workspace: Effect.Effect.Success<ReturnType<typeof byId>>) => boolean) =>
      Effect.flatMap(create(name), ({ body }) => until(byId(body.id), wanted))

    const broken = yield* seen("broken", (workspace) => agentOf(workspace)?.lifecycle_state === "start_error")
    assert.strictEqual(agentOf(broken)?.status, "connected")

    const lost = yield* seen("lost", (workspace) => agentOf(workspace)?.status === "disconnected")
    assert.strictEqual(agentOf(lost)?.lifecycle_state, "ready")
    assert.strictEqual((yield* send("GET", "/@local/lost/apps/ccw/status")).status, 502)

    const bare = yield* seen("bare", (workspace) => agentOf(workspace)?.lifecycle_state === "ready")
    assert.deepStrictEqual(agentOf(bare)?.apps, [])
    assert.strictEqual((yield* send("GET", "/@local/bare/apps/ccw/status")).status, 404)

    yield* seen("ill", (workspace) => appOf(workspace)?.health === "unhealthy")
  }).pipe(
    Effect.provide(
      embedded({
        allowShell: true,
        faults: {
          agents: [
            { workspace: "broken", fault: "start_error" },
            { workspace: "lost", fault: "disconnected" }
          ],
          apps: [
            { workspace: "bare", fault: "missing" },
            { workspace: "ill", fault: "unhealthy" }
          ]
        }
      })
    )
  )
)

it.live("statusesOldestFirst: as Coder v2.27", () =>
  Effect.gen(function* () {
    const { id } = yield* createReady("old", "true")
    yield* idle("old")
    assert.deepStrictEqual(
      appOf(yield* byId(id))?.statuses.map(({ state }) => state),
      ["working", "complete"]
    )
    const newest = yield* get<{ readonly latest_app_status: { readonly state: string } }>(`/api/v2/workspaces/${id}`)
    assert.strictEqual(newest.latest_app_status.state, "complete")
  }).pipe(Effect.provide(embedded({ allowShell: true, faults: { statusesOldestFirst: true } })))
)
