import { FileSystem, HttpApiBuilder, HttpApiClient, HttpClient } from "@effect/platform"
import { NodeContext, NodeHttpServer } from "@effect/platform-node"
import { assert, expectTypeOf, it } from "@effect/vitest"
import { Effect, Layer, Schedule } from "effect"
import * as FleetMcp from "fleet-mcp"
import { EmbeddedCoder } from "fleet-mcp/embedded"
import type {
  AgentNotIdle,
  AgentRefused,
  AgentUnreachable,
  CoderFailure,
  DeadlineExceeded,
  InvalidTask,
  LookupFailure,
  UnknownFilterValue
} from "fleet-mcp/schemas"
import { execFileSync } from "node:child_process"
import { DeskApi, layerDesk } from "../src/Desk.ts"

// The unions of errors are exact: neither wider nor narrower than what is documented.
type Tasks = FleetMcp.TaskService["Type"]
type Agents = FleetMcp.AgentService["Type"]
expectTypeOf<Effect.Effect.Error<ReturnType<Tasks["start"]>>>().toEqualTypeOf<
  LookupFailure | InvalidTask | AgentNotIdle | AgentUnreachable | AgentRefused | DeadlineExceeded
>()
expectTypeOf<Effect.Effect.Error<ReturnType<Agents["show"]>>>().toEqualTypeOf<LookupFailure | DeadlineExceeded>()
expectTypeOf<Effect.Effect.Error<ReturnType<Agents["list"]>>>().toEqualTypeOf<
  CoderFailure | UnknownFilterValue | DeadlineExceeded
>()

const repository = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const directory = yield* fs.makeTempDirectoryScoped({ prefix: "fleet-desk-" })
  const git = (...args: ReadonlyArray<string>) => Effect.sync(() => execFileSync("git", args, { cwd: directory }))
  yield* git("init", "--quiet", "--initial-branch=main")
  yield* git(
    "-c",
    "user.name=Desk",
    "-c",
    "user.email=desk@example.com",
    "commit",
    "--quiet",
    "--allow-empty",
    "-m",
    "Begin"
  )
  return { directory, stateDirectory: yield* fs.makeTempDirectoryScoped({ prefix: "fleet-desk-state-" }) }
})

/** A fleet on this machine, for a repository of the test's own. */
const layerFleet = Layer.unwrapScoped(
  Effect.map(repository, ({ directory, stateDirectory }) =>
    FleetMcp.layer.pipe(
      Layer.provide([
        EmbeddedCoder.layer({
          stateDirectory,
          workingDirectory: directory,
          projects: [{ name: "desk", directory }],
          allowShell: true,
          environment: { PATH: process.env["PATH"] ?? "" }
        }),
        FleetMcp.layerFleetConfig()
      ])
    )
  )
).pipe(Layer.provide(NodeContext.layer))

const layerTest = HttpApiBuilder.serve().pipe(
  Layer.provide(layerDesk),
  Layer.provideMerge(layerFleet),
  Layer.provideMerge(NodeHttpServer.layerTest)
)

it.scopedLive("lists agents and gives them tasks", () =>
  Effect.gen(function* () {
    const desk = yield* HttpApiClient.make(DeskApi)
    const agents = yield* FleetMcp.AgentService
    assert.deepStrictEqual(yield* desk.desk.agents(), [])

    const created = yield* agents.create({ name: "one", project: "desk", task: "echo hello", wait_ready: true })
    assert.strictEqual(created.outcome, "applied")
    yield* agents
      .show("one")
      .pipe(
        Effect.repeat({ until: (agent) => agent.status === "idle", schedule: Schedule.spaced("50 millis") }),
        Effect.timeout("10 seconds")
      )
    const listed = yield* desk.desk.agents()
    assert.deepStrictEqual(
      listed.map((agent) => [agent.name, agent.status]),
      [["one", "idle"]]
    )
    const sent = yield* desk.desk.task({ path: { name: "one" }, payload: { task: "echo again" } })
    assert.strictEqual(sent.outcome, "applied")
  }).pipe(Effect.provide(layerTest))
)

it.scopedLive("tells what is wrong in its own words", () =>
  Effect.gen(function* () {
    const desk = yield* HttpApiClient.make(DeskApi)
    const missing = yield* Effect.flip(desk.desk.task({ path: { name: "nobody" }, payload: { task: "echo" } }))
    assert.strictEqual(missing._tag, "NoSuchAgent")
    const empty = yield* Effect.flip(desk.desk.task({ path: { name: "nobody" }, payload: { task: " " } }))
    assert.strictEqual(empty._tag, "TaskRefused")
    if (empty._tag === "TaskRefused") assert.deepStrictEqual(empty.next, ["change_request"])
    const client = yield* HttpClient.HttpClient
    const response = yield* client.get("/agents/nobody")
    assert.strictEqual(response.status, 404)
  }).pipe(Effect.provide(layerTest))
)
