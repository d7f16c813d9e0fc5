import { Context, Duration } from "effect"

/** How long git may take, and how much of what it says is taken. */
export class GitLimits extends Context.Reference<GitLimits>()("fleet-mcp/layers/agenthost/git/GitLimits", {
  defaultValue: () => ({
    /** One run of git, but for the next. */
    run: Duration.seconds(60),
    /** The checkout of a worktree: filters may fetch large files. A start that is repeated goes on with it. */
    checkout: Duration.minutes(10),
    /** What one run may write (bytes): a status names each file. */
    output: 32 * 1024 * 1024,
    /** How long another process may hold a lock of the repository, and how often that is looked at. */
    lockWait: Duration.seconds(10),
    lockPoll: Duration.millis(50),
    /** Names tried for the branch of one agent. */
    branchAttempts: 200,
    /** Files and directories looked at to tell the size of what is ignored. */
    sizedEntries: 10_000,
    /** Files named as a reason to keep a worktree; of the others, how many. */
    namedFiles: 3,
    /** Populated submodules that are looked into; more count as work. */
    submodules: 50,
    /** Characters of git's complaint that are quoted. */
    quotedText: 500
  })
}) {}
