import { readdirSync, readFileSync } from "node:fs"

/** Sends a signal to all processes of a group. False when there is none (any more). */
export const signalGroup = (group: number, signal: NodeJS.Signals | 0): boolean => {
  try {
    return process.kill(-group, signal)
  } catch {
    return false
  }
}

interface Entry {
  readonly pid: number
  readonly state: string
  readonly group: number
}

// Format: proc(5), /proc/[pid]/stat; the name, in brackets, may hold anything.
const entryOf = (stat: string): ReadonlyArray<Entry> => {
  const [, pid, state, group] = /^(\d+) \(.*\) (\S) \d+ (\d+) /s.exec(stat) ?? []
  return state === undefined ? [] : [{ pid: Number(pid), state, group: Number(group) }]
}

// Dead processes remain until they are reaped, which in a container may be never, and answer to signals.
const isAlive = ({ state }: Entry): boolean => state !== "Z" && state !== "X"

/** The living processes of a group, of a text that holds `/proc/[pid]/stat` of all processes, one a line. */
export const membersIn = (stats: string, group: number): ReadonlyArray<number> =>
  stats
    .split("\n")
    .flatMap(entryOf)
    .filter((entry) => entry.group === group && isAlive(entry))
    .map(({ pid }) => pid)

const entryFrom = (pid: number | string): ReadonlyArray<Entry> => {
  try {
    return entryOf(readFileSync(`/proc/${pid}/stat`, "latin1"))
  } catch {
    return []
  }
}

const areAnyAlive = (group: number, pids: ReadonlyArray<number | string>): boolean =>
  pids.flatMap(entryFrom).some((entry) => entry.group === group && isAlive(entry))

/** Whether one of these processes, seen in the group before, can still do anything in it (Linux). */
export const isMemberAlive = (group: number, pids: ReadonlyArray<number>): boolean =>
  signalGroup(group, 0) && areAnyAlive(group, pids)

/** Whether a process of the group can still do anything. Looks at all processes of the machine if one answers. */
export const isGroupAlive = (group: number): boolean => {
  if (!signalGroup(group, 0)) return false
  try {
    return areAnyAlive(
      group,
      readdirSync("/proc").filter((name) => /^\d+$/.test(name))
    )
  } catch {
    // Nothing but the signal tells, where there is no /proc.
    return true
  }
}
