import { FileSystem } from "@effect/platform"
import { Effect, Fiber, Queue } from "effect"
import { GitError, type Git, records } from "./Git.ts"
import { GitLimits } from "./GitLimits.ts"

/** Says how far a checkout has come, in words for people. */
export type Progress = (text: string) => Effect.Effect<void>

// Between two lines about the same checkout: percent.
const step = 10

/**
 * Writes the files of HEAD into a worktree, however far an earlier attempt came: files that are there already are read,
 * not written again.
 */
export const checkOut = Effect.fn("Worktree.checkOut")(function* (
  git: Git,
  directory: string,
  again: boolean,
  progress: Progress
) {
  const { checkout } = yield* GitLimits
  const told = yield* Queue.sliding<number>(1)
  const onError = (text: string) => {
    const percent = /(\d+)%(?!.*\d%)/s.exec(text)?.[1]
    if (percent !== undefined) told.unsafeOffer(Number(percent))
  }
  let last = 0
  const tell = Effect.flatMap(Queue.take(told), (percent) => {
    if (percent - last < step) return Effect.void
    last = percent
    return progress(`Checkout: ${percent} %`)
  })
  const teller = yield* Effect.fork(Effect.forever(tell))
  const work = Effect.gen(function* () {
    if (again) {
      // An index that says which files are there already.
      yield* git.ask({ directory, args: ["read-tree", "--reset", "HEAD"], time: checkout })
      yield* Effect.catchIf(
        git.ask({ directory, args: ["update-index", "-q", "--refresh"], time: checkout }),
        ({ reason }) => reason === "failed",
        () => Effect.void
      )
    }
    yield* git.ask({ directory, args: ["checkout", "--progress", "--force"], time: checkout, onError })
  })
  yield* Effect.ensuring(work, Fiber.interrupt(teller))
})

/** The paths of submodules in a worktree that are not checked out. */
export const submodulesMissing = Effect.fn("Worktree.submodulesMissing")(function* (git: Git, directory: string) {
  const files = yield* FileSystem.FileSystem
  const exists = (path: string) => Effect.orElseSucceed(files.exists(`${directory}/${path}`), () => false)
  if (!(yield* exists(".gitmodules"))) return []
  const args = ["config", "-z", "--file", ".gitmodules", "--get-regexp", "^submodule\\..*\\.path$"]
  const { stdout } = yield* git.ask({ directory, args }).pipe(
    // It lists none.
    Effect.catchIf(
      ({ reason }) => reason === "failed",
      () => Effect.succeed({ stdout: "" })
    )
  )
  const paths = records(stdout).map((record) => record.slice(record.indexOf("\n") + 1))
  return yield* Effect.filter(paths, (path) => Effect.negate(exists(`${path}/.git`)))
})

/** A failure of git that left something behind. */
export const leaving = (error: GitError, what: string): GitError =>
  new GitError({ ...error, detail: `${error.detail}; left behind: ${what}` })
