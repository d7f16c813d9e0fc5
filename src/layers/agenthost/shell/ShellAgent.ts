import { Effect } from "effect"
import { Limits } from "../../config/Limits.ts"
import type { CodingAgent, TurnEnd } from "../AgentHost.ts"
import { run, type ProcessExit, type ProcessOptions } from "../process/AgentProcess.ts"
import { agentEnvironment, type Environment } from "../process/Environment.ts"

export interface ShellAgentOptions {
  readonly workspaceId: string
  /** Where commands run: the agent's worktree. */
  readonly directory: string
  /** The variables to choose from. */
  readonly environment: Environment
  /** Names of variables that are passed on besides the usual ones. */
  readonly agentEnvironment?: ReadonlyArray<string> | undefined
}

/** What a shell task sees, and the mark by which `fleet-mcp` knows that it was started by an agent. */
const shellEnvironment = ({ agentEnvironment: more, environment, workspaceId }: ShellAgentOptions): Environment => ({
  ...agentEnvironment(environment, more),
  FLEET_MCP_AGENT: workspaceId
})

const joinPieces = 'script=; for piece; do script=$script$piece; done; set --; eval "unset script piece; $script"'

const shell = (script: string): ProcessOptions["command"] => {
  if (script.length <= Limits.scriptArgument) return ["/bin/sh", "-c", script]
  const pieces = script.match(new RegExp(`.{1,${Limits.scriptArgument}}`, "gsu")) ?? []
  return ["/bin/sh", "-c", joinPieces, "/bin/sh", ...pieces]
}

const end = ({ code, signal }: ProcessExit): TurnEnd => {
  const how = signal === null ? `exit code ${code}` : `killed by ${signal}`
  return { state: code === 0 ? "complete" : "failure", message: how, lastLine: `[${how}]` }
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
    greeting: `Each prompt is run by /bin/sh in ${options.directory}.`,
    turn: (prompt, emit) =>
      run({
        command: shell(prompt),
        directory: options.directory,
        environment: shellEnvironment(options),
        onOutput: emit
      }).pipe(
        Effect.map(end),
        Effect.catchAll((error) => Effect.succeed(notStarted(error)))
      )
  })
}
