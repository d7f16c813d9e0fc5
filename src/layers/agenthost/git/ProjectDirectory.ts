import { Effect, Option, Schema } from "effect"
import { cut } from "../../../schemas/Text.ts"
import { Limits } from "../../config/Limits.ts"
import type { Environment } from "../process/AgentProcess.ts"
import { realPath, type Git, type GitError } from "./Git.ts"

/** Why agents cannot work on a directory. */
export class NotAProject extends Schema.TaggedError<NotAProject>()("NotAProject", {
  directory: Schema.String,
  reason: Schema.Literal(
    "git_missing",
    "no_directory",
    "not_a_repository",
    "bare",
    "no_commits",
    "root",
    "home",
    "git_failed"
  ),
  detail: Schema.String
}) {
  override get message() {
    return `${this.directory} cannot be a project: ${this.detail}.`
  }
}

const because = (error: GitError): readonly [NotAProject["reason"], string] => {
  if (error.reason === "missing") return ["git_missing", error.detail]
  if (error.detail.includes("not a git repository")) return ["not_a_repository", "it is not a git repository"]
  return ["git_failed", cut(error.message, Limits.quotedText)]
}

/** Whether agents can work on a directory: see `Worktree.inspect`. */
export const makeInspect = (git: Git, environment: Environment) =>
  Effect.fn("Worktree.inspect")(function* (directory: string) {
    const no = (reason: NotAProject["reason"], detail: string) => new NotAProject({ directory, reason, detail })
    const ask = (path: string, question: string) =>
      Effect.mapError(git.run(path, "rev-parse", question), (error) => no(...because(error)))

    const home = yield* Effect.option(realPath(environment["HOME"] ?? ""))
    const checkPlace = (path: string) => {
      if (path === "/") return no("root", "it is the root of the file system")
      if (Option.contains(home, path)) return no("home", "it is the home directory")
      return Effect.void
    }

    const path = yield* Effect.mapError(realPath(directory), () => no("no_directory", "there is no such directory"))
    yield* checkPlace(path)
    if ((yield* ask(path, "--is-bare-repository")) === "true") return yield* no("bare", "it is a bare repository")
    const top = yield* ask(path, "--show-toplevel")
    yield* checkPlace(top)
    yield* Effect.mapError(git.head(top), (error) =>
      error.reason === "failed" ? no("no_commits", "the repository has no commits") : no(...because(error))
    )
    return top
  })
