import { FileSystem } from "@effect/platform"
import { Effect, Option } from "effect"
import { type Git, GitError, lines, records } from "./Git.ts"
import { GitLimits } from "./GitLimits.ts"
import { heads } from "./Branch.ts"
import { sizeOf, tellSize } from "./Sizes.ts"
import { adminDirectory, type WorktreeEntry } from "./WorktreeList.ts"

/** A worktree that may be removed. */
export interface Examined {
  readonly repository: string
  readonly entry: WorktreeEntry
  /** Whether its directory is gone. */
  readonly missing: boolean
  /** The agent's own branch, and its last commit where there is that branch. */
  readonly branch: string | null
  readonly tip: string | null
}

/** Why a worktree is not to be removed, in words for people; and submodules, which git does not remove unforced. */
export interface Losses {
  readonly reasons: ReadonlyArray<string>
  readonly submodules: ReadonlyArray<string>
}

const short = (commit: string): string => commit.slice(0, 12)

const counted = (what: string, names: ReadonlyArray<string>, shown: number): ReadonlyArray<string> => {
  if (names.length === 0) return []
  const more = names.length > shown ? `, and ${names.length - shown} more` : ""
  return [`${what}: ${names.length} (${names.slice(0, shown).join(", ")}${more})`]
}

// What git keeps in the directory of a worktree while something is under way there, as `git status` tells it.
const underWay = {
  "rebase-merge": "a rebase",
  "rebase-apply": "a rebase or am",
  MERGE_HEAD: "a merge",
  CHERRY_PICK_HEAD: "a cherry-pick",
  REVERT_HEAD: "a revert",
  sequencer: "a cherry-pick or revert",
  BISECT_LOG: "a bisect"
} as const

interface Seen {
  readonly changed: ReadonlyArray<string>
  readonly untracked: ReadonlyArray<string>
  readonly ignored: ReadonlyArray<string>
  readonly unreadable: ReadonlyArray<string>
}

// Format: git-status(1), "Porcelain Format Version 1" with -z: of a rename, the old name follows by itself.
const look = (git: Git, directory: string) =>
  git
    .ask({
      directory,
      args: [
        "status",
        "--porcelain",
        "-z",
        "--untracked-files=normal",
        "--ignored=traditional",
        "--ignore-submodules=none"
      ]
    })
    .pipe(
      Effect.map(({ stderr, stdout }): Seen => {
        const changed: Array<string> = []
        const untracked: Array<string> = []
        const ignored: Array<string> = []
        const all = records(stdout)
        for (let index = 0; index < all.length; index++) {
          const record = all[index] ?? ""
          const code = record.slice(0, 2)
          const name = record.slice(3)
          if (code === "??") untracked.push(name)
          else if (code === "!!") ignored.push(name)
          else changed.push(name)
          if (/[RC]/.test(code)) index++
        }
        return {
          changed,
          untracked,
          ignored,
          unreadable: lines(stderr).filter((line) => line.includes("could not open"))
        }
      })
    )

/** Tracked files whose edits `git status` leaves out, as someone told it to, and which differ from what was committed. */
const hiddenEdits = Effect.fn("Worktree.hiddenEdits")(function* (git: Git, path: string, admin: string) {
  const files = yield* FileSystem.FileSystem
  const { stdout } = yield* git.ask({ directory: path, args: ["ls-files", "-v", "-z"] })
  // Format: git-ls-files(1): a small letter is assume-unchanged, S is skip-worktree.
  const flagged = records(stdout)
    .filter((record) => /^[a-zS]/.test(record))
    .map((record) => record.slice(2))
  if (flagged.length === 0) return []
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const copy = `${yield* files.makeTempDirectoryScoped({ prefix: "fleet-mcp-index-" })}/index`
      yield* files.copyFile(`${admin}/index`, copy)
      const variables = { GIT_INDEX_FILE: copy }
      const input = flagged.map((name) => `${name}\0`).join("")
      for (const flag of ["--no-assume-unchanged", "--no-skip-worktree"]) {
        yield* git.ask({ directory: path, args: ["update-index", "-z", flag, "--stdin"], input, variables })
      }
      // A file that is not there, as outside of a sparse checkout, has no edits.
      const args = ["diff-files", "--name-only", "-z", "--diff-filter=d", "--ignore-submodules=none"]
      // It takes what it did not look into for changed.
      yield* Effect.ignore(git.ask({ directory: path, args: ["update-index", "-q", "--refresh"], variables }))
      const edited = records((yield* git.ask({ directory: path, args, variables })).stdout)
      const isFlagged = new Set(flagged)
      return edited.filter((name) => isFlagged.has(name))
    })
  ).pipe(
    Effect.catchTags({
      BadArgument: (error) => unknown("diff-files", error.message),
      SystemError: (error) => unknown("diff-files", error.message)
    })
  )
})

const unknown = (command: string, detail: string) => new GitError({ reason: "failed", command, detail })

/** Commits on a detached HEAD that were left by a checkout, newest first. */
const leftBehind = (git: Git, path: string) =>
  Effect.map(git.run(path, "reflog", "show", "--format=%H %gs", "HEAD", "--"), (text) => {
    const entries = lines(text)
    return entries.flatMap((entry, index) => {
      const before = entries[index + 1]
      return /^\w+ checkout: moving from /.test(entry) && before !== undefined
        ? [before.slice(0, before.indexOf(" "))]
        : []
    })
  }).pipe(
    Effect.catchIf(
      ({ reason }) => reason === "failed",
      () => Effect.succeed([])
    )
  )

/** The first of the commits that no ref but the agent's own branch reaches, and how many there are. */
const commitsOfItsOwn = Effect.fn("Worktree.commitsOfItsOwn")(function* (
  git: Git,
  repository: string,
  branch: string | null,
  tips: ReadonlyArray<string>
) {
  if (tips.length === 0) return []
  const excluded = ["--exclude=refs/stash", ...(branch === null ? [] : [`--exclude=${heads}${branch}`])]
  const { stdout } = yield* git.ask({
    directory: repository,
    args: ["rev-list", "--ignore-missing", "--stdin", "--not", ...excluded, "--glob=refs/*"],
    input: tips.map((tip) => `${tip}\n`).join("")
  })
  return lines(stdout)
})

/** Why a submodule that is checked out counts as work. */
const submoduleWork = Effect.fn("Worktree.submoduleWork")(function* (git: Git, directory: string) {
  const seen = yield* look(git, directory)
  const files = [...seen.changed, ...seen.untracked, ...seen.ignored, ...seen.unreadable]
  const stash = yield* git.refs(directory, "refs/stash")
  const commits = yield* git.run(directory, "rev-list", "HEAD", "--branches", "--not", "--remotes")
  return files.length > 0 || stash.length > 0 || commits !== ""
})

const submodulesOf = Effect.fn("Worktree.submodulesOf")(function* (git: Git, path: string) {
  const files = yield* FileSystem.FileSystem
  const { stdout } = yield* git.ask({ directory: path, args: ["ls-files", "--stage", "-z"] })
  const links = records(stdout)
    .filter((record) => record.startsWith("160000 "))
    .map((record) => record.slice(record.indexOf("\t") + 1))
  return yield* Effect.filter(links, (name) => Effect.orElseSucceed(files.exists(`${path}/${name}/.git`), () => true))
})

/**
 * What would be lost with a worktree: changes, untracked and ignored files, edits that git was told to leave out, what
 * is under way, commits that no other ref reaches, work in submodules. Fails where that cannot be found out.
 */
export const findLosses = Effect.fn("Worktree.losses")(function* (git: Git, examined: Examined) {
  const { branch, entry, missing, repository, tip } = examined
  const { path } = entry
  const limits = yield* GitLimits
  const files = yield* FileSystem.FileSystem
  const found = yield* adminDirectory(git, repository, path)
  if (Option.isNone(found)) return yield* unknown("worktree list", `nothing is known of ${path}`)
  const admin = found.value

  const busy = yield* Effect.filter(Object.entries(underWay), ([file]) =>
    Effect.orElseSucceed(files.exists(`${admin}/${file}`), () => true)
  )
  const reasons = [
    ...(entry.locked === null ? [] : [`it is locked${entry.locked === "" ? "" : `: ${entry.locked}`}`]),
    ...[...new Set(busy.map(([, what]) => what))].map((what) => `${what} is in progress`)
  ]

  const tips = [entry.head, tip].filter((commit) => commit !== null)
  const named = (what: string, names: ReadonlyArray<string>) => counted(what, names, limits.namedFiles)
  const commits = (left: ReadonlyArray<string>) =>
    Effect.map(commitsOfItsOwn(git, repository, branch, [...new Set([...tips, ...left])]), (own) =>
      named("commits on no other branch", own.map(short))
    )

  if (missing) {
    const args = ["--git-dir", admin, "diff-index", "--cached", "--name-only", "-z", "HEAD", "--"]
    const staged = yield* git.ask({ directory: "/", args })
    const changes = named("staged changes", records(staged.stdout))
    return { reasons: [...reasons, ...changes, ...(yield* commits([]))], submodules: [] } satisfies Losses
  }

  const gitDirectory = yield* git.run(path, "rev-parse", "--absolute-git-dir")
  if (gitDirectory !== admin && (yield* Effect.option(files.realPath(admin))).pipe(Option.getOrNull) !== gitDirectory) {
    return yield* unknown("rev-parse", `the files in ${path} no longer belong to ${repository}`)
  }
  const seen = yield* look(git, path)
  const hidden = yield* hiddenEdits(git, path, admin)
  const submodules = yield* submodulesOf(git, path)
  const dirty = yield* Effect.filter(submodules.slice(0, limits.submodules), (name) =>
    Effect.catchAll(submoduleWork(git, `${path}/${name}`), () => Effect.succeed(true))
  )
  const size = yield* sizeOf(
    seen.ignored.map((name) => `${path}/${name}`),
    limits.sizedEntries
  )
  const ignored = named("ignored files", seen.ignored)
  return {
    reasons: [
      ...reasons,
      ...named("uncommitted changes", seen.changed),
      ...named("untracked files", seen.untracked),
      ...ignored.map((text) => `${text.slice(0, -1)}; ${tellSize(size)})`),
      ...named("edits that git was told not to see", hidden),
      ...named("directories that cannot be read", seen.unreadable),
      ...named("submodules with work", [...dirty, ...submodules.slice(limits.submodules)]),
      ...(yield* commits(yield* leftBehind(git, path)))
    ],
    submodules
  } satisfies Losses
})

/** The stashes made on a branch: they belong to the repository and stay there. */
export const stashesOf = (git: Git, repository: string, branch: string) =>
  Effect.map(git.run(repository, "stash", "list", "--format=%gd %gs"), (text) =>
    lines(text)
      .filter((line) => line.includes(` WIP on ${branch}: `) || line.includes(` On ${branch}: `))
      .map((line) => line.slice(0, line.indexOf(" ")))
  ).pipe(Effect.catchAll(() => Effect.succeed([])))

/** Where a worktree that stays is, in words for people: a branch that exists, or the commit that HEAD is detached at. */
export const describe = ({ branch, entry, tip }: Omit<Examined, "repository" | "missing">): string => {
  const own = branch !== null && tip !== null ? `branch ${branch}` : null
  const checkedOut = entry.branch?.slice(heads.length) ?? null
  if (entry.head === null) return [own, "no commit is checked out"].filter((part) => part !== null).join("; ")
  if (checkedOut === null) {
    return [own, `HEAD detached at ${short(entry.head)}`].filter((part) => part !== null).join("; ")
  }
  if (own === null || checkedOut === branch) return `branch ${checkedOut}`
  return `${own}; branch ${checkedOut} is checked out`
}
