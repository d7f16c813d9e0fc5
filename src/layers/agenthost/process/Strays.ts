import { Effect } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import type { Environment } from "./Environment.ts"
import { ProcessLimits } from "./ProcessLimits.ts"

/** Whose agents' processes are meant: those of these workspaces, of the fleet that has this state directory. */
export interface StraysOf {
  readonly stateDirectory: string
  readonly workspaceIds: ReadonlySet<string>
}

/** What was found and ended, and what could not be ended. */
export interface StraysEnd {
  readonly ended: number
  readonly left: number
}

/**
 * What marks the processes of an agent, whatever group or session they make themselves: it passes from each to those that
 * it starts. `FLEET_MCP_AGENT` also tells `fleet-mcp` that it was started by an agent.
 */
export const markersOf = (workspaceId: string, stateDirectory: string): Environment => ({
  FLEET_MCP_AGENT: workspaceId,
  FLEET_MCP_AGENT_STATE_DIR: stateDirectory
})

// Format: proc(5), /proc/[pid]/environ. That of a process of another user cannot be read, and a dead one has none.
const environmentOf = (pid: string): ReadonlyArray<string> => {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0")
  } catch {
    return []
  }
}

const prefix = "FLEET_MCP_AGENT="

const found = ({ stateDirectory, workspaceIds }: StraysOf): ReadonlyArray<number> => {
  let pids: ReadonlyArray<string>
  try {
    pids = readdirSync("/proc")
  } catch {
    // Where there is no /proc nothing can be found.
    return []
  }
  const own = String(process.pid)
  return pids
    .filter((pid) => {
      if (!/^\d+$/.test(pid) || pid === own) return false
      const variables = environmentOf(pid)
      const agent = variables.find((variable) => variable.startsWith(prefix))
      if (agent === undefined || !workspaceIds.has(agent.slice(prefix.length))) return false
      return variables.includes(`FLEET_MCP_AGENT_STATE_DIR=${stateDirectory}`)
    })
    .map(Number)
}

const kill = (pid: number): void => {
  try {
    process.kill(pid, "SIGKILL")
  } catch {
    // It has ended meanwhile.
  }
}

/**
 * Ends processes of agents by their marks, and looks until none is found any more: also those that left the group or the
 * session that they were started in, and those of a fleet that was killed. Linux only: elsewhere it finds nothing.
 */
export const endStrays = Effect.fn("Strays.endStrays")(function* (of: StraysOf) {
  const { strayPoll, strayRounds } = yield* ProcessLimits
  const seen = new Set<number>()
  for (let round = 0; round < strayRounds; round++) {
    const pids = found(of)
    if (pids.length === 0) return { ended: seen.size, left: 0 }
    for (const pid of pids) {
      seen.add(pid)
      kill(pid)
    }
    yield* Effect.sleep(strayPoll)
  }
  const left = found(of).length
  return { ended: Math.max(0, seen.size - left), left }
})

/** That in words; `""` where nothing was found. */
export const straysText = ({ ended, left }: StraysEnd): string =>
  [
    ...(ended === 0 ? [] : [`${count(ended)} outside of its process group ${ended === 1 ? "was" : "were"} ended`]),
    ...(left === 0 ? [] : [`${count(left)} could not be ended`])
  ].join("; ")

const count = (processes: number): string => `${processes} ${processes === 1 ? "process" : "processes"}`
