import { expect, it } from "@effect/vitest"
import { anySeed } from "../Seeded.ts"
import { power } from "./Power.ts"

// `npm run faults -- power --states 1000 --seed N` does the same more often.
it(
  "whatever of its unsynced writes a disk drops, a store is one of the two commits around them, whole",
  { timeout: 600_000 },
  async () => {
    const { checkpoints, committed, uncommitted, wrong } = await power({
      states: 50,
      seed: anySeed(),
      say: console.log
    })
    expect(wrong).toEqual([])
    expect(Math.min(checkpoints, committed, uncommitted)).toBeGreaterThan(0)
  }
)
