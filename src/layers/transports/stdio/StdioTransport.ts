import { JSONRPCMessageSchema, type JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { Readable, Writable } from "node:stream"
import { promisify } from "node:util"
import { withoutNulls } from "../session/withoutNulls.ts"
import { makeLineReader, type Line } from "./Lines.ts"

type Id = string | number | null
type Bad = { readonly code: -32700 | -32600; readonly id: Id; readonly message: string }

/** Bytes of one message on stdin, unless it is said otherwise. */
export const longestMessage = 4 * 1024 * 1024

const decoder = new TextDecoder("utf-8", { fatal: true })

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const idOf = (value: unknown): Id => {
  const id = isObject(value) ? value["id"] : null
  return typeof id === "string" || typeof id === "number" ? id : null
}

/** A broken answer is not answered: two peers that do so would never stop. */
const isAnswer = (value: unknown): boolean =>
  isObject(value) && !("method" in value) && ("result" in value || "error" in value)

const parse = (line: Line, longest: number): JSONRPCMessage | Bad | undefined => {
  if (line === "too_long") {
    return {
      code: -32600,
      id: null,
      message: `A message may have at most ${longest} bytes; this one was skipped.`
    }
  }
  let value: unknown
  try {
    const text = decoder.decode(line)
    if (text.trim() === "") return undefined
    value = JSON.parse(text)
  } catch {
    return { code: -32700, id: null, message: "Parse error: a message is one line of JSON in UTF-8." }
  }
  const message = JSONRPCMessageSchema.safeParse(withoutNulls(value))
  if (message.success) return message.data
  if (isAnswer(value)) return undefined
  const what = Array.isArray(value) ? "batches are not supported" : "not a JSON-RPC 2.0 message as MCP has it"
  return { code: -32600, id: idOf(value), message: `Invalid request: ${what}.` }
}

/**
 * MCP messages over two streams, one message a line. Unlike the SDK's own: it ends when its input ends or its output
 * breaks, answers a line that it cannot serve and goes on, and reads no further while the client does not read.
 */
export class StdioTransport implements Transport {
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: (message: JSONRPCMessage) => void

  readonly #input: Readable
  readonly #output: Writable
  readonly #write: (text: string) => Promise<void>
  readonly #longest: number
  readonly #lines: ReturnType<typeof makeLineReader>
  #closed = false

  /** `longest`: bytes of one message, and of what the client has not taken before no more is read. */
  constructor(input: Readable, output: Writable, longest: number = longestMessage) {
    this.#longest = longest
    this.#lines = makeLineReader(longest)
    this.#input = input
    this.#output = output
    this.#write = promisify((text: string, done: (error?: Error | null) => void) => {
      output.write(text, done)
    })
  }

  start(): Promise<void> {
    this.#input.on("data", this.#read).once("end", this.#close).once("close", this.#close).on("error", this.#close)
    this.#output.on("error", this.#close)
    return Promise.resolve()
  }

  send(message: JSONRPCMessage): Promise<void> {
    return this.#send(message)
  }

  close(): Promise<void> {
    this.#close()
    return Promise.resolve()
  }

  readonly #read = (chunk: Uint8Array) => {
    for (const line of this.#lines(chunk)) {
      if (this.#closed) return
      const message = parse(line, this.#longest)
      if (message === undefined) continue
      if (!("code" in message)) this.onmessage?.(message)
      else this.#refuse(message)
    }
  }

  #refuse({ code, id, message }: Bad): void {
    this.onerror?.(new Error(message))
    void this.#send({ jsonrpc: "2.0", id, error: { code, message } })
  }

  #send(message: object): Promise<void> {
    if (this.#closed) return Promise.resolve()
    // What cannot be written ends the connection, and that is what its user is told.
    const sent = this.#write(`${JSON.stringify(message)}\n`).catch(this.#close)
    if (this.#output.writableLength > this.#longest && !this.#input.isPaused()) {
      this.#input.pause()
      this.#output.once("drain", () => {
        if (!this.#closed) this.#input.resume()
      })
    }
    return sent
  }

  // The listeners for errors stay: one that comes later must not end the process.
  readonly #close = () => {
    if (this.#closed) return
    this.#closed = true
    this.#input.off("data", this.#read).destroy()
    this.onclose?.()
  }
}
