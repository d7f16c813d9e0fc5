import { HttpApi, HttpApiMiddleware, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { connect } from "node:net"
import { dirname, join } from "node:path"
import { CoderApi } from "../../../../src/schemas/coder/CoderApi.ts"
import { CoderApp } from "../../../../src/layers/embedded/api/CoderApp.ts"
import { EmbeddedFixture, embeddedApp, embeddedOverSocket, sessionToken } from "../../../support/EmbeddedFixture.ts"
import { agentOf, createReady, get, idle, send } from "../Requests.ts"
import { spellings } from "./Spellings.ts"

const userToken = Redacted.value(sessionToken)
const wrongToken = "abcdefghij-klmnopqrstuvwxyz012345"

interface Route {
  readonly key: string
  readonly method: string
  readonly path: string
  readonly wants: ReadonlyArray<string>
}

const contract: Array<Route> = []
HttpApi.reflect(CoderApi, {
  onGroup: () => undefined,
  onEndpoint: ({ endpoint, group, middleware }) => {
    contract.push({
      key: `${group.identifier}.${endpoint.name}`,
      method: endpoint.method,
      path: endpoint.path,
      wants: [...middleware].filter(HttpApiMiddleware.isSecurity).map(({ key }) => key.split("/").at(-1) ?? "")
    })
  }
})

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
const apps: ReadonlyArray<Route> = ["status", "messages", "message", ""].flatMap((rest) =>
  methods.map((method) => ({
    key: `app ${method} ${rest}`,
    method,
    path: `/@local/Bot-1/apps/ccw/${rest}`,
    wants: ["UserSession"]
  }))
)

it("each route of the contract wants one token: an agent's for its report, none for what is public, else the user's", () => {
  const wanted = (token: string) => contract.filter(({ wants }) => wants.join() === token).map(({ key }) => key)
  assert.deepStrictEqual(wanted(""), ["server.buildInfo"])
  assert.deepStrictEqual(wanted("AgentSession"), ["agents.appStatus"])
  assert.strictEqual(wanted("UserSession").length, contract.length - 2)
})

/** Sends a request as it is written, and answers its status; 400 is also what Node says to what is not HTTP. */
type Ask = (method: string, target: string, headers: Readonly<Record<string, string>>) => Effect.Effect<number>

const body = '{"transition":"delete","name":"intruder","content":"touch intruder","type":"user"}'

const overSocket =
  (path: string): Ask =>
  (method, target, headers) =>
    Effect.async((resume) => {
      const socket = connect(path)
      let text = ""
      socket.setEncoding("latin1")
      socket.on("data", (chunk) => (text += String(chunk)))
      socket.on("error", (cause) => resume(Effect.die(cause)))
      socket.on("close", () => resume(Effect.succeed(Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]))))
      const lines = Object.entries({
        host: "coder.test",
        connection: "close",
        "content-type": "application/json",
        "content-length": String(body.length),
        "x-http-method-override": "GET",
        "x-original-url": "/api/v2/buildinfo",
        ...headers
      }).map(([name, value]) => `${name}: ${value}\r\n`)
      socket.write(`${method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n${body}`)
    })

const inProcess =
  ({ httpApp }: typeof CoderApp.Service): Ask =>
  (method, target, headers) => {
    const withBody = method === "GET" || method === "HEAD" ? {} : { body }
    const init = { method, headers: { "content-type": "application/json", ...headers }, ...withBody }
    const request = HttpServerRequest.fromWeb(new Request("http://coder.test/", init)).modify({ url: target })
    return httpApp.pipe(
      Effect.provideService(HttpServerRequest.HttpServerRequest, request),
      Effect.map((response) => HttpServerResponse.toWeb(response).status),
      Effect.scoped
    )
  }

/** Everything that the embedded Coder has on record, as the user sees it. */
const record = Effect.gen(function* () {
  const workspaces = yield* get<{
    readonly workspaces: ReadonlyArray<{ readonly latest_build: { readonly id: string } }>
  }>("/api/v2/workspaces")
  const build = workspaces.workspaces[0]?.latest_build.id ?? ""
  return JSON.stringify([
    workspaces,
    yield* get(`/api/v2/workspacebuilds/${build}/logs`),
    yield* get("/@local/Bot-1/apps/ccw/messages")
  ])
})

const situation = Effect.gen(function* () {
  const workspace = yield* createReady("Bot-1", "true")
  yield* idle("Bot-1")
  const { agentTokens } = yield* EmbeddedFixture
  const values: Readonly<Record<string, string>> = {
    user: "me",
    name: "Bot-1",
    workspace: workspace.id,
    build: workspace.latest_build.id,
    agent: agentOf(workspace)?.id ?? "",
    version: workspace.latest_build.template_version_id
  }
  const routes = [...contract, ...apps].map((route) => ({
    ...route,
    path: route.path.replaceAll(/:(\w+)/g, (_, name: string) => values[name] ?? assert.fail(name))
  }))
  return { routes, agentToken: agentTokens[0] ?? "" }
})

/** Lets the process do what else it has to, between thousands of requests that never wait. */
const otherWork = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

const refused = new Set([303, 400, 401, 404])

const guarded = (ask: Ask) =>
  Effect.gen(function* () {
    const { agentToken, routes } = yield* situation
    const before = yield* record
    const passed: Array<string> = []
    let asked = 0
    for (const { key, method, path, wants } of routes) {
      if (wants.length === 0) continue
      yield* otherWork
      const byUser = wants.includes("UserSession")
      const tokens = ["", wrongToken, byUser ? agentToken : userToken]
      for (const { name, of } of spellings) {
        for (const token of tokens) {
          const headers: Record<string, string> = token === "" ? {} : { "coder-session-token": token }
          const status = yield* ask(method, of(path), headers)
          asked += 1
          if (!refused.has(status)) passed.push(`${status} ${key}, ${name}, ${token}`)
        }
        if (method !== "GET" && method !== "HEAD") {
          const headers = { cookie: `coder_session_token=${userToken}`, origin: "http://elsewhere.test" }
          const status = yield* ask(method, of(path), headers)
          if (!refused.has(status)) passed.push(`${status} ${key}, ${name}, from another site`)
        }
      }
    }
    assert.deepStrictEqual(passed, [])
    assert.isAbove(asked, 3000)
    assert.strictEqual(yield* record, before)
    for (const { key, method, path, wants } of routes) {
      const token = wants.includes("AgentSession") ? agentToken : userToken
      if (method !== "GET") continue
      const status = yield* ask(method, path, { "coder-session-token": token })
      assert.notInclude([303, 401], status, key)
    }
  })

describe("no spelling of a route is answered without its token, and none changes anything", () => {
  it.live(
    "over a Unix socket",
    () =>
      Effect.gen(function* () {
        const { repository } = yield* EmbeddedFixture
        yield* guarded(overSocket(join(dirname(repository), "coder.sock")))
      }).pipe(Effect.provide(embeddedOverSocket({ allowShell: true }))),
    240_000
  )

  it.live(
    "in process",
    () =>
      Effect.flatMap(CoderApp, (app) => guarded(inProcess(app))).pipe(
        Effect.provide(embeddedApp({ allowShell: true }))
      ),
    240_000
  )
})

describe("a change with a token from a cookie", () => {
  it.live("is refused by the API however it is spelled, and by an app when a page of another origin asks", () =>
    Effect.gen(function* () {
      yield* createReady("Bot-1")
      const cookie = { cookie: `coder_session_token=${userToken}` }
      for (const { of } of spellings.slice(0, 12)) {
        const { status } = yield* send("POST", of("/api/v2/users/me/workspaces"), {
          headers: cookie,
          body: { name: "x" }
        })
        assert.include([400, 404], status)
      }
      const message = (headers: Readonly<Record<string, string>>) =>
        send("POST", "/@local/Bot-1/apps/ccw/message", { headers, body: { content: "true", type: "user" } })
      assert.strictEqual((yield* message({ ...cookie, origin: "http://elsewhere.test" })).status, 400)
      assert.strictEqual((yield* message({ ...cookie, origin: "null" })).status, 400)
      assert.strictEqual((yield* message(cookie)).status, 200)
    }).pipe(Effect.provide(embeddedOverSocket({ allowShell: true })))
  )
})

it.live("an app is asked for the path that was routed, and redirected to no other host", () =>
  Effect.gen(function* () {
    yield* createReady("Bot-1")
    const headers = { "coder-session-token": userToken }
    for (const path of ["/@%6cocal/Bot-1/apps/ccw/status", "/@local/Bot-1/%61pps/ccw/status"]) {
      assert.strictEqual((yield* send("GET", path, { headers })).status, 200, path)
    }
    const { headers: answer } = yield* send("GET", "http://coder.test//@local/Bot-1/apps/ccw?x=1", { headers })
    assert.strictEqual(answer["location"], "/@local/Bot-1/apps/ccw/?x=1")
  }).pipe(Effect.provide(embeddedOverSocket({ allowShell: true })))
)
