import { assert, layer } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { embedded, sessionToken } from "../../../support/EmbeddedFixture.ts"
import { build, built, create, createReady, idle, send } from "../Requests.ts"

// What Coder v2.31.3 answered in the same situations: recording app-proxy.

const token = Redacted.value(sessionToken)
const cookie = { cookie: `coder_session_token=${token}` }
const ask = (path: string, headers: Readonly<Record<string, string>> = cookie) => send("GET", path, { headers })

const title = ({ body, headers, status }: Effect.Effect.Success<ReturnType<typeof ask>>) => {
  assert.match(headers["content-type"] ?? "", /^text\/html/)
  return `${status} ${/<h1>(.*)<\/h1>/.exec(String(body))?.[1] ?? ""}`
}

layer(
  embedded({
    allowShell: true,
    faults: { agents: [{ workspace: "silent", fault: "never_connects" }], hangBuilds: ["hanger"] }
  }),
  { excludeTestServices: true }
)("app proxy", (it) => {
  it.effect("AgentAPI, by every form of the path and every way to carry the token", () =>
    Effect.gen(function* () {
      const { id } = yield* createReady("Bot-1")
      for (const path of ["Bot-1", "bot-1", "Bot-1.main", `Bot-1.${id}`, id]) {
        const answer = yield* ask(`/@local/${path}/apps/ccw/status?x=1`)
        assert.deepStrictEqual(
          [answer.status, answer.body],
          [200, { status: "stable", agent_type: "shell", transport: "pty" }]
        )
      }
      for (const headers of [{ "coder-session-token": token }, { authorization: `Bearer ${token}` }]) {
        assert.strictEqual((yield* ask("/@local/Bot-1/apps/ccw/status", headers)).status, 200)
      }
      assert.strictEqual((yield* ask(`/@local/Bot-1/apps/ccw/status?coder_session_token=${token}`, {})).status, 200)
    })
  )

  it.effect("a prompt and its answer; AgentAPI's own errors pass", () =>
    Effect.gen(function* () {
      yield* createReady("worker")
      const path = "/@local/worker/apps/ccw/message"
      const message = (body: unknown) => send("POST", path, { body, headers: cookie })
      assert.deepStrictEqual((yield* message({ content: "echo $((6*7))", type: "user" })).body, { ok: true })
      assert.strictEqual((yield* idle("worker")).at(-1)?.content, "42\n[exit code 0]")
      assert.strictEqual((yield* message({ content: "x", type: "nope" })).status, 422)
      const refused = yield* message({ content: " ", type: "user" })
      assert.strictEqual(refused.status, 500)
      assert.match(refused.headers["content-type"] ?? "", /problem\+json/)
    })
  )

  it.effect("without a token, or with a wrong one: to the login page", () =>
    Effect.gen(function* () {
      for (const headers of [{}, { "coder-session-token": "abcdefghij-klmnopqrstuvwxyz012345" }]) {
        const answer = yield* ask("/@local/Bot-1/apps/ccw/x?y=1", headers)
        assert.strictEqual(answer.status, 303)
        assert.match(
          answer.headers["location"] ?? "",
          /^http:\/\/[^/]+\/login\?message=You\+are\+signed\+out\+or\+your\+session\+has\+expired\.\+Please\+sign\+in\+again\+to\+continue\.&redirect=%2F%40local%2FBot-1%2Fapps%2Fccw%2Fx%3Fy%3D1$/
        )
      }
    })
  )

  it.effect("without a slash after the slug: with one", () =>
    Effect.gen(function* () {
      const answer = yield* ask("/@local/Bot-1/apps/ccw?a=b")
      assert.deepStrictEqual([answer.status, answer.headers["location"]], [307, "/@local/Bot-1/apps/ccw/?a=b"])
    })
  )

  it.effect("what is not there", () =>
    Effect.gen(function* () {
      const { id } = yield* createReady("gone")
      yield* build(id, "delete")
      const paths = ["@me/Bot-1/apps/ccw", "@admin/Bot-1/apps/ccw", "@local/Bot-1/apps/nope", "@local/nope/apps/ccw"]
      for (const path of [...paths, "@local/gone/apps/ccw", `@local/${id}/apps/ccw`]) {
        assert.strictEqual(title(yield* ask(`/${path}/status`)), "404 Application Not Found")
      }
    })
  )

  it.effect("what is not there yet, or no more", () =>
    Effect.gen(function* () {
      const [silent] = yield* Effect.all([create("silent"), create("hanger")])
      yield* built(silent.body.id)
      assert.strictEqual(title(yield* ask("/@local/silent/apps/ccw/status")), "502 Application Unavailable")
      assert.strictEqual(title(yield* ask("/@local/hanger/apps/ccw/status")), "404 Application Not Found")
      yield* build(silent.body.id, "stop")
      assert.strictEqual(title(yield* ask("/@local/silent/apps/ccw/status")), "400 Workspace Offline")
    })
  )
})
