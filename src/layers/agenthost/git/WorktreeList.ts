import { FileSystem } from "@effect/platform"
import { Effect, Option } from "effect"
import { lines, type Git } from "./Git.ts"

/** A working tree, as the repository has it in its list. */
export interface WorktreeEntry {
  readonly path: string
  /** The commit that is checked out; null before the first one. */
  readonly head: string | null
  /** The full name of the branch that is checked out; null where HEAD is detached. */
  readonly branch: string | null
  /** Why it is locked, `""` where no reason was given; null when it is not. */
  readonly locked: string | null
}

// Format: git-worktree(1), "Porcelain Format".
const parse = (block: string): WorktreeEntry => {
  const value = (key: string) => {
    const line = lines(block).find((each) => each === key || each.startsWith(`${key} `))
    return line === undefined ? null : line.slice(key.length + 1)
  }
  const head = value("HEAD")
  return {
    path: value("worktree") ?? "",
    head: head === null || /^0+$/.test(head) ? null : head,
    branch: value("branch"),
    locked: value("locked")
  }
}

/** All working trees of a repository, the main one first. */
export const listWorktrees = (git: Git, repository: string) =>
  Effect.map(git.run(repository, "worktree", "list", "--porcelain"), (text) => text.split("\n\n").map(parse))

/**
 * The directory of the repository in which git keeps what belongs to a worktree, whether that is still there or not.
 * Format: gitrepository-layout(5), "worktrees/<id>/gitdir".
 */
export const adminDirectory = Effect.fn("Worktree.adminDirectory")(function* (
  git: Git,
  repository: string,
  path: string
) {
  const files = yield* FileSystem.FileSystem
  const common = yield* git.run(repository, "rev-parse", "--path-format=absolute", "--git-common-dir")
  const names = yield* Effect.orElseSucceed(files.readDirectory(`${common}/worktrees`), () => [])
  for (const name of names) {
    const directory = `${common}/worktrees/${name}`
    const link = yield* Effect.orElseSucceed(files.readFileString(`${directory}/gitdir`), () => "")
    if (link.replace(/\n$/, "") === `${path}/.git`) return Option.some(directory)
  }
  return Option.none<string>()
})
