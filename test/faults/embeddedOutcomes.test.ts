import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck, Logger } from "effect"
import { makeEmbedded } from "./EmbeddedBackend.ts"
import { embeddedOperation, type EmbeddedOperation } from "./EmbeddedOperation.ts"
import { judge } from "./Judge.ts"

// The same operations in every run: 80 in the suite, 2,000 by `npm run outcomes`. Each embedded Coder carries out some of
// them, one after another, while others do so beside it.
const count = Number(process.env["OUTCOME_OPERATIONS"] ?? 80)
const operations = FastCheck.sample(embeddedOperation, { numRuns: count, seed: 20_261_129 })
const each = 4
const atOnce = 10
const share = each * atOnce

const said = { applied: 0, not_applied: 0, unknown: 0 }

const carryOut = (from: number) =>
  Effect.gen(function* () {
    const backendOf = yield* makeEmbedded
    yield* Effect.forEach(
      operations.slice(from, from + each),
      (op: EmbeddedOperation, index) =>
        Effect.gen(function* () {
          const { said: answer, wrong } = yield* judge(op, yield* backendOf(op))
          said[answer.outcome] += 1
          const told = `${answer.outcome}, ${answer.error?._tag ?? "an answer"}: ${answer.message}`
          assert.deepStrictEqual(wrong, [], `operation ${from + index + 1}: ${JSON.stringify(op)}\n${told}`)
        }),
      { discard: true }
    )
    // What fails here is told to the log, too.
  }).pipe(Effect.scoped, Effect.provide(Logger.remove(Logger.defaultLogger)))

describe.concurrent("what is said of a change agrees with the record of the embedded Coder", () => {
  for (let from = 0; from < operations.length; from += share) {
    const starts = Array.from({ length: atOnce }, (_, index) => from + index * each)
    it.live(
      `operations ${from + 1} to ${from + share}`,
      () => Effect.forEach(starts, carryOut, { concurrency: "unbounded", discard: true }),
      600_000
    )
  }
})

describe("among them was", () => {
  for (const outcome of ["applied", "not_applied", "unknown"] as const) {
    it(`${outcome}, in at least one of forty`, () => assert.isAbove(said[outcome], count / 40))
  }
})
