import { assert, it } from "@effect/vitest"
import type { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { Duration, Effect, Layer, Logger, LogLevel, Option, Redacted, Stream } from "effect"
import { join } from "node:path"
import * as FleetMcp from "../../src/layers/FleetMcp.ts"
import { FleetConfig } from "../../src/layers/config/FleetConfig.ts"
import { TimeLimits } from "../../src/layers/time/Deadline.ts"
import * as HttpTransport from "../../src/layers/transports/http/HttpTransport.ts"
import { fleetTools } from "../../src/tools/FleetTools.ts"
import { describeFinding, makeScan, type Canary } from "../support/Canary.ts"
import { CoderModel, token } from "../support/CoderModel.ts"
import { embedded, EmbeddedFixture } from "../support/EmbeddedFixture.ts"
import { fleetOver } from "../support/fleet.ts"
import { makeRecorder } from "../support/Recorder.ts"
import * as Scripted from "../support/ScriptedCoder.ts"
import { secrets } from "../support/Secrets.ts"
import { authOf, storeAt, temporaryDirectory } from "./auth/support.ts"
import { bearer, connectClient, initializeMessage, send, usual } from "./transports/http/HttpFixture.ts"
import { call, connect } from "./transports/session/Session.ts"

/** Runs with a tracer and a logger that keep all; answers what these hold of the canaries, and all that they were told. */
const recorded = <E, R>(effect: Effect.Effect<ReadonlyArray<Canary>, E, R>) =>
  Effect.gen(function* () {
    const said: Array<string> = []
    const { logger, tracer } = makeRecorder((text) => said.push(text))
    const canaries = yield* effect.pipe(
      Effect.withTracer(tracer),
      Effect.provide([Logger.replace(Logger.defaultLogger, logger), Logger.minimumLogLevel(LogLevel.All)])
    )
    const text = said.join("\n")
    return { found: makeScan(canaries)("spans and logs", Buffer.from(text)).map(describeFinding), text }
  })

const untilStatus = (client: Client, agent_name: string, status: string) =>
  Effect.repeat(call(client, "show_agent", { agent_name }), {
    until: ({ structured }) => JSON.stringify(structured).includes(`"status":"${status}"`)
  })

it.scopedLive("spans and logs of a fleet on this machine, over HTTP, hold no secret", () =>
  Effect.gen(function* () {
    const { found, text } = yield* recorded(
      Effect.gen(function* () {
        const tokenFile = join(yield* temporaryDirectory, "auth_token")
        const store = yield* storeAt(tokenFile)
        const main = Redacted.value(yield* store.main)
        const added = Redacted.value(yield* store.add({ name: "board", role: "read", expires: Option.none() }))
        const backend = yield* Layer.build(
          FleetMcp.layer.pipe(Layer.provideMerge(Layer.merge(embedded({ allowShell: true }), FleetConfig.layer())))
        )
        const { agentTokens } = yield* Effect.provide(EmbeddedFixture, backend)
        const auth = yield* authOf({ tokenFile })
        const server = yield* HttpTransport.serve({
          host: "127.0.0.1",
          port: 0,
          hosts: [],
          origins: [],
          proxies: [],
          auth,
          connect: yield* HttpTransport.sessions({
            place: "in this test.",
            tools: Effect.succeed(fleetTools),
            services: Effect.succeed(backend)
          })
        })
        const url = new URL(`http://127.0.0.1:${server.port}/mcp`)
        const { client } = yield* connectClient(url, main)
        const board = yield* connectClient(url, added)
        const agent = { agent_name: "writer" }
        const use = (name: string, args: Record<string, unknown> = {}) => call(client, name, args)

        const create = { name: "writer", project: "sample", role: "shell", task: "env", wait_ready: true }
        yield* use("create_agent", create)
        yield* use("create_agent", create)
        yield* use("list_agent_projects")
        yield* use("list_agent_roles", { project: "sample" })
        yield* untilStatus(client, "writer", "idle")
        yield* use("start_agent_task", { ...agent, task_description: "sleep 1000" })
        yield* use("list_agents")
        yield* use("list_agents", { limit: 0 })
        yield* use("cancel_agent_task", agent)
        yield* use("cancel_agent_task", agent)
        yield* use("show_agent_log", agent)
        yield* use("show_agent_task_history", { ...agent, page: 99 })
        yield* use("restart_agent", agent)
        yield* call(board.client, "delete_agent", agent)
        yield* Effect.promise(() => send(url, { path: `/mcp?token=${main}`, body: initializeMessage }))
        for (const headers of [bearer("wrong"), bearer(`${main}x`), bearer(secrets.embeddedToken)]) {
          yield* Effect.promise(() => send(url, { headers: [headers, ...usual.slice(1)], body: initializeMessage }))
        }
        yield* use("delete_agent", agent)
        yield* store.rotate
        yield* store.revoke("board")
        const rotated = Redacted.value(yield* store.main)
        // Both are told as ended: the sessions that they opened have nothing at work any more.
        yield* Stream.runDrain(Stream.take(auth.changes, 2))
        return [
          { name: "main token", value: main },
          { name: "added token", value: added },
          { name: "rotated token", value: rotated },
          { name: "token of the embedded Coder", value: secrets.embeddedToken },
          { name: "provider key", value: secrets.providerKey },
          ...agentTokens.map((value) => ({ name: "token of an agent", value }))
        ]
      })
    )
    assert.deepStrictEqual(found, [])
    assert.include(text, "span tools.create_agent")
    assert.include(text, "span Git.run")
    assert.include(text, "a token is no longer valid")
    assert.include(text, "requests without a valid token were refused")
    assert.include(text, "log DEBUG")
  })
)

const quoted = { message: token, detail: token, validations: [{ field: token, detail: token }] }
const headers = { "x-coder-request-id": token, "x-token": token }
const faults: ReadonlyArray<readonly [string, Scripted.Fault]> = [
  ["a refusal that quotes the token", Scripted.answer(Scripted.json(403, quoted, headers))],
  ["a fault that quotes the token", Scripted.answer(Scripted.json(500, quoted, headers))],
  ["a page that quotes the token", Scripted.answer({ ...Scripted.html(200, headers), text: token })],
  ["another shape, with the token", Scripted.answer(Scripted.json(200, { [token]: token }, headers))],
  ["broken JSON with the token", Scripted.answer({ ...Scripted.json(200, undefined, headers), text: `{"${token}` })],
  ["a redirect with the token", Scripted.answer(Scripted.html(302, { ...headers, location: `/?${token}` }))],
  ["no connection", Scripted.refused],
  ["a broken connection", Scripted.dropAfter],
  ["a truncated answer", Scripted.truncatedAfter],
  ["a defect", (_, request) => Effect.die(new Error("broken", { cause: { url: request.url } }))]
]

/** Where nothing listens, a call takes all of its time. */
const briefly = { read: Duration.seconds(3), change: Duration.seconds(6), settle: Duration.seconds(1) }

const fine: Scripted.Fault = (forward) => forward

const readTools: ReadonlyArray<readonly [string, Record<string, unknown>]> = [
  ["list_agents", {}],
  ["list_agent_projects", {}],
  ["list_agent_roles", { project: "claude-code" }],
  ["show_agent", { agent_name: "fixer" }],
  ["show_agent_log", { agent_name: "fixer" }],
  ["show_agent_task_history", { agent_name: "fixer" }]
]

const changes: ReadonlyArray<readonly [string, Record<string, unknown>]> = [
  ["create_agent", { name: "fresh", project: "claude-code", task: "Work." }],
  ["start_agent_task", { agent_name: "fixer", task_description: "Work." }],
  ["cancel_agent_task", { agent_name: "fixer" }],
  ["restart_agent", { agent_name: "fixer" }],
  ["delete_agent", { agent_name: "fixer" }]
]

it.scopedLive.each([["none", fine] as const, ...faults])("spans and logs hold no Coder token: %s", ([, fault]) =>
  Effect.gen(function* () {
    const coder = new CoderModel({
      buildMillis: { start: 0, stop: 0, delete: 0 },
      workMillis: 3_600_000,
      escMillis: 0
    })
    coder.add("fixer")
    const proxy = new Scripted.Proxy().on(/./, fault)
    const { found, text } = yield* recorded(
      Effect.gen(function* () {
        const services = yield* Layer.build(fleetOver(proxy.inFrontOf(Scripted.clientOf(coder.handler))))
        const { client } = yield* connect({ tools: Effect.succeed(fleetTools), services: Effect.succeed(services) })
        const calls = [...readTools, ...changes]
        yield* Effect.forEach(calls, ([name, args]) => call(client, name, args), { concurrency: calls.length })
        return [{ name: "Coder token", value: token }]
      }).pipe(Effect.provideService(TimeLimits, { ...TimeLimits.defaultValue(), ...briefly }))
    )
    assert.deepStrictEqual(found, [])
    assert.include(text, "span tools.delete_agent")
    assert.include(text, "span http.client GET")
    assert.isTrue(proxy.received.length > 0)
  })
)
