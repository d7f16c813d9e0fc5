// Streamable HTTP under 100 keep-alive clients, against a plain node:http server that hashes the token and answers JSON:
// the transport with tools that answer at once, and the whole program with a Coder beneath it.
import { Context, Effect, Schema, Stream } from "effect"
import { fork, spawn, type ChildProcess } from "node:child_process"
import { createHash, timingSafeEqual } from "node:crypto"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { Refused } from "../src/layers/auth/BearerAuth.ts"
import * as HttpTransport from "../src/layers/transports/HttpTransport.ts"
import * as Tool from "../src/tools/Tool.ts"
import { serve, startCoder } from "./support/coder.ts"
import { load, openSessions, type Load } from "./support/HttpLoad.ts"
import { median } from "./support/report.ts"
import { program } from "./support/StdioPeer.ts"

const file = fileURLToPath(import.meta.url)
const token = "bench-token-0123456789abcdefghijklmnopqrstuvw"
const [clients, milliseconds, rounds, idle] = [100, 4000, 3, 1000]
const agentsOnPage = 50

const digest = (text: string) => createHash("sha256").update(text).digest()
const expected = digest(`Bearer ${token}`)
const isToken = (header: string | undefined) => timingSafeEqual(digest(header ?? ""), expected)

const agent = (index: number) => ({ name: `agent-${index}`, status: "idle", role: "coder", project: "shop", task: "x" })
const one = { agent: agent(0) }
const page = { agents: Array.from({ length: agentsOnPage }, (_, index) => agent(index)) }

/** What any server would have to do: read, hash, parse, answer. */
const servePlain = () => {
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

const serveTransport = () => {
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

interface Server {
  readonly child: ChildProcess
  readonly url: URL
}

const start = async (what: string): Promise<Server> => {
  const child = fork(file, { env: { ...process.env, BENCH_HTTP: what } })
  const [port] = (await once(child, "message")) as [number]
  return { child, url: new URL(`http://127.0.0.1:${port}/mcp`) }
}

const startProgram = async (coder: string): Promise<Server> => {
  const child = spawn(process.execPath, [program, "http", "--port", "0"], {
    env: {
      PATH: process.env["PATH"],
      HOME: "/nonexistent",
      CODER_URL: coder,
      CODER_SESSION_TOKEN: "bench",
      FLEET_MCP_AUTH_TOKEN: token
    },
    stdio: ["ignore", "ignore", "pipe"]
  })
  for await (const line of createInterface({ input: child.stderr })) {
    const port = /listens on http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1]
    if (port !== undefined) return { child, url: new URL(`http://127.0.0.1:${port}/mcp`) }
  }
  throw new Error("fleet-mcp http did not start")
}

/** Resident memory in MiB. */
const memory = ({ child }: Server) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024

const stop = async ({ child }: Server) => {
  const exit = once(child, "exit")
  child.kill("SIGKILL")
  await exit
}

const summary = (loads: ReadonlyArray<Load>) => ({
  requests_per_second: median(loads.map((each) => each.requests_per_second)),
  p50_ms: median(loads.map((each) => each.p50_ms)),
  p99_ms: median(loads.map((each) => each.p99_ms)),
  errors: loads.reduce((sum, { errors }) => sum + errors, 0)
})

const main = async () => {
  const coder = await startCoder(file, agentsOnPage)
  const servers = {
    plain: await start("plain"),
    transport: await start("transport"),
    program: await startProgram(coder.url)
  }
  const loads: Record<keyof typeof servers, Array<Load>> = { plain: [], transport: [], program: [] }
  const names = ["plain", "transport", "program"] as const
  for (const name of names) await load(servers[name].url, token, clients, 1000)
  for (let round = 0; round < rounds; round++) {
    for (const name of names) loads[name].push(await load(servers[name].url, token, clients, milliseconds))
  }
  const plain = summary(loads.plain)
  const loaded = { transport: memory(servers.transport), program: memory(servers.program) }
  const before = await start("transport")
  await openSessions(before.url, token, 1)
  const empty = memory(before)
  await openSessions(before.url, token, idle)
  const perSession = ((memory(before) - empty) / idle) * 1024
  for (const name of ["transport", "program"] as const) {
    const figure = summary(loads[name])
    console.log(
      JSON.stringify({
        benchmark: name === "program" ? "http-program" : "http",
        ...figure,
        baseline: plain,
        ratio: Number((figure.requests_per_second / plain.requests_per_second).toFixed(3)),
        milestone_ratio: 0.35,
        milestone_p99_ms: 80,
        memory_mib: Math.round(loaded[name]),
        ...(name === "transport" ? { idle_sessions: idle, kib_a_session: Math.round(perSession) } : {}),
        clients,
        runs: rounds
      })
    )
  }
  for (const server of [...Object.values(servers), before]) await stop(server)
  await coder.stop()
}

if (process.env["BENCH_CODER"] !== undefined) serve(Number(process.env["BENCH_CODER"]))
else if (process.env["BENCH_HTTP"] === "plain") servePlain()
else if (process.env["BENCH_HTTP"] === "transport") serveTransport()
else await main()
