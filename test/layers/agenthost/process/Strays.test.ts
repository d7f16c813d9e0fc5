import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { execFileSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { endStrays, markersOf, ProcDirectory, straysFate } from "../../../../src/layers/agenthost/process/Strays.ts"
import { temporaryDirectory } from "../support.ts"

const of = { stateDirectory: "/state", workspaceIds: new Set(["a"]) }

/** More than the largest id that Linux gives, 4194304: nothing can be done to it. */
const nobody = "4194305"

/** A list of processes: this one, and one of the agent `a` that no signal ends. */
const listed = Effect.map(temporaryDirectory, (proc) => {
  for (const [pid, marks] of [
    ["self", {}],
    [nobody, markersOf("a", "/state")]
  ] as const) {
    mkdirSync(join(proc, pid))
    const entries = Object.entries({ PATH: "/bin", ...marks }).map(([name, value]) => `${name}=${value}\0`)
    writeFileSync(join(proc, pid, "environ"), entries.join(""))
  }
  return proc
})

describe("processes of agents", () => {
  it.scopedLive("that cannot be ended are told as left, and not as ended", () =>
    Effect.gen(function* () {
      const strays = yield* Effect.provideService(endStrays(of), ProcDirectory, yield* listed)
      assert.deepStrictEqual(strays, { looked: true, ended: 0, left: 1 })
      assert.notInclude(straysFate(strays), "all of its processes were ended")
    })
  )

  it.scopedLive("are looked for while everything else goes on", () =>
    Effect.gen(function* () {
      const proc = yield* temporaryDirectory
      mkdirSync(join(proc, "self"))
      writeFileSync(join(proc, "self", "environ"), "")
      mkdirSync(join(proc, nobody))
      // Whoever reads it waits until somebody writes to it.
      const environ = join(proc, nobody, "environ")
      execFileSync("mkfifo", [environ])
      const looking = yield* Effect.fork(Effect.provideService(endStrays(of), ProcDirectory, proc))
      yield* Effect.promise(() => writeFile(environ, "PATH=/bin\0"))
      assert.deepStrictEqual(yield* Fiber.join(looking), { looked: true, ended: 0, left: 0 })
    })
  )

  it.scopedLive("are not told as ended where nobody can look", () =>
    Effect.gen(function* () {
      const empty = yield* temporaryDirectory
      for (const proc of [empty, join(empty, "none")]) {
        const strays = yield* Effect.provideService(endStrays(of), ProcDirectory, proc)
        assert.deepStrictEqual(strays, { looked: false, ended: 0, left: 0 })
        assert.include(straysFate(strays), "could not be looked at")
      }
      assert.include(straysFate({ looked: true, ended: 3, left: 0 }), "all of its processes were ended")
    })
  )
})
