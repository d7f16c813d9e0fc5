import { Context, Data, Effect, Layer, Predicate, type ConfigError } from "effect"
import * as fs from "node:fs"
import { homedir } from "node:os"
import { join, resolve } from "node:path"
import { text } from "./Variables.ts"

/** The state directory cannot be used: it is not this user's alone, or cannot be made. Nothing was changed. */
export class StateDirectoryRefused extends Data.TaggedError("StateDirectoryRefused")<{
  readonly path: string
  readonly reason: "type" | "owner" | "mode" | "system"
  readonly problem: string
  /** What its user can do about it. */
  readonly remedy: string
}> {
  override get message() {
    return `The state directory ${JSON.stringify(this.path)} ${this.problem}. ${this.remedy}`
  }
}

const elsewhere = "Or name another directory with FLEET_MCP_STATE_DIR."

/** What stands under the path: the link itself where that is one, for whoever owns a link may change where it leads. */
const check = (path: string): StateDirectoryRefused | undefined => {
  const refused = (reason: StateDirectoryRefused["reason"], problem: string, remedy: string) =>
    new StateDirectoryRefused({ path, reason, problem, remedy: `${remedy} ${elsewhere}` })
  const facts = fs.lstatSync(path)
  const user = process.geteuid?.() ?? facts.uid
  if (facts.isSymbolicLink()) return refused("type", "is a symbolic link", "Name the directory that it leads to.")
  if (!facts.isDirectory()) return refused("type", "is not a directory", "Move it away.")
  if (facts.uid !== user) {
    return refused("owner", `belongs to user ${facts.uid}, not to this one (${user})`, "Run fleet-mcp as that user.")
  }
  const mode = (facts.mode & 0o7777).toString(8).padStart(4, "0")
  return (facts.mode & 0o022) === 0
    ? undefined
    : refused("mode", `can be written by other users (mode ${mode})`, "Run chmod 700 on it, if nobody used that.")
}

const makeDirectory = (path: string): string | StateDirectoryRefused => {
  const exists = fs.lstatSync(path, { throwIfNoEntry: false }) !== undefined
  // Its mode holds under any umask; one that was there before, also since that look, keeps its own.
  if (!exists && fs.mkdirSync(path, { recursive: true, mode: 0o700 }) !== undefined) fs.chmodSync(path, 0o700)
  return check(path) ?? fs.realpathSync(path)
}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unknown"

const make = (directory: string): StateDirectory["Type"] => {
  const path = resolve(directory)
  return {
    path,
    ensure: Effect.try({
      try: () => makeDirectory(path),
      catch: (error) =>
        new StateDirectoryRefused({
          path,
          reason: "system",
          problem: `cannot be made or looked at (${codeOf(error)})`,
          remedy: `Make that possible for the user that runs fleet-mcp. ${elsewhere}`
        })
    }).pipe(Effect.filterOrElse(Predicate.isString, Effect.fail), Effect.withSpan("StateDirectory.ensure"))
  }
}

/** Where this user's fleet keeps what is its own: worktrees, tokens. It is made when something first needs it. */
export class StateDirectory extends Context.Tag("fleet-mcp/layers/config/StateDirectory")<
  StateDirectory,
  {
    /** Absolute. There may be nothing yet. */
    readonly path: string
    /** The real path of the directory (the same by whatever links it was named), made with mode 0700 where there is none; refused unless it is this user's alone. */
    readonly ensure: Effect.Effect<string, StateDirectoryRefused>
  }
>() {
  static readonly layer = (directory: string): Layer.Layer<StateDirectory> => Layer.sync(this, () => make(directory))

  /** Reads `FLEET_MCP_STATE_DIR`; default `~/.fleet-mcp`. */
  static readonly layerConfig: Layer.Layer<StateDirectory, ConfigError.ConfigError> = Layer.effect(
    this,
    Effect.map(text("FLEET_MCP_STATE_DIR"), (directory) => make(directory ?? join(homedir(), ".fleet-mcp")))
  )
}
