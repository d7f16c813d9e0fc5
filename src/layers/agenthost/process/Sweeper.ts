import { Context, Effect, Layer } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import type { Environment } from "./Environment.ts"

const variable = "FLEET_MCP_AGENT_HOST"

// Reads a pipe to the process that runs the agents. At its end, however it comes, processes with the mark `$1` are killed
// until none is found in two looks, with a second between them: a process that is just becoming another program shows no
// environment. What `grep` prints counts, not its exit code, which is 2 whenever a process has ended meanwhile. Format:
// proc(5), /proc/[pid]/environ.
const script = `trap "" HUP INT PIPE TERM
read -r _
rounds=0 clean=0
while [ $rounds -lt 200 ] && [ $clean -lt 2 ]; do
  rounds=$((rounds + 1))
  found=$(LC_ALL=C command -p grep -lszxF "$1" /proc/[0-9]*/environ 2>/dev/null)
  if [ -z "$found" ]; then
    clean=$((clean + 1))
    [ $clean -ge 2 ] || command -p sleep 1
  else
    clean=0
    for environ in $found; do
      pid=\${environ#/proc/}
      kill -KILL "\${pid%/environ}" 2>/dev/null
    done
  fi
done`

const start = (mark: string): ChildProcess => {
  const child = spawn("/bin/sh", ["-c", script, "fleet-sweeper", mark], {
    cwd: "/",
    env: {},
    // In a session of its own: what an agent does to its group and session does not reach it.
    detached: true,
    stdio: ["pipe", "ignore", "ignore"]
  })
  child.on("error", () => undefined)
  child.stdin?.on("error", () => undefined)
  child.unref()
  return child
}

const isRunning = ({ exitCode, pid, signalCode }: ChildProcess): boolean =>
  pid !== undefined && exitCode === null && signalCode === null

/**
 * Ends what is left of the agents' processes when this process ends, however that comes about: also those that left the
 * group and the session that they were started in. It is a process of its own, without the mark, and one for all agents.
 * Linux only: elsewhere it finds nothing.
 */
export class Sweeper extends Context.Tag("fleet-mcp/layers/agenthost/process/Sweeper")<
  Sweeper,
  {
    /**
     * Has a sweeper run, another one where the one before was killed, and answers the mark by which it knows the processes
     * of this process' agents, and of no other's.
     */
    readonly guard: Effect.Effect<Environment>
  }
>() {
  static readonly layer: Layer.Layer<Sweeper> = Layer.scoped(
    this,
    Effect.gen(function* () {
      const id = randomUUID()
      const marks: Environment = { [variable]: id }
      let sweeper: ChildProcess | undefined
      yield* Effect.addFinalizer(() => Effect.sync(() => sweeper?.stdin?.end()))
      return {
        guard: Effect.gen(function* () {
          if (sweeper !== undefined && isRunning(sweeper)) return marks
          sweeper = start(`${variable}=${id}`)
          if (!isRunning(sweeper)) {
            yield* Effect.logWarning("No sweeper could be started: what agents leave behind is ended at the next start")
          }
          return marks
        })
      }
    })
  )
}
