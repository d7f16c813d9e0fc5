// A process that makes worktrees when it is told to: `node Creator.js <repository> <state directory>`. Each line on stdin
// is the name of an agent and of the directory of its worktree; the answer is a line with the branch, or the failure.
import { Effect, Layer } from "effect"
import { createInterface } from "node:readline"
import { Surroundings } from "../../../../src/layers/agenthost/process/Surroundings.ts"
import { Worktree } from "../../../../src/layers/agenthost/git/Worktree.ts"

const [repository = "", state = ""] = process.argv.slice(2)
const environment = { PATH: process.env["PATH"] ?? "", GIT_AUTHOR_NAME: process.env["GIT_AUTHOR_NAME"] ?? "" }

const program = Effect.gen(function* () {
  const { create } = yield* Worktree
  const runtime = yield* Effect.runtime()
  createInterface({ input: process.stdin }).on("line", (line) => {
    const [name = "", directory = ""] = line.split(" ")
    const request = { repository, directory: `${state}/${directory}`, name, noted: null }
    create({ ...request, note: () => Effect.void, progress: () => Effect.void }).pipe(
      Effect.match({ onFailure: ({ message }) => `failed: ${message}`, onSuccess: ({ branch }) => branch }),
      Effect.flatMap((answer) => Effect.sync(() => process.stdout.write(`${JSON.stringify(answer)}\n`))),
      Effect.provide(runtime),
      Effect.runFork
    )
  })
})

Effect.runFork(Effect.provide(program, Layer.provide(Worktree.layer, Surroundings.layer(environment))))
