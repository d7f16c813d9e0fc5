import { FetchHttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import { createGzip, gzipSync } from "node:zlib"
import { CoderClient } from "../../../src/layers/clients/CoderClient.ts"
import { within } from "../../../src/layers/time/Deadline.ts"
import { clientsOver } from "../../support/clients.ts"
import { me, token } from "../../support/CoderModel.ts"
import { eventually, serve } from "../../support/ScriptedCoder.ts"

// What only a real socket shows. `fetch` speaks to it, as it does to a Coder server.

const MiB = 1024 * 1024

const get = Effect.flatMap(CoderClient, (coder) => coder.users.user({ path: { user: "me" } }))
const list = Effect.flatMap(CoderClient, (coder) => coder.workspaces.list({ urlParams: { q: "owner:me" } }))
const post = Effect.flatMap(CoderClient, (coder) =>
  coder.workspaces.create({ path: { user: "me" }, payload: { name: "bot" } })
)

const at =
  (url: URL) =>
  <A, E>(effect: Effect.Effect<A, E, CoderClient>) =>
    Effect.provide(effect, clientsOver(url, FetchHttpClient.layer))

const deadline =
  (time: Duration.DurationInput) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    within(Duration.decode(time), () => "deadline" as const)(effect)

type Respond = (request: IncomingMessage, response: ServerResponse) => void

const sendJson = (response: ServerResponse, body: unknown, headers = {}) =>
  response.writeHead(200, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))

describe("redirects", () => {
  for (const status of [301, 302, 303, 307, 308]) {
    it.scopedLive(`${status}: the other origin is never contacted`, () =>
      Effect.gen(function* () {
        const other = yield* serve((_, response) => void sendJson(response, me))
        const server = yield* serve((_, response) => {
          response.writeHead(status, { location: `${other.url.origin}/steal` }).end("moved")
        })
        for (const call of [Effect.asVoid(get), Effect.asVoid(post)]) {
          const error = yield* Effect.flip(call).pipe(at(server.url))
          assert.deepStrictEqual([error.reason, error.status], ["redirect", status])
        }
        assert.strictEqual(server.received.length, 2)
        assert.strictEqual(other.received.length, 0)
        assert.strictEqual(server.received[0]?.headers["coder-session-token"], token)
        assert.isUndefined(server.received[0]?.headers["traceparent"])
      })
    )
  }

  it.scopedLive("leave no connection behind, with bodies that never end", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => {
        response.writeHead(303, { location: "/login" }).write("x".repeat(1000))
      })
      yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.flip(get)).pipe(at(server.url))
      yield* eventually("all connections closed", () => server.open.size === 0)
    })
  )
})

describe("bodies", () => {
  /** What a call against a server did to the memory of this process, at most. */
  const growth = <A, E>(effect: Effect.Effect<A, E>) =>
    Effect.gen(function* () {
      const memory = () => process.memoryUsage().rss
      const before = memory()
      let most = 0
      const watch = setInterval(() => (most = Math.max(most, memory() - before)), 10)
      const exit = yield* Effect.exit(effect)
      clearInterval(watch)
      return { exit, most: Math.max(most, memory() - before) }
    })

  it.scopedLive("a gzip bomb is cut at 2 MiB after decompression: little is read, and the connection is closed", () =>
    Effect.gen(function* () {
      const zeros = Buffer.alloc(MiB)
      const server = yield* serve((_, response) => {
        response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" })
        const gzip = createGzip()
        gzip.pipe(response)
        response.on("close", () => gzip.destroy())
        // A GiB of zeros is about one MiB on the wire.
        let left = 1024
        const more = () => {
          while (left > 0 && !gzip.destroyed && gzip.write(zeros)) left -= 1
        }
        gzip.on("drain", more)
        gzip.on("error", () => undefined)
        more()
      })
      const { exit, most } = yield* growth(Effect.flip(get).pipe(at(server.url)))
      const error = yield* exit
      assert.deepStrictEqual([error.reason, error.status], ["too_large", 200])
      yield* eventually("the connection is closed", () => server.open.size === 0)
      assert.isBelow(server.sent(), 512 * 1024)
      assert.isBelow(most, 128 * MiB)
    })
  )

  it.scopedLive("an endless body is cut at 16 MiB, and the connection is closed", () =>
    Effect.gen(function* () {
      const chunk = Buffer.alloc(64 * 1024, "x")
      const server = yield* serve((_, response) => {
        response.writeHead(200, { "content-type": "application/json" })
        const more = () => {
          while (!response.destroyed && response.write(chunk));
        }
        response.on("drain", more)
        more()
      })
      const { exit, most } = yield* growth(Effect.flip(list).pipe(at(server.url)))
      assert.strictEqual((yield* exit).reason, "too_large")
      yield* eventually("the connection is closed", () => server.open.size === 0)
      assert.isBelow(server.sent(), 24 * MiB)
      assert.isBelow(most, 192 * MiB)
    })
  )

  it.scopedLive("a compressed answer is read", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => {
        response
          .writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" })
          .end(gzipSync(JSON.stringify(me)))
      })
      assert.deepStrictEqual(yield* get.pipe(at(server.url)), me)
    })
  )

  it.scopedLive("a drip ends with the deadline, and the connection is closed", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => {
        response.writeHead(200, { "content-type": "application/json" })
        const drip = setInterval(() => response.write(" "), 20)
        response.on("close", () => clearInterval(drip))
      })
      const [took] = yield* Effect.timed(Effect.exit(get.pipe(deadline("500 millis"), at(server.url))))
      assert.isBelow(Duration.toMillis(took), 750)
      assert.strictEqual(server.received.length, 1)
      yield* eventually("the connection is closed", () => server.open.size === 0)
    })
  )

  it.scopedLive("a head that never comes ends with the deadline, and the connection is closed", () =>
    Effect.gen(function* () {
      const server = yield* serve(() => undefined)
      const [took] = yield* Effect.timed(Effect.exit(get.pipe(deadline("300 millis"), at(server.url))))
      assert.isBelow(Duration.toMillis(took), 550)
      yield* eventually("the connection is closed", () => server.open.size === 0)
    })
  )

  const broken: ReadonlyArray<readonly [string, Respond, string]> = [
    [
      "shorter than its Content-Length",
      (_, response) => {
        response.writeHead(200, { "content-type": "application/json", "content-length": "100" })
        response.write('{"id":"', () => response.socket?.destroy())
      },
      "truncated"
    ],
    [
      "reset in the middle of a chunked body",
      (_, response) => {
        response.writeHead(200, { "content-type": "application/json" })
        response.write('{"id":"', () => response.socket?.resetAndDestroy())
      },
      "truncated"
    ],
    [
      "gzip that is none",
      (_, response) => {
        response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" }).end("plain")
      },
      "truncated"
    ],
    ["reset before any answer", (_, response) => void response.socket?.resetAndDestroy(), "interrupted"],
    ["closed before any answer", (_, response) => void response.socket?.destroy(), "interrupted"],
    ["a status line of garbage", (_, response) => void response.socket?.end("HELLO\r\n\r\n"), "interrupted"],
    [
      "a header of 64 kB",
      (_, response) => {
        response.socket?.end(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(64 * 1024)}\r\n\r\n`)
      },
      "interrupted"
    ],
    [
      "two Content-Lengths",
      (_, response) => {
        response.socket?.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}")
      },
      "interrupted"
    ]
  ]
  for (const [what, respond, reason] of broken) {
    it.scopedLive(`${what}: ${reason}; a POST is sent once, a GET three times`, () =>
      Effect.gen(function* () {
        const server = yield* serve(respond)
        const posted = yield* Effect.flip(post).pipe(at(server.url))
        assert.strictEqual(posted.reason, reason)
        assert.isFalse(posted.notProcessed)
        assert.strictEqual(server.received.length, 1)
        const got = yield* Effect.flip(get).pipe(at(server.url))
        assert.strictEqual(got.reason, reason)
        assert.strictEqual(server.received.length, 4)
        if (what !== "gzip that is none") yield* eventually("all connections closed", () => server.open.size === 0)
      })
    )
  }

  it.scopedLive("after every fault the next call works", () =>
    Effect.gen(function* () {
      let turn = 0
      const server = yield* serve((request, response) => {
        const [, respond] = broken[turn] ?? broken[0] ?? assert.fail()
        return request.method === "POST" ? respond(request, response) : void sendJson(response, me)
      })
      for (turn = 0; turn < broken.length; turn++) {
        const after = Effect.zipRight(Effect.flip(post), get).pipe(at(server.url))
        assert.deepStrictEqual(yield* after, me)
      }
    })
  )
})

describe("no connection", () => {
  const refusedPort = Effect.scoped(
    Effect.map(
      serve(() => undefined),
      ({ url }) => url
    )
  )

  const unreachable: ReadonlyArray<readonly [string, Effect.Effect<URL>]> = [
    ["a port where nothing listens", refusedPort],
    ["a host that does not exist", Effect.succeed(new URL("http://fleet-mcp-test.invalid"))]
  ]
  for (const [what, where] of unreachable) {
    it.live(`${what}: unreachable, so nothing was processed`, () =>
      Effect.gen(function* () {
        const url = yield* where
        for (const call of [Effect.asVoid(get), Effect.asVoid(post)]) {
          const error = yield* Effect.flip(call).pipe(at(url))
          assert.deepStrictEqual([error.reason, error.notProcessed], ["unreachable", true], error.message)
          assert.notInclude(JSON.stringify(error), url.host)
        }
      })
    )
  }

  it.scopedLive("TLS with a server that speaks none: unreachable, and no request arrived", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => void sendJson(response, me))
      const url = new URL(server.url)
      url.protocol = "https:"
      const error = yield* Effect.flip(post).pipe(at(url))
      assert.deepStrictEqual([error.reason, error.notProcessed], ["unreachable", true], error.message)
      assert.strictEqual(server.received.length, 0)
    })
  )
})

describe("connections", () => {
  it.scopedLive("are used again", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => void sendJson(response, me))
      const exits = yield* Effect.forEach(Array.from({ length: 10 }), () => Effect.exit(get)).pipe(at(server.url))
      assert.isTrue(exits.every(Exit.isSuccess))
      assert.isAtMost(server.open.size, 2)
    })
  )
})
