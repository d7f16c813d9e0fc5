import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck } from "effect"
import { judge } from "./Judge.ts"
import { modelBackend } from "./ModelBackend.ts"
import { operation } from "./Operation.ts"

// The same operations in every run, so that one that disagrees can be looked at again: 300 in the suite, 2,000 by
// `npm run outcomes`.
const count = Number(process.env["OUTCOME_OPERATIONS"] ?? 300)
const operations = FastCheck.sample(operation, { numRuns: count, seed: 20_261_128 })
const share = 10

const said = { applied: 0, not_applied: 0, unknown: 0 }

describe.concurrent("what is said of a change agrees with the server's record", () => {
  for (let from = 0; from < operations.length; from += share) {
    it.effect(
      `operations ${from + 1} to ${from + share}`,
      () =>
        Effect.forEach(
          operations.slice(from, from + share),
          (op, index) =>
            Effect.map(judge(op, modelBackend(op)), ({ said: { error, message, outcome }, wrong }) => {
              said[outcome] += 1
              const told = `${outcome}, ${error?._tag ?? "an answer"}: ${message}`
              assert.deepStrictEqual(wrong, [], `operation ${from + index + 1}: ${JSON.stringify(op)}\n${told}`)
            }),
          { discard: true }
        ),
      120_000
    )
  }
})

describe("among them was", () => {
  for (const outcome of ["applied", "not_applied", "unknown"] as const) {
    it(`${outcome}, in at least one of forty`, () => assert.isAbove(said[outcome], count / 40))
  }
})
