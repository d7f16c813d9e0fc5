import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { build } from "esbuild"
import { spawn } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { environment, git, temporaryDirectory } from "../support.ts"

const processes = 8
/** All of it: FLEET_TEST_ROUNDS=20. */
const rounds = Number(process.env["FLEET_TEST_ROUNDS"] ?? "3")

it.scopedLive(
  `${processes} processes make an agent of the same name at once, ${rounds} times: each gets a branch of its own`,
  () =>
    Effect.gen(function* () {
      const root = yield* temporaryDirectory
      const repository = join(root, "project")
      mkdirSync(repository)
      git(repository, "init", "--quiet", "--initial-branch=main")
      writeFileSync(join(repository, "file"), "content\n")
      git(repository, "add", ".")
      git(repository, "commit", "--quiet", "-m", "one")
      const program = join(root, "creator.mjs")
      yield* Effect.promise(() =>
        build({
          entryPoints: [fileURLToPath(new URL("Creator.ts", import.meta.url))],
          outfile: program,
          bundle: true,
          format: "esm",
          platform: "node",
          banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url)' },
          logLevel: "error"
        })
      )
      const start = (index: number) =>
        Effect.sync(() =>
          spawn(process.execPath, [program, repository, join(root, `state-${index}`)], {
            env: environment,
            stdio: ["pipe", "pipe", "inherit"]
          })
        )
      const peers = yield* Effect.forEach(
        Array.from({ length: processes }, (_, index) => index),
        (index) =>
          Effect.map(
            Effect.acquireRelease(start(index), (child) => Effect.sync(() => child.kill("SIGKILL"))),
            (child) => {
              const lines = createInterface({ input: child.stdout })
              return (line: string) =>
                Effect.async<unknown>((resume) => {
                  lines.once("line", (answer) => resume(Effect.succeed(JSON.parse(answer))))
                  child.stdin.write(`${line}\n`)
                })
            }
          )
      )
      const branches: Array<unknown> = []
      for (let round = 0; round < rounds; round++) {
        branches.push(
          ...(yield* Effect.forEach(peers, (ask) => ask(`tester round-${round}`), { concurrency: processes }))
        )
      }
      expect(branches.filter((branch) => !String(branch).startsWith("fleet/tester"))).toEqual([])
      expect(new Set(branches).size).toBe(processes * rounds)
      expect(git(repository, "worktree", "list").split("\n")).toHaveLength(processes * rounds + 1)
    }),
  { timeout: 120_000 }
)
