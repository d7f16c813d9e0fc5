import { Context, Layer, Predicate, Record, type Redacted } from "effect"

/** A git repository that agents can work on. */
export interface EmbeddedProject {
  readonly name: string
  /** Absolute path of the working tree. */
  readonly directory: string
}

/** Ways in which the embedded Coder misbehaves on purpose, for tests. All off by default. */
export interface EmbeddedFaults {
  /** Builds of these workspace names and transitions fail with this error. */
  readonly failBuilds?: ReadonlyArray<{
    readonly workspace: string
    readonly transition: "start" | "stop" | "delete"
    readonly error: string
  }>
  /** Builds of these workspace names never end. */
  readonly hangBuilds?: ReadonlyArray<string>
  /** What becomes of the Coder agent of these workspace names. */
  readonly agents?: ReadonlyArray<{
    readonly workspace: string
    readonly fault: "never_connects" | "disconnected" | "start_error"
  }>
  /** What becomes of the AgentAPI app of these workspace names. */
  readonly apps?: ReadonlyArray<{ readonly workspace: string; readonly fault: "missing" | "unhealthy" }>
  /** Reports are listed oldest first, as Coder v2.27 did. */
  readonly statusesOldestFirst?: boolean
}

/** What the embedded Coder is made of. */
export interface EmbeddedOptions {
  /** Worktrees of agents live beneath it. */
  readonly stateDirectory: string
  /** The git repositories that are projects; default: the repository of `workingDirectory`. */
  readonly projects?: ReadonlyArray<EmbeddedProject> | undefined
  readonly workingDirectory: string
  /** Offer the role `shell`, which runs commands with the rights of the user. Default false. */
  readonly allowShell?: boolean | undefined
  /** The environment of the process; agents get the part of it that they may see. Default: empty. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
  /** Names of variables that agents and git see besides the usual ones. Never the fleet's own. Default: none. */
  readonly agentEnvironment?: ReadonlyArray<string> | undefined
  /** The token that requests must carry; default: a random one that nobody else knows. */
  readonly sessionToken?: Redacted.Redacted | undefined
  readonly faults?: EmbeddedFaults | undefined
}

/** What this embedded Coder is made of, for its parts. */
export class EmbeddedConfig extends Context.Tag("fleet-mcp/layers/config/EmbeddedConfig")<
  EmbeddedConfig,
  EmbeddedOptions & { readonly environment: Readonly<Record<string, string>> }
>() {
  static readonly layer = ({ environment, ...options }: EmbeddedOptions): Layer.Layer<EmbeddedConfig> =>
    Layer.succeed(this, { ...options, environment: Record.filter(environment ?? {}, Predicate.isNotUndefined) })
}
