import { Effect, Option } from "effect"
import { cut } from "../../../schemas/Text.ts"
import type { CodingAgent, TurnEnd } from "../AgentHost.ts"
import { run, type RunEnd } from "../process/AgentProcess.ts"
import type { Environment } from "../process/Environment.ts"
import { endStrays, markersOf, straysFate, straysText } from "../process/Strays.ts"
import type { Surroundings } from "../process/Surroundings.ts"
import { TaskVariables } from "../process/TurnCaller.ts"

export interface ShellAgentOptions {
  readonly workspaceId: string
  /** The state directory of the fleet: its agents' processes are known by it. */
  readonly stateDirectory: string
  /** Where commands run: the agent's worktree. */
  readonly directory: string
  /** What its tasks see. */
  readonly surroundings: Surroundings["Type"]
  /** Before anything is started: the marks of the process that runs the agents, as `Sweeper.guard` answers them. */
  readonly guard: Effect.Effect<Environment>
}

/** Characters of a list of names. */
const longestNames = 1000

/** What a task lacks of what was set where it was given. */
const lackOf = (names: ReadonlyArray<string>): string =>
  names.length === 0
    ? ""
    : `[not set here, as they were where this task was given, and kept nowhere: ${cut(names.join(", "), longestNames)}]\n`

const notAllowed =
  "the server that this comes from does not offer the role shell: it runs commands with your rights, and wants --allow-shell or FLEET_MCP_ALLOW_SHELL=true"

const endedWithIt = (count: number): string => {
  if (count === 0) return ""
  return count === 1 ? "; 1 background process was ended" : `; ${count} background processes were ended`
}

const end = ({ background, code, signal }: RunEnd): TurnEnd => {
  const how = signal === null ? `exit code ${code}` : `killed by ${signal}`
  const others = Option.match(background, {
    onNone: () => "; background processes, if there were any, were ended",
    onSome: endedWithIt
  })
  return { state: code === 0 ? "complete" : "failure", message: how, lastLine: `[${how}${others}]` }
}

const notStarted = ({ message }: { readonly message: string }): TurnEnd => ({
  state: "failure",
  message,
  lastLine: `[${message}]`
})

/** The built-in agent `shell`: a prompt is a command or a short script for `/bin/sh`, its answer what that writes. */
export const ShellAgent = {
  make: (options: ShellAgentOptions): CodingAgent => ({
    agentType: "shell",
    greeting: `Each prompt is run by /bin/sh in ${options.directory}. Background processes that it starts are ended with it.`,
    refusal: (caller) => (Option.exists(caller, ({ allowShell }) => !allowShell) ? notAllowed : undefined),
    turn: (prompt, emit) =>
      prompt.includes("\0")
        ? Effect.succeed(notStarted({ message: "A script cannot hold a NUL character, so nothing was run." }))
        : Effect.gen(function* () {
            const { environment } = yield* options.surroundings.settled
            const lack = lackOf((yield* TaskVariables).filter((name) => environment[name] === undefined))
            if (lack !== "") yield* emit(lack)
            const marks = { ...markersOf(options.workspaceId, options.stateDirectory), ...(yield* options.guard) }
            return yield* run({
              command: { script: prompt },
              directory: options.directory,
              environment: { ...environment, ...marks },
              onOutput: emit
            })
          }).pipe(
            Effect.map(end),
            Effect.catchAll((error) => Effect.succeed(notStarted(error)))
          ),
    sweep: Effect.map(
      endStrays({ stateDirectory: options.stateDirectory, workspaceIds: new Set([options.workspaceId]) }),
      (strays) => ({ found: straysText(strays), fate: straysFate(strays) })
    )
  })
}
