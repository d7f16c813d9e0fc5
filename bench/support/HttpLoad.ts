import { Agent, request } from "node:http"
import { percentile } from "./report.ts"

// Keep-alive clients in a closed loop: each sends its next request when it has the answer to the last.

export interface Load {
  readonly requests_per_second: number
  readonly p50_ms: number
  readonly p99_ms: number
  readonly errors: number
}

/** Sends one request; answers its status, headers and body. */
const post = (url: URL, agent: Agent, headers: Readonly<Record<string, string>>, body: string) =>
  new Promise<{ readonly status: number; readonly session: string | undefined; readonly body: string }>(
    (resolve, reject) => {
      const sent = request(url, { method: "POST", agent, headers }, (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.once("error", reject)
        response.once("end", () => {
          const session = response.headers["mcp-session-id"]
          resolve({
            status: response.statusCode ?? 0,
            session: typeof session === "string" ? session : undefined,
            body: Buffer.concat(chunks).toString()
          })
        })
      })
      sent.once("error", reject)
      sent.end(body)
    }
  )

const rpc = (id: number, method: string, params: object) => JSON.stringify({ jsonrpc: "2.0", id, method, params })

const headersWith = (token: string) => ({
  Authorization: `Bearer ${token}`,
  "Content-Type": "application/json",
  Accept: "application/json, text/event-stream"
})

const initialize = rpc(0, "initialize", {
  protocolVersion: "2025-11-25",
  capabilities: {},
  clientInfo: { name: "bench", version: "0" }
})

const rounded = (sorted: ReadonlyArray<number>, part: number): number => Number(percentile(sorted, part).toFixed(2))

/** Opens sessions, and leaves them alone. */
export const openSessions = async (url: URL, token: string, count: number): Promise<void> => {
  const agent = new Agent({ keepAlive: true, maxSockets: 20 })
  const open = async () => {
    const { status } = await post(url, agent, headersWith(token), initialize)
    if (status !== 200) throw new Error(`initialize: ${status}`)
  }
  await Promise.all(Array.from({ length: count }, open))
  agent.destroy()
}

/** 80 % show_agent, 20 % list_agents, by `clients` at once for `milliseconds`. */
export const load = async (url: URL, token: string, clients: number, milliseconds: number): Promise<Load> => {
  const agent = new Agent({ keepAlive: true, maxSockets: clients })
  const times: Array<number> = []
  let errors = 0
  const sessions = await Promise.all(
    Array.from({ length: clients }, async () => {
      const { session = "" } = await post(url, agent, headersWith(token), initialize)
      return { ...headersWith(token), "Mcp-Session-Id": session }
    })
  )
  const start = performance.now()
  const until = start + milliseconds
  await Promise.all(
    sessions.map(async (headers) => {
      for (let id = 1; performance.now() < until; id++) {
        const params =
          id % 5 === 0
            ? { name: "list_agents", arguments: { limit: 50 } }
            : { name: "show_agent", arguments: { agent_name: "agent-0" } }
        const begun = performance.now()
        const { body, status } = await post(url, agent, headers, rpc(id, "tools/call", params))
        times.push(performance.now() - begun)
        if (status !== 200 || body.includes('"isError":true') || !body.includes('"result"')) errors++
      }
    })
  )
  const took = performance.now() - start
  agent.destroy()
  times.sort((a, b) => a - b)
  return {
    requests_per_second: Math.round((times.length / took) * 1000),
    p50_ms: rounded(times, 0.5),
    p99_ms: rounded(times, 0.99),
    errors
  }
}
