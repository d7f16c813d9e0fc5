import { Cause, Effect, Schema } from "effect"
import { Limits } from "../../config/Limits.ts"
import { capture, type Environment } from "../process/AgentProcess.ts"

/** Git did not do what it was asked; `detail` is its complaint. */
export class GitError extends Schema.TaggedError<GitError>()("GitError", {
  reason: Schema.Literal("missing", "failed", "timeout"),
  command: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `git ${this.command}: ${this.detail}`
  }
}

export interface Git {
  /** Runs git in a directory and answers what it wrote to stdout. */
  readonly run: (directory: string, ...args: ReadonlyArray<string>) => Effect.Effect<string, GitError>
  /** The commit that is checked out. */
  readonly head: (directory: string) => Effect.Effect<string, GitError>
  /** The ref of that full name, or those below it. */
  readonly refs: (directory: string, name: string) => Effect.Effect<ReadonlyArray<Ref>, GitError>
}

export interface Ref {
  readonly name: string
  readonly commit: string
}

const kept = new Set(["PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR"])

// Nothing of a repository is run: no hook, no file system monitor. The user's own configuration counts (global ignores).
const always = ["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"]

/** Git with a small fixed environment; `environment` is what to take PATH and the home from. */
export const makeGit = (environment: Environment): Git => {
  const variables = {
    ...Object.fromEntries(Object.entries(environment).filter(([name]) => kept.has(name))),
    LC_ALL: "C",
    GIT_TERMINAL_PROMPT: "0",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_OPTIONAL_LOCKS: "0"
  }
  const run = Effect.fn("Git.run")(function* (directory: string, ...args: ReadonlyArray<string>) {
    const fail = (reason: GitError["reason"], detail: string) =>
      new GitError({ reason, command: args.join(" "), detail })
    const { code, signal, stderr, stdout } = yield* capture({
      command: ["git", ...always, "-C", directory, ...args],
      // Not the repository: a PATH may name the current directory.
      directory: "/",
      environment: variables
    }).pipe(
      Effect.catchTags({
        ProgramNotFound: () => fail("missing", "git is not installed, or not in the PATH"),
        SpawnFailed: ({ message }) => fail("failed", message)
      }),
      Effect.interruptible,
      Effect.timeoutFail({ duration: Limits.gitTimeout, onTimeout: () => fail("timeout", "it took too long") })
    )
    if (code === 0) return stdout.replace(/\n+$/, "")
    return yield* fail("failed", stderr.trim() || `it ended with ${signal ?? `exit code ${code}`}`)
  })

  return {
    run,
    head: (directory) => run(directory, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"),
    refs: (directory, name) =>
      Effect.map(run(directory, "for-each-ref", "--format=%(objectname) %(refname)", name), (text) =>
        lines(text).map((line) => {
          const space = line.indexOf(" ")
          return { commit: line.slice(0, space), name: line.slice(space + 1) }
        })
      )
  }
}

export const lines = (text: string): ReadonlyArray<string> => text.split("\n").filter((line) => line !== "")

/** The path of a directory without symbolic links, as git tells paths; fails if it cannot be entered. */
export const realPath = (directory: string): Effect.Effect<string, Cause.NoSuchElementException> =>
  capture({
    command: ["/bin/sh", "-c", 'cd -- "$1" && pwd -P', "sh", directory],
    directory: "/",
    environment: {}
  }).pipe(
    Effect.filterOrFail(
      ({ code }) => code === 0,
      () => new Cause.NoSuchElementException()
    ),
    Effect.map(({ stdout }) => stdout.replace(/\n$/, "")),
    Effect.mapError(() => new Cause.NoSuchElementException())
  )
