import { execFileSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import type { Finding, Scan } from "./Canary.ts"

/** What was said in many places, whole: a value may have come in several pieces. */
export class Sinks {
  readonly #said = new Map<string, Array<Buffer>>()

  add(sink: string, said: string | Uint8Array): void {
    const before = this.#said.get(sink) ?? []
    this.#said.set(sink, [...before, Buffer.from(said)])
  }

  findings(scan: Scan): ReadonlyArray<Finding> {
    return [...this.#said].flatMap(([sink, parts]) => scan(sink, Buffer.concat(parts)))
  }
}

/** What a process was started with. Without /proc the environment is not seen. */
export interface Started {
  readonly pid: number
  readonly argv: Buffer
  readonly environment: Buffer
}

interface Row {
  readonly pid: number
  readonly parent: number
  readonly args: string
}

/** None where the process has ended. */
const orGone = <A>(read: () => A): ReadonlyArray<A> => {
  try {
    return [read()]
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH")) return []
    throw error
  }
}

const hasProc = existsSync("/proc/self")

const parsed = (pattern: RegExp, line: string): Row => {
  const [, pid, parent, args = ""] = pattern.exec(line) ?? []
  return { pid: Number(pid), parent: Number(parent), args }
}

const rows = (): ReadonlyArray<Row> =>
  hasProc
    ? readdirSync("/proc")
        .filter((name) => /^\d+$/.test(name))
        .flatMap((name) => orGone(() => readFileSync(`/proc/${name}/stat`, "latin1")))
        .map((stat) => parsed(/^(\d+) [^]*\) \S (\d+)/, stat))
    : execFileSync("ps", ["-A", "-ww", "-o", "pid=,ppid=,args="], { encoding: "utf8" })
        .trim()
        .split("\n")
        .map((line) => parsed(/^\s*(\d+)\s+(\d+)\s+(.*)$/, line))

const started = ({ args, pid }: Row): ReadonlyArray<Started> =>
  hasProc
    ? orGone(() => ({
        pid,
        argv: readFileSync(`/proc/${pid}/cmdline`),
        environment: readFileSync(`/proc/${pid}/environ`)
      }))
    : [{ pid, argv: Buffer.from(args), environment: Buffer.alloc(0) }]

/** A process and all beneath it that are there now, itself first. */
export const processesFrom = (pid: number): ReadonlyArray<Started> => {
  const all = rows()
  const withDescendants = (one: Row): ReadonlyArray<Row> => [
    one,
    ...all.filter(({ parent }) => parent === one.pid).flatMap(withDescendants)
  ]
  return all
    .filter((one) => one.pid === pid)
    .flatMap(withDescendants)
    .flatMap(started)
}
