// A fleet of many agents under a supervisor: show_agent and a page of list_agents while some of them write, against the
// same calls while none does. BENCH_AGENTS says how many agents there are (default 200), a twentieth of which write 10
// lines a second each.
import { execFileSync } from "node:child_process"
import { createWriteStream, type WriteStream } from "node:fs"
import { join } from "node:path"
import { percentile } from "./support/report.ts"
import { call, makeFleet, residentBytes } from "./support/ThisMachine.ts"

const agents = Number(process.env["BENCH_AGENTS"] ?? 200)
const writers = Math.ceil(agents / 20)
/** Calls of each kind in each half. */
const calls = 200
const linesPerSecond = 10
/** Creates at once. */
const concurrency = 8

const fleet = makeFleet()
const peer = await fleet.connect()
const pipes: Array<WriteStream> = []

const create = async (index: number): Promise<void> => {
  const isWriter = index < writers
  const pipe = join(fleet.directory, `pipe-${index}`)
  if (isWriter) execFileSync("mkfifo", [pipe])
  const task = isWriter ? `exec cat '${pipe}'` : "echo ready"
  await call(peer, "create_agent", { name: `agent-${index}`, project: "shop", role: "shell", task, wait_ready: true })
  // Opening it waits for its reader: the agent is at work then.
  if (isWriter) pipes.push(createWriteStream(pipe))
}

const times = async (name: string, args: object): Promise<ReadonlyArray<number>> => {
  const found: Array<number> = []
  for (let i = 0; i < calls; i++) {
    const start = performance.now()
    await call(peer, name, args)
    found.push(performance.now() - start)
  }
  return found.toSorted((a, b) => a - b)
}

const measure = async () => ({
  show: await times("show_agent", { agent_name: "agent-0" }),
  list: await times("list_agents", { limit: 20 })
})

const p99 = (sorted: ReadonlyArray<number>): number => Number(percentile(sorted, 0.99).toFixed(1))
const p50 = (sorted: ReadonlyArray<number>): number => Number(percentile(sorted, 0.5).toFixed(1))

try {
  const queue = Array.from({ length: agents }, (_, index) => index)
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await create(next)
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  const idle = await measure()
  const line = `${"x".repeat(79)}\n`
  const writing = setInterval(() => {
    for (const pipe of pipes) pipe.write(line)
  }, 1000 / linesPerSecond)
  const busy = await measure()
  clearInterval(writing)
  const { pid, store_bytes } = fleet.status()
  console.log(
    JSON.stringify({
      benchmark: "load",
      agents,
      writers,
      show_p50_ms: [p50(busy.show), p50(idle.show)],
      show_p99_ms: [p99(busy.show), p99(idle.show)],
      list_p50_ms: [p50(busy.list), p50(idle.list)],
      list_p99_ms: [p99(busy.list), p99(idle.list)],
      milestone_more_ms: 50,
      supervisor_mib: Math.round(residentBytes(pid) / 1024 / 1024),
      store_mib: Number((store_bytes / 1024 / 1024).toFixed(1))
    })
  )
} finally {
  for (const pipe of pipes) pipe.destroy()
  await peer.end()
  fleet.stop()
  fleet.remove()
}
