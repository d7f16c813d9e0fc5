import type { BackendFlags, Environment } from "../layers/config/Backend.ts"
import type { ReadOnlyReason } from "../layers/transports/session/ReadOnly.ts"

/** What the command line and the environment ask for. */
export interface Settings {
  readonly environment: Environment
  readonly flags: BackendFlags & { readonly allowShell: boolean; readonly readOnly: boolean }
}

/** Whether an environment variable says yes. */
export const isTrue = (environment: Environment, name: string): boolean =>
  environment[name]?.trim().toLowerCase() === "true"

/** Why the whole server only shows the fleet, if it does. */
export const readOnlyReason = ({ environment, flags }: Settings): ReadOnlyReason | undefined => {
  if ((environment["FLEET_MCP_AGENT"] ?? "") !== "") return "agent"
  return flags.readOnly || isTrue(environment, "FLEET_MCP_READ_ONLY") ? "server" : undefined
}
