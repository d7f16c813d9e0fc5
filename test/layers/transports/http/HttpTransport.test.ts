import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Ref, Scope, Stream, TestClock } from "effect"
import { once } from "node:events"
import { request as httpRequest, type IncomingMessage } from "node:http"
import { connect as connectSocket } from "node:net"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import type { BearerAuth } from "../../../../src/layers/auth/BearerAuth.ts"
import { HttpLimits } from "../../../../src/layers/transports/http/HttpLimits.ts"
import {
  beginSession,
  connectClient,
  initializeMessage,
  message,
  raw,
  send,
  startServer,
  tokens,
  usual,
  type Answer
} from "./HttpFixture.ts"
import { call, makeStage, stageTools } from "../session/Session.ts"
import { CallLimits } from "../../../../src/layers/transports/session/CallLimits.ts"

const httpLimits = HttpLimits.defaultValue()

const tools = stageTools(Effect.runSync(makeStage))
const everyTool = tools.map(({ name }) => name)
const readingTools = tools.flatMap(({ hints, name }) => (hints.readOnlyHint ? [name] : []))

setFlagsFromString("--expose-gc")
const collectGarbage: () => void = runInNewContext("gc")

const callTool = (name: string, id: string | number = 7, args: object = {}) =>
  message("tools/call", { name, arguments: args }, id)

describe("a client", () => {
  it.scopedLive("lists and calls the tools", () =>
    Effect.gen(function* () {
      const { url } = yield* startServer()
      const { client } = yield* connectClient(url)
      const { tools } = yield* Effect.promise(() => client.listTools())
      expect(tools.map(({ name }) => name)).toEqual(everyTool)
      expect(yield* call(client, "echo", { text: "hi" })).toMatchObject({ text: "said: hi", isError: false })
    })
  )

  it.scopedLive.each(["HTTP/1.1\r\nConnection: close", "HTTP/1.0"])("hears the end of the connection: %j", (asked) =>
    Effect.gen(function* () {
      const { url } = yield* startServer()
      const { headers } = yield* Effect.promise(() => beginSession(url))
      const body = callTool("echo")
      const lines = [...headers, ["Host", url.host], ["Content-Length", body.length]].map((pair) => pair.join(": "))
      const request = [`POST /mcp ${asked}`, ...lines, "", body].join("\r\n")
      expect(yield* Effect.promise(() => raw(url, request))).toContain("said: hello")
    })
  )

  it.scopedLive("that sends what is no request during an answer is not answered into the midst of it", () =>
    Effect.gen(function* () {
      const { url } = yield* startServer()
      const { headers } = yield* Effect.promise(() => beginSession(url))
      const said = yield* Effect.promise(async () => {
        const socket = connectSocket({ host: url.hostname, port: Number(url.port) }).setEncoding("latin1")
        const chunks: Array<string> = []
        socket.on("error", () => undefined).on("data", (chunk: string) => chunks.push(chunk))
        const [begun, closed] = [once(socket, "data"), once(socket, "close")]
        const lines = [...headers, ["Host", url.host]].map((pair) => pair.join(": "))
        socket.write(["GET /mcp HTTP/1.1", ...lines, "", ""].join("\r\n"))
        await begun
        socket.write("no request\r\n\r\n")
        await closed
        return chunks.join("")
      })
      expect(said.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200"])
    })
  )

  it.scopedLive("sees progress of a long call", () =>
    Effect.gen(function* () {
      const { begun, release, url } = yield* startServer()
      const { client } = yield* connectClient(url)
      const seen: Array<number> = []
      const reported = yield* Deferred.make<void>()
      const onprogress = ({ progress }: { readonly progress: number }) => {
        seen.push(progress)
        Deferred.unsafeDone(reported, Effect.void)
      }
      const calling = yield* Effect.fork(
        Effect.promise(() => client.callTool({ name: "wait", arguments: {} }, undefined, { onprogress }))
      )
      yield* Deferred.await(begun)
      yield* Deferred.await(reported)
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(calling)
      expect(seen).toEqual([2])
    })
  )

  it.scopedLive("that cancels a call: the call ends, and its stream too", () =>
    Effect.gen(function* () {
      const { begun, interrupted, url } = yield* startServer()
      const { headers } = yield* Effect.promise(() => beginSession(url))
      const calling = yield* Effect.fork(Effect.promise(() => send(url, { headers, body: callTool("wait") })))
      yield* Deferred.await(begun)
      const cancelled = JSON.stringify({
        jsonrpc: "2.0",
        method: "notifications/cancelled",
        params: { requestId: 7, reason: "test" }
      })
      expect((yield* Effect.promise(() => send(url, { headers, body: cancelled }))).status).toBe(202)
      expect(yield* Fiber.join(calling)).toMatchObject({ status: 200, body: "" })
      yield* Deferred.await(interrupted)
    })
  )

  it.scopedLive("that cancels many calls: nothing of them is kept", () =>
    Effect.gen(function* () {
      const { entered, url } = yield* startServer()
      const { headers } = yield* Effect.promise(() => beginSession(url))
      const ask = (body: string) => Effect.promise(() => send(url, { headers, body }))
      const [calls, idLength] = [32, 1024 * 1024]
      const heap = () => {
        collectGarbage()
        return process.memoryUsage().heapUsed
      }
      const before = heap()
      for (let count = 1; count <= calls; count++) {
        const requestId = `${count}`.padEnd(idLength, "x")
        const calling = yield* Effect.fork(ask(callTool("wait", requestId)))
        yield* Effect.repeat(Effect.zipRight(ask(message("ping")), Ref.get(entered)), {
          until: (reached) => reached === count
        })
        yield* ask(JSON.stringify({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId } }))
        yield* Fiber.join(calling)
      }
      expect(heap() - before).toBeLessThan((calls * idLength) / 4)
    })
  )

  const disconnect = (tool: string) =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const { headers } = yield* Effect.promise(() => beginSession(server.url))
      const request = httpRequest(server.url, { method: "POST", headers: Object.fromEntries(headers) })
      request.on("error", () => undefined).end(callTool(tool))
      yield* Deferred.await(server.begun)
      request.destroy()
      return { ...server, headers }
    })

  it.scopedLive("that goes away: what only reads is interrupted", () =>
    Effect.gen(function* () {
      const { headers, interrupted, url } = yield* disconnect("wait")
      yield* Deferred.await(interrupted)
      // Its session stays: it may come back.
      expect((yield* Effect.promise(() => send(url, { headers, body: callTool("echo") }))).body).toContain(
        "said: hello"
      )
    })
  )

  it.scopedLive("that goes away: a change runs to its end", () =>
    Effect.gen(function* () {
      const { finished, release, url } = yield* disconnect("change")
      // The server has noticed when it has served another client after it.
      yield* Effect.promise(() => beginSession(url))
      yield* Deferred.succeed(release, undefined)
      yield* Deferred.await(finished)
    })
  )
})

describe("200 clients with equal request ids", () => {
  it.scopedLive("each get the answer to their own call", () =>
    Effect.gen(function* () {
      const { url } = yield* startServer()
      const clients = Array.from({ length: 200 }, (_, index) => index)
      const answers = yield* Effect.forEach(
        clients,
        (client) =>
          Effect.promise(async () => {
            const { headers } = await beginSession(url)
            const bodies: Array<string> = []
            for (const round of [1, 2]) {
              const text = `payload of ${client} in round ${round}`
              bodies.push((await send(url, { headers, body: callTool("echo", 1, { text }) })).body)
            }
            return bodies
          }),
        { concurrency: 200 }
      )
      for (const [client, bodies] of answers.entries()) {
        for (const [index, body] of bodies.entries()) {
          expect(body).toContain(`"said":"payload of ${client} in round ${index + 1}"`)
          expect(body.match(/payload of (\d+) in round (\d+)/g)).toHaveLength(2)
        }
      }
    })
  )
})

describe("a session", () => {
  const sameRole: typeof BearerAuth.Service = {
    check: ([header = ""]) => Effect.succeed({ credential: header, role: "operate" }),
    changes: Stream.never
  }

  it.scopedLive.each([
    { role: "another role", options: {} },
    { role: "the same role", options: { auth: sameRole } }
  ])("of another token, of $role, is as unknown as one that never was", ({ options }) =>
    Effect.gen(function* () {
      const { url } = yield* startServer(options)
      const { id } = yield* Effect.promise(() => beginSession(url))
      const { headers: others } = yield* Effect.promise(() => beginSession(url, tokens.operate))
      const answers = yield* Effect.forEach([id, "0b0b0b0b-0000-4000-8000-000000000000"], (session) =>
        Effect.forEach(["POST", "GET", "DELETE"], (method) => {
          const headers = [...others.slice(0, -1), ["Mcp-Session-Id", session] as const]
          return Effect.promise(() =>
            send(url, { method, headers, ...(method === "POST" ? { body: callTool("echo") } : {}) })
          )
        })
      )
      const told = answers.flat().map(({ body, rawHeaders, status }) => JSON.stringify([status, rawHeaders, body]))
      expect(new Set(told.map((each) => each)).size).toBe(1)
      expect(answers[0]?.[0]?.status).toBe(404)
      expect(JSON.parse(answers[0]?.[0]?.body ?? "")).toMatchObject({ error: { code: -32001 } })
    })
  )

  it.scopedLive("ends with DELETE, and is unknown then", () =>
    Effect.gen(function* () {
      const { sessions, url } = yield* startServer()
      const { headers } = yield* Effect.promise(() => beginSession(url))
      expect(yield* sessions).toBe(1)
      expect((yield* Effect.promise(() => send(url, { method: "DELETE", headers }))).status).toBe(200)
      expect(yield* sessions).toBe(0)
      expect((yield* Effect.promise(() => send(url, { headers, body: message("ping") }))).status).toBe(404)
    })
  )

  it.scopedLive("ends at once when its token is revoked, and those of other tokens go on", () =>
    Effect.gen(function* () {
      const { begun, interrupted, revoke, sessions, url } = yield* startServer()
      const { headers } = yield* Effect.promise(() => beginSession(url, tokens.operate))
      const { headers: others } = yield* Effect.promise(() => beginSession(url))
      const stream = yield* Effect.fork(Effect.promise(() => send(url, { method: "GET", headers })))
      const calling = yield* Effect.fork(Effect.promise(() => send(url, { headers, body: callTool("wait") })))
      yield* Deferred.await(begun)
      yield* revoke("operate")
      expect((yield* Fiber.join(calling)).status).toBe(200)
      expect((yield* Fiber.join(stream)).status).toBe(200)
      yield* Deferred.await(interrupted)
      expect(yield* sessions).toBe(1)
      expect((yield* Effect.promise(() => send(url, { headers, body: message("ping") }))).status).toBe(404)
      expect((yield* Effect.promise(() => send(url, { headers: others, body: message("ping") }))).status).toBe(200)
    })
  )

  it.scopedLive("does not begin when its token was revoked while it was asked for", () =>
    Effect.gen(function* () {
      const { checked, revoke, sessions, url } = yield* startServer()
      const { headers } = yield* Effect.promise(() => beginSession(url, tokens.operate))
      const request = httpRequest(url, {
        method: "POST",
        headers: { ...Object.fromEntries(headers.slice(0, -1)), "Content-Length": initializeMessage.length }
      })
      const response = once(request, "response") as Promise<[IncomingMessage]>
      request.write(initializeMessage.slice(0, 1))
      yield* Effect.repeat(
        Effect.promise(() => send(url, { headers: [] })),
        { until: () => checked.filter((values) => values[0]?.endsWith(tokens.operate)).length === 2 }
      )
      yield* revoke("operate")
      yield* Effect.repeat(Effect.zipRight(Effect.yieldNow(), sessions), { until: (count) => count === 0 })
      request.end(initializeMessage.slice(1))
      const [{ statusCode }] = yield* Effect.promise(() => response)
      expect(statusCode).toBe(401)
      expect(yield* sessions).toBe(0)
    })
  )

  it.scopedLive("has each id at work once; it is free again with its answer", () =>
    Effect.gen(function* () {
      const { begun, entered, release, url } = yield* startServer()
      const { headers } = yield* Effect.promise(() => beginSession(url))
      const ask = Effect.promise(() => send(url, { headers, body: callTool("wait") }))
      const first = yield* Effect.fork(ask)
      yield* Deferred.await(begun)
      const second = yield* ask
      expect([second.status, second.body]).toEqual([400, expect.stringContaining('"code":-32600')])
      yield* Deferred.succeed(release, undefined)
      expect((yield* Fiber.join(first)).body).toContain("released")
      expect((yield* ask).body).toContain("released")
      expect(yield* Ref.get(entered)).toBe(2)
    })
  )

  it.scopedLive("has one stream of its own messages: the one that was asked for last", () =>
    Effect.gen(function* () {
      const { url } = yield* startServer()
      const { headers } = yield* Effect.promise(() => beginSession(url))
      const listen = async () => {
        const stream = httpRequest(url, { method: "GET", headers: Object.fromEntries(headers) }).end()
        const [response] = (await once(stream, "response")) as [IncomingMessage]
        return response
      }
      const first = yield* Effect.promise(listen)
      const ended = once(first.resume(), "end")
      const second = yield* Effect.promise(listen)
      yield* Effect.promise(() => ended)
      expect([first.statusCode, second.statusCode, second.readableEnded]).toEqual([200, 200, false])
      second.destroy()
    })
  )

  it.scopedLive("is not asked in a version that there is not; the answer does not repeat what was sent", () =>
    Effect.gen(function* () {
      const { url } = yield* startServer()
      const { headers } = yield* Effect.promise(() => beginSession(url))
      const ask = (version: string) =>
        Effect.promise(() =>
          send(url, { headers: [...headers, ["Mcp-Protocol-Version", version]], body: message("ping") })
        )
      expect((yield* ask("2025-11-25")).status).toBe(200)
      for (const version of ["s3cret", "2026-07-28", ""]) {
        const { body, status } = yield* ask(version)
        expect([status, body]).toEqual([400, expect.stringContaining("must be one of 2025-11-25, 2025-06-18")])
        expect(body).not.toContain("s3cret")
      }
    })
  )

  it.scopedLive("is wanted for everything but initialize", () =>
    Effect.gen(function* () {
      const { sessions, url } = yield* startServer()
      for (const sent of [{ body: message("ping") }, { method: "GET" }, { method: "DELETE" }]) {
        const { body, status } = yield* Effect.promise(() => send(url, sent))
        expect([status, body]).toEqual([400, expect.stringContaining("Mcp-Session-Id header is required")])
        expect(yield* sessions).toBe(0)
      }
    })
  )

  it.scopedLive("that fails to begin leaves nothing behind", () =>
    Effect.gen(function* () {
      const { sessions, url } = yield* startServer()
      expect((yield* Effect.promise(() => send(url, { body: message("initialize", {}) }))).status).toBe(400)
      // What a client says of itself would be kept for as long as the session.
      const padded = (length: number) => initializeMessage.replace('"test"', `"${"t".repeat(length)}"`)
      const long = yield* Effect.promise(() => send(url, { body: padded(httpLimits.initialize) }))
      expect(long.status).toBe(413)
      expect(yield* sessions).toBe(0)
    })
  )
})

describe("sessions", () => {
  it.scopedLive("whose client has gone before they are connected end", () =>
    Effect.gen(function* () {
      const connecting = yield* Deferred.make<void>()
      const ended = yield* Deferred.make<void>()
      const { sessions, url } = yield* startServer({
        connect: () =>
          Effect.acquireRelease(Deferred.succeed(connecting, undefined), () => Deferred.succeed(ended, undefined)).pipe(
            Effect.zipRight(Effect.never)
          )
      })
      const request = httpRequest(url, { method: "POST", headers: Object.fromEntries(usual) })
      request.on("error", () => undefined).end(initializeMessage)
      yield* Deferred.await(connecting)
      expect(yield* sessions).toBe(1)
      request.destroy()
      yield* Deferred.await(ended)
      expect(yield* sessions).toBe(0)
    })
  )

  it.scoped("that go unused for an hour end; an open stream is use", () =>
    Effect.gen(function* () {
      const { sessions, url } = yield* startServer()
      const { headers: unused } = yield* Effect.promise(() => beginSession(url))
      const { headers } = yield* Effect.promise(() => beginSession(url))
      const stream = httpRequest(url, { method: "GET", headers: Object.fromEntries(headers) }).end()
      stream.on("error", () => undefined)
      yield* Effect.promise(() => once(stream, "response"))
      yield* TestClock.adjust(httpLimits.sessionIdle)
      yield* TestClock.adjust(httpLimits.sessionSweep)
      expect(yield* sessions).toBe(1)
      expect((yield* Effect.promise(() => send(url, { headers: unused, body: message("ping") }))).status).toBe(404)
      expect((yield* Effect.promise(() => send(url, { headers, body: message("ping") }))).status).toBe(200)
      stream.destroy()
    })
  )

  it.scoped("beyond the cap take the place of the one unused for longest", () =>
    Effect.gen(function* () {
      const { sessions, url } = yield* startServer()
      const { headers: first } = yield* Effect.promise(() => beginSession(url))
      const { headers: second } = yield* Effect.promise(() => beginSession(url))
      yield* Effect.forEach(
        Array.from({ length: httpLimits.sessions - 2 }),
        () => Effect.promise(() => beginSession(url)),
        { concurrency: 50 }
      )
      expect(yield* sessions).toBe(httpLimits.sessions)
      yield* TestClock.adjust("1 millis")
      expect((yield* Effect.promise(() => send(url, { headers: first, body: message("ping") }))).status).toBe(200)
      yield* Effect.promise(() => beginSession(url))
      expect(yield* sessions).toBe(httpLimits.sessions)
      expect((yield* Effect.promise(() => send(url, { headers: second, body: message("ping") }))).status).toBe(404)
      expect((yield* Effect.promise(() => send(url, { headers: first, body: message("ping") }))).status).toBe(200)
    })
  )
})

describe("sessions in use", () => {
  it.scopedLive("do not make room: beyond the cap a new one is refused, until one goes unused", () =>
    Effect.gen(function* () {
      const { sessions, url } = yield* startServer()
      const listen = Effect.promise(async () => {
        const { headers } = await beginSession(url)
        const stream = httpRequest(url, { method: "GET", headers: Object.fromEntries(headers) }).end()
        stream.on("error", () => undefined)
        await once(stream, "response")
        return { headers, stream }
      })
      const begin = Effect.promise(() => send(url, { body: initializeMessage }))
      const first = yield* listen
      const [second] = yield* Effect.forEach(Array.from({ length: httpLimits.sessions - 1 }), () => listen, {
        concurrency: 50
      })
      const { headers, status } = yield* begin
      expect([status, headers["retry-after"], yield* sessions]).toEqual([503, "1", httpLimits.sessions])
      first.stream.destroy()
      yield* Effect.repeat(begin, { until: (answer) => answer.status === 200 })
      const ping = (headers: typeof first.headers) =>
        Effect.promise(() => send(url, { headers, body: message("ping") }))
      expect((yield* ping(first.headers)).status).toBe(404)
      expect((yield* ping(second?.headers ?? [])).status).toBe(200)
      expect(yield* sessions).toBe(httpLimits.sessions)
    })
  )
})

describe("roles", () => {
  it.scopedLive.each([
    { role: "main", names: everyTool, refused: false },
    { role: "operate", names: everyTool, refused: false },
    { role: "approve", names: everyTool, refused: false },
    { role: "read", names: readingTools, refused: true }
  ] as const)("$role sees and may call what it should", ({ names, refused, role }) =>
    Effect.gen(function* () {
      const { entered, release, url } = yield* startServer()
      yield* Deferred.succeed(release, undefined)
      const { client } = yield* connectClient(url, tokens[role])
      const { tools } = yield* Effect.promise(() => client.listTools())
      expect(tools.map(({ name }) => name)).toEqual(names)
      const { isError, text } = yield* call(client, "change")
      expect(isError).toBe(refused)
      if (refused) expect(text).toMatch(/the role read: change was not called.*\noutcome: not_applied$/s)
      expect(yield* Ref.get(entered)).toBe(refused ? 0 : 1)
    })
  )

  it.scopedLive("a read-only server wins over all of them", () =>
    Effect.gen(function* () {
      const { entered, url } = yield* startServer({ readOnly: "server" })
      for (const token of Object.values(tokens)) {
        const { client } = yield* connectClient(url, token)
        expect((yield* call(client, "change")).text).toContain("--read-only")
      }
      expect(yield* Ref.get(entered)).toBe(0)
    })
  )
})

describe("load", () => {
  it.scopedLive("beyond a client's queue a call is refused at once; others are served", () =>
    Effect.gen(function* () {
      const { release, url } = yield* startServer()
      const { headers } = yield* Effect.promise(() => beginSession(url))
      const places = CallLimits.defaultValue().concurrent + httpLimits.queue
      const excess = 5
      const refused: Array<Answer> = []
      const allRefused = yield* Deferred.make<void>()
      const calls = yield* Effect.fork(
        Effect.forEach(
          Array.from({ length: places + excess }, (_, index) => index + 1),
          (id) =>
            Effect.promise(async () => {
              const answer = await send(url, { headers, body: callTool("wait", id) })
              if (!answer.body.includes("retry_after_ms")) return answer
              expect(JSON.parse(answer.body)).toMatchObject({ id, error: { data: { retry_after_ms: 1000 } } })
              refused.push(answer)
              if (refused.length === excess) Deferred.unsafeDone(allRefused, Effect.void)
              return answer
            }),
          { concurrency: "unbounded" }
        )
      )
      yield* Deferred.await(allRefused)
      const { headers: others } = yield* Effect.promise(() => beginSession(url))
      const other = yield* Effect.promise(() => send(url, { headers: others, body: callTool("echo") }))
      expect(other.body).toContain("said")
      yield* Deferred.succeed(release, undefined)
      const answers = yield* Fiber.join(calls)
      expect(answers.filter(({ body }) => body.includes("released"))).toHaveLength(places)
      expect(refused).toHaveLength(excess)
      expect(refused.every(({ status }) => status === 200)).toBe(true)
    })
  )
})

describe("the load of all clients", () => {
  it.scopedLive("has a limit: a call beyond it is refused at once, everything else is served", () =>
    Effect.gen(function* () {
      const { release, url } = yield* startServer()
      const places = CallLimits.defaultValue().concurrent + httpLimits.queue
      const clients = yield* Effect.forEach(Array.from({ length: Math.ceil(httpLimits.calls / places) + 1 }), () =>
        Effect.promise(() => beginSession(url))
      )
      const refused = yield* Deferred.make<Answer>()
      const calls = yield* Effect.fork(
        Effect.forEach(
          Array.from({ length: httpLimits.calls + 1 }, (_, index) => index),
          (id) =>
            Effect.promise(async () => {
              const answer = await send(url, {
                headers: clients[id % clients.length]?.headers ?? [],
                body: callTool("wait", id)
              })
              if (answer.status !== 200) Deferred.unsafeDone(refused, Effect.succeed(answer))
              return answer
            }),
          { concurrency: "unbounded" }
        )
      )
      const { headers, status } = yield* Deferred.await(refused)
      expect([status, headers["retry-after"]]).toEqual([503, "1"])
      const { headers: others } = yield* Effect.promise(() => beginSession(url))
      expect((yield* Effect.promise(() => send(url, { headers: others, body: callTool("echo") }))).status).toBe(503)
      expect((yield* Effect.promise(() => send(url, { headers: others, body: message("ping") }))).status).toBe(200)
      yield* Deferred.succeed(release, undefined)
      const answers = yield* Fiber.join(calls)
      expect(answers.filter(({ body }) => body.includes("released"))).toHaveLength(httpLimits.calls)
    })
  )
})

describe("waits of all clients", () => {
  it.scopedLive("take no place of a call, and have a limit of their own", () =>
    Effect.gen(function* () {
      const { entered, release, url } = yield* startServer()
      const clients = yield* Effect.forEach([1, 2], () => Effect.promise(() => beginSession(url)))
      const ask = (tool: string, id: number) =>
        Effect.promise(() => send(url, { headers: clients[id % 2]?.headers ?? [], body: callTool(tool, id) }))
      const waits = yield* Effect.fork(
        Effect.forEach([1, 2, 3, 4], (id) => ask("wait_long", id), { concurrency: "unbounded" })
      )
      const ping = Effect.promise(() =>
        send(url, { headers: clients[0]?.headers ?? [], body: message("ping", undefined, 8) })
      )
      yield* Effect.repeat(Effect.zipRight(ping, Ref.get(entered)), { until: (count) => count === 4 })
      expect((yield* ask("echo", 5)).body).toContain("said: hello")
      const more = yield* ask("wait_long", 6)
      expect([more.status, more.headers["retry-after"]]).toEqual([503, "1"])
      expect(more.body).toContain("Too many waits")
      yield* Deferred.succeed(release, undefined)
      expect((yield* Fiber.join(waits)).map(({ status }) => status)).toEqual([200, 200, 200, 200])
      expect((yield* ask("wait_long", 7)).status).toBe(200)
    }).pipe(Effect.provideService(HttpLimits, { ...httpLimits, calls: 2, waits: 4 }))
  )
})

describe("the end of the server", () => {
  /** A request whose body the server waits for; answers how to send it, and the status of the answer. */
  const sendSlowly = async (url: URL, headers: ReadonlyArray<readonly [string, string]>, body: string) => {
    const expecting = { ...Object.fromEntries(headers), Expect: "100-continue" }
    const request = httpRequest(url, { method: "POST", agent: false, headers: expecting })
    request.flushHeaders()
    await once(request, "continue")
    return async () => {
      request.end(body)
      const [response] = (await once(request, "response")) as [IncomingMessage]
      return response.resume().statusCode
    }
  }

  it.live("refuses new calls, and lets those at work end", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { begun, release, sessions, url } = yield* Scope.extend(startServer(), scope)
      const { headers } = yield* Effect.promise(() => beginSession(url))
      const calling = yield* Effect.fork(Effect.promise(() => send(url, { headers, body: callTool("change") })))
      yield* Deferred.await(begun)
      const late = yield* Effect.forEach(
        [
          [headers, message("ping")],
          [usual, initializeMessage]
        ] as const,
        ([known, body]) => Effect.promise(() => sendSlowly(url, known, body))
      )
      const ending = yield* Effect.fork(Scope.close(scope, Exit.void))
      const refused = yield* Effect.repeat(
        Effect.promise(() => send(url, { headers, body: message("ping") })),
        { until: ({ status }) => status !== 200 }
      )
      for (const finish of late) expect(yield* Effect.promise(finish)).toBe(503)
      expect(refused.status).toBe(503)
      expect(refused.headers["retry-after"]).toBe("1")
      expect((yield* Effect.promise(() => send(url, { method: "GET", headers }))).status).toBe(503)
      expect((yield* Effect.promise(() => send(url, { body: initializeMessage }))).status).toBe(503)
      expect(yield* sessions).toBe(1)
      yield* Deferred.succeed(release, undefined)
      expect((yield* Fiber.join(calling)).body).toContain("released")
      yield* Fiber.join(ending)
      const after = yield* Effect.promise(() =>
        send(url, { headers: usual }).then(
          () => "answered",
          () => "gone"
        )
      )
      expect(after).toBe("gone")
    })
  )
})
