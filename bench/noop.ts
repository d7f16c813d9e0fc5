// A tool call that needs no upstream (refused for its argument), against a bare process that echoes JSON lines.
import { report, median } from "./support/report.ts"
import { initializeParams, program, spawnPeer, type StdioPeer } from "./support/StdioPeer.ts"

const rounds = 15
const calls = 200

const echo = `require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id: JSON.parse(line).id, result: {} }) + "\\n")
})`

const call = { name: "show_agent", arguments: { agent_name: "a", agent_nam: true } }

const perCall = async (peer: StdioPeer): Promise<number> => {
  const times: Array<number> = []
  for (let index = 0; index < calls; index++) {
    const start = performance.now()
    await peer.request("tools/call", call)
    times.push(performance.now() - start)
  }
  return median(times)
}

const ours = spawnPeer([program])
const bare = spawnPeer(["-e", echo])
await ours.request("initialize", initializeParams)
await perCall(ours)
await perCall(bare)
const figure: Array<number> = []
const baseline: Array<number> = []
for (let round = 0; round < rounds; round++) {
  baseline.push(await perCall(bare))
  figure.push(await perCall(ours))
}
await ours.end()
await bare.end()
report("noop", figure, baseline, { milestone_ms: 0.5, calls_per_run: calls })
