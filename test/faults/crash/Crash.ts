import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { isAlive } from "../../layers/agenthost/support.ts"
import type { Program } from "../../support/Program.ts"
import { SupervisedState } from "../../support/SupervisedState.ts"
import { type Say, timesOf } from "../Figures.ts"
import { FleetSocket, infoIn, type SupervisorInfo } from "../FleetSocket.ts"
import { markedProcesses, startOf, untilNone } from "../MarkedProcesses.ts"
import { Seeded } from "../Seeded.ts"
import { Ledger } from "./Ledger.ts"
import { workOverSocket, workWithTools } from "./Load.ts"
import { brokenReferences, lostIn, readStore, tasksBegun } from "./StoreCopy.ts"

export interface CrashOptions {
  readonly cycles: number
  readonly seed: number
  /** How soon nothing of the agents of a killed supervisor may be left (ms). */
  readonly within: number
  readonly say: Say
}

export interface CrashFindings {
  /** What was acknowledged and is not there. */
  readonly lost: ReadonlyArray<string>
  /** Tasks that ran twice, or that ran although their turn had been cut before. */
  readonly twice: ReadonlyArray<string>
  readonly corrupt: ReadonlyArray<string>
  /** Processes of agents that outlived their supervisor for longer. */
  readonly left: ReadonlyArray<string>
  /** From the start of each heir to its first answer (ms). */
  readonly ready: ReadonlyArray<number>
  readonly acknowledged: number
}

/** How long a supervisor works before it is killed (ms), at most. */
const longestWork = 2500
/** How long a start lasts, about (ms): of those that are killed at that. */
const longestStart = 800
/** For what has to come about, if it comes about at all (ms). */
const patience = 60_000
/** After so many cycles it says how far it has come. */
const progress = 25
/** Clients at once, beside a front end. */
const actors = 6

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** Looks until there is something. */
const found = async <A>(what: string, look: () => A | undefined | Promise<A | undefined>): Promise<A> => {
  const end = performance.now() + patience
  while (performance.now() < end) {
    const seen = await look()
    if (seen !== undefined) return seen
    await pause(5)
  }
  throw new Error(`never seen: ${what}`)
}

const failure = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** The lives of one state directory's supervisors, each killed at a random moment and followed by an heir. */
class Lives {
  readonly state = new SupervisedState()
  readonly ledger: Ledger
  readonly seeded: Seeded
  readonly within: number
  readonly lost = new Set<string>()
  readonly twice = new Set<string>()
  readonly corrupt: Array<string> = []
  readonly left: Array<string> = []
  readonly ready: Array<number> = []
  /** How often each task had run when its turn was seen in the store of a supervisor that is dead. */
  readonly #ran = new Map<string, number>()
  /** The tasks whose turn was seen there last. */
  #begun: ReadonlySet<string> = new Set()
  #frontEnd: Program | undefined

  constructor({ seed, within }: CrashOptions) {
    this.seeded = new Seeded(seed)
    this.within = within
    const outside = join(this.state.directory, "outside")
    mkdirSync(outside)
    this.ledger = new Ledger(outside)
  }

  /** The supervisor that answers, another one than that of `before`. */
  async #answering(before: number | undefined): Promise<SupervisorInfo> {
    return found("an answer of a supervisor", async () => {
      const info = infoIn(this.state.state)
      if (info === undefined || info.pid === before || !isAlive(info.pid)) return undefined
      const socket = new FleetSocket(info)
      try {
        return (await socket.send("GET", "/api/v2/workspaces")).status === 200 ? info : undefined
      } catch {
        return undefined
      } finally {
        socket.close()
      }
    })
  }

  /** Starts one, by itself or by the first call of a front end, and waits for its first answer. */
  async start(before: number | undefined): Promise<SupervisorInfo> {
    if (this.#frontEnd === undefined && this.seeded.chance(0.25)) this.#frontEnd = await this.state.frontEnd()
    const began = performance.now()
    if (this.#frontEnd === undefined) {
      if (this.seeded.chance(0.15)) {
        const killed = this.state.start({ args: ["supervisor"] })
        await pause(this.seeded.below(longestStart))
        killed.child.kill("SIGKILL")
        await killed.exit
        return this.start(infoIn(this.state.state)?.pid ?? before)
      }
      this.state.start({ args: ["supervisor"] })
    } else {
      // One that has outlived a supervisor goes on with the call that it was at.
      this.#frontEnd.child.kill("SIGCONT")
      const { isError, text } = await this.#frontEnd.call("list_agents")
      if (isError) throw new Error(`the front end could not start an heir: ${text}`)
    }
    const info = await this.#answering(before)
    this.ready.push(performance.now() - began)
    return info
  }

  /** Has clients work until a random moment, and kills the supervisor, and perhaps the front end with it. */
  async work(info: SupervisorInfo): Promise<void> {
    let isUp = true
    const actor = { ledger: this.ledger, seeded: this.seeded, goesOn: () => isUp }
    const sockets: Array<FleetSocket> = []
    const act = async () => {
      const socket = new FleetSocket(info)
      sockets.push(socket)
      await socket.register(this.state.repository)
      const { body } = await socket.send<ReadonlyArray<{ readonly id: string; readonly display_name: string }>>(
        "GET",
        "/api/v2/templates"
      )
      const [template] = body
      if (template === undefined) throw new Error("there is no project")
      await workOverSocket(socket, template.id, actor)
    }
    // Their end is the kill.
    const atWork = Array.from({ length: actors }, () =>
      act().catch((error: unknown) => {
        if (isUp) throw error
      })
    )
    const frontEnd = this.#frontEnd
    if (frontEnd !== undefined) void workWithTools(frontEnd, actor).catch(() => undefined)
    await Promise.race([Promise.all(atWork), pause(this.seeded.below(longestWork))])
    isUp = false
    const isKilledToo = this.seeded.chance(0.5)
    // It would start an heir before the store has been looked at.
    if (!isKilledToo) frontEnd?.child.kill("SIGSTOP")
    process.kill(info.pid, "SIGKILL")
    if (frontEnd !== undefined && isKilledToo) {
      frontEnd.child.kill("SIGKILL")
      await frontEnd.exit
      this.#frontEnd = undefined
    }
    await Promise.all(atWork)
    for (const socket of sockets) socket.close()
    await found("the end of the supervisor", () => (isAlive(info.pid) ? undefined : true))
  }

  /** Looks at what a supervisor has left, before its heir comes. */
  inspect(): void {
    const copy = readStore(this.state.file("store.db"))
    this.corrupt.push(...copy.problems, ...brokenReferences(copy))
    for (const one of lostIn(copy, this.ledger)) this.lost.add(one)
    this.#begun = tasksBegun(copy)
  }

  /** When nothing of the supervisor before runs any more: what it had begun runs never again. */
  #countRuns(): void {
    const counts = this.ledger.begun()
    for (const [task, count] of counts) if (count > 1) this.twice.add(`${task} ran ${count} times`)
    for (const [task, ran] of this.#ran) {
      if ((counts.get(task) ?? 0) > ran) this.twice.add(`${task} ran after its turn had been cut`)
    }
    for (const task of this.#begun) this.#ran.set(task, counts.get(task) ?? 0)
  }

  /** Looks at what the heir makes of it. */
  async verify(info: SupervisorInfo): Promise<void> {
    const socket = new FleetSocket(info)
    try {
      const heirStarted = startOf(info.pid)
      const processes = await untilNone(
        () => markedProcesses(this.state.state).filter(({ startedAt }) => startedAt < heirStarted),
        this.within
      )
      this.left.push(...processes.map(({ agent, pid }) => `process ${pid} of ${agent}`))
      this.#countRuns()
      const names = async () => {
        const { body } = await socket.send<{ readonly workspaces: ReadonlyArray<{ readonly name: string }> }>(
          "GET",
          "/api/v2/workspaces"
        )
        return new Set(body.workspaces.map(({ name }) => name))
      }
      const listed = await names()
      for (const agent of this.ledger.kept) if (!listed.has(agent)) this.lost.add(`${agent} is in no list`)
      const deletes = this.ledger.entries.filter(({ what }) => what === "delete").map(({ agent }) => agent)
      await found("the end of the deletions that were taken", async () => {
        const still = await names()
        return deletes.some((agent) => still.has(agent)) ? undefined : true
      }).catch(() => this.lost.add(`a deletion that was taken has not come to its end`))
    } finally {
      socket.close()
    }
  }

  /** Ends the last of them as a user does, and looks that nothing is left. */
  async end(): Promise<void> {
    this.#frontEnd = undefined
    await this.state.closeAll()
    await this.state.run("stop", "--now")
    const processes = await untilNone(() => markedProcesses(this.state.state), this.within)
    this.left.push(...processes.map(({ agent, pid }) => `process ${pid} of ${agent}, after the end`))
    this.inspect()
    this.#countRuns()
  }
}

/** Kills a supervisor under load again and again, and looks each time whether everything that it acknowledged is there. */
export const crash = async (options: CrashOptions): Promise<CrashFindings> => {
  const { cycles, say, seed } = options
  say(`crash: ${cycles} cycles, seed ${seed}`)
  const lives = new Lives(options)
  const { ledger } = lives
  let before: number | undefined
  try {
    for (let cycle = 1; cycle <= cycles + 1; cycle++) {
      try {
        const info = await lives.start(before)
        await lives.verify(info)
        if (cycle > cycles) break
        await lives.work(info)
        lives.inspect()
        before = info.pid
      } catch (error) {
        throw new Error(`cycle ${cycle} of seed ${seed}: ${failure(error)}`, { cause: error })
      }
      if (cycle % progress === 0) {
        const faults = lives.lost.size + lives.twice.size + lives.corrupt.length + lives.left.length
        say(`${cycle} cycles, ${ledger.entries.length} acknowledged, ${faults} faults, ready ${timesOf(lives.ready)}`)
      }
    }
    await lives.end()
  } finally {
    await lives.state[Symbol.asyncDispose]()
  }
  const { corrupt, left, lost, ready, twice } = lives
  for (const one of [...lost].map((text) => `lost: ${text}`)) say(one)
  for (const one of [...twice].map((text) => `twice: ${text}`)) say(one)
  for (const one of corrupt) say(`corrupt: ${one}`)
  for (const one of left) say(`left: ${one}`)
  const kinds = (["created", "task", "stop", "stopped", "delete", "deleted"] as const).map(
    (what) => `${ledger.count(what)} ${what}`
  )
  say(
    `acknowledged: ${kinds.join(", ")}; ready within ${timesOf(ready)}, ${ready.filter((ms) => ms > 2000).length} times after more than 2 s`
  )
  say(
    `${cycles} cycles: ${lost.size} lost, ${twice.size} run twice, ${corrupt.length} corrupt, ${left.length} processes left`
  )
  return { lost: [...lost], twice: [...twice], corrupt, left, ready, acknowledged: ledger.entries.length }
}
