import { HttpApp, HttpServerRequest } from "@effect/platform"
import { expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { AgentApiServer } from "../../../src/layers/agenthost/AgentApiServer.ts"
import { AgentHost } from "../../../src/layers/agenthost/AgentHost.ts"
import { Problem } from "../../../src/schemas/agentapi/AgentApi.ts"
import recording from "../../fixtures/coder/v2.31.3/agentapi.json" with { type: "json" }
import { fakeAgent, hosting } from "./agents.ts"

const start = Effect.gen(function* () {
  const { app } = yield* AgentApiServer
  const fake = yield* fakeAgent()
  const host = yield* AgentHost.make({ agent: fake.agent, ...(yield* hosting) })
  const handler = HttpApp.toWebHandler(app(host))
  const send = (method: string, path: string, body?: string) =>
    Effect.gen(function* () {
      const init = body === undefined ? { method } : { method, body, headers: { "content-type": "application/json" } }
      const response = yield* Effect.promise(() => handler(new Request(`http://agent${path}`, init)))
      const answer: unknown = yield* Effect.promise(() => response.json())
      return { status: response.status, type: response.headers.get("content-type"), body: answer }
    })
  /** Sends a recorded request, and answers with what came and what was recorded. */
  const replay = (name: string) =>
    Effect.gen(function* () {
      const exchange = recording.exchanges.find((each) => each.name === name)
      if (exchange?.response.body === undefined) return yield* Effect.dieMessage(`no exchange ${name}`)
      const { request, response } = exchange
      const path = request.path.slice(request.path.lastIndexOf("/"))
      const got = yield* send(request.method, path, request.body && JSON.stringify(request.body))
      const { $schema, ...body } = response.body
      expect($schema).toContain("http")
      return { got, recorded: { status: response.status, type: response.headers["content-type"], body } }
    })
  return { ...fake, host, send, replay }
})

it.scoped("AgentAPI that is built while another request is served answers its own", () =>
  Effect.gen(function* () {
    const { send } = yield* start
    expect(yield* send("GET", "/status")).toMatchObject({ status: 200, body: { status: "stable" } })
  }).pipe(
    Effect.provide(AgentApiServer.layer),
    Effect.provideService(
      HttpServerRequest.HttpServerRequest,
      HttpServerRequest.fromWeb(new Request("http://server/mcp", { method: "POST" }))
    )
  )
)

it.layer(AgentApiServer.layer)("AgentAPI over HTTP", (it) => {
  it.scoped("answers as recorded", () =>
    Effect.gen(function* () {
      const { host, replay } = yield* start
      const same = (name: string) =>
        Effect.map(replay(name), ({ got, recorded }) => expect({ name, ...got }).toEqual({ name, ...recorded }))

      yield* same("status")
      yield* same("empty message")
      yield* same("unknown type")
      yield* same("extra key")
      yield* same("user message that takes long")
      yield* same("status while running")
      yield* same("user message while running")
      yield* same("interrupt (ESC)")
      yield* Effect.repeatN(Effect.yieldNow(), 20)
      yield* same("status after the interrupt")
      expect((yield* host.messages).map(({ role }) => role)).toEqual(["agent", "user", "agent"])
    })
  )

  it.scoped("lists messages with the recorded keys", () =>
    Effect.gen(function* () {
      const { replay } = yield* start
      yield* replay("user message")
      const { got, recorded } = yield* replay("messages")
      const keys = (list: unknown) =>
        Schema.decodeUnknownSync(
          Schema.Struct({ messages: Schema.Array(Schema.Record({ key: Schema.String, value: Schema.Unknown })) })
        )(list).messages.map((message) => [new Set(Object.keys(message)), message["id"], message["role"]])
      expect(keys(got.body)).toEqual(keys(recorded.body))
    })
  )

  it.scoped("refuses what is not a message", () =>
    Effect.gen(function* () {
      const { host, send } = yield* start
      for (const body of [
        "",
        "{",
        "null",
        "[]",
        "{}",
        '{"content":"x"}',
        '{"content":1,"type":"user"}',
        '{"content":"x","type":7}'
      ]) {
        const { body: problem, status, type } = yield* send("POST", "/message", body)
        expect({ body, status, type }).toEqual({ body, status: 422, type: "application/problem+json" })
        expect(Schema.decodeUnknownSync(Problem)(problem).detail).toBe("validation failed")
      }
      expect(yield* host.messages).toHaveLength(1)
    })
  )

  it.scoped("ignores keys but the one that interrupts", () =>
    Effect.gen(function* () {
      const { host, send } = yield* start
      yield* host.prompt("go")
      for (const content of ["", "y", "\u0003", "\u001b[A"]) {
        const answer = yield* send("POST", "/message", JSON.stringify({ content, type: "raw" }))
        expect(answer).toMatchObject({ status: 200, body: { ok: true } })
      }
      yield* Effect.repeatN(Effect.yieldNow(), 20)
      expect(yield* host.status).toBe("running")
      expect(yield* host.messages).toHaveLength(3)
    })
  )

  it.scoped("answers an unknown path with a problem", () =>
    Effect.gen(function* () {
      const { send } = yield* start
      expect(yield* send("GET", "/internal/screen")).toMatchObject({ status: 404, type: "application/problem+json" })
    })
  )
})
