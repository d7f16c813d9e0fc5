import { Context, Option } from "effect"
import { agentEnvironment, type Environment } from "./Environment.ts"

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

/** What git and agents see for a caller; without one, `otherwise`. */
export const environmentFor = (caller: Option.Option<Caller>, otherwise: Environment): Environment =>
  Option.match(caller, {
    onNone: () => otherwise,
    onSome: ({ agentEnvironment: more, environment }) => agentEnvironment(environment, more)
  })
