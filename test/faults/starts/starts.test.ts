import { expect, it } from "@effect/vitest"
import { anySeed } from "../Seeded.ts"
import { firstCalls, heirs } from "./Starts.ts"

// `npm run faults -- first-calls --rounds 20`, with fifty, and `npm run faults -- heirs --rounds 20` do the same more often.

it("25 front ends that call first at once have one supervisor, and no call fails", { timeout: 600_000 }, async () => {
  const found = await firstCalls(25, { rounds: 2, say: console.log })
  expect(found).toMatchObject({ failed: [], notOne: [] })
})

it("a supervisor that is killed while three call has one heir, and no call fails", { timeout: 600_000 }, async () => {
  const found = await heirs({ rounds: 6, seed: anySeed(), say: console.log })
  expect(found).toMatchObject({ failed: [], notOne: [] })
})
