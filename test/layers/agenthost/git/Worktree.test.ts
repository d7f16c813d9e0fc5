import { afterAll, describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Environment } from "../../../../src/layers/agenthost/process/Environment.ts"
import { GitLimits } from "../../../../src/layers/agenthost/git/GitLimits.ts"
import { type BranchNote, Worktree } from "../../../../src/layers/agenthost/git/Worktree.ts"
import { Surroundings } from "../../../../src/layers/agenthost/process/Surroundings.ts"
import { environment, git, leftovers, temporaryDirectory } from "../support.ts"
import type { NotNoted } from "../../../../src/layers/agenthost/git/Branch.ts"
import type { GitError } from "../../../../src/layers/agenthost/git/Git.ts"

const reasonOf = (error: GitError | NotNoted): string => ("reason" in error ? error.reason : error._tag)

const worktrees = (variables: Environment) =>
  Effect.provide(Worktree, Layer.provide(Worktree.layer, Surroundings.layer(variables)))

const commitFile = (directory: string, file: string, content = file) => {
  writeFileSync(join(directory, file), content)
  git(directory, "add", file)
  git(directory, "commit", "--quiet", "-m", `add ${file}`)
}

/** A repository with a commit and an ignored name, and a directory for worktrees beside it. */
const start = Effect.gen(function* () {
  const root = yield* temporaryDirectory
  const repository = join(root, "project")
  mkdirSync(repository)
  git(repository, "init", "--quiet", "--initial-branch=main")
  commitFile(repository, ".gitignore", "ignored\n")
  const notes = new Map<string, BranchNote>()
  const service = yield* worktrees({ ...environment, HOME: root })
  const create = (name: string, directory = join(root, "state", name), finished = false) =>
    service.create({
      repository,
      directory,
      name,
      noted: notes.get(directory) ?? null,
      finished,
      note: (note) => Effect.sync(() => notes.set(directory, note)),
      progress: () => Effect.void
    })
  const remove = (directory: string, finished = true) =>
    service.remove({ repository, directory, noted: notes.get(directory) ?? null, finished })
  const branches = () => git(repository, "for-each-ref", "--format=%(refname:short)", "refs/heads").split("\n")
  return { ...service, root, repository, create, remove, branches, notes }
})

afterAll(() => expect(leftovers()).toEqual([]))

describe("Worktree.inspect", () => {
  it.scopedLive("answers the root of a working tree", () =>
    Effect.gen(function* () {
      const { inspect, repository, root } = yield* start
      mkdirSync(join(repository, "inside"))
      symlinkSync(join(repository, "inside"), join(root, "link"))
      for (const directory of [repository, join(repository, "inside"), join(root, "link")]) {
        expect(yield* inspect(directory)).toBe(repository)
      }
    })
  )

  it.scopedLive("says why a directory is no project", () =>
    Effect.gen(function* () {
      const { inspect, root } = yield* start
      const reason = (directory: string) => Effect.map(Effect.flip(inspect(directory)), (error) => error.reason)
      expect(yield* reason("/")).toBe("root")
      expect(yield* reason(root)).toBe("home")
      expect(yield* reason(join(root, "nowhere"))).toBe("no_directory")
      mkdirSync(join(root, "plain"))
      expect(yield* reason(join(root, "plain"))).toBe("not_a_repository")
      git(root, "init", "--quiet", "--bare", "bare")
      expect(yield* reason(join(root, "bare"))).toBe("bare")
      git(root, "init", "--quiet", "empty")
      expect(yield* reason(join(root, "empty"))).toBe("no_commits")
      // A directory below a home directory that is itself a repository.
      git(root, "init", "--quiet")
      expect(yield* reason(join(root, "plain"))).toBe("home")
    })
  )

  it.scopedLive("says that git is missing", () =>
    Effect.gen(function* () {
      const { repository } = yield* start
      const { create, inspect, remove } = yield* worktrees({ ...environment, PATH: "" })
      const directory = join(repository, "x")
      expect((yield* Effect.flip(inspect(repository))).reason).toBe("git_missing")
      const request = { repository, directory, name: "x", noted: null }
      const failed = yield* Effect.flip(create({ ...request, note: () => Effect.void, progress: () => Effect.void }))
      expect(reasonOf(failed)).toBe("missing")
      expect(yield* remove({ ...request, directory: repository, finished: true })).toMatchObject({ kept: true })
    })
  )
})

describe("Worktree.create", () => {
  it.scopedLive("makes a worktree on a branch of its own, once", () =>
    Effect.gen(function* () {
      const { branches, create, repository, root } = yield* start
      const head = git(repository, "rev-parse", "HEAD")
      const worktree = yield* create("bot")
      expect(worktree).toEqual({
        directory: join(root, "state", "bot"),
        branch: "fleet/bot",
        baseCommit: head,
        submodules: []
      })
      expect(git(worktree.directory, "status", "--porcelain")).toBe("")
      expect(existsSync(join(worktree.directory, ".gitignore"))).toBe(true)

      commitFile(worktree.directory, "work")
      git(worktree.directory, "checkout", "--quiet", "-b", "elsewhere")
      expect(yield* create("bot")).toEqual(worktree)
      expect(branches()).toEqual(["elsewhere", "fleet/bot", "main"])
    })
  )

  it.scopedLive("finishes one that was not finished", () =>
    Effect.gen(function* () {
      const { create, notes, repository, root } = yield* start
      const directory = join(root, "half")
      git(repository, "worktree", "add", "--quiet", "--no-checkout", "-b", "fleet/half", directory)
      notes.set(directory, { branch: "fleet/half", baseCommit: git(repository, "rev-parse", "HEAD") })
      const worktree = yield* create("half", directory)
      expect(worktree.branch).toBe("fleet/half")
      expect(git(directory, "status", "--porcelain")).toBe("")
    })
  )

  it.scopedLive("keeps what was edited in one that was finished, also where its record is gone", () =>
    Effect.gen(function* () {
      const { create } = yield* start
      const { baseCommit, branch, directory } = yield* create("bot")
      writeFileSync(join(directory, ".gitignore"), "edited\n")
      git(directory, "update-ref", "-d", `refs/worktree/fleet-mcp/${branch}`)
      expect(yield* create("bot", directory, true)).toEqual({ baseCommit, branch, directory, submodules: [] })
      expect(readFileSync(join(directory, ".gitignore"), "utf8")).toBe("edited\n")
    })
  )

  it.scopedLive("puts a number after a branch that is taken", () =>
    Effect.gen(function* () {
      const { create, repository, root } = yield* start
      git(repository, "branch", "fleet/bot")
      git(repository, "branch", "fleet/bot-2/deeper")
      expect((yield* create("bot")).branch).toBe("fleet/bot-3")
      expect((yield* create("bot", join(root, "another"))).branch).toBe("fleet/bot-4")
    })
  )

  it.scopedLive("makes many at once", () =>
    Effect.gen(function* () {
      const { create, root } = yield* start
      const all = Array.from({ length: 16 }, (_, index) => create("bot", join(root, `many-${index}`)))
      const made = yield* Effect.all(all, { concurrency: "unbounded" })
      expect(new Set(made.map(({ branch }) => branch)).size).toBe(16)
    })
  )

  it.scopedLive("touches no directory of anyone else's, and runs no hook", () =>
    Effect.gen(function* () {
      const { branches, create, repository, root } = yield* start
      writeFileSync(join(repository, ".git", "hooks", "post-checkout"), `#!/bin/sh\ntouch ${root}/hook\n`, {
        mode: 0o755
      })
      mkdirSync(join(root, "full"))
      writeFileSync(join(root, "full", "file"), "")
      git(repository, "worktree", "add", "--quiet", "-b", "mine", join(root, "mine"))
      rmSync(join(root, "hook"))
      for (const directory of [join(root, "full"), join(root, "mine"), repository]) {
        expect(reasonOf(yield* Effect.flip(create("bot", directory)))).toBe("failed")
      }
      expect(branches()).toEqual(["main", "mine"])
      yield* create("bot")
      expect(existsSync(join(root, "hook"))).toBe(false)
    })
  )
})

describe("Worktree.create, where something is in the way", () => {
  it.scopedLive("takes another prefix where a branch is called as the prefix is", () =>
    Effect.gen(function* () {
      const { branches, create, remove, repository } = yield* start
      git(repository, "branch", "fleet")
      const { branch, directory } = yield* create("bot")
      expect(branch).toBe("fleet-agents/bot")
      expect(yield* create("bot")).toMatchObject({ branch })
      expect(yield* remove(directory)).toMatchObject({ kept: false })
      expect(branches()).toEqual(["fleet", "main"])
      git(repository, "branch", "fleet-agents")
      expect((yield* create("bot")).branch).toBe("fleet-agents-2/bot")
    })
  )

  it.scopedLive("counts on where a lock was left behind", () =>
    Effect.gen(function* () {
      const { create, repository } = yield* start
      mkdirSync(join(repository, ".git/refs/heads/fleet"), { recursive: true })
      writeFileSync(join(repository, ".git/refs/heads/fleet/bot.lock"), "")
      expect((yield* create("bot")).branch).toBe("fleet/bot-2")
    })
  )

  it.scopedLive("leaves nothing of a checkout that fails, and takes the same name the next time", () =>
    Effect.gen(function* () {
      const { branches, create, remove, repository, root } = yield* start
      commitFile(repository, ".gitattributes", "*.bin filter=big\n")
      commitFile(repository, "a.bin")
      git(repository, "config", "filter.big.smudge", "no-such-program")
      git(repository, "config", "filter.big.required", "true")
      const error = yield* Effect.flip(create("bot"))
      expect([reasonOf(error), error.passes]).toEqual(["failed", false])
      expect(existsSync(join(root, "state", "bot"))).toBe(false)
      expect(branches()).toEqual(["main"])
      expect(yield* remove(join(root, "state", "bot"), false)).toEqual({ kept: false, remarks: [] })
      git(repository, "config", "filter.big.smudge", "cat")
      expect((yield* create("bot")).branch).toBe("fleet/bot")
    })
  )

  it.scopedLive("goes on with a checkout that took too long, and writes no file again", () =>
    Effect.gen(function* () {
      const { create, repository, root } = yield* start
      commitFile(repository, ".gitattributes", "*.bin filter=big\n")
      for (const name of ["a.bin", "b.bin"]) commitFile(repository, name)
      // It writes the first file, and the second when it is let.
      const smudge = `cat; echo written >> ${root}/log; [ %f = a.bin ] || until [ -e ${root}/go ]; do sleep 0.02; done`
      git(repository, "config", "filter.big.smudge", smudge)
      git(repository, "config", "filter.big.clean", "cat")
      const limits = yield* GitLimits
      const short = Effect.provideService(create("bot"), GitLimits, { ...limits, checkout: Duration.seconds(2) })
      const error = yield* Effect.flip(short)
      expect([reasonOf(error), error.passes]).toEqual(["timeout", true])
      writeFileSync(join(root, "go"), "")
      const { branch, directory } = yield* create("bot")
      expect(branch).toBe("fleet/bot")
      expect(git(directory, "status", "--porcelain")).toBe("")
      // a.bin once, b.bin twice.
      expect(readFileSync(join(root, "log"), "utf8").trim().split("\n")).toHaveLength(3)
    })
  )

  it.scopedLive("tells the name before it is claimed; one that was claimed and no more is used or cleared", () =>
    Effect.gen(function* () {
      const { branches, create, notes, remove, repository, root } = yield* start
      const directory = join(root, "state", "bot")
      const half = Effect.gen(function* () {
        const { branch } = yield* create("bot")
        git(repository, "worktree", "remove", "--force", directory)
        return branch
      })
      expect(yield* half).toBe("fleet/bot")
      expect(notes.get(directory)?.branch).toBe("fleet/bot")
      expect((yield* create("bot")).branch).toBe("fleet/bot")
      git(repository, "worktree", "remove", "--force", directory)
      expect(yield* remove(directory, false)).toEqual({ kept: false, remarks: [] })
      expect(branches()).toEqual(["main"])

      // Noted, and then taken by someone else.
      git(repository, "branch", "fleet/bot")
      expect(yield* remove(directory, false)).toEqual({
        kept: false,
        remarks: ["branch fleet/bot is someone else's, and stays"]
      })
      expect((yield* create("bot")).branch).toBe("fleet/bot-2")
    })
  )

  it.scopedLive("makes directories that only their owner can enter", () =>
    Effect.gen(function* () {
      const { create, root } = yield* start
      const { directory } = yield* create("bot")
      for (const path of [directory, join(root, "state")]) expect(statSync(path).mode & 0o777).toBe(0o700)
    })
  )
})

describe("Worktree.remove", () => {
  it.scopedLive("removes a clean worktree and its branch, and one that is gone", () =>
    Effect.gen(function* () {
      const { branches, create, remove } = yield* start
      const { directory } = yield* create("bot")
      expect(yield* remove(directory)).toMatchObject({ kept: false })
      expect(existsSync(directory)).toBe(false)
      expect(branches()).toEqual(["main"])
      expect(yield* remove(directory)).toMatchObject({ kept: false })
    })
  )

  it.scopedLive("keeps changes, untracked files and commits of its own", () =>
    Effect.gen(function* () {
      const { branches, create, remove } = yield* start
      const kept = (name: string, work: (directory: string) => void) =>
        Effect.gen(function* () {
          const { branch, directory } = yield* create(name)
          work(directory)
          const result = yield* remove(directory)
          expect(existsSync(directory)).toBe(true)
          expect(branches()).toContain(branch)
          expect(result).toMatchObject({ kept: true, directory })
          return result.kept ? result.reasons : []
        })
      expect(yield* kept("changed", (directory) => writeFileSync(join(directory, ".gitignore"), ""))).toEqual([
        "uncommitted changes: 1 (.gitignore)"
      ])
      expect(yield* kept("untracked", (directory) => writeFileSync(join(directory, "new"), ""))).toEqual([
        "untracked files: 1 (new)"
      ])
      expect(yield* kept("committed", (directory) => commitFile(directory, "new"))).toEqual([
        expect.stringMatching(/^commits on no other branch: 1 \([0-9a-f]{12}\)$/)
      ])
      const detached = yield* kept("detached", (directory) => {
        git(directory, "checkout", "--quiet", "--detach")
        commitFile(directory, "newer")
      })
      expect(detached).toEqual([expect.stringMatching(/^commits on no other branch: 1 /)])
      const left = yield* kept("left", (directory) => {
        commitFile(directory, "newest")
        git(directory, "checkout", "--quiet", "-b", "elsewhere", "main")
        writeFileSync(join(directory, "more"), "")
      })
      expect(left).toEqual(["untracked files: 1 (more)", expect.stringMatching(/^commits on no other branch: 1 /)])
    })
  )

  it.scopedLive("removes commits that another ref reaches", () =>
    Effect.gen(function* () {
      const { branches, create, remove, repository } = yield* start
      const merged = yield* create("merged")
      commitFile(merged.directory, "one")
      git(repository, "merge", "--quiet", merged.branch)
      expect(yield* remove(merged.directory)).toMatchObject({ kept: false })

      const tagged = yield* create("tagged")
      commitFile(tagged.directory, "two")
      git(repository, "tag", "v1", tagged.branch)
      expect(yield* remove(tagged.directory)).toMatchObject({ kept: false })

      const moved = yield* create("moved")
      git(moved.directory, "checkout", "--quiet", "-b", "feature")
      commitFile(moved.directory, "three")
      expect(yield* remove(moved.directory)).toMatchObject({ kept: false })
      expect(branches()).toEqual(["feature", "main"])
    })
  )

  it.scopedLive("keeps the branch of a worktree whose directory was deleted", () =>
    Effect.gen(function* () {
      const { branches, create, remove } = yield* start
      const { directory } = yield* create("bot")
      commitFile(directory, "work")
      rmSync(directory, { recursive: true })
      expect(yield* remove(directory)).toMatchObject({ kept: true, at: "branch fleet/bot" })
      expect(branches()).toContain("fleet/bot")
    })
  )

  it.scopedLive("keeps what it does not understand", () =>
    Effect.gen(function* () {
      const { create, remove, repository, root } = yield* start
      const { directory } = yield* create("bot")
      git(repository, "worktree", "lock", directory)
      expect(yield* remove(directory)).toMatchObject({ kept: true, at: "branch fleet/bot" })
      expect(yield* remove(repository)).toMatchObject({ kept: true })
      expect(yield* remove(root)).toMatchObject({ kept: true })
      rmSync(join(repository, ".git"), { recursive: true })
      expect(yield* remove(directory)).toMatchObject({ kept: true })
      expect(existsSync(directory)).toBe(true)
    })
  )
})
