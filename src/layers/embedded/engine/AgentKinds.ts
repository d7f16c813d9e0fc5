import { Array, Option } from "effect"
import type { CodingAgent } from "../../agenthost/AgentHost.ts"
import { ShellAgent, type ShellAgentOptions } from "../../agenthost/shell/ShellAgent.ts"
import { passedOn } from "../../agenthost/process/Environment.ts"
import type { EmbeddedOptions } from "../../config/EmbeddedConfig.ts"

/** A kind of agent that is offered as a role: a preset of every template. */
export interface AgentKind {
  readonly name: string
  readonly description: string
  /** The one taken when a request names none. */
  readonly isDefault: boolean
  readonly make: (options: ShellAgentOptions) => CodingAgent
}

const shell: AgentKind = {
  name: "shell",
  description: `Runs each task as a shell command or script in the agent's own git worktree, with your rights; background processes end with their task. It sees of your environment: ${passedOn}; FLEET_MCP_AGENT_ENV names more`,
  isDefault: true,
  make: ShellAgent.make
}

export const allKinds: ReadonlyArray<AgentKind> = [shell]

/** The one taken when a request names none. */
export const defaultKind: Option.Option<AgentKind> = Array.findFirst(allKinds, ({ isDefault }) => isDefault)

/** The kinds of agents that this configuration, or this caller, is offered. */
export const offeredKinds = ({ allowShell }: Pick<EmbeddedOptions, "allowShell">): ReadonlyArray<AgentKind> =>
  allowShell === true ? allKinds : []

/** Why nothing can be created where no kind is offered, and what to do about it. */
export const noKindOffered =
  "No role is offered: start fleet-mcp with --allow-shell, or set FLEET_MCP_ALLOW_SHELL=true, for the role shell; it runs commands with your rights."
