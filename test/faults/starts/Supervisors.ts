import { readdirSync, readFileSync } from "node:fs"
import { isAlive } from "../../layers/agenthost/support.ts"

const read = (file: string): string => {
  try {
    return readFileSync(file, "latin1")
  } catch {
    // It has ended.
    return ""
  }
}

/** The processes that are supervisors of a state directory, or are about to be or to find that there is one (Linux). */
export const supervisorsOf = (stateDirectory: string): ReadonlyArray<number> =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter(
      (pid) =>
        read(`/proc/${pid}/cmdline`).endsWith("\0supervisor\0") &&
        read(`/proc/${pid}/environ`).split("\0").includes(`FLEET_MCP_STATE_DIR=${stateDirectory}`) &&
        isAlive(pid)
    )

/** How often one has begun to listen. */
export const listened = (log: string): number => read(log).split("The supervisor listens").length - 1
