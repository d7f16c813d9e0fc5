import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { Effect } from "effect"
import { spawn, type ChildProcessByStdio } from "node:child_process"
import type { Readable, Writable } from "node:stream"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { keep, secrets } from "./Secrets.ts"

/** The built program. */
export const program = fileURLToPath(new URL("../../dist/bin/fleet-mcp.js", import.meta.url))

export interface Message {
  readonly jsonrpc: "2.0"
  readonly id?: string | number | null
  readonly method?: string
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: { readonly code: number; readonly message: string }
}

export interface StartOptions {
  readonly args?: ReadonlyArray<string>
  /** The whole environment, but for PATH, a secret, the level of the log and `FLEET_MCP_SUPERVISOR`. */
  readonly env?: Readonly<Record<string, string>>
  /** With a supervisor, which outlives the program: whoever wants one ends it. Default: a fleet of the program's own. */
  readonly supervised?: boolean
  readonly cwd?: string
}

const environmentOf = ({ env, supervised = false }: StartOptions) => ({
  PATH: process.env["PATH"] ?? "",
  ANTHROPIC_API_KEY: secrets.providerKey,
  LOG_LEVEL: "TRACE",
  ...(supervised ? {} : { FLEET_MCP_SUPERVISOR: "false" }),
  ...env
})

/** A client of the SDK, connected to a program of its own. */
export const connectProgram = (options: Pick<StartOptions, "args" | "env">) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const { args = [] } = options
      const client = new Client({ name: "test", version: "1" })
      const transport = new StdioClientTransport({
        command: process.execPath,
        args: [program, ...args],
        env: environmentOf(options),
        stderr: "pipe"
      })
      transport.stderr?.on("data", (text: Buffer) => keep("programs", text.toString()))
      await client.connect(transport)
      return client
    }),
    (client) => Effect.promise(() => client.close())
  )

/** A running program, spoken to line by line. It is killed when the test that uses it ends. */
export class Program implements AsyncDisposable {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>
  /** Every line of stdout so far. */
  readonly lines: Array<string> = []
  stderr = ""
  /** When process and pipes are done. */
  readonly exit: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  #waiting: Array<() => void> = []
  #id = 100

  constructor(options: StartOptions = {}) {
    const { args = [], cwd } = options
    this.child = spawn(process.execPath, [program, ...args], {
      cwd,
      env: environmentOf(options),
      stdio: ["pipe", "pipe", "pipe"]
    })
    this.child.stdin.on("error", () => undefined)
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text
      this.#wake()
    })
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      this.lines.push(line)
      this.#wake()
    })
    this.exit = new Promise((resolve) => {
      this.child.once("close", (code, signal) => {
        keep("programs", [...this.lines, this.stderr, ""].join("\n"))
        resolve({ code, signal })
        this.#wake()
      })
    })
  }

  get messages(): ReadonlyArray<Message> {
    return this.lines.map((line) => JSON.parse(line) as Message)
  }

  write(text: string | Uint8Array): void {
    this.child.stdin.write(text)
  }

  send(message: object): void {
    this.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)
  }

  /** Waits until something holds that more output, or the end, can make true. */
  async until<A>(look: () => A | undefined | false): Promise<A> {
    for (;;) {
      const found = look()
      if (found !== undefined && found !== false) return found
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(`the program has ended: ${this.stderr}\n${this.lines.join("\n")}`)
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  answer(id: string | number): Promise<Message> {
    return this.until(() => this.messages.find((message) => message.id === id && message.method === undefined))
  }

  async request(method: string, params?: object): Promise<Message> {
    const id = this.#id++
    this.send({ id, method, ...(params === undefined ? {} : { params }) })
    return this.answer(id)
  }

  async initialize(): Promise<Message> {
    const answer = await this.request("initialize", {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "test", version: "1" }
    })
    this.send({ method: "notifications/initialized" })
    return answer
  }

  /** The text of a tool's answer, and whether it is an error. */
  async call(name: string, args: object = {}): Promise<{ readonly text: string; readonly isError: boolean }> {
    const { error, result } = await this.request("tools/call", { name, arguments: args })
    if (result === undefined) throw new Error(`${name}: ${error?.message}`)
    const [content] = result["content"] as ReadonlyArray<{ readonly text: string }>
    return { text: content?.text ?? "", isError: result["isError"] === true }
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resume of waiting) resume()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL")
    await this.exit
  }
}
