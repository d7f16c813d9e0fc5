// From the spawn of the built program to its answer to `initialize`, against `node -e 0` from spawn to exit.
import { spawn } from "node:child_process"
import { once } from "node:events"
import { report } from "./support/report.ts"
import { baseEnvironment, initializeParams, program, spawnPeer } from "./support/StdioPeer.ts"

const runs = 21

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await work()
  return performance.now() - start
}

const nothing = () => once(spawn(process.execPath, ["-e", "0"], { stdio: "ignore", env: baseEnvironment }), "exit")

const startup = async (): Promise<number> => {
  const start = performance.now()
  const peer = spawnPeer([program])
  await peer.request("initialize", initializeParams)
  const end = performance.now()
  await peer.end()
  return end - start
}

await startup()
const figure: Array<number> = []
const baseline: Array<number> = []
for (let run = 0; run < runs; run++) {
  baseline.push(await timed(nothing))
  figure.push(await startup())
}
report("startup", figure, baseline, { milestone_ratio: 2.5 })
