import { Duration, Effect, Schedule, Schema } from "effect"
import { cut } from "../../../schemas/Text.ts"
import type { Environment } from "../process/Environment.ts"
import { runHelper } from "../process/Helper.ts"
import type { Surroundings } from "../process/Surroundings.ts"
import { GitLimits } from "./GitLimits.ts"

/**
 * Git did not do what it was asked; `detail` is its complaint. `busy`: another process is in the way.
 */
export class GitError extends Schema.TaggedError<GitError>()("GitError", {
  reason: Schema.Literal("missing", "failed", "busy", "timeout", "output"),
  command: Schema.String,
  detail: Schema.String,
  /** What it had written to stdout. */
  stdout: Schema.optionalWith(Schema.String, { default: () => "" })
}) {
  override get message() {
    return `git ${this.command}: ${this.detail}`
  }
  /** Whether the same may succeed when it is tried again with nothing changed. */
  get passes(): boolean {
    return this.reason === "busy" || this.reason === "timeout"
  }
}

export interface GitRun {
  readonly directory: string
  readonly args: ReadonlyArray<string>
  readonly input?: string | undefined
  /** Default: `GitLimits.run`. */
  readonly time?: Duration.Duration | undefined
  /** Added to the environment. */
  readonly variables?: Environment | undefined
  readonly onError?: ((text: string) => void) | undefined
}

export interface Git {
  /** Runs git in a directory and answers all that it wrote to stdout, and to stderr. */
  readonly ask: (run: GitRun) => Effect.Effect<{ readonly stdout: string; readonly stderr: string }, GitError>
  /**
   * Runs git in a directory, again for a while where another process is in the way, and answers what it wrote to stdout,
   * without the newlines at its end.
   */
  readonly run: (directory: string, ...args: ReadonlyArray<string>) => Effect.Effect<string, GitError>
  /** The commit that is checked out. */
  readonly head: (directory: string) => Effect.Effect<string, GitError>
  /** The refs of these full names, and those below them. */
  readonly refs: (directory: string, ...names: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Ref>, GitError>
}

export interface Ref {
  readonly name: string
  readonly commit: string
}

// Nothing of a repository is run, no hook and no file system monitor, and no cache of it is believed. All other
// configuration counts, the system's too, as it does for the user's git.
const settings = {
  "core.hooksPath": "/dev/null",
  "core.fsmonitor": "false",
  "core.untrackedCache": "false",
  "core.checkStat": "default",
  "core.trustctime": "true"
}
const always = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])

// In git's own words (LC_ALL=C): a lock file that exists, a worktree that another process is making just now, and the
// directory of worktrees that another's removal took away.
const inTheWay = [
  /Unable to create '.*\.lock': File exists/s,
  /could not lock config file .*: File exists/,
  /failed to read .*worktrees\/.*commondir/,
  /could not create (leading )?director\w+ of '.*worktrees\/.*': No such file/
]

const fixed = { LC_ALL: "C", GIT_TERMINAL_PROMPT: "0", GIT_OPTIONAL_LOCKS: "0" }

/** Git; what is known of the surroundings is all that it sees, but for what keeps it from asking questions and from translating. */
export const makeGit = ({ known }: Surroundings["Type"]): Git => {
  const ask = Effect.fn("Git.run")(function* ({ args, directory, input, onError, time, variables }: GitRun) {
    const limits = yield* GitLimits
    const seen = yield* known
    const fail = (reason: GitError["reason"], detail: string, stdout = "") =>
      new GitError({ reason, command: args.join(" "), detail: cut(detail, limits.quotedText), stdout })
    const { code, signal, stderr, stdout } = yield* runHelper({
      command: ["git", ...always, "-C", directory, ...args],
      environment: { ...seen, ...fixed, ...variables },
      input,
      onError,
      outputLimit: limits.output
    }).pipe(
      Effect.catchTags({
        ProgramNotFound: () => fail("missing", "git is not installed, or not in the PATH"),
        SpawnFailed: ({ message }) => fail("failed", message),
        OutputTooLong: ({ message }) => fail("output", message)
      }),
      Effect.interruptible,
      Effect.timeoutFail({
        duration: time ?? limits.run,
        onTimeout: () => fail("timeout", `it took longer than ${Duration.format(time ?? limits.run)}`)
      })
    )
    if (code === 0) return { stdout, stderr }
    const complaint = stderr.trim() || `it ended with ${signal ?? `exit code ${code}`}`
    return yield* fail(inTheWay.some((words) => words.test(complaint)) ? "busy" : "failed", complaint, stdout)
  })

  const run: Git["run"] = (directory, ...args) =>
    GitLimits.pipe(
      Effect.flatMap(({ lockPoll, lockWait }) =>
        Effect.retry(ask({ directory, args }), {
          while: ({ reason }) => reason === "busy",
          schedule: Schedule.spaced(lockPoll).pipe(Schedule.jittered, Schedule.upTo(lockWait))
        })
      ),
      Effect.map(({ stdout }) => stdout.replace(/\n+$/, ""))
    )

  return {
    ask,
    run,
    head: (directory) => run(directory, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"),
    refs: (directory, ...names) =>
      Effect.map(run(directory, "for-each-ref", "--format=%(objectname) %(refname)", ...names), (text) =>
        lines(text).map((line) => {
          const space = line.indexOf(" ")
          return { commit: line.slice(0, space), name: line.slice(space + 1) }
        })
      )
  }
}

export const lines = (text: string): ReadonlyArray<string> => text.split("\n").filter((line) => line !== "")

/** The parts of a text that end with zero bytes, as git writes them with `-z`. */
export const records = (text: string): ReadonlyArray<string> => text.split("\0").filter((part) => part !== "")
