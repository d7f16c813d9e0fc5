import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as ProxiedClient from "../../src/commands/ProxiedClient.ts"
import { CoderClient } from "../../src/layers/clients/CoderClient.ts"
import { translate } from "../../src/layers/repositories/translate.ts"
import { tell } from "../../src/tools/Messages.ts"
import { clientsOver, traces } from "../support/clients.ts"
import { me } from "../support/CoderModel.ts"
import { connectProxy } from "../support/ConnectProxy.ts"
import { serve } from "../support/ScriptedCoder.ts"

const get = Effect.flatMap(CoderClient, (coder) => coder.users.user({ path: { user: "me" } }))
const post = Effect.flatMap(CoderClient, (coder) =>
  coder.workspaces.create({ path: { user: "me" }, payload: { name: "bot" } })
)

const coder = serve((_, response) => {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(me))
})

const through =
  (proxy: URL, server: URL, noProxy: ReadonlyArray<string> = []) =>
  <A, E>(effect: Effect.Effect<A, E, CoderClient>) =>
    Effect.provide(effect, clientsOver(server, ProxiedClient.layer({ variable: "HTTP_PROXY", url: proxy, noProxy })))

const withPassword = (url: URL) => {
  const named = new URL(url)
  named.username = "ada"
  named.password = "p%40ss-word"
  return named
}

describe("a proxy", () => {
  it.scopedLive("carries requests through a tunnel, with its user and password and no more than it has to know", () =>
    Effect.gen(function* () {
      const proxy = yield* connectProxy()
      const server = yield* coder
      assert.deepStrictEqual(yield* get.pipe(through(withPassword(proxy.url), server.url)), me)
      const authorization = `Basic ${Buffer.from("ada:p@ss-word").toString("base64")}`
      assert.deepStrictEqual(proxy.tunnels, [{ to: server.url.host, authorization }])
      assert.deepStrictEqual(proxy.plain, [])
      assert.isUndefined(server.received[0]?.headers["proxy-authorization"])
    })
  )

  for (const [hosts, past] of [
    [["127.0.0.1"], true],
    [["example.com", "127.0.0.1"], true],
    [["*"], true],
    [["example.com", "127.0.0.10", "127.0.0.1:1"], false],
    [[], false]
  ] as const) {
    it.scopedLive(`NO_PROXY="${hosts.join(",")}": the loopback goes ${past ? "past" : "through"} it`, () =>
      Effect.gen(function* () {
        const proxy = yield* connectProxy()
        const server = yield* coder
        assert.deepStrictEqual(yield* get.pipe(through(proxy.url, server.url, hosts)), me)
        assert.strictEqual(proxy.tunnels.length, past ? 0 : 1)
      })
    )
  }

  for (const status of [403, 407, 502, 503]) {
    it.scopedLive(`that refuses with ${status} is told as the proxy's: nothing was sent, and no password is told`, () =>
      Effect.gen(function* () {
        const proxy = yield* connectProxy(status)
        const server = yield* coder
        const url = withPassword(proxy.url)
        const { errors, exit, left } = yield* traces(post.pipe(through(url, server.url)))
        const error = yield* Effect.flip(exit)
        assert.deepInclude(error, { reason: "unreachable", proxyStatus: status, status: null, notProcessed: true })
        assert.strictEqual(server.received.length, 0)
        for (const secret of ["p%40ss-word", "p@ss-word", Buffer.from("ada:p@ss-word").toString("base64")]) {
          assert.notInclude(errors, secret)
          assert.notInclude(left, secret)
        }
        const told = translate("create the agent")(error)
        assert.deepInclude(told, { _tag: "CoderUnavailable", fault: "proxy", outcome: "not_applied" })
        assert.include(told.message, `the proxy answered ${status}`)
        assert.include(JSON.stringify(tell(told)), "HTTPS_PROXY")
      })
    )
  }

  it.scopedLive("is asked again where it could not reach the server, and not where it wants a password", () =>
    Effect.gen(function* () {
      const server = yield* coder
      const asked = (status: number) =>
        Effect.gen(function* () {
          const proxy = yield* connectProxy(status)
          yield* Effect.flip(get).pipe(through(proxy.url, server.url))
          return proxy.tunnels.length
        })
      assert.deepStrictEqual([yield* asked(407), yield* asked(403), yield* asked(502)], [1, 1, 3])
    })
  )

  it.scopedLive("that is not there: nothing was sent", () =>
    Effect.gen(function* () {
      const { url } = yield* Effect.scoped(connectProxy())
      const server = yield* coder
      const error = yield* Effect.flip(post).pipe(through(url, server.url))
      assert.deepInclude(error, { reason: "unreachable", code: "ECONNREFUSED", notProcessed: true })
    })
  )
})
