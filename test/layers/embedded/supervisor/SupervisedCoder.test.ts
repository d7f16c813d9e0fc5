import { HttpBody, HttpClient } from "@effect/platform"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { expect, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Redacted, Schema } from "effect"
import { once } from "node:events"
import { rmSync } from "node:fs"
import { createServer, request } from "node:http"
import { join } from "node:path"
import { makeToken } from "../../../../src/commands/supervisor/Place.ts"
import { present } from "../../../../src/commands/supervisor/Presence.ts"
import { wireTo } from "../../../../src/commands/supervisor/Wire.ts"
import * as SupervisedCoder from "../../../../src/layers/embedded/supervisor/SupervisedCoder.ts"
import { LeaveLimits } from "../../../../src/layers/embedded/supervisor/Supervision.ts"
import { fleetContract } from "../../../../src/schemas/fleet/FleetApi.ts"
import { makeRepository, silence } from "../../../support/EmbeddedFixture.ts"
import { environment, temporaryDirectory } from "../../agenthost/support.ts"

const Answer = Schema.Struct({ stopping: Schema.Boolean, at_work: Schema.Array(Schema.String) })

/** A supervisor on a socket that notes when it was told to end and does not, and a client of it that names a project. */
const supervisedIn = Effect.fn(function* (directory: string, name: string) {
  const repository = join(directory, name)
  const socket = join(directory, "sock")
  const token = makeToken()
  let stops = 0
  const about = { pid: process.pid, since: "", version: "1" }
  yield* Layer.build(
    SupervisedCoder.layer(
      join(directory, "store.db"),
      { ...about, storeBytes: Effect.succeed(0), stop: Effect.sync(() => void stops++) },
      { stateDirectory: join(directory, "state"), environment, sessionToken: token }
    ).pipe(Layer.provide(NodeHttpServer.layer(() => createServer(), { path: socket })))
  )
  const client = {
    token: makeToken(),
    projects: [{ name, directory: repository }],
    working_directory: repository,
    project_advice: "",
    allow_shell: true,
    environment: Redacted.make(environment),
    agent_environment: []
  }
  const register = Effect.scoped(present({ ...about, socket, token, contract: fleetContract }, client))
  yield* present({ ...about, socket, token, contract: fleetContract }, client)
  const wire = Context.get(yield* Layer.build(wireTo(socket)), HttpClient.HttpClient)
  const send = (method: "GET" | "POST", path: string, body: unknown, by: Redacted.Redacted = client.token) =>
    wire[method === "GET" ? "get" : "post"](`http://embedded.fleet-mcp.internal${path}`, {
      headers: { "coder-session-token": Redacted.value(by) },
      ...(method === "GET" ? {} : { body: HttpBody.unsafeJson(body) })
    })
  const stop = (now: boolean) =>
    Effect.flatMap(send("POST", "/fleet/v1/stop", { now }, token), (response) =>
      Effect.flatMap(response.json, Schema.decodeUnknown(Answer))
    )
  const statusOf = Effect.map(send("GET", "/api/v2/users/me", null), ({ status }) => status)
  return { client, register, send, socket, statusOf, stop, stops: () => stops }
})

const supervised = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  makeRepository(join(directory, "shop"))
  return yield* supervisedIn(directory, "shop")
})

it.scopedLive("from when it is told to end it takes no client and no change, and again where it does not end", () =>
  Effect.gen(function* () {
    const { register, send, statusOf, stop, stops } = yield* supervised
    const [template] = (yield* Effect.flatMap(
      send("GET", "/api/v2/templates", null),
      ({ json }) => json
    )) as ReadonlyArray<{
      readonly id: string
    }>
    const rich_parameter_values = [{ name: "AI Prompt", value: "sleep 600" }]
    const workspace = { name: "worker", template_id: template?.id, rich_parameter_values }
    expect((yield* send("POST", "/api/v2/users/me/workspaces", workspace)).status).toBe(201)
    expect(yield* stop(false)).toEqual({ stopping: false, at_work: ["worker"] })
    expect(stops()).toBe(0)
    expect(yield* statusOf).toBe(200)
    expect(yield* stop(true)).toEqual({ stopping: true, at_work: ["worker"] })
    expect(stops()).toBe(1)
    expect(yield* statusOf).toBe(401)
    expect((yield* send("POST", "/api/v2/users/me/workspaces", { ...workspace, name: "late" })).status).toBe(401)
    expect(yield* Effect.flip(register)).toMatchObject({ _tag: "NobodyThere" })
    // Whoever asks it again does not bring it back.
    expect(yield* stop(false)).toMatchObject({ stopping: true })
    expect(yield* statusOf).toBe(401)
  })
)

it.scopedLive("does not end while a change is under way that nobody sees yet", () =>
  Effect.gen(function* () {
    const { client, socket, statusOf, stop, stops } = yield* supervised
    const headers = {
      host: "embedded.fleet-mcp.internal",
      "content-type": "application/json",
      "content-length": "100",
      expect: "100-continue",
      "coder-session-token": Redacted.value(client.token)
    }
    const change = yield* Effect.acquireRelease(
      Effect.sync(() =>
        request({ socketPath: socket, method: "POST", path: "/api/v2/users/me/workspaces", agent: false, headers })
      ),
      (sent) => Effect.sync(() => sent.on("error", () => undefined).destroy())
    )
    const begun = once(change, "continue")
    change.flushHeaders()
    yield* Effect.promise(() => begun)
    expect(yield* stop(false)).toEqual({ stopping: false, at_work: [] })
    expect(stops()).toBe(0)
    expect(yield* statusOf).toBe(200)
    change.end("x".repeat(100))
    yield* Effect.promise(() => once(change, "response"))
    expect(yield* stop(false)).toEqual({ stopping: true, at_work: [] })
  }).pipe(Effect.provideService(LeaveLimits, { settle: Duration.millis(200), changes: 100 }))
)

const Templates = Schema.Array(Schema.Struct({ name: Schema.String, deprecation_message: Schema.String }))

it.scopedLive("knows its projects at once, also one whose disk does not answer; one that is gone is forgotten", () =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    for (const name of ["gone", "shop", "third"]) makeRepository(join(directory, name))
    yield* Effect.scoped(supervisedIn(directory, "gone"))
    yield* Effect.scoped(supervisedIn(directory, "shop"))
    yield* silence(join(directory, "shop"))
    rmSync(join(directory, "gone"), { recursive: true })
    const listed = ({ send }: Effect.Effect.Success<ReturnType<typeof supervisedIn>>, query: string) =>
      Effect.flatMap(send("GET", `/api/v2/templates?q=deprecated:${query}`, null), ({ json }) =>
        Effect.flatMap(json, Schema.decodeUnknown(Templates))
      )
    yield* Effect.gen(function* () {
      const life = yield* Effect.timeout(supervisedIn(directory, "third"), "50 seconds")
      expect((yield* listed(life, "false")).map(({ name }) => name)).toEqual(["third"])
      const [shop, ...others] = yield* listed(life, "true")
      expect(shop?.deprecation_message).toContain("shop cannot be looked at")
      expect(others).toEqual([])
    }).pipe(Effect.scoped)
    makeRepository(join(directory, "gone"))
    yield* Effect.gen(function* () {
      const life = yield* supervisedIn(directory, "third")
      expect((yield* listed(life, "false")).map(({ name }) => name)).toEqual(["third"])
    }).pipe(Effect.scoped)
  })
)
