import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { Effect, Queue, Stream } from "effect"
import { request as httpRequest, type IncomingHttpHeaders } from "node:http"
import { connect as connectSocket } from "node:net"
import { Refused, type BearerAuth, type Caller } from "../../../../src/layers/auth/BearerAuth.ts"
import * as HttpTransport from "../../../../src/layers/transports/http/HttpTransport.ts"
import { keep, secrets } from "../../../support/Secrets.ts"
import { nothing, stageTools, makeStage } from "../session/Session.ts"

/** The tokens of the tests. */
export const tokens = {
  main: secrets.mainToken,
  read: secrets.readToken,
  operate: secrets.operateToken,
  approve: secrets.approveToken
} as const

const callers = new Map<string, Caller>(
  Object.entries(tokens).map(([role, token]) => [
    `Bearer ${token}`,
    { credential: role, role: role as keyof typeof tokens }
  ])
)

/** A server with tools that do nothing but what a transport has to cope with, and tokens for every role. */
export const startServer = ({
  readOnly,
  ...options
}: Partial<HttpTransport.HttpTransportOptions> & { readonly readOnly?: "server" } = {}) =>
  Effect.gen(function* () {
    const stage = yield* makeStage
    const revoked = yield* Queue.unbounded<string>()
    const checked: Array<ReadonlyArray<string>> = []
    const auth: typeof BearerAuth.Service = {
      check: (headers) =>
        Effect.suspend(() => {
          checked.push(headers)
          const caller = headers.length === 1 ? callers.get(headers[0] ?? "") : undefined
          return caller === undefined ? Effect.fail(new Refused()) : Effect.succeed(caller)
        }),
      changes: Stream.fromQueue(revoked)
    }
    const server = yield* HttpTransport.serve({
      host: "127.0.0.1",
      port: 0,
      hosts: [],
      origins: [],
      proxies: [],
      auth,
      connect: yield* HttpTransport.sessions({
        place: "in this test.",
        tools: Effect.succeed(stageTools(stage)),
        services: nothing,
        readOnly
      }),
      ...options
    })
    const url = new URL(`http://127.0.0.1:${server.port}/mcp`)
    return { ...stage, ...server, url, revoke: (credential: string) => Queue.offer(revoked, credential), checked }
  })

/** A client of the SDK with one of the tokens. */
export const connectClient = (url: URL, token: string = tokens.main) =>
  Effect.gen(function* () {
    const transport = new StreamableHTTPClientTransport(url, {
      requestInit: { headers: { Authorization: `Bearer ${token}` } }
    })
    const client = new Client({ name: "test", version: "1" })
    yield* Effect.acquireRelease(
      Effect.promise(() => client.connect(transport)),
      () => Effect.promise(() => client.close())
    )
    return { client, transport }
  })

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: ReadonlyArray<string>
  readonly body: string
}

export interface Sent {
  readonly method?: string
  readonly path?: string
  /** Names and values in turn: they reach the server as they are. */
  readonly headers?: ReadonlyArray<readonly [string, string]>
  readonly body?: string | Uint8Array
}

export const bearer = (token: string) => ["Authorization", `Bearer ${token}`] as const

/** The headers of an ordinary request with the main token. */
export const usual: ReadonlyArray<readonly [string, string]> = [
  bearer(tokens.main),
  ["Content-Type", "application/json"],
  ["Accept", "application/json, text/event-stream"]
]

export const message = (method: string, params?: object, id: string | number | undefined = 1): string =>
  JSON.stringify({ jsonrpc: "2.0", id, method, ...(params === undefined ? {} : { params }) })

export const initializeMessage = message("initialize", {
  protocolVersion: "2025-11-25",
  capabilities: {},
  clientInfo: { name: "test", version: "1" }
})

/** One request, and its whole answer. */
export const send = (url: URL, { body, headers = usual, method = "POST", path = "/mcp" }: Sent): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const named = headers.some(([name]) => name.toLowerCase() === "host")
    const all = named ? headers : [["Host", url.host] as const, ...headers]
    const request = httpRequest({
      host: url.hostname,
      port: url.port,
      method,
      path,
      agent: false,
      setHost: false,
      headers: all.flat() as unknown as Record<string, string>
    })
    request.once("error", reject)
    request.once("response", (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.once("error", reject)
      response.once("end", () => {
        const { headers, rawHeaders, statusCode: status = 0, statusMessage = "" } = response
        const body = Buffer.concat(chunks).toString()
        keep("http", [status, statusMessage, ...rawHeaders, body, ""].join("\n"))
        resolve({ status, headers, rawHeaders, body })
      })
    })
    request.end(body)
  })

/** Begins a session by hand; answers the headers of its later requests. */
export const beginSession = async (url: URL, token: string = tokens.main) => {
  const headers = [bearer(token), ...usual.slice(1)]
  const answer = await send(url, { headers, body: initializeMessage })
  const id = answer.headers["mcp-session-id"]
  if (typeof id !== "string") throw new Error(`no session: ${answer.status} ${answer.body}`)
  return { id, headers: [...headers, ["Mcp-Session-Id", id] as const] }
}

/** A socket, for what no client of HTTP would send: all that the server says until it hangs up. */
export const raw = (url: URL, bytes: string | Uint8Array) =>
  new Promise<string>((resolve) => {
    const socket = connectSocket({ host: url.hostname, port: Number(url.port) })
    let said = ""
    socket.setEncoding("latin1").on("data", (text: string) => {
      said += text
    })
    socket.on("error", () => undefined)
    socket.once("close", () => {
      keep("http", said)
      resolve(said)
    })
    socket.write(bytes)
  })
