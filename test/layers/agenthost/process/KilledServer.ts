// A server that runs one process and waits to be killed: `node KilledServer.js <directory> <script>`.
import { Effect } from "effect"
import { run } from "../../../../src/layers/agenthost/process/AgentProcess.ts"
import { Sweeper } from "../../../../src/layers/agenthost/process/Sweeper.ts"

const [directory = ".", script = ""] = process.argv.slice(2)

Effect.runFork(
  Effect.flatMap(Sweeper, ({ guard }) => guard).pipe(
    Effect.flatMap((marks) =>
      run({
        command: ["/bin/sh", "-c", script],
        directory,
        environment: {
          PATH: process.env["PATH"] ?? "",
          GIT_AUTHOR_NAME: process.env["GIT_AUTHOR_NAME"] ?? "",
          ...marks
        },
        onOutput: (text) => Effect.sync(() => process.stdout.write(text))
      })
    ),
    Effect.provide(Sweeper.layer)
  )
)
