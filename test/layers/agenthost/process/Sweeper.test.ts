import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { Sweeper } from "../../../../src/layers/agenthost/process/Sweeper.ts"
import { eventually, isAlive } from "../support.ts"

const commandLine = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8")
  } catch {
    return ""
  }
}

/** The sweepers that look for such a mark. */
const sweepersOf = (mark: string) =>
  readdirSync("/proc")
    .map(Number)
    .filter((pid) => isAlive(pid) && commandLine(pid).split("\0").includes(mark))

describe("a sweeper", () => {
  it.scopedLive("is one for all agents, has an heir where it was killed, and ends with its server", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { guard } = yield* Effect.provide(Sweeper, yield* Layer.buildWithScope(Sweeper.layer, scope))
      const all = yield* Effect.all([guard, guard, guard], { concurrency: "unbounded" })
      const [mark = ""] = new Set(all.flatMap((marks) => Object.entries(marks).map((entry) => entry.join("="))))
      yield* eventually("a sweeper", () => sweepersOf(mark).length === 1)
      const [first = 0] = sweepersOf(mark)
      assert.notInclude(readFileSync(`/proc/${first}/environ`, "utf8"), mark)
      process.kill(first, "SIGKILL")
      yield* eventually("its end", () => !isAlive(first))
      // Node hears of that a moment later.
      yield* eventually("its heir", () => {
        Effect.runSync(guard)
        return sweepersOf(mark).length === 1
      })
      assert.notDeepEqual(sweepersOf(mark), [first])
      yield* Scope.close(scope, Exit.void)
      yield* eventually("the end of its heir", () => sweepersOf(mark).length === 0)
    })
  )
})
