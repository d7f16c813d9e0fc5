// `npm run faults -- crash --cycles 500`: what the suite does a few times, many times. The last line tells the totals.
import { parseArgs } from "node:util"
import { crash } from "./crash/Crash.ts"
import { power } from "./power/Power.ts"
import { anySeed } from "./Seeded.ts"
import { firstCalls, heirs, type StartsFindings } from "./starts/Starts.ts"
import { tree } from "./tree/Tree.ts"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    cycles: { type: "string" },
    states: { type: "string" },
    rounds: { type: "string" },
    seed: { type: "string" }
  }
})

const seed = values.seed === undefined ? anySeed() : Number(values.seed)
const numberOf = (text: string | undefined, otherwise: number): number =>
  text === undefined ? otherwise : Number(text)
const say = (line: string) => console.log(line)
/** How soon an heir answers (ms). */
const readyWithin = 2000
/** How soon nothing is left of what has ended (ms). */
const within = 5000

const rounds = numberOf(values.rounds, 20)
const isRight = ({ failed, notOne }: StartsFindings) => failed.length + notOne.length === 0

const commands: Readonly<Record<string, () => Promise<boolean>>> = {
  crash: async () => {
    const { corrupt, left, lost, ready, twice } = await crash({
      cycles: numberOf(values.cycles, 500),
      seed,
      within,
      say
    })
    const faults = corrupt.length + left.length + lost.length + twice.length
    return faults === 0 && ready.every((ms) => ms <= readyWithin)
  },
  power: async () => (await power({ states: numberOf(values.states, 1000), seed, say })).wrong.length === 0,
  "first-calls": async () => isRight(await firstCalls(50, { rounds, say })),
  heirs: async () => isRight(await heirs({ rounds, seed, say })),
  tree: async () => {
    const { left, untrue } = await tree({ rounds, within, say })
    return left.length + untrue.length === 0
  }
}

const [name = ""] = positionals
const command = commands[name]
if (command === undefined) {
  console.error(`npm run faults -- ${Object.keys(commands).join(" | ")}`)
  process.exitCode = 2
} else process.exitCode = (await command()) ? 0 : 1
