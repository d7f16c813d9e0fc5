import { Context, Effect, Option } from "effect"
import { readdir, readFile } from "node:fs/promises"
import type { Environment } from "./Environment.ts"
import { ProcessLimits } from "./ProcessLimits.ts"

/** Whose agents' processes are meant: those of these workspaces, of the fleet that has this state directory. */
export interface StraysOf {
  readonly stateDirectory: string
  readonly workspaceIds: ReadonlySet<string>
}

/** What was found and ended, and what could not be ended. */
export interface StraysEnd {
  /** False where processes cannot be looked at: some may be left then. */
  readonly looked: boolean
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

/** Where the processes of the machine are listed, as proc(5) has it. */
export class ProcDirectory extends Context.Reference<ProcDirectory>()(
  "fleet-mcp/layers/agenthost/process/Strays/ProcDirectory",
  { defaultValue: () => "/proc" }
) {}

const prefix = "FLEET_MCP_AGENT="

/** Whether an environment, entries that each end with a NUL, has the marks of one of these agents. */
const isMarked = ({ stateDirectory, workspaceIds }: StraysOf) => {
  const mark = `FLEET_MCP_AGENT_STATE_DIR=${stateDirectory}`
  const bytes = Buffer.from(mark)
  return (environment: Buffer): boolean => {
    // Of nearly all processes this is all that is looked at.
    if (!environment.includes(bytes)) return false
    const variables = environment.toString("utf8").split("\0")
    const agent = variables.find((variable) => variable.startsWith(prefix))
    return agent !== undefined && workspaceIds.has(agent.slice(prefix.length)) && variables.includes(mark)
  }
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
 * session that they were started in, and those of a fleet that was killed. Linux only: elsewhere it cannot look. Not found
 * are processes whose environment this user may not read (proc(5)): those of other users, and those of its own that are not
 * dumpable, such as of set-user-ID programs.
 */
export const endStrays = Effect.fn("Strays.endStrays")(function* (of: StraysOf) {
  const { strayLooks, strayPoll, strayRounds } = yield* ProcessLimits
  const proc = yield* ProcDirectory
  const isMeant = isMarked(of)
  const own = String(process.pid)

  const environmentOf = (pid: string) => Effect.tryPromise(() => readFile(`${proc}/${pid}/environ`))

  /** Those that there are; each is treated as soon as it is found: its id may soon be that of another. */
  const found = (treat: (pid: number) => void) =>
    Effect.gen(function* () {
      const names = yield* Effect.tryPromise(() => readdir(proc))
      // Where not even its own can be read, there is nothing to find.
      yield* environmentOf("self")
      const pids = names.filter((name) => /^\d+$/.test(name) && name !== own)
      return yield* Effect.filter(
        pids,
        (pid) =>
          environmentOf(pid).pipe(
            Effect.map(isMeant),
            // It is another user's, or has ended.
            Effect.orElseSucceed(() => false),
            Effect.tap((isFound) => (isFound ? treat(Number(pid)) : undefined))
          ),
        { concurrency: strayLooks }
      )
    }).pipe(Effect.option)

  const seen = new Set<string>()
  for (let round = 0; ; round++) {
    const isLast = round === strayRounds
    const pids = yield* found(isLast ? () => undefined : kill)
    if (Option.isNone(pids)) return { looked: false, ended: 0, left: 0 }
    const left = pids.value.length
    if (left === 0 || isLast) return { looked: true, ended: Math.max(0, seen.size - left), left }
    for (const pid of pids.value) seen.add(pid)
    yield* Effect.sleep(strayPoll)
  }
})

/** That in words; `""` where nothing was found. */
export const straysText = ({ ended, left }: StraysEnd): string =>
  [
    ...(ended === 0 ? [] : [`${count(ended)} outside of its process group ${ended === 1 ? "was" : "were"} ended`]),
    ...(left === 0 ? [] : [`${count(left)} could not be ended`])
  ].join("; ")

/** What has become of the processes of agents, to follow "and". */
export const straysFate = ({ left, looked }: StraysEnd): string => {
  if (!looked) return "whether any process of it still runs could not be looked at"
  return left === 0 ? "all of its processes were ended" : "not all of the processes that were left could be ended"
}

/** Both, for whoever stopped an agent. */
export const stoppedText = (end: StraysEnd): string => {
  const found = straysText(end)
  return `Agent stopped, and ${straysFate(end)}${found === "" ? "" : ` (${found})`}`
}

const count = (processes: number): string => `${processes} ${processes === 1 ? "process" : "processes"}`
