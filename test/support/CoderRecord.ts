import { Effect } from "effect"
import { join } from "node:path"
import type { Workspace } from "../../src/schemas/coder/Workspaces.ts"
import { git, leftovers } from "../layers/agenthost/support.ts"
import { agentOf, built, get, send } from "../layers/embedded/Requests.ts"
import { EmbeddedFixture } from "./EmbeddedFixture.ts"

const answerOf = (path: string) => Effect.map(send("GET", path), ({ body, status }) => ({ status, body }))

const recordOf = (workspace: typeof Workspace.Type) =>
  Effect.gen(function* () {
    const { stateDirectory } = yield* EmbeddedFixture
    const { id, latest_build: build, name } = workspace
    return {
      workspace,
      parameters: yield* answerOf(`/api/v2/workspacebuilds/${build.id}/parameters`),
      buildLog: yield* answerOf(`/api/v2/workspacebuilds/${build.id}/logs`),
      agentLog: yield* answerOf(`/api/v2/workspaceagents/${agentOf(workspace)?.id}/logs`),
      status: yield* answerOf(`/@local/${name}/apps/ccw/status`),
      conversation: yield* answerOf(`/@local/${name}/apps/ccw/messages`),
      files: git(join(stateDirectory, "worktrees", id), "status", "--porcelain", "--untracked-files=all", "--ignored")
    }
  })

const workspaces = Effect.map(
  get<{ readonly workspaces: ReadonlyArray<typeof Workspace.Type> }>("/api/v2/workspaces"),
  (list) => list.workspaces
)

/** Waits until no build is at work. */
export const settled = Effect.flatMap(
  workspaces,
  Effect.forEach(({ id }) => built(id))
)

/**
 * All that an embedded Coder remembers of its agents, by its own API, and all that there is of them on this machine.
 * Where nothing happens it stays the same.
 */
export const coderRecord = Effect.gen(function* () {
  const { agentTokens, repository } = yield* EmbeddedFixture
  const agents = yield* Effect.forEach(yield* workspaces, (workspace) =>
    Effect.map(recordOf(workspace), (record) => [workspace.name, record] as const)
  )
  return {
    agents: new Map(agents),
    starts: agentTokens.length,
    refs: git(repository, "for-each-ref"),
    worktrees: git(repository, "worktree", "list", "--porcelain"),
    processes: leftovers()
  }
})
