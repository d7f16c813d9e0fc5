import { assert, it } from "@effect/vitest"
import { Effect, FastCheck } from "effect"
import type { Build } from "../../../src/schemas/coder/Builds.ts"
import { embedded } from "../../support/EmbeddedFixture.ts"
import { leftovers } from "../agenthost/support.ts"
import { build, built, byId, create, get, startBuild } from "./Requests.ts"

type BuildBody = typeof Build.Type

/** What somebody asks for, and whether they wait until it is done. */
interface Request {
  readonly act: "create" | "start" | "stop" | "delete"
  readonly which: number
  readonly wait: boolean
}

const requests: FastCheck.Arbitrary<ReadonlyArray<Request>> = FastCheck.array(
  FastCheck.record<Request>({
    act: FastCheck.constantFrom("create", "start", "stop", "delete"),
    which: FastCheck.nat(2),
    wait: FastCheck.boolean()
  }),
  { minLength: 3, maxLength: 8 }
)

const names = ["one", "ONE", "two"]

const carryOut = (script: ReadonlyArray<Request>) =>
  Effect.gen(function* () {
    const made: Array<string> = []
    const builds: Array<BuildBody> = []
    for (const { act, wait, which } of script) {
      const name = names[which] ?? ""
      const id = made[which % Math.max(1, made.length)]
      if (act === "create") {
        const { body, status } = yield* create(name, "sleep 100 & sleep 100")
        assert.include([201, 409], status)
        if (status === 201) {
          made.push(body.id)
          builds.push(body.latest_build)
          if (wait) yield* built(body.id)
        }
      } else if (id !== undefined) {
        const { body, status } = yield* startBuild(id, act)
        assert.include([201, 409], status)
        if (status === 201) builds.push(body)
        if (wait) yield* built(id)
      }
      const { workspaces } = yield* get<{ readonly workspaces: ReadonlyArray<{ readonly name: string }> }>(
        "/api/v2/workspaces"
      )
      const seen = workspaces.map((workspace) => workspace.name.toLowerCase())
      assert.strictEqual(new Set(seen).size, seen.length)
    }
    for (const id of made) {
      const { latest_build } = yield* built(id)
      if (latest_build.status !== "deleted") yield* build(id, "delete")
    }
    assert.deepStrictEqual(leftovers(), [])

    for (const id of made) {
      const own = builds.filter((each) => each.workspace_id === id)
      const ended = yield* Effect.forEach(own, (each) => get<BuildBody>(`/api/v2/workspacebuilds/${each.id}`))
      assert.deepStrictEqual(
        ended.map(({ build_number }) => build_number),
        [...ended.keys()].map((index) => index + 1)
      )
      for (const [index, { job }] of ended.entries()) {
        assert.strictEqual(job.status, "succeeded")
        const before = ended[index - 1]?.job.completed_at ?? ""
        assert.isTrue(before < job.created_at, "two jobs at once")
      }
      assert.strictEqual((yield* byId(id)).latest_build.status, "deleted")
    }
  }).pipe(Effect.provide(embedded({ allowShell: true })))

it.live.prop(
  "whatever is asked for: one job a workspace, names unique, builds numbered, no process left",
  [requests],
  ([script]) => carryOut(script),
  { fastCheck: { numRuns: 6 }, timeout: 120_000 }
)
