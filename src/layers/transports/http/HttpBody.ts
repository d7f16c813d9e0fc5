import { Effect } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import { withoutNulls } from "../session/withoutNulls.ts"
import type { HttpLimits } from "./HttpLimits.ts"
import * as HttpRefusal from "./HttpRefusal.ts"

/** One message of a client, as far as the transport has to know it. */
export interface Message {
  readonly value: Readonly<Record<string, unknown>>
  readonly method: string | undefined
  /** Only a request has one. */
  readonly id: string | number | undefined
  /** Its length. */
  readonly bytes: number
}

/** Reads a body, and stops when it is too long. The client is told to go on sending only now. */
const read = (
  request: IncomingMessage,
  response: ServerResponse,
  limits: HttpLimits["Type"]
): Effect.Effect<Uint8Array, HttpRefusal.HttpRefusal> =>
  Effect.async((resume) => {
    const chunks: Array<Uint8Array> = []
    let length = 0
    const stop = () => {
      request.off("data", onData).off("end", onEnd)
    }
    const onEnd = () => {
      stop()
      resume(Effect.succeed(Buffer.concat(chunks, length)))
    }
    const onData = (chunk: Uint8Array) => {
      length += chunk.length
      if (length <= limits.message) {
        chunks.push(chunk)
        return
      }
      stop()
      request.pause()
      resume(Effect.fail(HttpRefusal.tooLarge(limits)))
    }
    if (request.headers.expect !== undefined) response.writeContinue()
    request.on("data", onData).on("end", onEnd)
    return Effect.sync(stop)
  })

const decoder = new TextDecoder("utf-8", { fatal: true })
const [quote, backslash, comma, openBracket, closeBracket, openBrace, closeBrace] = [
  0x22, 0x5c, 0x2c, 0x5b, 0x5d, 0x7b, 0x7d
]

/**
 * Whether JSON is nested too deep or has too many parts: to decode many small ones takes far longer than to read them,
 * and all other clients wait meanwhile. What is no JSON may get any answer.
 */
const isTooComplex = (bytes: Uint8Array, { jsonDepth, jsonParts }: HttpLimits["Type"]): boolean => {
  let depth = 0
  let parts = 0
  let inString = false
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (inString) {
      if (byte === backslash) at++
      else if (byte === quote) inString = false
    } else if (byte === quote) inString = true
    else if (byte === openBracket || byte === openBrace) {
      depth++
      parts++
    } else if (byte === closeBracket || byte === closeBrace) depth--
    else if (byte === comma) parts++
    if (depth > jsonDepth || parts > jsonParts) return true
  }
  return false
}

const parseJson = (bytes: Uint8Array, limits: HttpLimits["Type"]): Effect.Effect<unknown, HttpRefusal.HttpRefusal> =>
  isTooComplex(bytes, limits)
    ? Effect.fail(HttpRefusal.tooComplex(limits))
    : Effect.try({
        try: (): unknown => JSON.parse(decoder.decode(bytes)),
        catch: () => HttpRefusal.parseError
      })

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isId = (id: unknown): id is string | number => typeof id === "string" || Number.isSafeInteger(id)

/** The SDK looks at the rest. */
const toMessage = (value: unknown, bytes: number): Effect.Effect<Message, HttpRefusal.HttpRefusal> => {
  if (!isObject(value) || value["jsonrpc"] !== "2.0") return Effect.fail(HttpRefusal.invalidRequest)
  const { id, method } = value
  if (id !== undefined && !isId(id)) return Effect.fail(HttpRefusal.invalidRequest)
  if (typeof method === "string") return Effect.succeed({ value, method, id, bytes })
  const isAnswer = method === undefined && id !== undefined && ("result" in value || "error" in value)
  return isAnswer ? Effect.succeed({ value, method, id: undefined, bytes }) : Effect.fail(HttpRefusal.invalidRequest)
}

/** The message in the body of a request that has passed the gate. */
export const readMessage = (
  request: IncomingMessage,
  response: ServerResponse,
  limits: HttpLimits["Type"]
): Effect.Effect<Message, HttpRefusal.HttpRefusal> =>
  Effect.flatMap(read(request, response, limits), (bytes) =>
    Effect.flatMap(parseJson(bytes, limits), (value) => toMessage(withoutNulls(value), bytes.length))
  )
