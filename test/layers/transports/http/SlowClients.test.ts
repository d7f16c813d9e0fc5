import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { connect as connectSocket, type Socket } from "node:net"
import { HttpLimits } from "../../../../src/layers/transports/http/HttpLimits.ts"
import { beginSession, bearer, message, raw, send, startServer, tokens, usual, type Answer } from "./HttpFixture.ts"
import { AnswerLimits } from "../../../../src/tools/AnswerLimits.ts"

// The times are short here; bench/slow.ts attacks a server that has those of every user.

const httpLimits = HttpLimits.defaultValue()
const short = {
  headersTimeout: Duration.millis(300),
  requestTimeout: Duration.millis(600),
  timeoutCheck: Duration.millis(50),
  silence: Duration.seconds(1)
}

/** A server with other limits than those of every user. */
const startWith = (limits: Partial<HttpLimits["Type"]>) =>
  Effect.provideService(startServer(), HttpLimits, { ...httpLimits, ...limits })

const crowd = 100
const readers = 2
const megabyte = 1024 * 1024
/** Each has its text twice: 48 MB, more than kernels hold in between (Linux: up to 32 MiB to read, 4 MiB to write). */
const answersOfReader = 24

interface SlowClient {
  readonly socket: Socket
  /** All that the server said, once it has hung up. */
  readonly end: Promise<string>
}

/** A connection that sends what it is told to, and listens, unless it is `deaf`. */
const open = ({ hostname, port }: URL, begin: string, deaf = false): Promise<SlowClient> => {
  const socket = connectSocket({ host: hostname, port: Number(port) })
  let said = ""
  socket.setEncoding("latin1").on("data", (text: string) => {
    said += text
  })
  if (deaf) socket.pause()
  socket.on("error", () => undefined)
  const end = new Promise<string>((resolve) => socket.once("close", () => resolve(said)))
  return new Promise((resolve) => socket.write(begin, () => resolve({ socket, end })))
}

/** Sends a piece again and again, until the server hangs up. */
const drip =
  (piece: string) =>
  ({ socket }: SlowClient): void => {
    const timer = setInterval(() => socket.write(piece), 20)
    socket.once("close", () => clearInterval(timer))
  }

const head = (url: URL, ...headers: ReadonlyArray<readonly [string, string]>) =>
  ["POST /mcp HTTP/1.1", `Host: ${url.host}`, ...headers.map(([name, value]) => `${name}: ${value}`)].join("\r\n")

const bodyHead = (url: URL, ...more: ReadonlyArray<readonly [string, string]>) =>
  `${head(url, ...usual, ...more)}\r\n\r\n`

/** Serves a client as ever until the server has hung up on all the others; answers what these were told. */
const whileServing = (
  { connections, url }: { readonly connections: Effect.Effect<number>; readonly url: URL },
  slow: (url: URL) => Promise<SlowClient>,
  begin: (client: SlowClient) => void = () => undefined,
  count = crowd
) =>
  Effect.gen(function* () {
    const { headers } = yield* Effect.promise(() => beginSession(url))
    const clients = yield* Effect.promise(() => Promise.all(Array.from({ length: count }, () => slow(url))))
    clients.forEach(begin)
    const answers: Array<Answer> = []
    const serveOne = Effect.promise(async () => {
      answers.push(await send(url, { headers, body: message("ping") }))
    })
    // The connection of this client itself may still be there.
    yield* Effect.repeat(Effect.zipRight(serveOne, connections), { until: (open) => open <= 1 })
    expect(answers.every(({ body, status }) => status === 200 && body.includes('"result":{}'))).toBe(true)
    for (const { socket } of clients) socket.resume()
    return yield* Effect.promise(() => Promise.all(clients.map(({ end }) => end)))
  })

const timedOut = /^HTTP\/1\.1 408 Request Timeout\r\nConnection: close\r\n\r\n$/

describe("clients that keep the server waiting are hung up on, and others are served meanwhile:", () => {
  it.scopedLive("half-open ones, which never say a word", () =>
    Effect.gen(function* () {
      const server = yield* startWith(short)
      const ends = yield* whileServing(server, (to) => open(to, ""))
      expect(ends.every((said) => said === "" || timedOut.test(said))).toBe(true)
    })
  )

  it.scopedLive("headers that come one by one, and never whole", () =>
    Effect.gen(function* () {
      const server = yield* startWith({ ...short, requestTimeout: Duration.hours(1) })
      const ends = yield* whileServing(
        server,
        (to) => open(to, `${head(to, bearer(tokens.main))}\r\n`),
        drip("X-More: x\r\n")
      )
      expect(ends.every((said) => timedOut.test(said) || said.startsWith("HTTP/1.1 401 "))).toBe(true)
      expect(server.checked.every(([header]) => header === bearer(tokens.main)[1])).toBe(true)
    })
  )

  it.scopedLive("a body of which nothing comes", () =>
    Effect.gen(function* () {
      const server = yield* startWith(short)
      const ends = yield* whileServing(server, (to) => open(to, bodyHead(to, ["Content-Length", "1000"])))
      expect(ends.every((said) => timedOut.test(said))).toBe(true)
    })
  )

  it.scopedLive("an endless body, byte by byte", () =>
    Effect.gen(function* () {
      const server = yield* startWith(short)
      const ends = yield* whileServing(
        server,
        (to) => open(to, bodyHead(to, ["Transfer-Encoding", "chunked"])),
        drip("1\r\n \r\n")
      )
      expect(ends.every((said) => timedOut.test(said))).toBe(true)
    })
  )

  it.scopedLive("answers that nobody takes", () =>
    Effect.gen(function* () {
      const server = yield* startWith({
        ...short,
        headersTimeout: Duration.hours(1),
        requestTimeout: Duration.hours(1)
      })
      const text = "x".repeat(megabyte)
      const body = message("tools/call", { name: "echo", arguments: { text } })
      const ends = yield* whileServing(
        server,
        async (url) => {
          const { headers } = await beginSession(url)
          const asking = `${head(url, ...headers, ["Content-Length", `${body.length}`])}\r\n\r\n${body}`
          return open(url, asking.repeat(answersOfReader), true)
        },
        () => undefined,
        readers
      )
      expect(ends.every((said) => said.length < 2 * answersOfReader * megabyte)).toBe(true)
    }).pipe(Effect.provideService(AnswerLimits, { text: 2 * megabyte, structured: 2 * megabyte }))
  )
})

describe("connections", () => {
  it.scopedLive("beyond the cap are hung up on at once, and the others are served", () =>
    Effect.gen(function* () {
      const forever = Duration.hours(1)
      const { url } = yield* startWith({ headersTimeout: forever, requestTimeout: forever, silence: forever })
      const [first] = yield* Effect.forEach(
        Array.from({ length: httpLimits.connections }),
        () => Effect.promise(() => open(url, "")),
        { concurrency: 100 }
      )
      const asking = `GET /health HTTP/1.1\r\nHost: ${url.host}\r\nConnection: close\r\n\r\n`
      const ask = Effect.promise(() => raw(url, asking))
      expect(yield* ask).toBe("")
      first?.socket.write(asking)
      expect(yield* Effect.promise(async () => first?.end)).toMatch(/^HTTP\/1\.1 200 /)
      expect(yield* Effect.repeat(ask, { until: (said) => said !== "" })).toMatch(/^HTTP\/1\.1 200 /)
    })
  )
})
