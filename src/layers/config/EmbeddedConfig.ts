import { Context, Layer, Predicate, Record, type Redacted } from "effect"

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
  /** Offer the role `shell`, which runs commands with the rights of the user. Default false. */
  readonly allowShell?: boolean | undefined
  /** The environment of the process; agents get the part of it that they may see. Default: empty. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
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
