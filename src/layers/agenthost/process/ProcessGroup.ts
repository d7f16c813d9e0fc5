import { readdirSync, readFileSync } from "node:fs"

/** Sends a signal to all processes of a group. False when there is none (any more). */
export const signalGroup = (group: number, signal: NodeJS.Signals | 0): boolean => {
  try {
    return process.kill(-group, signal)
  } catch {
    return false
  }
}

// Format: proc(5), /proc/[pid]/stat; the name, in brackets, may hold anything. Dead processes remain until they are
// reaped, which in a container may be never, and answer to signals.
const isAlive = (group: number, pid: number | string): boolean => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
    const [state, , processGroup] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return processGroup === String(group) && state !== "Z" && state !== "X"
  } catch {
    return false
  }
}

/** Whether one of these processes, seen in the group before, can still do anything in it (Linux). */
export const isMemberAlive = (group: number, pids: ReadonlyArray<number>): boolean =>
  signalGroup(group, 0) && pids.some((pid) => isAlive(group, pid))

/** Whether a process of the group can still do anything. Looks at all processes of the machine if one answers. */
export const isGroupAlive = (group: number): boolean => {
  if (!signalGroup(group, 0)) return false
  try {
    return readdirSync("/proc").some((name) => /^\d+$/.test(name) && isAlive(group, name))
  } catch {
    // Nothing but the signal tells, where there is no /proc.
    return true
  }
}
