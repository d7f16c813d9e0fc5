import { HttpClient, HttpClientRequest } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Option, Redacted, Stream } from "effect"
import { CoderConfig } from "../../../src/layers/config/CoderConfig.ts"
import { embedded, embeddedOverSocket, sessionToken } from "../../support/EmbeddedFixture.ts"
import { build, create, createReady, get, idle, send, theProject, until } from "./Requests.ts"

const options = { allowShell: true }
const wires = [
  { where: "in process", wire: embedded(options) },
  { where: "on a Unix socket", wire: embeddedOverSocket(options) }
]

for (const { where, wire } of wires) {
  describe(`the embedded Coder ${where}`, () => {
    it.live("an agent from its creation to its deletion", () =>
      Effect.gen(function* () {
        const { id } = yield* createReady("Bot-1", "cat README.md")
        assert.strictEqual((yield* idle("Bot-1")).at(-1)?.content, "# Sample\n[exit code 0]")
        assert.strictEqual((yield* build(id, "delete")).status, "deleted")
        assert.strictEqual((yield* send("GET", "/api/v2/users/me/workspace/Bot-1")).status, 404)
      }).pipe(Effect.provide(wire))
    )

    it.live("a caller that goes away never leaves a workspace without its build", () =>
      Effect.gen(function* () {
        yield* theProject
        yield* Effect.forEach(
          [...Array(20).keys()],
          (index) =>
            Effect.gen(function* () {
              const call = yield* Effect.fork(create(`left-${index}`))
              yield* Effect.sleep(Duration.millis(index * 4))
              yield* Fiber.interrupt(call)
            }),
          { concurrency: 4, discard: true }
        )
        yield* until(
          get<{ readonly workspaces: ReadonlyArray<{ readonly latest_build: { readonly status: string } }> }>(
            "/api/v2/workspaces"
          ),
          ({ workspaces }) => workspaces.every(({ latest_build }) => latest_build.status === "running")
        )
      }).pipe(Effect.provide(wire))
    )

    it.live("follows no redirect, and hands on a large body", () =>
      Effect.gen(function* () {
        const command = "head -c 3000000 /dev/zero | tr '\\0' 'x' | fold -w 1000"
        yield* createReady("big", `${command} # ${"y".repeat(200_000)}`)
        const answer = yield* send("GET", "/@local/big/apps/ccw")
        assert.strictEqual(answer.status, 307)
        const messages = yield* idle("big")
        assert.isAbove(
          messages.reduce((sum, { content }) => sum + content.length, 0),
          2_250_000
        )
      }).pipe(Effect.provide(wire))
    )
  })
}

it.live("in process, only the embedded Coder can be reached", () =>
  Effect.gen(function* () {
    const http = yield* HttpClient.HttpClient
    const error = yield* Effect.flip(http.get("http://127.0.0.1:1/"))
    assert.deepStrictEqual([error._tag, error.reason], ["RequestError", "Transport"])
  }).pipe(Effect.provide(embedded(options)))
)

it.live("in process, the configuration says where it is, and with which token", () =>
  Effect.gen(function* () {
    const config = yield* CoderConfig
    assert.strictEqual(config.url.origin, "http://embedded.fleet-mcp.internal")
    assert.strictEqual(config.sessionToken, sessionToken)
  }).pipe(Effect.provide(embedded(options)))
)

it.live("without a token of its own, one is made that others do not know", () =>
  Effect.gen(function* () {
    assert.strictEqual((yield* send("GET", "/api/v2/users/me")).status, 200)
    const headers = { "coder-session-token": Redacted.value(sessionToken) }
    assert.strictEqual((yield* send("GET", "/api/v2/users/me", { headers })).status, 401)
  }).pipe(Effect.provide(embedded({ sessionToken: undefined })))
)

it.live("on a Unix socket, a body is streamed and an interrupted request is dropped", () =>
  Effect.gen(function* () {
    const http = yield* HttpClient.HttpClient
    const request = HttpClientRequest.get("http://coder.test/api/v2/buildinfo")
    const response = yield* http.execute(request)
    assert.strictEqual(response.status, 200)
    assert.include(yield* response.text, "v2.31.3")
    yield* Effect.timeout(Effect.ignore(http.execute(request)), "1 millis").pipe(Effect.ignore)
    assert.strictEqual((yield* http.execute(request)).status, 200)
  }).pipe(Effect.provide(embeddedOverSocket()))
)

it.live("on a Unix socket, a request whose body breaks off fails as such, and nothing else does", () =>
  Effect.gen(function* () {
    const http = yield* HttpClient.HttpClient
    const { template } = yield* theProject
    const headers = { "coder-session-token": Redacted.value(sessionToken) }
    const begun = `{"name":"half","template_id":"${template.id}"`
    const request = HttpClientRequest.post("http://coder.test/api/v2/users/me/workspaces", { headers }).pipe(
      HttpClientRequest.bodyStream(
        Stream.concat(Stream.make(new TextEncoder().encode(begun)), Stream.fail("the source is gone")),
        { contentType: "application/json" }
      )
    )
    const silent = HttpClient.withTracerDisabledWhen(http, () => true)
    // The error holds the request with its token, and fibers log what they fail with.
    const error = yield* Effect.flip(silent.execute(request)).pipe(Effect.withUnhandledErrorLogLevel(Option.none()))
    assert.deepStrictEqual([error._tag, error.reason], ["RequestError", "Encode"])
    assert.strictEqual((yield* send("GET", "/api/v2/users/me/workspace/half")).status, 404)
  }).pipe(Effect.provide(embeddedOverSocket(options)))
)

it.live("the ids of projects, roles and the user are the same in the next process, and differ from one another", () =>
  Effect.gen(function* () {
    const projects = () => ["sample", "other"].map((name) => ({ name, directory: "/nowhere" }))
    const ids = Effect.gen(function* () {
      const templates = yield* get<ReadonlyArray<{ readonly id: string; readonly active_version_id: string }>>(
        "/api/v2/templates?q=deprecated:true"
      )
      const { id } = yield* get<{ readonly id: string }>("/api/v2/users/me")
      const versions = templates.map(({ active_version_id }) => active_version_id)
      const presets = yield* Effect.forEach(versions, (version) =>
        get<ReadonlyArray<{ readonly ID: string }>>(`/api/v2/templateversions/${version}/presets`)
      )
      return [id, ...templates.map((template) => template.id), ...versions, ...presets.flat().map(({ ID }) => ID)]
    }).pipe(Effect.provide(embedded({ allowShell: true, projects })))
    const first = yield* ids
    assert.strictEqual(new Set(first).size, 7)
    assert.deepStrictEqual(yield* ids, first)
  })
)
