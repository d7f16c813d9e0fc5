import { FileSystem, type Error as PlatformError } from "@effect/platform"
import { Context, Effect, Layer, Option } from "effect"
import { layerFiles } from "../process/Helper.ts"
import { Surroundings } from "../process/Surroundings.ts"
import { claimBranch, heads, isAgentBranch, isClaimed, type NotNoted } from "./Branch.ts"
import { checkOut, leaving, type Progress, submodulesMissing } from "./Checkout.ts"
import { GitError, makeGit } from "./Git.ts"
import { describe, findLosses, stashesOf } from "./Losses.ts"
import { makeInspect, type NotAProject } from "./ProjectDirectory.ts"
import { listWorktrees, type WorktreeEntry } from "./WorktreeList.ts"

/** The branch of a worktree, and the commit that it began with. */
export interface BranchNote {
  readonly branch: string
  readonly baseCommit: string
}

/** An agent's own working tree. Directories are real paths, without symbolic links. */
export interface AgentWorktree extends BranchNote {
  readonly directory: string
  /** Paths of submodules that are not checked out. */
  readonly submodules: ReadonlyArray<string>
}

/** Directories are absolute. `name`: the agent's name, by Coder's rule. */
export interface CreateWorktree {
  readonly repository: string
  readonly directory: string
  readonly name: string
  /** What an earlier attempt noted; null before the first one. */
  readonly noted: BranchNote | null
  /** Whether an earlier attempt made it to its end: from then on an agent may have worked in it. Default false. */
  readonly finished?: boolean | undefined
  /** Keeps what is about to be made: it is called before anything is, and again for another name. */
  readonly note: (note: BranchNote) => Effect.Effect<void, NotNoted>
  readonly progress: Progress
}

export interface RemoveWorktree {
  readonly repository: string
  readonly directory: string
  readonly noted: BranchNote | null
  /** Whether it was made to its end: before that, no agent has worked in it. */
  readonly finished: boolean
}

/** What became of a worktree that was to be removed, in words for people. */
export type Removal =
  /** `remarks`: what stays of it elsewhere. */
  | { readonly kept: false; readonly remarks: ReadonlyArray<string> }
  /** `at`: the branch that it is on, or the commit. */
  | { readonly kept: true; readonly directory: string; readonly at: string; readonly reasons: ReadonlyArray<string> }

// A ref that only the worktree itself sees. Its name says which branch is the agent's own, its value is the base commit;
// it goes with the worktree. A worktree without it was not finished, and no agent has worked in it.
const record = "refs/worktree/fleet-mcp/"

const gone = (...remarks: ReadonlyArray<string>): Removal => ({ kept: false, remarks })

const make = (surroundings: Surroundings["Type"]) =>
  Effect.gen(function* () {
    const git = makeGit(surroundings)
    const files = yield* FileSystem.FileSystem
    const claims = new Map<string, Effect.Semaphore>()

    // Those of this process take turns for a name, so that only other processes can be in the way.
    const inTurn =
      (repository: string) =>
      <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
        Effect.suspend(() => {
          const lock = claims.get(repository) ?? Effect.unsafeMakeSemaphore(1)
          claims.set(repository, lock)
          return lock.withPermits(1)(effect)
        })

    const inFiles = <A>(command: string, effect: Effect.Effect<A, PlatformError.PlatformError>) =>
      Effect.mapError(effect, (error) => new GitError({ reason: "failed", command, detail: error.message }))

    /** Where a directory is, without symbolic links, also where it is gone; and whether it is. */
    const locate = Effect.fn("Worktree.locate")(function* (directory: string) {
      const there = yield* Effect.option(files.realPath(directory))
      if (Option.isSome(there)) return { path: there.value, missing: false }
      const slash = directory.lastIndexOf("/")
      const parent = yield* Effect.option(files.realPath(directory.slice(0, slash)))
      const path = Option.match(parent, { onNone: () => directory, onSome: (real) => real + directory.slice(slash) })
      return { path, missing: true }
    })

    const recordOf = (path: string) =>
      Effect.map(git.refs(path, record), ([first]) =>
        Option.map(Option.fromNullable(first), ({ commit, name }): BranchNote => ({
          branch: name.slice(record.length),
          baseCommit: commit
        }))
      )

    const tipOf = (repository: string, branch: string) =>
      Effect.map(
        git.refs(repository, heads + branch),
        (refs) => refs.find(({ name }) => name === heads + branch)?.commit
      )

    const isEmpty = (path: string) =>
      Effect.orElseSucceed(
        Effect.map(files.readDirectory(path), (names) => names.length === 0),
        () => false
      )

    const deleteBranch = (repository: string, branch: string, commit: string) =>
      git.run(repository, "update-ref", "-d", heads + branch, commit)

    /** Takes back a worktree in which no agent has worked, with its branch; or says in the error that they are left. */
    const takeBack = (repository: string, path: string, { baseCommit, branch }: BranchNote, error: GitError) =>
      git.run(repository, "worktree", "remove", "--force", "--", path).pipe(
        Effect.zipRight(deleteBranch(repository, branch, baseCommit)),
        Effect.mapError(() => leaving(error, `${path}, branch ${branch}`)),
        Effect.zipRight(error)
      )

    /** The files, then the record. What may pass is left for another attempt to go on with. */
    const finish = Effect.fn("Worktree.finish")(function* (
      { progress, repository }: CreateWorktree,
      path: string,
      note: BranchNote,
      again: boolean
    ) {
      yield* checkOut(git, path, again, progress).pipe(
        Effect.catchIf(
          ({ passes }) => !passes,
          (error) => takeBack(repository, path, note, error)
        )
      )
      yield* git.run(path, "update-ref", record + note.branch, note.baseCommit)
      return { ...note, directory: path, submodules: yield* submodulesMissing(git, path) } satisfies AgentWorktree
    })

    const attach = Effect.fn("Worktree.attach")(function* (
      request: CreateWorktree,
      note: BranchNote,
      claimed: boolean
    ) {
      const { directory, repository } = request
      const { baseCommit, branch } = note
      const slash = directory.lastIndexOf("/")
      const directories = Effect.gen(function* () {
        yield* files.makeDirectory(directory.slice(0, slash) || "/", { recursive: true, mode: 0o700 })
        // One that is there is empty.
        yield* Effect.catchIf(
          files.makeDirectory(directory, { mode: 0o700 }),
          (error) => error._tag === "SystemError" && error.reason === "AlreadyExists",
          () => Effect.void
        )
      })
      yield* inFiles(`worktree add ${directory}`, directories).pipe(
        Effect.zipRight(git.run(repository, "worktree", "add", "--no-checkout", "--", directory, branch)),
        Effect.catchAll((error) =>
          claimed
            ? Effect.zipRight(
                Effect.catchAll(deleteBranch(repository, branch, baseCommit), () =>
                  Effect.fail(leaving(error, `branch ${branch}`))
                ),
                error
              )
            : error
        )
      )
      return yield* finish(request, (yield* locate(directory)).path, note, false)
    })

    const begin = Effect.fn("Worktree.begin")(function* (
      request: CreateWorktree,
      entries: ReadonlyArray<WorktreeEntry>
    ) {
      const { directory, name, noted, repository } = request
      const tip = noted === null ? undefined : yield* tipOf(repository, noted.branch)
      const isOwn = noted !== null && (yield* isClaimed(git, repository, noted.branch, directory))
      if (
        noted !== null &&
        tip !== undefined &&
        isOwn &&
        entries.every(({ branch }) => branch !== heads + noted.branch)
      ) {
        return yield* attach(request, noted, false)
      }
      // Of a branch of its own that someone has checked out elsewhere, a new one goes on.
      const commit = isOwn && tip !== undefined ? tip : yield* git.head(repository)
      const note = (branch: string) => request.note({ branch, baseCommit: commit })
      const branch = yield* inTurn(repository)(claimBranch(git, { repository, directory, name, commit, note }))
      return yield* attach(request, { branch, baseCommit: commit }, true)
    })

    /**
     * A worktree whose directory is gone gets it back, as git still knows it: HEAD, what was staged, what is under way.
     * False where git cannot do that; then it has been forgotten, and its branch is as it was.
     */
    const bringBack = Effect.fn("Worktree.bringBack")(function* (
      { noted, repository }: CreateWorktree,
      entry: WorktreeEntry
    ) {
      const { path } = entry
      yield* inFiles(`worktree repair ${path}`, files.makeDirectory(path, { recursive: true, mode: 0o700 }))
      // It says that something was wrong when it has put it right.
      yield* Effect.catchIf(
        git.run(repository, "worktree", "repair", path),
        ({ reason }) => reason === "failed",
        () => Effect.void
      )
      if (yield* Effect.orElseSucceed(files.exists(`${path}/.git`), () => false)) {
        if (Option.isSome(yield* recordOf(path))) yield* git.run(path, "checkout", "--force", "--", ".")
        return true
      }
      if (noted === null || entry.branch !== heads + noted.branch) {
        const detail = `its directory is gone and cannot be brought back; HEAD was at ${entry.head ?? "no commit"}`
        return yield* new GitError({ reason: "failed", command: `worktree repair ${path}`, detail })
      }
      yield* git.run(repository, "worktree", "remove", "--force", "--", path)
      return false
    })

    const create = Effect.fn("Worktree.create")(function* (request: CreateWorktree) {
      const { directory, noted, repository } = request
      const { missing, path } = yield* locate(directory)
      if (missing && noted === null) return yield* begin(request, [])
      const fail = (detail: string) => new GitError({ reason: "failed", command: "worktree list", detail })
      const entries = yield* listWorktrees(git, repository)
      const entry = entries.slice(1).find((each) => each.path === path)
      if (entry === undefined) {
        if (missing || (yield* isEmpty(path))) return yield* begin(request, entries)
        return yield* fail(`${directory} is not a worktree of ${repository}, and not empty`)
      }
      if (missing && !(yield* bringBack(request, entry))) {
        return yield* begin(
          request,
          entries.filter((each) => each !== entry)
        )
      }
      const recorded = yield* recordOf(path)
      if (Option.isSome(recorded)) {
        return { ...recorded.value, directory: path, submodules: yield* submodulesMissing(git, path) }
      }
      // Its record is gone, but not the work in it.
      if (request.finished === true && noted !== null) {
        return { ...noted, directory: path, submodules: yield* submodulesMissing(git, path) }
      }
      const branch = entry.branch?.slice(heads.length) ?? ""
      if (!isAgentBranch(branch) || entry.head === null) {
        return yield* fail(`${directory} is not on a branch for agents of ${repository}`)
      }
      return yield* finish(request, path, { branch, baseCommit: entry.head }, true)
    })

    /** What an attempt left behind that made no worktree. */
    const removeRest = Effect.fn("Worktree.removeRest")(function* (request: RemoveWorktree, path: string) {
      const { directory, noted, repository } = request
      yield* Effect.ignore(files.remove(path))
      const tip = noted === null ? undefined : yield* tipOf(repository, noted.branch)
      if (noted === null || tip === undefined) return gone()
      if (!(yield* isClaimed(git, repository, noted.branch, directory))) {
        return gone(`branch ${noted.branch} is someone else's, and stays`)
      }
      if (tip !== noted.baseCommit) {
        const kept: Removal = {
          kept: true,
          directory: path,
          at: `branch ${noted.branch}`,
          reasons: ["its directory is gone, and its branch has commits"]
        }
        return kept
      }
      yield* deleteBranch(repository, noted.branch, tip)
      return gone()
    })

    const remove = Effect.fn("Worktree.remove")(function* (request: RemoveWorktree) {
      const { finished, noted, repository } = request
      const { missing, path } = yield* locate(request.directory)
      const keep = (at: string, reasons: ReadonlyArray<string>): Removal => ({
        kept: true,
        directory: path,
        at,
        reasons
      })
      const entries = yield* listWorktrees(git, repository)
      const entry = entries.find((each) => each.path === path)
      if (entry === undefined || entry === entries[0]) {
        if (entry === undefined && (missing || (yield* isEmpty(path)))) return yield* removeRest(request, path)
        return keep("no branch", [`it is not a worktree of ${repository}`])
      }
      const recorded = missing ? Option.none() : yield* Effect.orElseSucceed(recordOf(path), () => Option.none())
      const checkedOut = entry.branch?.slice(heads.length) ?? ""
      const branch = Option.match(recorded, {
        onSome: (known) => known.branch,
        onNone: () => noted?.branch ?? (isAgentBranch(checkedOut) ? checkedOut : null)
      })
      const tip = branch === null ? undefined : yield* tipOf(repository, branch)
      const examined = { repository, entry, missing, branch, tip: tip ?? null }

      return yield* Effect.gen(function* () {
        const untouched = !finished && Option.isNone(recorded) && entry.locked === null
        const { reasons, submodules } =
          untouched && (tip === undefined || tip === noted?.baseCommit)
            ? { reasons: [], submodules: [] }
            : yield* findLosses(git, examined)
        if (reasons.length > 0) return keep(describe(examined), reasons)
        // Git looks for changes again itself, unless there are submodules: it removes no worktree with those unforced.
        const force = untouched || submodules.length > 0 ? ["--force"] : []
        yield* git.run(repository, "worktree", "remove", ...force, "--", path)
        if (branch === null || tip === undefined) return gone()
        const stashes = yield* stashesOf(git, repository, branch)
        const stay = stashes.length === 0 ? [] : [`stashes of ${branch} stay in ${repository}: ${stashes.join(", ")}`]
        const elsewhere = entries.find((each) => each !== entry && each.branch === heads + branch)
        if (elsewhere !== undefined) {
          return gone(...stay, `branch ${branch} is checked out in ${elsewhere.path}, and stays`)
        }
        return yield* deleteBranch(repository, branch, tip).pipe(
          Effect.as(gone(...stay)),
          Effect.catchAll(({ message }) => Effect.succeed(gone(...stay, `branch ${branch} stays: ${message}`)))
        )
      }).pipe(Effect.catchAll(({ message }) => Effect.succeed(keep(describe(examined), [message]))))
    })

    const withFiles = Effect.provideService(FileSystem.FileSystem, files)

    return {
      inspect: makeInspect(git, files, surroundings),
      create: (request: CreateWorktree) => withFiles(create(request)),
      remove: (request: RemoveWorktree) =>
        remove(request).pipe(
          Effect.catchAll(({ message }) => {
            const at = request.noted === null ? "no branch known" : `perhaps branch ${request.noted.branch}`
            return Effect.succeed<Removal>({ kept: true, directory: request.directory, at, reasons: [message] })
          }),
          withFiles
        )
    }
  })

/** The working trees of agents: one for each, linked to the repository of its project. */
export class Worktree extends Context.Tag("fleet-mcp/layers/agenthost/git/Worktree")<
  Worktree,
  {
    /** Whether agents can work on a directory; answers the root of its working tree. */
    readonly inspect: (directory: string) => Effect.Effect<string, NotAProject>
    /**
     * A worktree on a branch of its own, from the project's HEAD. One that is there already is used again; one that was
     * not finished is finished; one whose directory is gone gets it back. Several processes may do this at once.
     */
    readonly create: (request: CreateWorktree) => Effect.Effect<AgentWorktree, GitError | NotNoted>
    /**
     * Removes a worktree and its branch, unless work would be lost with them: see `findLosses`. What cannot be found out
     * counts as work.
     */
    readonly remove: (request: RemoveWorktree) => Effect.Effect<Removal>
  }
>() {
  static readonly layer: Layer.Layer<Worktree, never, Surroundings> = Layer.effect(
    this,
    Effect.flatMap(Surroundings, make)
  ).pipe(Layer.provide(layerFiles))
}
