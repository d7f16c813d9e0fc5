// Streamable HTTP under 100 keep-alive clients, against a plain node:http server that hashes the token and answers JSON:
// the transport with tools that answer at once, and the whole program with a Coder beneath it.
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { serve, startCoder } from "./support/coder.ts"
import { load, openSessions, type Load } from "./support/HttpLoad.ts"
import { memory, servePlain, serveTransport, start, stop, token, type Server } from "./support/HttpServers.ts"
import { median } from "./support/report.ts"
import { program } from "./support/StdioPeer.ts"

const file = fileURLToPath(import.meta.url)
const [clients, milliseconds, rounds, idle] = [100, 4000, 3, 1000]
const agentsOnPage = 50

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

const summary = (loads: ReadonlyArray<Load>) => ({
  requests_per_second: median(loads.map((each) => each.requests_per_second)),
  p50_ms: median(loads.map((each) => each.p50_ms)),
  p99_ms: median(loads.map((each) => each.p99_ms)),
  errors: loads.reduce((sum, { errors }) => sum + errors, 0)
})

const main = async () => {
  const coder = await startCoder(file, agentsOnPage)
  const servers = {
    plain: await start(file, "plain"),
    transport: await start(file, "transport"),
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
  const before = await start(file, "transport")
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
