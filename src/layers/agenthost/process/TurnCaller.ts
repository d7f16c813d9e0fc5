import { Context, Option } from "effect"
import type { Environment } from "./Environment.ts"

/** For whom something is done where several use one fleet: what counts of their surroundings. */
export interface Caller {
  /** Whether the caller may have commands run by the role `shell`. */
  readonly allowShell: boolean
  /** The variables to choose from. */
  readonly environment: Environment
  /** Names of variables that are passed on besides the usual ones. */
  readonly agentEnvironment: ReadonlyArray<string>
}

/**
 * Whose request is being carried out; what it begins in the background keeps it. None: the one whom the agents' host was
 * made for, with the surroundings that were given then.
 */
export class TurnCaller extends Context.Reference<TurnCaller>()("fleet-mcp/layers/agenthost/process/TurnCaller", {
  defaultValue: (): Option.Option<Caller> => Option.none()
}) {}

/**
 * Names of variables that whoever gave the task at hand had set then. A task that is stored may run when its client is
 * gone, and so are the values, which are stored nowhere: an agent tells those that it lacks. Default: none.
 */
export class TaskVariables extends Context.Reference<TaskVariables>()(
  "fleet-mcp/layers/agenthost/process/TurnCaller/TaskVariables",
  { defaultValue: (): ReadonlyArray<string> => [] }
) {}
