// The first tool call of the built program on this machine, from its sending to its answer, with a supervisor to be started
// and with one that runs, against `node -e 0` from spawn to exit.
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { report } from "./support/report.ts"
import { baseEnvironment, initializeParams, program, spawnPeer } from "./support/StdioPeer.ts"

const runs = 21

const scratch = mkdtempSync(join(tmpdir(), "fleet-bench-"))
const environment = { ...baseEnvironment, HOME: scratch, FLEET_MCP_STATE_DIR: join(scratch, "state") }
const repository = join(scratch, "shop")
const git = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"]
execFileSync("git", ["init", "--quiet", repository])
execFileSync("git", [...git, "commit", "--quiet", "--allow-empty", "--message=Begin"], { cwd: repository })

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await work()
  return performance.now() - start
}

const nothing = () => once(spawn(process.execPath, ["-e", "0"], { stdio: "ignore", env: baseEnvironment }), "exit")

const stop = () => execFileSync(process.execPath, [program, "stop", "--now"], { env: environment, stdio: "ignore" })

/** Of a server that has answered `initialize`. */
const firstCall = async (): Promise<number> => {
  const peer = spawnPeer([program, "--local", "--project", repository], environment)
  await peer.request("initialize", initializeParams)
  const answered: Array<unknown> = []
  const time = await timed(async () => {
    answered.push(await peer.request("tools/call", { name: "list_agents", arguments: {} }))
  })
  await peer.end()
  if (!JSON.stringify(answered).includes("total_count")) throw new Error(JSON.stringify(answered))
  return time
}

const starting: Array<number> = []
const running: Array<number> = []
const baseline: Array<number> = []
try {
  for (let run = 0; run < runs; run++) {
    baseline.push(await timed(nothing))
    starting.push(await firstCall())
    running.push(await firstCall())
    stop()
  }
} finally {
  stop()
  rmSync(scratch, { recursive: true, force: true })
}
report("first-call, no supervisor", starting, baseline, { milestone_ms: 1500 })
report("first-call, a supervisor", running, baseline, { milestone_ms: 150 })
