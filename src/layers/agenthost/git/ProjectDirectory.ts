import type { FileSystem } from "@effect/platform"
import { Effect, Option, Schema } from "effect"
import type { Surroundings } from "../process/Surroundings.ts"
import { lines, type Git, type GitError } from "./Git.ts"

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

type Reason = readonly [NotAProject["reason"], string]

const because = (error: GitError): Reason => {
  if (error.reason === "missing") return ["git_missing", error.detail]
  if (error.detail.includes("not a git repository")) return ["not_a_repository", "it is not a git repository"]
  const [bare, top] = lines(error.stdout)
  if (bare === "true") return ["bare", "it is a bare repository"]
  if (bare === "false" && top !== undefined && error.reason === "failed") {
    return ["no_commits", "the repository has no commits"]
  }
  return ["git_failed", error.message]
}

/** Whether agents can work on a directory: see `Worktree.inspect`. */
export const makeInspect = (git: Git, files: FileSystem.FileSystem, { known }: Surroundings["Type"]) =>
  Effect.fn("Worktree.inspect")(function* (directory: string) {
    const no = (...[reason, detail]: Reason) => new NotAProject({ directory, reason, detail })
    const { HOME } = yield* known
    // An empty path would be the working directory.
    const home = yield* Effect.option(
      Effect.flatMap(
        Option.filter(Option.fromNullable(HOME), (path) => path !== ""),
        files.realPath
      )
    )
    const checkPlace = (path: string) => {
      if (path === "/") return no("root", "it is the root of the file system")
      if (Option.contains(home, path)) return no("home", "it is the home directory")
      return Effect.void
    }

    const path = yield* Effect.mapError(files.realPath(directory), () =>
      no("no_directory", "there is no such directory")
    )
    yield* checkPlace(path)
    // The answers come one by one, so those before a refusal tell what it was about.
    const answers = yield* git
      .run(path, "rev-parse", "--is-bare-repository", "--show-toplevel", "--verify", "HEAD^{commit}")
      .pipe(
        Effect.catchAll((error) => {
          const [, top] = lines(error.stdout)
          return Effect.zipRight(top === undefined ? Effect.void : checkPlace(top), no(...because(error)))
        })
      )
    const top = lines(answers)[1] ?? path
    yield* checkPlace(top)
    return top
  })
