import { Config, Context, Either, Layer, Predicate, Record, type Redacted } from "effect"
import { delimiter } from "node:path"
import { flag, invalid, list, text } from "./Variables.ts"

/** A git repository that agents can work on. */
export interface EmbeddedProject {
  readonly name: string
  /** Absolute path of the working tree. */
  readonly directory: string
}

/** What the embedded Coder is made of. */
export interface EmbeddedOptions {
  /** Worktrees of agents live beneath it. */
  readonly stateDirectory: string
  /** The git repositories that are projects; default: the repository of `workingDirectory`. */
  readonly projects?: ReadonlyArray<EmbeddedProject> | undefined
  readonly workingDirectory: string
  /**
   * Clients register. Projects are then those that they name, and no others: neither `projects` nor the working directory.
   * What agents see is the environment of the user's login shell, and over it that of the client. Default false.
   */
  readonly registered?: boolean | undefined
  /** What is said of a working directory that cannot be a project: how to name those that can. Default: nothing. */
  readonly projectAdvice?: string | undefined
  /** Offer the role `shell`, which runs commands with the rights of the user. Default false. */
  readonly allowShell?: boolean | undefined
  /** The environment of the process; agents get the part of it that they may see. Default: empty. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
  /** Names of variables of `environment` that agents and git see besides the usual ones. Never the fleet's own. Default: none. */
  readonly agentEnvironment?: ReadonlyArray<string> | undefined
  /** The token that requests must carry; default: a random one that nobody else knows. */
  readonly sessionToken?: Redacted.Redacted | undefined
}

/** What this embedded Coder is made of, for its parts. */
export class EmbeddedConfig extends Context.Tag("fleet-mcp/layers/config/EmbeddedConfig")<
  EmbeddedConfig,
  EmbeddedOptions & { readonly environment: Readonly<Record<string, string>> }
>() {
  static readonly layer = ({ environment, ...options }: EmbeddedOptions): Layer.Layer<EmbeddedConfig> =>
    Layer.succeed(this, { ...options, environment: Record.filter(environment ?? {}, Predicate.isNotUndefined) })
}

/** A list of `--project` in one text: no directory's path holds this character. */
export const projectSeparator = "\0"

const projectDirectories = Config.map(text("FLEET_MCP_PROJECT_DIRS"), (value = "") =>
  value
    .split(value.includes(projectSeparator) ? projectSeparator : delimiter)
    .filter((directory) => directory.trim() !== "")
)

const secrets = new Set(["CODER_SESSION_TOKEN", "FLEET_MCP_AUTH_TOKEN"])

// An entry that is no name is not repeated: it may be a value.
const agentEnvironment = Config.mapOrFail(list("FLEET_MCP_AGENT_ENV", ","), (names) => {
  const wrong = names.findIndex((name) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
  if (wrong !== -1) {
    return invalid(
      "FLEET_MCP_AGENT_ENV",
      `has as entry ${wrong + 1} what is no name of a variable; it takes names without values, separated by commas`
    )
  }
  const secret = names.find((name) => secrets.has(name))
  return secret === undefined
    ? Either.right([...new Set(names)])
    : invalid("FLEET_MCP_AGENT_ENV", `names ${secret}, which no agent may have`)
})

/**
 * What the environment says of the embedded Coder: `FLEET_MCP_ALLOW_SHELL` (default `false`), `FLEET_MCP_PROJECT_DIRS`
 * (directories, separated as in `PATH`; default: none), `FLEET_MCP_AGENT_ENV` (names, separated by commas; default: none).
 */
export const embeddedVariables = Config.all({
  allowShell: flag("FLEET_MCP_ALLOW_SHELL", false),
  projectDirectories,
  agentEnvironment
})
