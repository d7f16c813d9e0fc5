import { Context, Effect, Schema, Stream } from "effect"
import { fork, type ChildProcess } from "node:child_process"
import { createHash, timingSafeEqual } from "node:crypto"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Refused } from "../../src/layers/auth/BearerAuth.ts"
import * as HttpTransport from "../../src/layers/transports/http/HttpTransport.ts"
import * as Tool from "../../src/tools/Tool.ts"

// Servers over HTTP, each in a process of its own, so that its work is not that of its clients.

export const token = "bench-token-0123456789abcdefghijklmnopqrstuvw"

const digest = (text: string) => createHash("sha256").update(text).digest()
const expected = digest(`Bearer ${token}`)
const isToken = (header: string | undefined) => timingSafeEqual(digest(header ?? ""), expected)

const agent = (index: number) => ({ name: `agent-${index}`, status: "idle", role: "coder", project: "shop", task: "x" })
const one = { agent: agent(0) }
const page = { agents: Array.from({ length: 50 }, (_, index) => agent(index)) }

/** What any server would have to do: read, hash, parse, answer. */
export const servePlain = () => {
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.once("end", () => {
      if (!isToken(request.headers.authorization)) return response.writeHead(401).end()
      const { id, params } = JSON.parse(Buffer.concat(chunks).toString()) as { id: number; params: { name?: string } }
      const result = { structuredContent: params.name === "list_agents" ? page : one }
      response.writeHead(200, { "content-type": "application/json" })
      return response.end(JSON.stringify({ jsonrpc: "2.0", id, result }))
    })
  })
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port))
}

const stub = (name: string, answer: Record<string, unknown>) =>
  Tool.make({
    name,
    title: name,
    description: name,
    input: Schema.Struct({
      agent_name: Schema.optionalWith(Schema.String, { exact: true }),
      limit: Schema.optionalWith(Schema.Number, { exact: true })
    }),
    output: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
    hints: Tool.readOnly,
    program: () => Effect.succeed(answer),
    text: () => name
  })

export const serveTransport = () => {
  const main = Effect.gen(function* () {
    const { port } = yield* HttpTransport.serve({
      host: "127.0.0.1",
      port: 0,
      hosts: [],
      origins: [],
      proxies: [],
      auth: {
        check: ([header]) =>
          isToken(header) ? Effect.succeed({ credential: "main", role: "main" } as const) : Effect.fail(new Refused()),
        changes: Stream.never
      },
      connect: yield* HttpTransport.sessions({
        place: "nowhere.",
        tools: Effect.succeed([stub("show_agent", one), stub("list_agents", page)]),
        services: Effect.succeed(Context.empty())
      })
    })
    process.send?.(port)
    return yield* Effect.never
  })
  Effect.runFork(Effect.scoped(main))
}

export interface Server {
  readonly child: ChildProcess
  readonly url: URL
}

/** Starts `file` again, which serves what BENCH_HTTP says. */
export const start = async (file: string, what: "plain" | "transport"): Promise<Server> => {
  const child = fork(file, { env: { ...process.env, BENCH_HTTP: what } })
  const [port] = (await once(child, "message")) as [number]
  return { child, url: new URL(`http://127.0.0.1:${port}/mcp`) }
}

/** Resident memory in MiB. */
export const memory = ({ child }: Server): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024

export const stop = async ({ child }: Server): Promise<void> => {
  const exit = once(child, "exit")
  child.kill("SIGKILL")
  await exit
}
