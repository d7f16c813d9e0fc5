import { Array, Context, Effect, Layer, Option } from "effect"
import type { Environment } from "../process/AgentProcess.ts"
import { GitError, lines, makeGit, realPath } from "./Git.ts"
import { makeInspect, type NotAProject } from "./ProjectDirectory.ts"

/** An agent's own working tree. Directories are real paths, without symbolic links. */
export interface AgentWorktree {
  readonly directory: string
  /** `fleet/<name>`, or with a number after it where that was taken. */
  readonly branch: string
  /** The commit it began with. */
  readonly baseCommit: string
}

/** Directories are absolute. `name`: the agent's name, by Coder's rule. */
export interface CreateWorktree {
  readonly repository: string
  readonly directory: string
  readonly name: string
}

export interface RemoveWorktree {
  readonly repository: string
  readonly directory: string
}

/** What became of a worktree that was to be removed. Kept: why, in words for people. */
export type Removal =
  | { readonly kept: false }
  | {
      readonly kept: true
      readonly directory: string
      readonly branch: string | null
      readonly reasons: ReadonlyArray<string>
    }

// A ref that only the worktree itself sees. Its name says which branch is the agent's own, its value is the base commit;
// it goes with the worktree. A worktree without it was not finished, and no agent has worked in it.
const record = "refs/worktree/"
const heads = "refs/heads/"
const ours = `${heads}fleet/`

const removed: Removal = { kept: false }

interface OwnWorktree {
  readonly path: string
  readonly missing: boolean
  readonly head: string | null
  readonly branch: string | null
  /** The last commit of the branch. */
  readonly tip: string | null
}

interface Entry {
  readonly path: string
  readonly head: string | null
  /** The full name of the branch that is checked out. */
  readonly branch: string | null
}

// Format: git-worktree(1), "Porcelain Format". The first entry is the main working tree.
const parseList = (text: string): ReadonlyArray<Entry> =>
  text
    .split("\n\n")
    .slice(1)
    .map((block) => {
      const value = (key: string) =>
        lines(block)
          .find((line) => line.startsWith(`${key} `))
          ?.slice(key.length + 1) ?? null
      return { path: value("worktree") ?? "", head: value("HEAD"), branch: value("branch") }
    })

const make = (environment: Environment) => {
  const git = makeGit(environment)
  const locks = new Map<string, Effect.Semaphore>()

  // Changes to one repository take turns: git does not wait for its own locks.
  const inTurn =
    (repository: string) =>
    <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.suspend(() => {
        const lock = locks.get(repository) ?? Effect.unsafeMakeSemaphore(1)
        locks.set(repository, lock)
        return lock.withPermits(1)(effect)
      })

  const entryAt = (repository: string, path: string) =>
    Effect.map(git.run(repository, "worktree", "list", "--porcelain"), (text) =>
      Array.findFirst(parseList(text), (entry) => entry.path === path)
    )

  const recordOf = (directory: string) =>
    Effect.map(git.refs(directory, `${record}fleet/`), ([first]) =>
      Option.map(Option.fromNullable(first), ({ commit, name }): AgentWorktree => ({
        directory,
        branch: name.slice(record.length),
        baseCommit: commit
      }))
    )

  const freeBranch = Effect.fn("Worktree.freeBranch")(function* (repository: string, name: string) {
    const taken = yield* git.refs(repository, ours)
    const free = (branch: string) =>
      taken.every((ref) => ref.name !== heads + branch && !ref.name.startsWith(`${heads}${branch}/`))
    let branch = `fleet/${name}`
    for (let suffix = 2; !free(branch); suffix++) branch = `fleet/${name}-${suffix}`
    return branch
  })

  const add = Effect.fn("Worktree.add")(function* ({ directory, name, repository }: CreateWorktree) {
    const base = yield* git.head(repository)
    const branch = yield* freeBranch(repository, name)
    yield* (
      git
        .run(repository, "worktree", "add", "--no-checkout", "-b", branch, "--", directory, base)
        // Git makes the branch before it looks at the directory.
        .pipe(Effect.tapError(() => Effect.ignore(git.run(repository, "update-ref", "-d", heads + branch, base))))
    )
  })

  const create = Effect.fn("Worktree.create")(function* (request: CreateWorktree) {
    const { directory, repository } = request
    const find = Effect.flatMap(
      Effect.option(realPath(directory)),
      Option.match({ onNone: () => Effect.succeedNone, onSome: (path) => entryAt(repository, path) })
    )
    const there = yield* find
    const entry = Option.isSome(there) ? there : yield* Effect.zipRight(add(request), find)
    const recorded = Option.isSome(entry) ? yield* recordOf(entry.value.path) : Option.none()
    if (Option.isSome(recorded)) return recorded.value

    if (Option.isNone(entry) || !entry.value.branch?.startsWith(ours)) {
      const detail = `${directory} is not on a branch for agents of ${repository}`
      return yield* new GitError({ reason: "failed", command: "worktree list", detail })
    }
    const { path } = entry.value
    const branch = entry.value.branch.slice(heads.length)
    const baseCommit = yield* git.head(path)
    yield* git.run(path, "reset", "--hard", "--quiet")
    yield* git.run(path, "update-ref", record + branch, baseCommit)
    return { directory: path, branch, baseCommit } satisfies AgentWorktree
  })

  // Why a worktree is not to be removed: what would be lost with it.
  const losses = Effect.fn("Worktree.losses")(function* (repository: string, worktree: OwnWorktree) {
    const changes = worktree.missing
      ? ""
      : yield* git.run(worktree.path, "status", "--porcelain", "--untracked-files=normal")
    const tips = [worktree.head, worktree.tip].filter((tip) => tip !== null)
    const others = [...(worktree.branch === null ? [] : [`--exclude=${heads}${worktree.branch}`]), "--glob=refs/*"]
    const commits = yield* git.run(repository, "rev-list", "--count", ...tips, "--not", ...others)

    const changed = lines(changes)
    const untracked = changed.filter((line) => line.startsWith("??")).length
    return [
      ...(changed.length > untracked ? [`uncommitted changes: ${changed.length - untracked}`] : []),
      ...(untracked > 0 ? [`untracked files: ${untracked}`] : []),
      ...(commits === "0" ? [] : [`commits on no other branch: ${commits}`])
    ]
  })

  const removeOrKeep = Effect.fn("Worktree.remove")(function* ({ directory, repository }: RemoveWorktree) {
    const there = yield* Effect.option(realPath(directory))
    const missing = Option.isNone(there)
    const path = Option.getOrElse(there, () => directory)
    const keep = (branch: string | null, reason: string, ...more: ReadonlyArray<string>): Removal => ({
      kept: true,
      directory: path,
      branch,
      reasons: [reason, ...more]
    })
    const found = yield* entryAt(repository, path)
    if (Option.isNone(found)) return missing ? removed : keep(null, `it is not a worktree of ${repository}`)
    const entry = found.value
    const checkedOut = entry.branch?.startsWith(ours) ? entry.branch.slice(heads.length) : null
    const recorded = missing ? Option.none() : yield* recordOf(path)
    const branch = Option.match(recorded, { onNone: () => checkedOut, onSome: (known) => known.branch })

    return yield* Effect.gen(function* () {
      const [own] = branch === null ? [] : yield* git.refs(repository, heads + branch)
      const [reason, ...more] = yield* losses(repository, {
        path,
        missing,
        head: entry.head,
        branch,
        tip: own?.commit ?? null
      })
      if (reason !== undefined) return keep(branch, reason, ...more)
      // Git looks for changes again itself: no --force.
      yield* git.run(repository, "worktree", "remove", "--", path)
      if (own !== undefined) yield* git.run(repository, "update-ref", "-d", own.name, own.commit)
      return removed
    }).pipe(Effect.catchAll((error) => Effect.succeed(keep(branch, error.message))))
  })

  return {
    inspect: makeInspect(git, environment),
    create: (request: CreateWorktree) => inTurn(request.repository)(create(request)),
    remove: (request: RemoveWorktree) =>
      removeOrKeep(request).pipe(
        Effect.catchAll((error) =>
          Effect.succeed<Removal>({ kept: true, directory: request.directory, branch: null, reasons: [error.message] })
        ),
        inTurn(request.repository)
      )
  }
}

/** The working trees of agents: one for each, linked to the repository of its project. */
export class Worktree extends Context.Tag("fleet-mcp/layers/agenthost/git/Worktree")<
  Worktree,
  {
    /** Whether agents can work on a directory; answers the root of its working tree. */
    readonly inspect: (directory: string) => Effect.Effect<string, NotAProject>
    /** A worktree on a branch of its own, from the project's HEAD. One that is there already is used again. */
    readonly create: (request: CreateWorktree) => Effect.Effect<AgentWorktree, GitError>
    /**
     * Removes a worktree and its branch, unless work would be lost with them: uncommitted changes, untracked files that
     * are not ignored, commits that no other ref reaches. What cannot be found out counts as work.
     */
    readonly remove: (request: RemoveWorktree) => Effect.Effect<Removal>
  }
>() {
  /** `environment`: what to take PATH, which git is found by, and HOME from. */
  static readonly layer = (environment: Environment): Layer.Layer<Worktree> => Layer.sync(this, () => make(environment))
}
