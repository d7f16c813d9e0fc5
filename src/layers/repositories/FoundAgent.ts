import type { Option } from "effect"
import type { Agent } from "../../schemas/Agent.ts"
import type { AgentApp } from "../../schemas/agentapi/AgentApi.ts"
import type { Workspace } from "../../schemas/coder/Workspaces.ts"
import type { LiveState } from "./LiveState.ts"

/** The key of what something is on the wire. Services may not import it: they hold, and hand back. */
export const wire: unique symbol = Symbol("fleet-mcp/layers/repositories/FoundAgent/wire")

/** A workspace that can be held and handed back, but is looked into by repositories alone. */
export interface WorkspaceHandle {
  readonly [wire]: { readonly workspace: Workspace }
}

/** An agent that was found by its name, and not looked at. */
export interface LocatedAgent extends WorkspaceHandle {
  readonly name: string
}

/** An agent as it was seen, and all that repositories need to act on it. */
export interface FoundAgent extends WorkspaceHandle {
  readonly agent: Agent
  /** What it answered itself just now, where it did. */
  readonly live: Option.Option<LiveState>
  /** It runs, and shows no AgentAPI app: nobody can ask it or tell it anything. */
  readonly lacksAgentApi: boolean
  /** Its template has a parameter for a first task. */
  readonly takesPrompt: boolean
  readonly [wire]: {
    readonly workspace: Workspace
    /** Its AgentAPI, where the running workspace shows one. */
    readonly app: Option.Option<AgentApp>
  }
}
