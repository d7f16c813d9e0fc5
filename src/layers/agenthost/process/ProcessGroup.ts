import { readdirSync, readFileSync } from "node:fs"

/** Sends a signal to all processes of a group. False when there is none (any more). */
export const signalGroup = (group: number, signal: NodeJS.Signals | 0): boolean => {
  try {
    return process.kill(-group, signal)
  } catch {
    return false
  }
}

// Format: proc(5), /proc/[pid]/stat; the name, in brackets, may hold anything.
const stateIn = (group: number, pid: string): string | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
    const [state, , processGroup] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return processGroup === String(group) ? state : undefined
  } catch {
    return undefined
  }
}

const onlyDead = (group: number): boolean => {
  try {
    const states = readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => stateIn(group, pid) ?? [])
    return states.every((state) => state === "Z" || state === "X")
  } catch {
    return false
  }
}

/**
 * Whether a process of the group can still do anything. Dead ones remain until they are reaped, which in a container
 * may be never, and answer to signals; Linux tells them apart.
 */
export const isGroupAlive = (group: number): boolean => signalGroup(group, 0) && !onlyDead(group)
