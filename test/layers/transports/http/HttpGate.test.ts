import { describe, expect, it } from "@effect/vitest"
import { Effect, Logger, Redacted } from "effect"
import { once } from "node:events"
import { request as httpRequest, type IncomingMessage } from "node:http"
import { connect as connectSocket, type Socket } from "node:net"
import { join } from "node:path"
import { routes } from "../../../../src/layers/transports/http/HttpGate.ts"
import { HttpLimits } from "../../../../src/layers/transports/http/HttpLimits.ts"
import { authOf, temporaryDirectory } from "../../auth/support.ts"
import {
  bearer,
  beginSession,
  initializeMessage,
  message,
  raw,
  send,
  startServer,
  tokens,
  usual,
  type Answer,
  type Sent
} from "./HttpFixture.ts"

const httpLimits = HttpLimits.defaultValue()

const ask = (url: URL, sent: Sent) => Effect.promise(() => send(url, sent))
const told = ({ body, rawHeaders, status }: Answer) => JSON.stringify([status, rawHeaders, body])
const protectedRoutes = routes
  .filter(({ open }) => open !== true)
  .flatMap(({ methods, paths }) => paths.flatMap((path) => methods.map((method) => ({ method, path }))))

const withoutToken = usual.slice(1)
const exact = `Bearer ${tokens.main}`
const other = tokens.main.replace(/.$/, "!")

/** Forms of a request that carries no token, a wrong one, or the right one in a wrong way. */
const badAuthorizations: ReadonlyArray<{ readonly form: string; readonly sent: Sent }> = [
  { form: "missing", sent: {} },
  ...[
    "",
    "Bearer",
    "Bearer ",
    "Bearer  ",
    `Bearer\t${tokens.main}`,
    `bearer${tokens.main}`,
    `Bearers ${tokens.main}`,
    `bearer, ${tokens.main}`,
    `Bearer ${tokens.main} x`,
    `Bearer ${tokens.main},`,
    `Bearer ${tokens.main}, ${exact}`,
    `Bearer "${tokens.main}"`,
    `Bearer=${tokens.main}`,
    `Bearer:${tokens.main}`,
    `Token ${tokens.main}`,
    `Basic ${Buffer.from(`x:${tokens.main}`).toString("base64")}`,
    `Basic ${Buffer.from(tokens.main).toString("base64")}`,
    `Digest token=${tokens.main}`,
    tokens.main,
    `Bearer ${other}`,
    `Bearer ${tokens.main.slice(0, -1)}`,
    `Bearer ${tokens.main}A`,
    `Bearer ${tokens.main.toUpperCase()}`,
    `Bearer ${Buffer.from(tokens.main).toString("base64")}`,
    `Bearer ${encodeURIComponent(`${tokens.main} `)}`,
    `Bearer ${tokens.main}\u00e9`,
    "Bearer \u00ff\u00fe\u00e9",
    `Bearer null`,
    `Bearer undefined`,
    `Bearer [object Object]`,
    `Bearer ${"a".repeat(4000)}`,
    `Bearer ${"a".repeat(12_000)}`,
    `Bearer ${"a".repeat(100_000)}`
  ].map((value) => ({
    form: value.length > 80 ? `${value.length} characters` : JSON.stringify(value),
    sent: { headers: [["Authorization", value] as const] }
  })),
  { form: "twice", sent: { headers: [bearer(tokens.main), bearer(tokens.main)] } },
  { form: "twice, one wrong", sent: { headers: [bearer(other), bearer(tokens.main)] } },
  { form: "in the query", sent: { path: `?access_token=${tokens.main}&authorization=${encodeURIComponent(exact)}` } },
  { form: "in a cookie", sent: { headers: [["Cookie", `authorization=${tokens.main}; token=${tokens.main}`]] } },
  { form: "in another header", sent: { headers: [["X-Authorization", exact] as const, ["X-Api-Key", tokens.main]] } },
  { form: "for a proxy", sent: { headers: [["Proxy-Authorization", exact]] } },
  { form: "in the body", sent: { body: JSON.stringify({ headers: { authorization: exact }, token: tokens.main }) } }
]

describe("the token", () => {
  it.scopedLive.each(protectedRoutes)("is the only way to $method $path, and all refusals are the same", (route) =>
    Effect.gen(function* () {
      const { sessions, url } = yield* startServer()
      expect(badAuthorizations.length).toBeGreaterThanOrEqual(40)
      const answers = yield* Effect.forEach(badAuthorizations, ({ form, sent }) =>
        Effect.map(
          ask(url, {
            method: route.method,
            path: route.path + (sent.path ?? ""),
            headers: [...withoutToken, ...(sent.headers ?? [])],
            ...(route.method === "POST" ? { body: sent.body ?? initializeMessage } : {})
          }),
          (answer) => ({ form, told: told(answer), status: answer.status })
        )
      )
      expect(answers.filter(({ status }) => status !== 401)).toEqual([])
      expect(new Set(answers.map((answer) => answer.told)).size).toBe(1)
      const [{ told: refusal } = { told: "" }] = answers
      expect(refusal).toContain('"WWW-Authenticate","Bearer"')
      expect(refusal).not.toContain(tokens.main)
      expect(yield* sessions).toBe(0)
      const passed = yield* ask(url, {
        ...route,
        headers: usual,
        ...(route.method === "POST" ? { body: initializeMessage } : {})
      })
      expect(passed.status).toBe(route.method === "POST" ? 200 : 400)
    })
  )

  it.scopedLive("comes before the session: a stolen session id alone is worth nothing", () =>
    Effect.gen(function* () {
      const { url } = yield* startServer()
      const { id } = yield* Effect.promise(() => beginSession(url))
      const answer = yield* ask(url, { headers: [...withoutToken, ["Mcp-Session-Id", id]], body: message("ping") })
      expect(answer.status).toBe(401)
    })
  )

  it.scopedLive("is asked for before a byte of the body is read", () =>
    Effect.gen(function* () {
      const { url } = yield* startServer()
      // Nothing of the body is ever sent: who waits for it would not answer.
      const head = (extra: string) =>
        `POST /mcp HTTP/1.1\r\nHost: ${url.host}\r\nContent-Type: application/json\r\n${extra}\r\n`
      for (const extra of ["Content-Length: 1000\r\n", "Transfer-Encoding: chunked\r\n"]) {
        expect(yield* Effect.promise(() => raw(url, head(extra)))).toMatch(/^HTTP\/1\.1 401 /)
      }
      const expecting = yield* Effect.promise(() => raw(url, head("Content-Length: 1000\r\nExpect: 100-continue\r\n")))
      expect(expecting).toMatch(/^HTTP\/1\.1 401 /)
      const other = yield* Effect.promise(() => raw(url, head("Content-Length: 1000\r\nExpect: an-answer\r\n")))
      expect(other).toBe(expecting)
    })
  )

  it.scopedLive("is none in a request whose headers are longer than allowed", () =>
    Effect.gen(function* () {
      const { checked, sessions, url } = yield* startServer()
      const padded = (length: number) =>
        ask(url, { headers: [...usual, ["X-Padding", "x".repeat(length)]], body: initializeMessage })
      expect((yield* padded(httpLimits.headerSize / 2)).status).toBe(200)
      expect((yield* padded(httpLimits.headerSize)).status).toBe(401)
      expect([checked.length, yield* sessions]).toEqual([1, 1])
    })
  )

  it.scopedLive("lacking, a small body may still be sent: a proxy that sends it first does not fail", () =>
    Effect.gen(function* () {
      const { url } = yield* startServer()
      const piece = " ".repeat(httpLimits.refusedRest / 4)
      const said = yield* Effect.promise(async () => {
        const socket = connectSocket({ host: url.hostname, port: Number(url.port) })
        const end = once(socket, "end")
        socket.write(`POST /mcp HTTP/1.1\r\nHost: ${url.host}\r\nContent-Length: ${4 * piece.length}\r\n\r\n`)
        const [answer] = (await once(socket, "data")) as [Buffer]
        for (let sent = 0; sent < 4; sent++) {
          expect((await send(url, { method: "GET", path: "/health", headers: [] })).status).toBe(200)
          expect([socket.readableEnded, socket.errored]).toEqual([false, null])
          socket.write(piece)
        }
        await end
        return answer.toString()
      })
      expect(said).toMatch(/^HTTP\/1\.1 401 /)
    })
  )

  it.scopedLive.each([
    { why: "no token", line: "POST /mcp", extra: "" },
    { why: "nor with it another expectation than to go on", line: "POST /mcp", extra: "Expect: an-answer\r\n" },
    { why: "no need for one", line: "GET /health", extra: "" },
    { why: "a question first", line: "OPTIONS /mcp", extra: "Origin: https://app.example.com\r\n" }
  ])("lacking, 100 MB are not taken: $why", ({ extra, line }) =>
    Effect.gen(function* () {
      const { url } = yield* startServer({ origins: ["https://app.example.com"] })
      const megabyte = Buffer.alloc(1024 * 1024, 0x20)
      const taken = yield* Effect.promise(async () => {
        const socket = connectSocket({ host: url.hostname, port: Number(url.port) })
        socket.on("error", () => undefined)
        const closed = new Promise((resolve) => socket.once("close", resolve))
        const length = `Content-Length: ${100 * megabyte.length}\r\n`
        socket.write(`${line} HTTP/1.1\r\nHost: ${url.host}\r\n${extra}${length}\r\n`)
        await pour(socket, megabyte, 100).catch(() => undefined)
        socket.end()
        await closed
        return socket.bytesWritten
      })
      // What the two kernels hold in between is not ours to say.
      expect(taken).toBeLessThan(16 * megabyte.length)
    })
  )
})

describe("the name of the scheme", () => {
  it.scopedLive("counts in any case, with one or more spaces behind it", () =>
    Effect.gen(function* () {
      const token = Redacted.make(tokens.main)
      const { url } = yield* startServer({ auth: yield* authOf({ token, tokenFile: "/nowhere" }) })
      for (const scheme of ["Bearer ", "bearer ", "BEARER ", "bEaReR   ", `Bearer${" ".repeat(30)}`]) {
        const headers = [["Authorization", `${scheme}${tokens.main}`] as const, ...withoutToken]
        expect([scheme, (yield* ask(url, { headers, body: initializeMessage })).status]).toEqual([scheme, 200])
      }
    })
  )
})

describe("what a client accepts", () => {
  const both = "application/json, text/event-stream"
  it.scopedLive.each([
    { accept: undefined, post: 200, get: 200 },
    { accept: "*/*", post: 200, get: 200 },
    { accept: "application/*, text/*;q=0.5", post: 200, get: 200 },
    { accept: "Application/JSON, Text/Event-Stream", post: 200, get: 200 },
    { accept: both, post: 200, get: 200 },
    { accept: "text/event-stream", post: 406, get: 200 },
    { accept: "application/json", post: 406, get: 406 },
    { accept: "*/*;q=0.0", post: 406, get: 406 },
    { accept: "text/html", post: 406, get: 406 },
    { accept: "", post: 406, get: 406 }
  ])("$accept: $post, and for a stream $get", ({ accept, get, post }) =>
    Effect.gen(function* () {
      const { url } = yield* startServer()
      const own = (headers: typeof usual) => [
        ...headers.filter(([name]) => name !== "Accept"),
        ...(accept === undefined ? [] : [["Accept", accept] as const])
      ]
      expect((yield* ask(url, { headers: own(usual), body: initializeMessage })).status).toBe(post)
      const { headers } = yield* Effect.promise(() => beginSession(url))
      const stream = httpRequest(url, { method: "GET", agent: false, headers: Object.fromEntries(own(headers)) }).end()
      const [{ statusCode }] = yield* Effect.promise(() => once(stream, "response") as Promise<[IncomingMessage]>)
      stream.on("error", () => undefined).destroy()
      expect(statusCode).toBe(get)
    })
  )
})

describe("the address in the log", () => {
  const [client, proxy, claimed] = ["203.0.113.7", "127.0.0.1", "198.51.100.1"]
  it.scopedLive.each([
    { way: "said by nobody known is not believed", proxies: [], forwarded: [client], address: proxy },
    { way: "said by another than the known is not believed", proxies: [client], forwarded: [client], address: proxy },
    { way: "said by a known proxy is believed", proxies: [proxy], forwarded: [client], address: client },
    { way: "is what the proxy added", proxies: [proxy], forwarded: [`${claimed}, ${client}`], address: client },
    { way: "is what the proxy added in a line", proxies: [proxy], forwarded: [claimed, client], address: client },
    { way: "is the proxy's, which says nothing", proxies: [proxy], forwarded: [], address: proxy },
    { way: "is cut", proxies: [proxy], forwarded: ["x".repeat(1000)], address: "x".repeat(45) }
  ])("$way", ({ address, forwarded, proxies }) => {
    const lines: Array<string> = []
    const logger = Logger.map(Logger.logfmtLogger, (line) => void lines.push(line))
    return Effect.gen(function* () {
      const tokenFile = join(yield* temporaryDirectory, "auth_token")
      const { url } = yield* startServer({ proxies, auth: yield* authOf({ tokenFile }) })
      const headers = forwarded.map((value) => ["X-Forwarded-For", value] as const)
      expect((yield* ask(url, { headers, body: initializeMessage })).status).toBe(401)
      const refused = lines.find((line) => line.includes("requests without a valid token were refused"))
      expect(/ address=(\S+)/.exec(refused ?? "")?.[1]).toBe(address)
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })
})

const pour = async (socket: Socket, bytes: Uint8Array, times: number) => {
  for (let time = 0; time < times && !socket.destroyed; time++) {
    if (!socket.write(bytes)) await Promise.race([once(socket, "drain"), once(socket, "close")])
  }
}

describe("Host and Origin", () => {
  const goodHosts = ["localhost", "127.0.0.1", "[::1]", "LocalHost", "fleet.example.com", "FLEET.example.com"]
  const badHosts = [
    "evil.example",
    "localhost.",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "fleet.example.com.",
    "fleet.example.com.evil.example",
    "xfleet.example.com",
    "user@localhost",
    "localhost@evil.example",
    "localhost:1@evil.example",
    "0.0.0.0",
    "127.0.0.2",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::1",
    "localhost/",
    "localhost/../evil",
    "localhost#",
    "localhost?",
    "localhost\\evil",
    "local%68ost",
    "local\thost",
    "localhost, evil.example",
    "localhost:99999",
    "localhost:x",
    "",
    "http://localhost",
    "\u00ff"
  ]
  const goodOrigins = [undefined, "https://app.example.com"]
  const badOrigins = [
    "null",
    "https://evil.example",
    "http://app.example.com",
    "https://app.example.com.evil.example",
    ""
  ]
  const [hosts, origins] = [
    [...goodHosts.flatMap((host) => [host, `${host}:8000`, `${host}:1`]), ...badHosts],
    [...goodOrigins, ...badOrigins]
  ]

  it.scopedLive("pass only when both are known, whatever else is right", () =>
    Effect.gen(function* () {
      const { url } = yield* startServer({ hosts: ["fleet.example.com:8443"], origins: ["https://app.example.com/"] })
      let combinations = 0
      for (const host of hosts) {
        for (const origin of origins) {
          combinations++
          const bad = badHosts.includes(host) || badOrigins.includes(origin ?? "none")
          const headers = [
            ["Host", host] as const,
            ...usual,
            ...(origin === undefined ? [] : [["Origin", origin] as const])
          ]
          const answer = yield* ask(url, { headers, body: initializeMessage })
          expect([host, origin, answer.status]).toEqual([host, origin, bad ? 403 : 200])
          const cors = answer.rawHeaders.filter((name) => name.toLowerCase().startsWith("access-control-"))
          expect(cors.length > 0).toBe(origin === "https://app.example.com" && !badHosts.includes(host))
        }
      }
      expect(combinations).toBeGreaterThanOrEqual(200)
    })
  )

  it.scopedLive("may be an IPv6 address, as an option has it", () =>
    Effect.gen(function* () {
      const { url } = yield* startServer({ hosts: ["FD00::1", "[fd00::2]:8000"] })
      for (const [host, status] of [
        ["[fd00::1]:8000", 200],
        ["[fd00::2]", 200],
        ["[fd00::3]", 403]
      ] as const) {
        const answer = yield* ask(url, { headers: [["Host", host], ...usual], body: initializeMessage })
        expect([host, answer.status]).toEqual([host, status])
      }
    })
  )

  it.scopedLive("of a scheme that URL has no origin for: allowed by name, and `null` never with it", () =>
    Effect.gen(function* () {
      const { url } = yield* startServer({ origins: ["chrome-extension://fleetpage/", "file:///page.html", "null"] })
      for (const [origin, status] of [
        ["chrome-extension://fleetpage", 200],
        ["chrome-extension://otherpage", 403],
        ["file://", 403],
        ["null", 403]
      ] as const) {
        const answer = yield* ask(url, { headers: [...usual, ["Origin", origin]], body: initializeMessage })
        expect([origin, answer.status]).toEqual([origin, status])
      }
    })
  )

  it.scopedLive("are each sent once, and the target is a path", () =>
    Effect.gen(function* () {
      const { url } = yield* startServer({ origins: ["https://app.example.com"] })
      const origin = ["Origin", "https://app.example.com"] as const
      const twice = yield* ask(url, { headers: [...usual, origin, origin], body: initializeMessage })
      expect(twice.status).toBe(403)
      const [host, rest] = [`Host: ${url.host}\r\n`, `Authorization: ${exact}\r\nContent-Length: 0\r\n\r\n`]
      const first = (said: string) => said.slice(0, "HTTP/1.1 000".length)
      const hosts = yield* Effect.promise(() => raw(url, `POST /mcp HTTP/1.1\r\n${host}Host: evil.example\r\n${rest}`))
      expect(["HTTP/1.1 403", "HTTP/1.1 400"]).toContain(first(hosts))
      const absolute = yield* Effect.promise(() => raw(url, `POST http://evil.example/mcp HTTP/1.1\r\n${host}${rest}`))
      expect(first(absolute)).toBe("HTTP/1.1 404")
      const none = yield* Effect.promise(() => raw(url, `POST /mcp HTTP/1.1\r\n${rest}`))
      expect(first(none)).toBe("HTTP/1.1 400")
    })
  )

  it.scopedLive("come before the token", () =>
    Effect.gen(function* () {
      const { checked, url } = yield* startServer()
      yield* ask(url, { headers: [["Host", "evil.example"], ...usual], body: initializeMessage })
      yield* ask(url, { headers: [...usual, ["Origin", "null"]], body: initializeMessage })
      yield* ask(url, { path: "/metadata" })
      yield* ask(url, { method: "PUT" })
      expect(checked).toEqual([])
    })
  )
})

describe("routes", () => {
  it.scopedLive("other than those there are say nothing", () =>
    Effect.gen(function* () {
      const { url } = yield* startServer()
      for (const path of [
        "/",
        "/metadata",
        "/MCP",
        "/mcp//",
        "/mcp/.",
        "/mcp/x",
        "/x/../mcp",
        "/mcp;x",
        "//mcp",
        "/%6dcp",
        "/health/",
        "/.env",
        "/mcp%20"
      ]) {
        const answer = yield* ask(url, { method: "GET", path })
        expect([path, answer.status]).toEqual([path, 404])
      }
    })
  )

  it.scopedLive("have the methods they have; OPTIONS discloses nothing", () =>
    Effect.gen(function* () {
      const { url } = yield* startServer()
      const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]
      for (const { methods: served, paths } of routes) {
        for (const [path, method] of paths.flatMap((path) =>
          methods.filter((each) => !served.includes(each)).map((method) => [path, method] as const)
        )) {
          const answer = yield* ask(url, { method, path })
          expect([path, method, answer.status]).toEqual([path, method, 405])
          expect(answer.headers["allow"]).toBe(served.join(", "))
          expect(JSON.stringify(answer.rawHeaders).toLowerCase()).not.toContain("access-control")
        }
      }
    })
  )

  it.scopedLive("/health is a constant for everybody", () =>
    Effect.gen(function* () {
      const { sessions, url } = yield* startServer()
      for (const headers of [[], usual, [bearer("wrong")]]) {
        const answer = yield* ask(url, { method: "GET", path: "/health", headers })
        expect(answer).toMatchObject({ status: 200, body: '{"status":"ok"}' })
        const head = yield* ask(url, { method: "HEAD", path: "/health", headers })
        expect(head).toMatchObject({ status: 200, body: "" })
        expect(head.headers["content-length"]).toBe(answer.headers["content-length"])
      }
      expect(yield* sessions).toBe(0)
    })
  )

  it.scopedLive("a configured origin may ask first", () =>
    Effect.gen(function* () {
      const { checked, url } = yield* startServer({ origins: ["https://app.example.com"] })
      const allowed = yield* ask(url, { method: "OPTIONS", headers: [["Origin", "https://app.example.com"]] })
      expect(allowed.status).toBe(204)
      expect(allowed.headers["access-control-allow-origin"]).toBe("https://app.example.com")
      expect(allowed.headers["access-control-allow-headers"]).toContain("Authorization")
      const refused = yield* ask(url, { method: "OPTIONS", headers: [["Origin", "https://evil.example"]] })
      expect(refused.status).toBe(403)
      expect(checked).toEqual([])
    })
  )

  it.scopedLive("an upgrade is no way around", () =>
    Effect.gen(function* () {
      const { url } = yield* startServer()
      const head = `GET /mcp HTTP/1.1\r\nHost: ${url.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`
      expect(yield* Effect.promise(() => raw(url, head))).toMatch(/^HTTP\/1\.1 401 /)
    })
  )
})

describe("the body", () => {
  it.scopedLive.each([
    { type: "application/json", status: 200 },
    { type: "application/json; charset=utf-8", status: 200 },
    { type: "Application/JSON;charset=UTF-8", status: 200 },
    { type: "application/json; charset=utf-16", status: 415 },
    { type: "application/jsonx", status: 415 },
    { type: "application/json, text/plain", status: 415 },
    { type: "text/plain", status: 415 },
    { type: "text/plain; application/json", status: 415 },
    { type: "application/x-www-form-urlencoded", status: 415 },
    { type: "multipart/form-data; boundary=x", status: 415 },
    { type: "", status: 415 }
  ])("of type $type: $status", ({ status, type }) =>
    Effect.gen(function* () {
      const { url } = yield* startServer()
      const headers = usual.map(([name, value]) => [name, name === "Content-Type" ? type : value] as const)
      expect((yield* ask(url, { headers, body: initializeMessage })).status).toBe(status)
    })
  )

  it.scopedLive("that is compressed, or has no type or two, is refused", () =>
    Effect.gen(function* () {
      const { url } = yield* startServer()
      const type = ["Content-Type", "application/json"] as const
      const withoutType = usual.filter(([name]) => name !== "Content-Type")
      for (const headers of [withoutType, [...usual, type], [...usual, ["Content-Encoding", "gzip"] as const]]) {
        const { body, status } = yield* ask(url, { headers, body: initializeMessage })
        // In the words of the gate, not in those of the SDK behind it.
        expect([status, body]).toEqual([415, expect.stringContaining("Unsupported media type:")])
      }
    })
  )

  it.scopedLive("may have its limit, and not a byte more, said or unsaid", () =>
    Effect.gen(function* () {
      const { url } = yield* startServer()
      const { headers } = yield* Effect.promise(() => beginSession(url))
      expect((yield* ask(url, { headers, body: message("ping").padEnd(httpLimits.message) })).status).toBe(200)
      const head = (extra: string) =>
        `POST /mcp HTTP/1.1\r\nHost: ${url.host}\r\nAuthorization: ${exact}\r\nContent-Type: application/json\r\n${extra}\r\n\r\n`
      const said = yield* Effect.promise(() => raw(url, head(`Content-Length: ${httpLimits.message + 1}`)))
      expect(said).toMatch(/^HTTP\/1\.1 413 /)
      const chunk = `100000\r\n${" ".repeat(0x100000)}\r\n`
      const endless = head("Transfer-Encoding: chunked") + chunk.repeat(5)
      expect(yield* Effect.promise(() => raw(url, endless))).toMatch(/^HTTP\/1\.1 413 /)
    })
  )

  it.scopedLive("is one JSON-RPC message", () =>
    Effect.gen(function* () {
      const { url } = yield* startServer()
      const ping = (values: string) => `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":[${values}]}}`
      const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth)
      const deep = (depth: number) => ping(nested(depth))
      // The message, its params, and the list in them.
      const around = 3
      const wide = (part: string, parts: number) => message("ping", { a: Array.from({ length: parts }, () => part) })
      const bodies: ReadonlyArray<readonly [string | Uint8Array, number, number]> = [
        ["", 400, -32700],
        ["{", 400, -32700],
        ["not json", 400, -32700],
        [Uint8Array.of(0x22, 0xff, 0xfe, 0x22), 400, -32700],
        [deep(httpLimits.jsonDepth - around + 1), 400, -32700],
        [deep(100_000), 400, -32700],
        ["[".repeat(1_000_000), 400, -32700],
        [ping(`"\\"",${nested(100_000)}`), 400, -32700],
        ["null", 400, -32600],
        ["1", 400, -32600],
        ['"text"', 400, -32600],
        ["[]", 400, -32600],
        [`[${message("ping")}]`, 400, -32600],
        ["{}", 400, -32600],
        ['{"jsonrpc":"1.0","id":1,"method":"ping"}', 400, -32600],
        ['{"jsonrpc":"2.0","id":1}', 400, -32600],
        ['{"jsonrpc":"2.0","id":{},"method":"ping"}', 400, -32600],
        ['{"jsonrpc":"2.0","id":1e400,"method":"ping"}', 400, -32600],
        ['{"jsonrpc":"2.0","id":null,"method":"ping"}', 400, -32600],
        ['{"jsonrpc":"2.0","id":1,"method":1}', 400, -32600],
        [wide("", httpLimits.jsonParts), 400, -32700],
        [wide("[,]", httpLimits.jsonParts - 100), 400, -32000],
        [deep(httpLimits.jsonDepth - around), 400, -32000],
        [ping(`"\\"${"[".repeat(httpLimits.jsonDepth)}"`), 400, -32000]
      ]
      for (const [body, status, code] of bodies) {
        const answer = yield* ask(url, { body })
        expect([body.slice(0, 60), answer.status]).toEqual([body.slice(0, 60), status])
        expect(JSON.parse(answer.body)).toMatchObject({ jsonrpc: "2.0", error: { code } })
      }
    })
  )
})
