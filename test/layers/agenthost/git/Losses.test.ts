import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { execFileSync } from "node:child_process"
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type BranchNote, Worktree } from "../../../../src/layers/agenthost/git/Worktree.ts"
import { Surroundings } from "../../../../src/layers/agenthost/process/Surroundings.ts"
import { environment, git, temporaryDirectory } from "../support.ts"

interface Place {
  readonly root: string
  readonly repository: string
  readonly directory: string
}

interface State {
  readonly work: (place: Place) => void
  /** What a refusal says; null where nothing would be lost. */
  readonly kept: RegExp | null
  /** Reads what would have been lost. */
  readonly find?: (place: Place) => string
}

const write = (directory: string, file: string, content = `${file}\n`) => writeFileSync(join(directory, file), content)
const commit = (directory: string, file: string) => {
  write(directory, file)
  git(directory, "add", file)
  git(directory, "commit", "--quiet", "-m", `add ${file}`)
}
/** Of a command that may fail, as a merge with conflicts does. */
const tried = (directory: string, ...args: ReadonlyArray<string>) => {
  try {
    return git(directory, ...args)
  } catch {
    return ""
  }
}
/** Two commits that change the same line, and the name of the other's branch. */
const conflict = ({ directory }: Place) => {
  git(directory, "checkout", "--quiet", "-b", "other")
  write(directory, "a.txt", "theirs\n")
  git(directory, "commit", "--quiet", "-am", "theirs")
  git(directory, "checkout", "--quiet", "fleet/bot")
  write(directory, "a.txt", "ours\n")
  git(directory, "commit", "--quiet", "-am", "ours")
  return "other"
}
const addSubmodule = ({ directory }: Place) =>
  execFileSync("git", ["-C", directory, "-c", "protocol.file.allow=always", "submodule", "update", "--init", "-q"], {
    stdio: "pipe"
  })

const states: Record<string, State> = {
  "nothing was done": { work: () => undefined, kept: null },
  "a tracked file is changed": {
    work: ({ directory }) => write(directory, "a.txt", "edited\n"),
    kept: /uncommitted changes: 1 \(a\.txt\)/
  },
  "a change is staged": {
    work: ({ directory }) => {
      write(directory, "a.txt", "staged\n")
      git(directory, "add", ".")
    },
    kept: /a\.txt/
  },
  "a change is staged and taken back in the tree": {
    work: ({ directory }) => {
      write(directory, "a.txt", "staged\n")
      git(directory, "add", ".")
      write(directory, "a.txt", "one\n")
    },
    kept: /a\.txt/
  },
  "a file is deleted": { work: ({ directory }) => rmSync(join(directory, "a.txt")), kept: /a\.txt/ },
  "a file is renamed": { work: ({ directory }) => git(directory, "mv", "a.txt", "z.txt"), kept: /z\.txt/ },
  "a file is made executable": {
    work: ({ directory }) => execFileSync("chmod", ["+x", join(directory, "a.txt")]),
    kept: /a\.txt/
  },
  "a file is untracked": { work: ({ directory }) => write(directory, "new"), kept: /untracked files: 1 \(new\)/ },
  "many files are untracked": {
    work: ({ directory }) => ["n1", "n2", "n3", "n4", "n5"].forEach((name) => write(directory, name)),
    kept: /untracked files: 5 \(n1, n2, n3, and 2 more\)/
  },
  "a name has a space, a quote and a letter of another alphabet": {
    work: ({ directory }) => write(directory, 'b "é'),
    kept: /b "é/
  },
  "the user hides untracked files by configuration": {
    work: ({ directory }) => {
      git(directory, "config", "status.showUntrackedFiles", "no")
      write(directory, "new")
    },
    kept: /untracked files: 1/
  },
  "a file is added with intent": {
    work: ({ directory }) => {
      write(directory, "new")
      git(directory, "add", "-N", "new")
    },
    kept: /new/
  },
  "a file is ignored": {
    work: ({ directory }) => write(directory, "ignored", "1234"),
    kept: /ignored files: 1 \(ignored; 1 file, 4 bytes\)/
  },
  "a directory is ignored": {
    work: ({ directory }) => {
      mkdirSync(join(directory, "out"))
      write(directory, "out/report.md", "findings")
    },
    kept: /ignored files: 1 \(out\/; 1 file, 8 bytes\)/
  },
  "a file is excluded by the repository": {
    work: ({ directory, repository }) => {
      mkdirSync(join(repository, ".git/info"), { recursive: true })
      writeFileSync(join(repository, ".git/info/exclude"), "secret\n")
      write(directory, "secret")
    },
    kept: /ignored files: 1 \(secret/
  },
  "an edit is hidden by assume-unchanged": {
    work: ({ directory }) => {
      git(directory, "update-index", "--assume-unchanged", "a.txt")
      write(directory, "a.txt", "hidden\n")
    },
    kept: /edits that git was told not to see: 1 \(a\.txt\)/
  },
  "an edit is hidden by skip-worktree": {
    work: ({ directory }) => {
      git(directory, "update-index", "--skip-worktree", "a.txt")
      write(directory, "a.txt", "hidden\n")
    },
    kept: /edits that git was told not to see: 1 \(a\.txt\)/
  },
  "a file without edits is assumed unchanged": {
    work: ({ directory }) => git(directory, "update-index", "--assume-unchanged", "a.txt"),
    kept: null
  },
  "the checkout is sparse": {
    work: ({ directory }) => {
      commit(directory, "later")
      git(directory, "reset", "--quiet", "--hard", "HEAD~1")
      git(directory, "sparse-checkout", "set", "--no-cone", "/.gitignore")
    },
    kept: null
  },
  "a sparse checkout has a file with edits that lies outside of it": {
    work: ({ directory }) => {
      git(directory, "sparse-checkout", "set", "--no-cone", "/.gitignore")
      write(directory, "a.txt", "outside\n")
    },
    kept: /a\.txt/
  },
  "there is a commit of its own": {
    work: ({ directory }) => commit(directory, "own"),
    kept: /commits on no other branch: 1 \([0-9a-f]{12}\)/
  },
  "the commit is merged": {
    work: ({ directory, repository }) => {
      commit(directory, "own")
      git(repository, "merge", "--quiet", "fleet/bot")
    },
    kept: null
  },
  "a commit is reached by a stash alone": {
    work: ({ directory }) => {
      commit(directory, "own")
      write(directory, "own", "more\n")
      git(directory, "stash")
    },
    kept: /commits on no other branch: 1/
  },
  "the work is in a stash": {
    work: ({ directory }) => {
      write(directory, "a.txt", "stashed\n")
      git(directory, "stash")
    },
    kept: null,
    find: ({ repository }) => git(repository, "stash", "show", "-p", "stash@{0}")
  },
  "HEAD is detached at a commit of its own": {
    work: ({ directory }) => {
      git(directory, "checkout", "--quiet", "--detach")
      commit(directory, "own")
    },
    kept: /HEAD detached at [0-9a-f]{12}.*commits on no other branch: 1/
  },
  "a commit of a detached HEAD was left": {
    work: ({ directory }) => {
      git(directory, "checkout", "--quiet", "--detach")
      commit(directory, "own")
      git(directory, "checkout", "--quiet", "fleet/bot")
    },
    kept: /commits on no other branch: 1/,
    find: ({ directory }) => git(directory, "show", "HEAD@{1}:own")
  },
  "another branch is checked out, with a commit": {
    work: ({ directory }) => {
      git(directory, "checkout", "--quiet", "-b", "feature")
      commit(directory, "own")
    },
    kept: null,
    find: ({ repository }) => git(repository, "show", "feature:own")
  },
  "a branch without commits is checked out": {
    work: ({ directory }) => git(directory, "checkout", "--quiet", "--orphan", "fresh"),
    kept: /uncommitted changes/
  },
  "a merge is in progress": {
    work: (place) => tried(place.directory, "merge", conflict(place)),
    kept: /a merge is in progress/
  },
  "a rebase is in progress": {
    work: (place) => tried(place.directory, "rebase", conflict(place)),
    kept: /a rebase is in progress/
  },
  "a cherry-pick is in progress": {
    work: (place) => tried(place.directory, "cherry-pick", conflict(place)),
    kept: /a cherry-pick is in progress/
  },
  "a bisect is in progress": {
    work: ({ directory }) => git(directory, "bisect", "start"),
    kept: /a bisect is in progress/
  },
  "an am is in progress": {
    work: (place) => {
      const patch = git(place.directory, "format-patch", "--stdout", "-1", conflict(place))
      writeFileSync(join(place.root, "patch"), `${patch}\n`)
      tried(place.directory, "am", join(place.root, "patch"))
    },
    kept: /am is in progress/
  },
  "another repository lies in it": {
    work: ({ directory }) => {
      git(directory, "init", "--quiet", "nested")
      commit(join(directory, "nested"), "inner")
    },
    kept: /untracked files: 1 \(nested\/\)/
  },
  "another repository lies in an ignored directory": {
    work: ({ directory }) => {
      git(directory, "init", "--quiet", "out")
      commit(join(directory, "out"), "inner")
    },
    kept: /ignored files: 1 \(out\//
  },
  "another worktree lies in it": {
    work: ({ directory }) => git(directory, "worktree", "add", "--quiet", "-b", "inner", join(directory, "inner")),
    kept: /untracked files: 1 \(inner\/\)/
  },
  "a submodule is checked out, without work": { work: addSubmodule, kept: null },
  "a submodule has a file of its own": {
    work: (place) => {
      addSubmodule(place)
      write(join(place.directory, "lib"), "new")
    },
    kept: /lib/
  },
  "a submodule has a commit of its own": {
    work: (place) => {
      addSubmodule(place)
      const lib = join(place.directory, "lib")
      git(lib, "checkout", "--quiet", "-b", "own")
      commit(lib, "new")
      git(lib, "checkout", "--quiet", "--detach", "HEAD~1")
    },
    kept: /submodules with work: 1 \(lib\)/
  },
  "a submodule has a stash": {
    work: (place) => {
      addSubmodule(place)
      write(join(place.directory, "lib"), "lib.txt", "edited\n")
      git(join(place.directory, "lib"), "stash")
    },
    kept: /submodules with work: 1 \(lib\)/
  },
  "it is locked": {
    work: ({ directory }) => git(directory, "worktree", "lock", "--reason", "mine", directory),
    kept: /it is locked: mine/
  },
  "its directory was made a repository of its own": {
    work: ({ directory }) => {
      rmSync(join(directory, ".git"))
      git(directory, "init", "--quiet")
      commit(directory, "own")
    },
    kept: /no longer belong/
  },
  "its .git file is gone": { work: ({ directory }) => rmSync(join(directory, ".git")), kept: /kept/ },
  "its directory is gone, with a commit": {
    work: ({ directory }) => {
      commit(directory, "own")
      rmSync(directory, { recursive: true })
    },
    kept: /commits on no other branch: 1/,
    find: ({ repository }) => git(repository, "show", "fleet/bot:own")
  },
  "its directory is gone, with staged changes": {
    work: ({ directory }) => {
      write(directory, "a.txt", "staged\n")
      git(directory, "add", ".")
      rmSync(directory, { recursive: true })
    },
    kept: /staged changes: 1 \(a\.txt\)/,
    find: ({ repository, root }) => {
      writeFileSync(join(root, "staged"), "staged\n")
      return git(repository, "cat-file", "-t", git(repository, "hash-object", join(root, "staged")))
    }
  },
  "its branch is checked out elsewhere": {
    work: ({ directory, repository }) => {
      git(directory, "checkout", "--quiet", "--detach")
      git(repository, "checkout", "--quiet", "fleet/bot")
    },
    kept: null,
    find: ({ repository }) => git(repository, "rev-parse", "--verify", "fleet/bot")
  }
}

/** All files of a tree with their contents, but for what git keeps. */
const snapshot = (directory: string): ReadonlyArray<string> =>
  existsSync(directory)
    ? execFileSync("find", [directory, "-name", ".git", "-prune", "-o", "-type", "f", "-print"], { encoding: "utf8" })
        .split("\n")
        .filter((file) => file !== "")
        .toSorted()
        .map((file) => `${file}: ${lstatSync(file).mode} ${readFileSync(file, "utf8")}`)
    : []

const begin = Effect.gen(function* () {
  const root = yield* temporaryDirectory
  const [repository, lib] = [join(root, "project"), join(root, "lib")]
  for (const directory of [lib, repository]) {
    mkdirSync(directory)
    git(directory, "init", "--quiet", "--initial-branch=main")
    git(directory, "config", "user.name", "Ada")
    git(directory, "config", "user.email", "ada@example.com")
  }
  commit(lib, "lib.txt")
  write(repository, "a.txt", "one\n")
  write(repository, ".gitignore", "ignored\nout/\n")
  git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", lib, "lib")
  git(repository, "add", ".")
  git(repository, "commit", "--quiet", "-m", "one")
  const directory = join(root, "state", "bot")
  let noted: BranchNote | null = null
  const surroundings = Surroundings.layer({ ...environment, HOME: root })
  const service = yield* Effect.provide(Worktree, Layer.provide(Worktree.layer, surroundings))
  const create = Effect.suspend(() =>
    service.create({
      repository,
      directory,
      name: "bot",
      noted,
      note: (note) => Effect.sync(() => void (noted = note)),
      progress: () => Effect.void
    })
  )
  const remove = Effect.suspend(() => service.remove({ repository, directory, noted, finished: true }))
  const worktree = yield* create
  return { place: { root, repository, directory }, create, remove, worktree }
})

describe("an agent's work", () => {
  for (const [name, { find, kept, work }] of Object.entries(states)) {
    it.scopedLive(`is not lost by a restart and a delete where ${name}`, () =>
      Effect.gen(function* () {
        const { create, place, remove, worktree } = yield* begin
        expect(worktree.submodules).toEqual(["lib"])
        work(place)
        const before = snapshot(place.directory)
        const wasThere = existsSync(place.directory)
        const removal = yield* Effect.zipRight(
          // A restart leaves all as it is; where git's own file is gone it is refused.
          Effect.sync(() => wasThere).pipe(Effect.flatMap((there) => (there ? Effect.either(create) : Effect.void))),
          remove
        )
        if (wasThere && kept !== null) expect(snapshot(place.directory)).toEqual(before)
        const told = removal.kept ? `kept at ${removal.at}: ${removal.reasons.join("; ")}` : "removed"
        if (kept === null) expect(told).toBe("removed")
        else expect(told).toMatch(kept)
        expect(existsSync(place.directory)).toBe(kept !== null && wasThere)
        if (find !== undefined) expect(find(place)).not.toBe("")
      })
    )
  }
})

describe("a worktree whose directory is gone", () => {
  it.scopedLive("comes back by a start, with its commits and what was staged", () =>
    Effect.gen(function* () {
      const { create, place, worktree } = yield* begin
      commit(place.directory, "own")
      write(place.directory, "a.txt", "staged\n")
      git(place.directory, "add", ".")
      rmSync(place.directory, { recursive: true })
      expect(yield* create).toEqual(worktree)
      expect(git(place.directory, "rev-parse", "--abbrev-ref", "HEAD")).toBe("fleet/bot")
      expect(readFileSync(join(place.directory, "own"), "utf8")).toBe("own\n")
      expect(readFileSync(join(place.directory, "a.txt"), "utf8")).toBe("staged\n")
    })
  )

  it.scopedLive("comes back where git has forgotten it too, from its own branch", () =>
    Effect.gen(function* () {
      const { create, place, worktree } = yield* begin
      commit(place.directory, "own")
      rmSync(place.directory, { recursive: true })
      git(place.repository, "worktree", "prune")
      expect(yield* create).toEqual(worktree)
      expect(existsSync(join(place.directory, "own"))).toBe(true)
    })
  )
})
