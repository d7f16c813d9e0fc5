// The first tool call of the built program on this machine, from its sending to its answer, with a supervisor to be started
// and with one that runs, against `node -e 0` from spawn to exit.
import { spawn } from "node:child_process"
import { once } from "node:events"
import { report } from "./support/report.ts"
import { baseEnvironment } from "./support/StdioPeer.ts"
import { call, makeFleet } from "./support/ThisMachine.ts"

const runs = 21

const fleet = makeFleet()

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await work()
  return performance.now() - start
}

const nothing = () => once(spawn(process.execPath, ["-e", "0"], { stdio: "ignore", env: baseEnvironment }), "exit")

const firstCall = async (): Promise<number> => {
  const peer = await fleet.connect()
  const time = await timed(() => call(peer, "list_agents", {}))
  await peer.end()
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
    fleet.stop()
  }
} finally {
  fleet.stop()
  fleet.remove()
}
report("first-call, no supervisor", starting, baseline, { milestone_ms: 1500 })
report("first-call, a supervisor", running, baseline, { milestone_ms: 150 })
