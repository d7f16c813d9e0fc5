import { existsSync, mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import type { Program } from "../../support/Program.ts"
import { SupervisedState } from "../../support/SupervisedState.ts"
import { type Say, timesOf } from "../Figures.ts"
import { infoIn } from "../FleetSocket.ts"
import { markedProcesses, untilNone } from "../MarkedProcesses.ts"

export interface TreeOptions {
  readonly rounds: number
  /** How soon nothing may be left (ms). */
  readonly within: number
  readonly say: Say
}

/** In how many ways an agent's work ends. */
const ways = ["cancel", "stop", "restart", "delete", "kill"] as const
type Way = (typeof ways)[number]

export interface TreeFindings {
  /** Processes that were there after the time. */
  readonly left: ReadonlyArray<string>
  /** Answers that say something else than what was seen. */
  readonly untrue: ReadonlyArray<string>
  /** From the call, or the kill, to the end of the last process (ms). */
  readonly took: ReadonlyArray<number>
}

/** Does not mind what is polite, notes its id, and lives until it is killed. */
const stubborn = (file: string) =>
  `sh -c 'trap "" TERM INT HUP; echo $$ > ${file}; while :; do sleep 0.2; done' >/dev/null 2>&1`

/** Nine processes of every kind that outlives a plain kill; each notes its id in a directory. */
const treeIn = (directory: string) => `cd ${directory}
${stubborn("p1")} &
nohup sh -c 'echo $$ > p2; exec sleep 1000' >/dev/null 2>&1 &
setsid ${stubborn("p3")} &
nohup setsid ${stubborn("p4")} &
(setsid ${stubborn("p5")} &) &
setsid sh -c '(setsid sh -c "trap \\"\\" TERM; echo \\$\\$ > p6; while :; do sleep 0.2; done" >/dev/null 2>&1 &)' &
sh -c 'echo $$ > p7; kill -STOP $$' >/dev/null 2>&1 &
setsid sh -c 'trap "" TERM; echo $$ > p8; while :; do setsid sleep 0.5 & sleep 0.1; done' >/dev/null 2>&1 &
trap "" TERM
echo $$ > p0
while :; do sleep 0.2; done`
const members = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8"]

const textIn = (file: string): string => (existsSync(file) ? readFileSync(file, "utf8").trim() : "")

const allIn = async (directory: string): Promise<void> => {
  while (!members.every((name) => textIn(join(directory, name)) !== "")) await pause(10)
}

/** What the fleet says of the end of an agent's processes where all have ended. */
const saysSo = /all of its processes were ended/

const call = async (client: Program, name: string, agent_name: string): Promise<string> => {
  const { isError, text } = await client.call(name, { agent_name })
  if (isError) throw new Error(`${name}: ${text}`)
  return text
}

/** Ends the work of an agent, and answers what was said of it. */
const endBy: Readonly<Record<Way, (client: Program, agent: string, state: SupervisedState) => Promise<string>>> = {
  cancel: (client, agent) => call(client, "cancel_agent_task", agent),
  stop: (client, agent) => call(client, "stop_agent", agent),
  restart: (client, agent) => call(client, "restart_agent", agent),
  delete: (client, agent) => call(client, "delete_agent", agent),
  kill: async (_, __, { state }) => {
    const pid = infoIn(state)?.pid
    if (pid === undefined) throw new Error("there is no supervisor")
    process.kill(pid, "SIGKILL")
    return ""
  }
}

/** Trees of processes under shell tasks, each ended in one of the ways, and looked for from outside. */
export const tree = async ({ rounds, say, within }: TreeOptions): Promise<TreeFindings> => {
  const left: Array<string> = []
  const untrue: Array<string> = []
  const took: Array<number> = []
  await using state = new SupervisedState()
  const client = await state.frontEnd()
  for (const way of ways) {
    const times: Array<number> = []
    for (let round = 1; round <= rounds; round++) {
      const agent = `${way}-${round}`
      const directory = join(state.directory, agent)
      mkdirSync(directory)
      const made = await client.call("create_agent", { name: agent, project: "shop", task: treeIn(directory) })
      if (made.isError) throw new Error(made.text)
      await allIn(directory)
      const began = performance.now()
      const ids = () => markedProcesses(state.state)
      const watched = untilNone(ids, within).then((found) => ({ found, ms: performance.now() - began }))
      const text = await endBy[way](client, agent, state)
      // Whoever is told that all have ended finds none then.
      const atAnswer = way === "kill" ? [] : ids()
      if (way !== "kill" && (!saysSo.test(text) || atAnswer.length > 0)) {
        untrue.push(`${agent}: ${atAnswer.length} processes at the answer: ${text}`)
      }
      const { found, ms } = await watched
      times.push(ms)
      if (found.length > 0) left.push(`${agent}: ${found.map(({ pid }) => pid).join(", ")}`)
      if (way !== "delete") await call(client, "delete_agent", agent)
    }
    took.push(...times)
    say(`${way}: ${rounds} rounds, nothing left after ${timesOf(times)}`)
  }
  for (const one of left) say(`left: ${one}`)
  for (const one of untrue) say(`untrue: ${one}`)
  say(
    `${rounds} rounds of ${ways.length} ways, ${members.length} processes each: ${left.length} times something left, ${untrue.length} untrue answers`
  )
  return { left, untrue, took }
}
