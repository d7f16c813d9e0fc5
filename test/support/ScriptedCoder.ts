import { HttpClient, HttpClientError, HttpClientResponse, type HttpClientRequest } from "@effect/platform"
import { Clock, Duration, Effect } from "effect"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"

// Servers for tests that hold the truth about what reached them, and can be made to misbehave: in process, on the
// test's clock, or on a real socket of the loopback.

/** A request as a server saw it. `body` is parsed JSON, or undefined. */
export interface Received {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
  /** Milliseconds of the test's clock. */
  readonly at: number
}

/** What a server says: `body` as JSON, or `text` as it is. */
export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: unknown
  readonly text?: string | undefined
}

/** A server in process: it has done what it was asked for when it returns. */
export type Handler = (request: Received) => Answer

export const json = (status: number, body: unknown, headers?: Record<string, string>): Answer => ({
  status,
  body,
  headers
})

export const html = (status: number, headers?: Record<string, string>): Answer => ({
  status,
  text: "<!doctype html><html><body>Sign in</body></html>",
  headers: { "content-type": "text/html; charset=utf-8", ...headers }
})

type Response = Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>

const bodyOf = (request: HttpClientRequest.HttpClientRequest): unknown => {
  if (request.body._tag !== "Uint8Array") return undefined
  return JSON.parse(new TextDecoder().decode(request.body.body)) as unknown
}

/** An answer as it comes off the wire. */
const toResponse = (request: HttpClientRequest.HttpClientRequest, { body, headers, status, text }: Answer) => {
  const content = text ?? (body === undefined ? null : JSON.stringify(body))
  const type = text === undefined && body !== undefined ? { "content-type": "application/json; charset=utf-8" } : {}
  return HttpClientResponse.fromWeb(
    request,
    new Response(content === "" ? null : content, { status, headers: { ...type, ...headers } })
  )
}

const received = (request: HttpClientRequest.HttpClientRequest, url: URL) =>
  Effect.map(Clock.currentTimeMillis, (at): Received => ({
    method: request.method,
    path: url.pathname,
    query: url.searchParams,
    headers: request.headers,
    body: bodyOf(request),
    at
  }))

/** An `HttpClient` whose only server is `handler`. */
export const clientOf = (handler: Handler): HttpClient.HttpClient =>
  HttpClient.make((request, url) =>
    Effect.map(received(request, url), (one) => toResponse(request, handler(one)))
  ).pipe(HttpClient.withTracerDisabledWhen(() => true))

/** What a proxy does with a request; `forward` has it processed, and gives the answer. */
export type Fault = (forward: Response, request: HttpClientRequest.HttpClientRequest) => Response

const transport = (request: HttpClientRequest.HttpClientRequest, code: string, syscall?: string) =>
  new HttpClientError.RequestError({
    request,
    reason: "Transport",
    cause: Object.assign(new TypeError("fetch failed"), { cause: Object.assign(new Error(code), { code, syscall }) })
  })

/** The connection breaks before the request was processed. */
export const dropBefore: Fault = (_, request) => Effect.fail(transport(request, "ECONNRESET"))

/** The request is processed, then the connection breaks. */
export const dropAfter: Fault = (forward, request) => Effect.zipRight(forward, dropBefore(forward, request))

/** No connection at all. */
export const refused: Fault = (_, request) => Effect.fail(transport(request, "ECONNREFUSED"))

/** A call of the system fails with that code. */
export const broken =
  (code: string, syscall: string): Fault =>
  (_, request) =>
    Effect.fail(transport(request, code, syscall))

/** Nothing ever comes back: not processed, or processed. */
export const hangBefore: Fault = () => Effect.never
export const hangAfter: Fault = (forward) => Effect.zipRight(forward, Effect.never)

/** Another answer than the server's: without asking it, or after it processed the request. */
export const answer =
  (instead: Answer): Fault =>
  (_, request) =>
    Effect.succeed(toResponse(request, instead))
export const answerAfter =
  (instead: Answer): Fault =>
  (forward, request) =>
    Effect.zipRight(forward, answer(instead)(forward, request))

/** Answers by `fault`, and the server processes the request only after `time`. */
export const processedLate =
  (time: Duration.DurationInput, fault: Fault): Fault =>
  (forward, request) =>
    Effect.zipRight(Effect.forkDaemon(Effect.delay(forward, time)), fault(forward, request))

export const delayed =
  (time: Duration.DurationInput): Fault =>
  (forward) =>
    Effect.delay(forward, time)

/** Processed, but the answer ends in the middle. */
export const truncatedAfter: Fault = (forward, request) =>
  Effect.map(forward, (response) =>
    HttpClientResponse.fromWeb(
      request,
      new Response(
        new ReadableStream<Uint8Array>({
          start: (controller) => {
            controller.enqueue(new TextEncoder().encode('{"id":"'))
            controller.error(new TypeError("terminated"))
          }
        }),
        { status: response.status, headers: { "content-type": "application/json" } }
      )
    )
  )

/** A proxy with faults by request, in front of any server. It remembers all that it was asked. */
export class Proxy {
  readonly received: Array<Received> = []
  readonly #rules: Array<{ readonly pattern: RegExp; readonly fault: Fault; left: number }> = []

  /** Requests whose `METHOD /path` matches meet `fault`, so many times; the rule added last comes first. */
  on(pattern: RegExp, fault: Fault, times = Infinity): this {
    this.#rules.unshift({ pattern, fault, left: times })
    return this
  }

  /** What was asked for, as `METHOD /path`. */
  asked(pattern = /./): ReadonlyArray<string> {
    return this.received.map(({ method, path }) => `${method} ${path}`).filter((line) => pattern.test(line))
  }

  get mutations(): ReadonlyArray<string> {
    return this.asked(/^(?!GET)/)
  }

  inFrontOf(server: HttpClient.HttpClient): HttpClient.HttpClient {
    return HttpClient.make((request, url) =>
      Effect.flatMap(received(request, url), (one) => {
        this.received.push(one)
        const line = `${one.method} ${one.path}`
        const rule = this.#rules.find(({ left, pattern }) => left > 0 && pattern.test(line))
        const forward = server.execute(request)
        if (rule === undefined) return forward
        rule.left -= 1
        return rule.fault(forward, request)
      })
    ).pipe(HttpClient.withTracerDisabledWhen(() => true))
  }
}

/** A real server: where it is, what it was asked, and which connections that brought a request are open. */
export interface Served {
  readonly url: URL
  readonly received: ReadonlyArray<Omit<Received, "at" | "body">>
  readonly open: ReadonlySet<Socket>
  /** Bytes that left for clients. */
  readonly sent: () => number
}

/** A real HTTP server on the loopback, for as long as the scope is open. */
export const serve = (respond: (request: IncomingMessage, response: ServerResponse) => void) =>
  Effect.acquireRelease(
    Effect.async<Served & { readonly close: Effect.Effect<void> }>((resume) => {
      const asked: Array<Omit<Received, "at" | "body">> = []
      const open = new Set<Socket>()
      let closed = 0
      const server = createServer((request, response) => {
        const url = new URL(request.url ?? "/", "http://localhost")
        asked.push({
          method: request.method ?? "",
          path: url.pathname,
          query: url.searchParams,
          headers: request.headers as Record<string, string>
        })
        open.add(request.socket)
        respond(request, response)
      })
      const sockets = new Set<Socket>()
      server.on("connection", (socket) => {
        sockets.add(socket)
        socket.on("error", () => undefined)
        socket.on("close", () => {
          closed += socket.bytesWritten
          open.delete(socket)
          sockets.delete(socket)
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resume(
          Effect.succeed({
            url: new URL(`http://127.0.0.1:${port}`),
            received: asked,
            open,
            sent: () => [...open].reduce((sum, socket) => sum + socket.bytesWritten, closed),
            close: Effect.async<void>((done) => {
              for (const socket of sockets) socket.destroy()
              server.close(() => done(Effect.void))
            })
          })
        )
      })
    }),
    ({ close }) => close
  )

/** Real time until `ready`; for sockets only. */
export const eventually = (what: string, ready: () => boolean, millis = 1000): Effect.Effect<void> =>
  Effect.promise(async () => {
    for (let waited = 0; !ready(); waited += 10) {
      if (waited > millis) throw new Error(`not seen within ${millis} ms: ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  })

/** A server in process as one on a socket. */
export const answering =
  (handler: Handler) =>
  (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.once("end", () => {
      const url = new URL(request.url ?? "/", "http://localhost")
      const sent = Buffer.concat(chunks).toString()
      const { body, headers, status, text } = handler({
        method: request.method ?? "",
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers as Record<string, string>,
        body: sent === "" ? undefined : (JSON.parse(sent) as unknown),
        at: Date.now()
      })
      response.writeHead(status, { "content-type": "application/json", ...headers })
      response.end(text ?? (body === undefined ? "" : JSON.stringify(body)))
    })
  }
