import { expect, it } from "@effect/vitest"
import { anySeed } from "../Seeded.ts"
import { crash } from "./Crash.ts"

// `npm run faults -- crash --cycles 500 --seed N` does the same more often, and wants an answer within 2 s and no process after 5 s.

/** Only what stays for good meets it (ms): a machine that is busy takes its time. */
const patience = 60_000

it(
  "a supervisor that is killed under load loses nothing, runs nothing twice and leaves nothing",
  { timeout: 900_000 },
  async () => {
    const { acknowledged, corrupt, left, lost, twice } = await crash({
      cycles: 25,
      seed: anySeed(),
      within: patience,
      say: console.log
    })
    expect({ corrupt, left, lost, twice }).toEqual({ corrupt: [], left: [], lost: [], twice: [] })
    expect(acknowledged).toBeGreaterThan(25)
  }
)
