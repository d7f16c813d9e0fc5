import { Effect, Schema } from "effect"
import { GitError, lines, type Git } from "./Git.ts"
import { GitLimits } from "./GitLimits.ts"

export const heads = "refs/heads/"

// A branch `fleet` leaves no room for `fleet/x`: names of refs are paths.
const prefixes = ["fleet", "fleet-agents", ...Array.from({ length: 8 }, (_, index) => `fleet-agents-${index + 2}`)]

/** Whether a branch has a name as agents' branches have. */
export const isAgentBranch = (branch: string): boolean => prefixes.some((prefix) => branch.startsWith(`${prefix}/`))

/** What was about to be made could not be noted, so nothing was made. It may pass. */
export class NotNoted extends Schema.TaggedError<NotNoted>()("NotNoted", { detail: Schema.String }) {
  readonly passes = true
  override get message() {
    return `What was about to be made could not be noted, so nothing was made: ${this.detail}`
  }
}

/** What the first entry of a branch's reflog says, so that its maker can be told later. */
const markOf = (directory: string): string => `fleet-mcp: branch of ${directory}`.replaceAll(/\s+/g, " ")

export interface Claim {
  readonly repository: string
  /** The worktree that the branch is for. */
  readonly directory: string
  readonly name: string
  /** The commit that it is to begin with. */
  readonly commit: string
  /** Is told the name before it is claimed. */
  readonly note: (branch: string) => Effect.Effect<void, NotNoted>
}

/** Whether a branch was claimed for this worktree. */
export const isClaimed = (git: Git, repository: string, branch: string, directory: string) =>
  Effect.map(
    git.run(repository, "reflog", "show", "--format=%gs", heads + branch, "--"),
    (text) => lines(text).at(-1) === markOf(directory)
  ).pipe(
    Effect.catchIf(
      ({ reason }) => reason === "failed",
      () => Effect.succeed(false)
    )
  )

/**
 * Makes a branch of its own for an agent: `fleet/<name>`, with a number after it where that is taken, below another
 * prefix where there is a branch `fleet`. `update-ref` with a value of zeros makes a ref or refuses, so of several
 * processes one gets the name.
 */
export const claimBranch = Effect.fn("Worktree.claimBranch")(function* (git: Git, claim: Claim) {
  const { commit, directory, name, note, repository } = claim
  const { branchAttempts } = yield* GitLimits
  const refused = new Set<string>()
  let taken: ReadonlyArray<string> = []
  const isFree = (branch: string) =>
    !refused.has(branch) && taken.every((ref) => ref !== heads + branch && !ref.startsWith(`${heads}${branch}/`))
  const next = () => {
    const prefix = prefixes.find((one) => !taken.includes(heads + one)) ?? "fleet"
    let branch = `${prefix}/${name}`
    for (let suffix = 2; !isFree(branch); suffix++) branch = `${prefix}/${name}-${suffix}`
    return branch
  }
  for (let attempt = 0; attempt < branchAttempts; attempt++) {
    const branch = next()
    yield* note(branch)
    const zeros = "0".repeat(commit.length)
    // Not again and again: a lock may have been left by a git that was killed, and then another name is free.
    const args = ["update-ref", "--create-reflog", "-m", markOf(directory), heads + branch, commit, zeros]
    const made = yield* git.ask({ directory: repository, args }).pipe(
      Effect.as(true),
      // The branch, one above or below it, or its lock.
      Effect.catchIf(
        ({ detail }) => detail.includes("exists"),
        () => Effect.succeed(false)
      )
    )
    if (made) return branch
    refused.add(branch)
    taken = (yield* git.refs(repository, ...prefixes.map((prefix) => heads + prefix))).map((ref) => ref.name)
  }
  const detail = `no name was free in ${branchAttempts} attempts`
  return yield* new GitError({ reason: "failed", command: `update-ref ${heads}fleet/${name}`, detail })
})
