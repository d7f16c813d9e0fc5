import { ConfigProvider, type Config, type ConfigError } from "effect"
import { projectSeparator } from "../layers/config/EmbeddedConfig.ts"
import { flag } from "../layers/config/Variables.ts"

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What the command line says of the fleet. */
export interface Flags {
  readonly local?: boolean
  readonly coderUrl?: string | undefined
  readonly allowShell?: boolean
  readonly readOnly?: boolean
  /** Directories; none: the environment says which. */
  readonly projects?: ReadonlyArray<string>
}

/** What a process is started with, taken once at its edge. */
export interface Settings {
  /** The whole environment: agents on this machine get a part of it. */
  readonly environment: Environment
  readonly flags: Flags
}

/** Each flag as the variable that it stands for. */
const variablesOf = ({ allowShell, coderUrl, local, projects = [], readOnly }: Flags): Environment => ({
  ...(coderUrl === undefined ? {} : { CODER_URL: coderUrl, FLEET_MCP_BACKEND: "coder" }),
  ...(local === true ? { FLEET_MCP_BACKEND: "local" } : {}),
  ...(allowShell === true ? { FLEET_MCP_ALLOW_SHELL: "true" } : {}),
  ...(readOnly === true ? { FLEET_MCP_READ_ONLY: "true" } : {}),
  ...(projects.length === 0 ? {} : { FLEET_MCP_PROJECT_DIRS: projects.join(projectSeparator) + projectSeparator })
})

/** The configuration: flags before the environment. */
export const providerOf = ({ environment, flags }: Settings): ConfigProvider.ConfigProvider => {
  const variables = Object.entries({ ...environment, ...variablesOf(flags) })
  return ConfigProvider.fromMap(new Map(variables.filter((entry): entry is [string, string] => entry[1] !== undefined)))
}

/**
 * Whether this machine's fleet is that of a supervisor: `FLEET_MCP_SUPERVISOR`, `true` (default) or `false`, which makes
 * it private to this process, in memory, and ends it together with this process.
 */
export const supervisorConfig: Config.Config<boolean> = flag("FLEET_MCP_SUPERVISOR", true)

/** What is told where the configuration cannot be read. */
export const cannotBeRead = ({ message }: ConfigError.ConfigError) => ({
  problem: `The configuration cannot be read: ${message}.`,
  remedy: "Correct it, and restart fleet-mcp."
})
