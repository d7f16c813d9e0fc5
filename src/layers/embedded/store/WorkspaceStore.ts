import { Array, Context, Data, DateTime, Effect, Either, Layer, Option, Struct } from "effect"
import type { AgentLog, BuildLog, PatchAppStatus } from "../../../schemas/coder/Builds.ts"
import type { KeyUse } from "../../../schemas/Idempotency.ts"
import { latestBuild, latestState, newestTime, stateOf } from "./BuildStates.ts"
import { Ids } from "./Ids.ts"
import { keyOf, useForBuild } from "./KeyRows.ts"
import { keepAgentLog, keepBuildLog, keepBuilds, keepDeleted, keepStatuses } from "./Retention.ts"
import {
  type AgentChange,
  type AgentRow,
  type AppRow,
  type BuildRow,
  type BuildState,
  type FirstPrompt,
  isActive,
  isSameAgent,
  type JobChange,
  type KeyRow,
  type NewBuild,
  type NewLog,
  type WorkspaceRow,
  type WorktreeRow
} from "./Rows.ts"
import { RowStore } from "./RowStore.ts"
import type { StoreFailed } from "./StoreFailed.ts"
import { StoreLimits } from "./StoreLimits.ts"
import type { ReadRows, Rows } from "./Tables.ts"
import { makeTimestamps } from "./Timestamps.ts"

/** A workspace that is not deleted has the name, in whatever case. */
export class NameTaken extends Data.TaggedError("NameTaken")<{ readonly name: string }> {}

/** There is no such workspace, or none any more: those deleted long ago are forgotten. */
export class WorkspaceMissing extends Data.TaggedError("WorkspaceMissing")<{ readonly workspace_id: string }> {}

/** The latest build of the workspace is not finished. */
export class BuildActive extends Data.TaggedError("BuildActive")<{ readonly workspace_id: string }> {}

/** Another build came in between, and has the number. */
export class BuildNumberTaken extends Data.TaggedError("BuildNumberTaken")<{ readonly build_number: number }> {}

/** The idempotency key was used before. */
export class KeyUsed extends Data.TaggedError("KeyUsed") {}

/** The agent has no app of that slug. */
export class AppMissing extends Data.TaggedError("AppMissing")<{ readonly slug: string }> {}

/**
 * What the embedded Coder remembers: the rules, ids and times above the rows of a `RowStore`. Each method is one
 * transaction: it is carried out as a whole or not at all, and the rules in its error type hold whoever else calls at
 * the same time. With `StoreFailed` nothing has changed. How much is kept is in `StoreLimits`.
 */
export class WorkspaceStore extends Context.Tag("fleet-mcp/layers/embedded/store/WorkspaceStore")<
  WorkspaceStore,
  {
    /** A new workspace with its first build, whose job is pending. */
    readonly insertWorkspace: (
      workspace: Pick<WorkspaceRow, "name" | "template_id" | "first_prompt_variables">,
      build: Omit<NewBuild, "build_number">,
      key?: KeyUse
    ) => Effect.Effect<BuildState, KeyUsed | NameTaken | StoreFailed>
    /**
     * The next build of a workspace that exists, whose job is pending. The key of a stop may be used for the start that
     * follows it.
     */
    readonly insertBuild: (
      workspaceId: string,
      build: NewBuild,
      key?: KeyUse
    ) => Effect.Effect<BuildState, KeyUsed | WorkspaceMissing | BuildActive | BuildNumberTaken | StoreFailed>
    /** What an idempotency key was used for, if it was and is known still. */
    readonly keyUse: (key: string) => Effect.Effect<Option.Option<KeyRow>, StoreFailed>
    /** A job that has ended stays as it is. A delete that succeeds makes the workspace deleted. */
    readonly updateJob: (buildId: string, change: JobChange) => Effect.Effect<void, StoreFailed>
    /** The agent of a start build, with what its app is called if it has one. */
    readonly insertAgent: (
      buildId: string,
      app: Pick<AppRow, "slug" | "display_name"> | null
    ) => Effect.Effect<AgentRow, StoreFailed>
    readonly setWorktree: (workspaceId: string, worktree: WorktreeRow) => Effect.Effect<void, StoreFailed>
    /** Changes an agent, and the health of its app; nothing is written where it is so already. */
    readonly updateAgent: (agentId: string, change: AgentChange) => Effect.Effect<void, StoreFailed>
    /** Notes how far the first task of a workspace has come. One that is done stays done. */
    readonly setFirstPrompt: (
      workspaceId: string,
      state: Exclude<FirstPrompt, "pending">
    ) => Effect.Effect<void, StoreFailed>
    /** How far it has come; `done` where there is no such workspace. */
    readonly firstPrompt: (workspaceId: string) => Effect.Effect<FirstPrompt, StoreFailed>
    /** Adds a report; the oldest go when there are more than the limit. */
    readonly addAppStatus: (agentId: string, report: PatchAppStatus) => Effect.Effect<void, AppMissing | StoreFailed>
    readonly appendBuildLog: (buildId: string, line: NewLog) => Effect.Effect<void, StoreFailed>
    readonly appendAgentLog: (
      agentId: string,
      line: Pick<AgentLog, "level" | "output">
    ) => Effect.Effect<void, StoreFailed>

    /** The latest builds of the workspaces that are not deleted, oldest workspace first. */
    readonly list: Effect.Effect<ReadonlyArray<BuildState>, StoreFailed>
    /** The builds of a workspace that are kept, newest first. */
    readonly builds: (workspaceId: string) => Effect.Effect<ReadonlyArray<BuildState>, StoreFailed>
    /** The latest build of a workspace, deleted or not. */
    readonly workspace: (id: string) => Effect.Effect<Option.Option<BuildState>, StoreFailed>
    /** The latest build of the workspace of that name, in whatever case, that is not deleted. */
    readonly workspaceByName: (name: string) => Effect.Effect<Option.Option<BuildState>, StoreFailed>
    readonly build: (id: string) => Effect.Effect<Option.Option<BuildState>, StoreFailed>
    readonly buildLogs: (buildId: string) => Effect.Effect<ReadonlyArray<BuildLog>, StoreFailed>
    /** `None` if there is no such agent. */
    readonly agentLogs: (agentId: string) => Effect.Effect<Option.Option<ReadonlyArray<AgentLog>>, StoreFailed>
    /** The agent with that token, if its build is the latest of its workspace. */
    readonly agentByToken: (token: string) => Effect.Effect<Option.Option<AgentRow>, StoreFailed>
  }
>() {
  static readonly layer: Layer.Layer<WorkspaceStore, never, RowStore> = Layer.effect(
    this,
    Effect.gen(function* () {
      const ids = yield* Ids
      const limits = yield* StoreLimits
      const store = yield* RowStore
      const stamp = makeTimestamps()

      const read = <A>(operation: string, query: (rows: ReadRows) => A) => store.read(operation, query)

      // The time is taken within the transaction, so that it rises from commit to commit.
      const transaction = <A, E>(operation: string, step: (rows: Rows, now: string) => Either.Either<A, E>) =>
        Effect.clockWith((clock) =>
          store.transaction(operation, (rows) =>
            step(
              rows,
              stamp(clock.unsafeCurrentTimeNanos(), () => newestTime(rows))
            )
          )
        )

      const write = <A>(operation: string, step: (rows: Rows, now: string) => A) =>
        transaction(operation, (rows, now) => Either.right(step(rows, now)))

      const buildIds = Effect.all({ id: ids.make("build"), job: ids.make("job") })

      const addBuild = (
        rows: Rows,
        now: string,
        { id, job }: Effect.Effect.Success<typeof buildIds>,
        build: NewBuild & Pick<BuildRow, "workspace_id">
      ): BuildState => {
        const row = { ...build, id, created_at: now, updated_at: now, job: { id: job, status: "pending" as const } }
        rows.builds.put(row)
        keepBuilds(rows, row.workspace_id, limits.builds)
        return Option.getOrThrow(stateOf(rows, row))
      }

      const alterWorkspace = (rows: Rows, id: string, change: (row: WorkspaceRow) => Partial<WorkspaceRow>): void => {
        const row = Option.getOrUndefined(rows.workspaces.get(id))
        if (row !== undefined) rows.workspaces.put({ ...row, ...change(row) })
      }

      return {
        insertWorkspace: (fields, build, key) =>
          Effect.flatMap(Effect.all([ids.make("workspace"), buildIds]), ([id, own]) =>
            transaction("insertWorkspace", (rows, now): Either.Either<BuildState, KeyUsed | NameTaken> => {
              if (key !== undefined && !useForBuild(rows, key, { workspace_id: id, build_number: 1 }, now, limits)) {
                return Either.left(new KeyUsed())
              }
              if (rows.workspaces.count("name", fields.name.toLowerCase()) > 0) {
                return Either.left(new NameTaken({ name: fields.name }))
              }
              const fresh = { created_at: now, updated_at: now, deleted: false, worktree: null } as const
              rows.workspaces.put({ id, ...fields, ...fresh, first_prompt: "pending" })
              return Either.right(addBuild(rows, now, own, { ...build, workspace_id: id, build_number: 1 }))
            })
          ),

        insertBuild: (workspaceId, build, key) =>
          Effect.flatMap(buildIds, (own) =>
            transaction(
              "insertBuild",
              (rows, now): Either.Either<BuildState, KeyUsed | WorkspaceMissing | BuildActive | BuildNumberTaken> => {
                const before = Option.getOrUndefined(latestBuild(rows, workspaceId))
                if (before === undefined) return Either.left(new WorkspaceMissing({ workspace_id: workspaceId }))
                if (isActive(before)) return Either.left(new BuildActive({ workspace_id: workspaceId }))
                if (build.build_number !== before.build_number + 1) return Either.left(new BuildNumberTaken(build))
                const use = { workspace_id: workspaceId, ...build }
                if (key !== undefined && !useForBuild(rows, key, use, now, limits)) return Either.left(new KeyUsed())
                return Either.right(addBuild(rows, now, own, { ...build, workspace_id: workspaceId }))
              }
            )
          ),

        updateJob: (buildId, change) =>
          write("updateJob", (rows, now) => {
            const build = Option.getOrUndefined(rows.builds.get(buildId))
            if (build === undefined || !isActive(build)) return
            const times = change.status === "running" ? { started_at: now } : { completed_at: now }
            rows.builds.put({ ...build, updated_at: now, job: { ...build.job, ...change, ...times } })
            if (change.status !== "succeeded" || build.transition !== "delete") return
            alterWorkspace(rows, build.workspace_id, () => ({ deleted: true, updated_at: now }))
            keepDeleted(rows, limits.deletedWorkspaces)
          }),

        insertAgent: (buildId, app) =>
          Effect.flatMap(
            Effect.all({ id: ids.make("agent"), token: ids.make("agent token"), app: ids.make("app") }),
            (own) =>
              write("insertAgent", (rows) => {
                const agent: AgentRow = {
                  id: own.id,
                  workspace_id: Option.getOrThrow(rows.builds.get(buildId)).workspace_id,
                  build_id: buildId,
                  token: own.token,
                  status: "connecting",
                  lifecycle_state: "created",
                  app: app === null ? null : { ...app, id: own.app, health: "initializing" }
                }
                rows.agents.put(agent)
                return agent
              })
          ),

        setWorktree: (workspaceId, worktree) =>
          write("setWorktree", (rows) => alterWorkspace(rows, workspaceId, () => ({ worktree }))),

        updateAgent: (agentId, { health, ...fields }) =>
          write("updateAgent", (rows) => {
            const row = Option.getOrUndefined(rows.agents.get(agentId))
            if (row === undefined) return
            const app = row.app === null || health === undefined ? row.app : { ...row.app, health }
            const changed: AgentRow = { ...row, ...fields, app }
            if (!isSameAgent(row, changed)) rows.agents.put(changed)
          }),

        setFirstPrompt: (workspaceId, state) =>
          write("setFirstPrompt", (rows) =>
            alterWorkspace(rows, workspaceId, (row) => (row.first_prompt === "done" ? {} : { first_prompt: state }))
          ),

        firstPrompt: (workspaceId) =>
          read("firstPrompt", (rows) =>
            Option.match(rows.workspaces.get(workspaceId), {
              onNone: () => "done" as const,
              onSome: ({ first_prompt }) => first_prompt
            })
          ),

        addAppStatus: (agentId, { app_slug, ...report }) =>
          Effect.flatMap(ids.make("app status"), (id) =>
            transaction("addAppStatus", (rows, now) => {
              const agent = Option.getOrUndefined(rows.agents.get(agentId))
              const app = agent?.app
              if (agent === undefined || app?.slug !== app_slug) return Either.left(new AppMissing({ slug: app_slug }))
              const { workspace_id } = agent
              const about = { workspace_id, agent_id: agentId, app_id: app.id, needs_user_attention: false }
              rows.statuses.put({ id, created_at: now, ...about, ...report })
              return Either.right(keepStatuses(rows, workspace_id, limits.appStatuses))
            })
          ),

        appendBuildLog: (buildId, line) =>
          write("appendBuildLog", (rows, created_at) => {
            if (Option.isNone(rows.builds.get(buildId))) return
            rows.buildLogs.put({ id: rows.position + 1, build_id: buildId, created_at, ...line })
            keepBuildLog(rows, buildId, limits.buildLog)
          }),

        appendAgentLog: (agentId, line) =>
          write("appendAgentLog", (rows, created_at) => {
            if (Option.isNone(rows.agents.get(agentId))) return
            rows.agentLogs.put({ id: rows.position + 1, agent_id: agentId, created_at, ...line })
            keepAgentLog(rows, agentId, limits.agentLog)
          }),

        builds: (workspaceId) =>
          read("builds", (rows) =>
            rows.builds
              .select("workspace", workspaceId)
              .toReversed()
              .flatMap((build) => Option.toArray(stateOf(rows, build)))
          ),

        list: read("list", (rows) =>
          rows.workspaces.select("deleted", "false").flatMap(({ id }) => Option.toArray(latestState(rows, id)))
        ),
        workspace: (id) => read("workspace", (rows) => latestState(rows, id)),
        workspaceByName: (name) =>
          read("workspaceByName", (rows) =>
            Option.flatMap(Array.head(rows.workspaces.select("name", name.toLowerCase())), ({ id }) =>
              latestState(rows, id)
            )
          ),
        keyUse: (key) =>
          Effect.flatMap(DateTime.now, (now) =>
            read("keyUse", (rows) => keyOf(rows, key, DateTime.formatIso(now), limits))
          ),
        build: (id) => read("build", (rows) => Option.flatMap(rows.builds.get(id), (build) => stateOf(rows, build))),
        buildLogs: (buildId) =>
          read("buildLogs", (rows) => rows.buildLogs.select("build", buildId).map(Struct.omit("build_id"))),
        agentLogs: (agentId) =>
          read("agentLogs", (rows) =>
            Option.map(rows.agents.get(agentId), () =>
              rows.agentLogs.select("agent", agentId).map(Struct.omit("agent_id"))
            )
          ),
        agentByToken: (token) =>
          read("agentByToken", (rows) =>
            Option.filter(Array.head(rows.agents.select("token", token)), (agent) =>
              Option.exists(latestBuild(rows, agent.workspace_id), ({ id }) => id === agent.build_id)
            )
          )
      }
    })
  )

  /** Keeps everything in this process, and forgets it with it. */
  static readonly layerMemory: Layer.Layer<WorkspaceStore> = Layer.provide(this.layer, RowStore.layerMemory)
}
