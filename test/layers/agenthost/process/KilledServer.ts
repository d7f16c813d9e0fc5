// A server that runs one process and waits to be killed: `node KilledServer.js <directory> <script>`.
import { Effect } from "effect"
import { run } from "../../../../src/layers/agenthost/process/AgentProcess.ts"

const [directory = ".", script = ""] = process.argv.slice(2)

Effect.runFork(
  run({
    command: ["/bin/sh", "-c", script],
    directory,
    environment: { PATH: process.env["PATH"] ?? "", GIT_AUTHOR_NAME: process.env["GIT_AUTHOR_NAME"] ?? "" },
    onOutput: (text) => Effect.sync(() => process.stdout.write(text))
  })
)
