import { setTimeout as pause } from "node:timers/promises"
import type { Program } from "../../support/Program.ts"
import { SupervisedState } from "../../support/SupervisedState.ts"
import { type Say, timesOf } from "../Figures.ts"
import { untilNone } from "../MarkedProcesses.ts"
import { Seeded } from "../Seeded.ts"
import { listened, supervisorsOf } from "./Supervisors.ts"

export interface StartsOptions {
  readonly rounds: number
  readonly seed: number
  readonly say: Say
}

export interface StartsFindings {
  /** Calls that failed, and what was said. */
  readonly failed: ReadonlyArray<string>
  /** Rounds after which there was not exactly one supervisor, with all clients. */
  readonly notOne: ReadonlyArray<string>
  /** From the calls to the last of their answers (ms). */
  readonly took: ReadonlyArray<number>
}

/** Those who look for an heir. */
const heirCallers = 3
/** How long those may take to end that have found another supervisor (ms). */
const losersEnd = 30_000
/** How long after the calls an owner is killed (ms), at most. */
const longestWait = 1000

class Findings {
  readonly failed: Array<string> = []
  readonly notOne: Array<string> = []
  readonly took: Array<number> = []

  /** All call at once. */
  async call(round: number, clients: ReadonlyArray<Program>, meanwhile: () => Promise<void> = async () => undefined) {
    const began = performance.now()
    const [answers] = await Promise.all([Promise.all(clients.map((one) => one.call("list_agents"))), meanwhile()])
    this.took.push(performance.now() - began)
    this.failed.push(...answers.filter(({ isError }) => isError).map(({ text }) => `round ${round}: ${text}`))
  }

  /** One supervisor is left in the end, and all clients are registered at it. */
  async look(round: number, state: SupervisedState, clients: number) {
    const surplus = await untilNone(() => supervisorsOf(state.state).slice(1), losersEnd)
    if (surplus.length > 0) this.notOne.push(`round ${round}: ${surplus.length + 1} processes`)
    const { stdout } = await state.run("status", "--json")
    const told = JSON.parse(stdout) as { readonly running: boolean; readonly clients?: number; readonly pid?: number }
    if (told.clients !== clients || told.pid !== supervisorsOf(state.state)[0]) {
      this.notOne.push(`round ${round}: ${stdout}`)
    }
  }

  tell(what: string, rounds: number, say: Say): StartsFindings {
    for (const one of this.failed) say(`failed: ${one}`)
    for (const one of this.notOne) say(`not one: ${one}`)
    say(
      `${rounds} rounds of ${what}: ${this.failed.length} failed calls, ${this.notOne.length} times not one supervisor; all answered within ${timesOf(this.took)}`
    )
    return this
  }
}

const frontEnds = (state: SupervisedState, count: number) =>
  Promise.all(Array.from({ length: count }, () => state.frontEnd()))

/** So many front ends that all make their first call at once, where no supervisor is up. */
export const firstCalls = async (
  firstCallers: number,
  { rounds, say }: Pick<StartsOptions, "rounds" | "say">
): Promise<StartsFindings> => {
  const findings = new Findings()
  for (let round = 1; round <= rounds; round++) {
    await using state = new SupervisedState()
    const clients = await frontEnds(state, firstCallers)
    await findings.call(round, clients)
    await findings.look(round, state, firstCallers)
    const count = listened(state.file("supervisor.log"))
    if (count !== 1) findings.notOne.push(`round ${round}: ${count} have listened`)
  }
  return findings.tell(`${firstCallers} first calls at once`, rounds, say)
}

/** An owner that is killed while three call: those who knew it, or who have just started; or at its own start. */
export const heirs = async ({ rounds, say, seed }: StartsOptions): Promise<StartsFindings> => {
  say(`heirs: ${rounds} rounds, seed ${seed}`)
  const seeded = new Seeded(seed)
  const findings = new Findings()
  for (let round = 1; round <= rounds; round++) {
    await using state = new SupervisedState()
    const how = seeded.pick(["known", "new", "starting"] as const)
    const killOwner = async () => {
      await pause(seeded.below(longestWait))
      const [owner] = supervisorsOf(state.state)
      if (owner !== undefined) process.kill(owner, "SIGKILL")
    }
    const clients = await frontEnds(state, heirCallers)
    if (how === "known") {
      await findings.call(round, clients)
      await killOwner()
      await findings.call(round, clients)
    } else if (how === "new") {
      const before = await state.frontEnd()
      await findings.call(round, [before])
      await before[Symbol.asyncDispose]()
      await findings.call(round, clients, killOwner)
    } else await findings.call(round, clients, killOwner)
    // Who was answered before the kill registers with its next call.
    await findings.call(round, clients)
    await findings.look(round, state, heirCallers)
  }
  return findings.tell(`an owner killed while ${heirCallers} call`, rounds, say)
}
