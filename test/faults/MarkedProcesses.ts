import { readdirSync, readFileSync } from "node:fs"

/** A process of an agent, as its environment says. */
export interface MarkedProcess {
  readonly pid: number
  /** The id of the agent's workspace. */
  readonly agent: string
  /** Since the start of the machine, in ticks of its clock. */
  readonly startedAt: number
}

const read = (file: string): string => {
  try {
    return readFileSync(file, "latin1")
  } catch {
    // It is another user's, or has ended.
    return ""
  }
}

/** Format: proc(5), /proc/[pid]/stat; the name, in brackets, may hold anything. */
const statOf = (pid: number | string): ReadonlyArray<string> => {
  const stat = read(`/proc/${pid}/stat`)
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")
}

/** When a process was started, in the same measure. */
export const startOf = (pid: number): number => Number(statOf(pid)[19] ?? Number.NaN)

/** All processes of the agents of a state directory that can do anything (Linux). */
export const markedProcesses = (stateDirectory: string): ReadonlyArray<MarkedProcess> =>
  readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    const environ = read(`/proc/${name}/environ`)
    if (!environ.includes(`FLEET_MCP_AGENT_STATE_DIR=${stateDirectory}\0`)) return []
    const [state = "X"] = statOf(name)
    if (state === "Z" || state === "X" || state === "") return []
    const agent = /(?:^|\0)FLEET_MCP_AGENT=([^\0]*)/.exec(environ)?.[1] ?? ""
    return [{ pid: Number(name), agent, startedAt: startOf(Number(name)) }]
  })

/** Looks until nothing is found any more, at most so long (ms); answers what was found last. */
export const untilNone = async <A>(look: () => ReadonlyArray<A>, atMost: number): Promise<ReadonlyArray<A>> => {
  const end = performance.now() + atMost
  for (;;) {
    const found = look()
    if (found.length === 0 || performance.now() > end) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
