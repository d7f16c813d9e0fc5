import { Option } from "effect"
import { existsSync, readFileSync } from "node:fs"

const answersSignal = Option.liftThrowable((pid: number) => process.kill(pid, 0))

const stateOf = Option.liftThrowable((pid: number) => {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
  // Format: proc(5), /proc/[pid]/stat; the name, in brackets, may hold anything.
  return stat.slice(stat.lastIndexOf(")") + 2).charAt(0)
})

/**
 * Whether a process lives, by the process table itself; one that is dead and not yet reaped does not. Without /proc
 * (macOS) a signal 0 tells.
 */
export const isAlive = (pid: number): boolean =>
  existsSync("/proc/self/stat")
    ? Option.exists(stateOf(pid), (state) => state !== "Z" && state !== "X")
    : Option.isSome(answersSignal(pid))
