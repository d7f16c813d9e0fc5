import { SUPPORTED_PROTOCOL_VERSIONS } from "@modelcontextprotocol/sdk/types.js"
import { Duration, Effect } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { HttpLimits } from "./HttpLimits.ts"

/** An answer that serves nothing: one constant for each reason. */
export interface HttpRefusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /**
   * What is still taken of a body that was not read, and thrown away: a little (`HttpLimits.refusedRest`), or as much as
   * a message may have. Default: none is left.
   */
  readonly rest?: "little" | "message"
}

type Limits = HttpLimits["Type"]

type RequestId = string | number

const rpcError = (code: number, message: string, id: RequestId | null = null, data?: object): string =>
  JSON.stringify({ jsonrpc: "2.0", error: { code, message, ...(data === undefined ? {} : { data }) }, id })

const answer = (status: number, body: string, headers: Readonly<Record<string, string>> = {}): HttpRefusal => ({
  status,
  headers: { "Content-Type": "application/json", "Content-Length": `${Buffer.byteLength(body)}`, ...headers },
  body
})

/** Refused before the body was read: the connection ends with the answer. */
const early = (
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
  rest: "little" | "message" = "little"
): HttpRefusal => ({ ...answer(status, rpcError(-32000, message), { ...headers, Connection: "close" }), rest })

export const notFound = early(404, "Not found: MCP is at /mcp.")
export const methodNotAllowed = (allowed: ReadonlyArray<string>): HttpRefusal =>
  early(405, "Method not allowed.", { Allow: allowed.join(", ") })
export const hostRefused = early(403, "Host not allowed: see --allow-host.")
export const originRefused = early(403, "Origin not allowed: see --allow-origin.")
export const unauthorized = early(401, "A bearer token is required.", { "WWW-Authenticate": "Bearer" })
export const notJson = early(415, "Unsupported media type: Content-Type must be application/json.", {}, "message")
export const tooLarge = ({ message }: Limits): HttpRefusal =>
  early(413, `A message may have at most ${message} bytes.`, {}, "message")
export const tooLargeToBegin = ({ initialize }: Limits): HttpRefusal =>
  answer(413, rpcError(-32000, `initialize may have at most ${initialize} bytes.`))

export const parseError = answer(400, rpcError(-32700, "Parse error: the body is one JSON value in UTF-8."))
export const tooComplex = ({ jsonDepth, jsonParts }: Limits): HttpRefusal =>
  answer(
    400,
    rpcError(-32700, `Parse error: JSON nested deeper than ${jsonDepth}, or of more than ${jsonParts} parts.`)
  )
export const invalidRequest = answer(
  400,
  rpcError(-32600, "Invalid request: the body is one JSON-RPC 2.0 message; batches are not supported.")
)
export const versionUnknown = answer(
  400,
  rpcError(-32000, `Bad request: Mcp-Protocol-Version must be one of ${SUPPORTED_PROTOCOL_VERSIONS.join(", ")}.`)
)
export const idInUse = answer(
  400,
  rpcError(-32600, "Invalid request: a request of this session with the same id has not been answered yet.")
)
export const sessionRequired = answer(400, rpcError(-32000, "Bad request: Mcp-Session-Id header is required."))
/** Also for a session of someone else: that it exists is not told. */
export const sessionUnknown = answer(404, rpcError(-32001, "Session not found: begin a new one with initialize."))
export const internalError = answer(500, rpcError(-32603, "A fault of fleet-mcp; its log on stderr has the details."))

const unavailable = (
  { retryAfter }: Limits,
  message: string,
  headers: Readonly<Record<string, string>> = {}
): HttpRefusal =>
  answer(503, rpcError(-32000, message, null, { retry_after_ms: Duration.toMillis(retryAfter) }), {
    "Retry-After": `${Math.ceil(Duration.toSeconds(retryAfter))}`,
    ...headers
  })

export const tooManySessions = (limits: Limits): HttpRefusal =>
  unavailable(limits, "Too many sessions: end one (DELETE), or try again later.")
export const overloaded = (limits: Limits): HttpRefusal =>
  unavailable(limits, "Too many calls at once: try again later.")
export const tooManyWaits = (limits: Limits): HttpRefusal =>
  unavailable(limits, "Too many waits at once: try again later. Other calls go on.")
export const shuttingDown = (limits: Limits): HttpRefusal => ({
  ...unavailable(limits, "This server is shutting down: try again later.", { Connection: "close" }),
  rest: "message"
})

/** The queue of one client is full. An error of the call, not of the connection: the client's other calls go on. */
export const queueFull = ({ queue, retryAfter }: Limits, id: RequestId): HttpRefusal =>
  answer(
    200,
    rpcError(-32000, `More than ${queue} calls of this client wait already: try again later.`, id, {
      retry_after_ms: Duration.toMillis(retryAfter)
    })
  )

/** Throws away what is left of a body, up to so many bytes. */
const discard = (request: IncomingMessage, bytes: number): Effect.Effect<void> =>
  Effect.async((resume) => {
    let left = bytes
    const stop = () => {
      request.off("data", onData).off("end", onEnd).off("close", onEnd)
    }
    const onEnd = () => {
      stop()
      resume(Effect.void)
    }
    const onData = ({ length }: Uint8Array) => {
      left -= length
      if (left < 0) onEnd()
    }
    request.on("data", onData).on("end", onEnd).on("close", onEnd).resume()
    return Effect.sync(stop)
  })

/**
 * Sends a refusal and nothing else, not even a date. A client that is still sending its body would lose the answer if
 * the connection ended at once (a proxy says 502 then), so that a little of the body is taken, for a moment.
 */
export const send = (
  request: IncomingMessage,
  response: ServerResponse,
  { body, headers, rest, status }: HttpRefusal,
  { message, refusedRest, refusedWait }: Limits
): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (response.headersSent) return Effect.void
    response.sendDate = false
    response.writeHead(status, headers)
    const end = Effect.sync(() => {
      response.end()
    })
    response.write(body)
    // Who asks first whether to send a body does not send it after a refusal.
    if (rest === undefined || request.complete || request.headers.expect !== undefined) return end
    const left = Effect.interruptible(discard(request, rest === "little" ? refusedRest : message))
    return Effect.zipRight(Effect.timeoutOption(left, refusedWait), end)
  })

/** The same for a connection on which no request could be read. */
export const toBytes = ({ body, headers, status }: HttpRefusal, reason: string): string =>
  [
    `HTTP/1.1 ${status} ${reason}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    "",
    body
  ].join("\r\n")
