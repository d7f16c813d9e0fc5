import { Context, Data, Effect, Layer, Option } from "effect"
import type { AgentLog, AppStatus, BuildLog, PatchAppStatus } from "../../../schemas/coder/Builds.ts"
import { Limits } from "../../config/Limits.ts"
import {
  type AgentChange,
  type AgentRow,
  type AppRow,
  type BuildRow,
  type BuildState,
  type FirstPrompt,
  isActive,
  type JobChange,
  type NewBuild,
  type NewLog,
  type WorkspaceRow,
  type WorktreeRow
} from "./Rows.ts"
import { Ids } from "./Ids.ts"
import { makeTimestamps } from "./Timestamps.ts"

/** A workspace that is not deleted has the name, in whatever case. */
export class NameTaken extends Data.TaggedError("NameTaken")<{ readonly name: string }> {}

/** The latest build of the workspace is not finished. */
export class BuildActive extends Data.TaggedError("BuildActive")<{ readonly workspace_id: string }> {}

/** Another build came in between, and has the number. */
export class BuildNumberTaken extends Data.TaggedError("BuildNumberTaken")<{ readonly build_number: number }> {}

/** The agent has no app of that slug. */
export class AppMissing extends Data.TaggedError("AppMissing")<{ readonly slug: string }> {}

/**
 * What the embedded Coder remembers. Each method is one transaction: it is carried out as a whole or not at all, and
 * the rules in its error type hold whoever else calls at the same time. Ids and times are the store's.
 */
export class WorkspaceStore extends Context.Tag("fleet-mcp/layers/embedded/store/WorkspaceStore")<
  WorkspaceStore,
  {
    /** A new workspace with its first build, whose job is pending. */
    readonly insertWorkspace: (
      workspace: Pick<WorkspaceRow, "name" | "template_id">,
      build: Omit<NewBuild, "build_number">
    ) => Effect.Effect<BuildState, NameTaken>
    /** The next build of a workspace that exists, whose job is pending. */
    readonly insertBuild: (
      workspaceId: string,
      build: NewBuild
    ) => Effect.Effect<BuildState, BuildActive | BuildNumberTaken>
    /** A job that has ended stays as it is. A delete that succeeds makes the workspace deleted. */
    readonly updateJob: (buildId: string, change: JobChange) => Effect.Effect<void>
    /** The agent of a start build, with what its app is called if it has one. */
    readonly insertAgent: (
      buildId: string,
      app: Pick<AppRow, "slug" | "display_name"> | null
    ) => Effect.Effect<AgentRow>
    readonly setWorktree: (workspaceId: string, worktree: WorktreeRow) => Effect.Effect<void>
    /** Changes an agent, and the health of its app. */
    readonly updateAgent: (agentId: string, change: AgentChange) => Effect.Effect<void>
    /** Notes how far the first task of a workspace has come. One that is done stays done. */
    readonly setFirstPrompt: (workspaceId: string, state: Exclude<FirstPrompt, "pending">) => Effect.Effect<void>
    /** How far it has come; `done` where there is no such workspace. */
    readonly firstPrompt: (workspaceId: string) => Effect.Effect<FirstPrompt>
    /** Adds a report; the oldest go when there are more than the limit. */
    readonly addAppStatus: (agentId: string, report: PatchAppStatus) => Effect.Effect<void, AppMissing>
    readonly appendBuildLog: (buildId: string, line: NewLog) => Effect.Effect<void>
    readonly appendAgentLog: (agentId: string, line: Pick<AgentLog, "level" | "output">) => Effect.Effect<void>

    /** The latest builds of the workspaces that are not deleted, oldest workspace first. */
    readonly list: Effect.Effect<ReadonlyArray<BuildState>>
    /** The builds of a workspace, newest first. */
    readonly builds: (workspaceId: string) => Effect.Effect<ReadonlyArray<BuildState>>
    /** The latest build of a workspace, deleted or not. */
    readonly workspace: (id: string) => Effect.Effect<Option.Option<BuildState>>
    /** The latest build of the workspace of that name, in whatever case, that is not deleted. */
    readonly workspaceByName: (name: string) => Effect.Effect<Option.Option<BuildState>>
    readonly build: (id: string) => Effect.Effect<Option.Option<BuildState>>
    readonly buildLogs: (buildId: string) => Effect.Effect<ReadonlyArray<BuildLog>>
    /** `None` if there is no such agent. */
    readonly agentLogs: (agentId: string) => Effect.Effect<Option.Option<ReadonlyArray<AgentLog>>>
    /** The agent with that token, if its build is the latest of its workspace. */
    readonly agentByToken: (token: string) => Effect.Effect<Option.Option<AgentRow>>
  }
>() {
  /** Keeps everything in this process, and forgets it with it. */
  static readonly layerMemory: Layer.Layer<WorkspaceStore> = Layer.effect(
    this,
    Effect.gen(function* () {
      const ids = yield* Ids
      const now = yield* makeTimestamps
      // A transaction is one synchronous step over these, so nothing comes in between.
      const workspaces = new Map<string, WorkspaceRow>()
      const builds = new Map<string, BuildRow>()
      const agents = new Map<string, AgentRow>()
      const buildsOf = new Map<string, ReadonlyArray<string>>()
      const agentOf = new Map<string, string>()
      const statuses = new Map<string, ReadonlyArray<AppStatus>>()
      const buildLogs = new Map<string, ReadonlyArray<BuildLog>>()
      const agentLogs = new Map<string, ReadonlyArray<AgentLog>>()
      let lines = 0

      const latestBuild = (workspaceId: string): Option.Option<BuildRow> =>
        Option.fromNullable(builds.get(buildsOf.get(workspaceId)?.at(-1) ?? ""))

      const stateOf = (build: BuildRow): Option.Option<BuildState> =>
        Option.map(Option.fromNullable(workspaces.get(build.workspace_id)), (workspace) => ({
          workspace,
          build,
          agent: agents.get(agentOf.get(build.id) ?? "") ?? null,
          statuses: statuses.get(workspace.id) ?? []
        }))

      const latest = (workspaceId: string) => Option.flatMap(latestBuild(workspaceId), stateOf)

      const named = (name: string): WorkspaceRow | undefined =>
        [...workspaces.values()].find((row) => !row.deleted && row.name.toLowerCase() === name.toLowerCase())

      const alter = <A>(rows: Map<string, A>, id: string, f: (row: A) => A): void => {
        const row = rows.get(id)
        if (row !== undefined) rows.set(id, f(row))
      }

      const append = <A>(rows: Map<string, ReadonlyArray<A>>, id: string, row: A, limit = Infinity): void => {
        rows.set(id, [...(rows.get(id) ?? []), row].slice(-limit))
      }

      const newBuild = Effect.map(Effect.all([ids.make("build"), ids.make("job"), now]), ([id, job, created_at]) => ({
        id,
        created_at,
        updated_at: created_at,
        job: { id: job, status: "pending" as const }
      }))

      const addBuild = (build: BuildRow): BuildState => {
        builds.set(build.id, build)
        append(buildsOf, build.workspace_id, build.id)
        return Option.getOrThrow(stateOf(build))
      }

      return {
        insertWorkspace: Effect.fn("WorkspaceStore.insertWorkspace")(function* (fields, build) {
          const id = yield* ids.make("workspace")
          const created = yield* newBuild
          if (named(fields.name) !== undefined) return yield* new NameTaken(fields)
          const { created_at, updated_at } = created
          const fresh = { created_at, updated_at, deleted: false, worktree: null, first_prompt: "pending" } as const
          workspaces.set(id, { id, ...fields, ...fresh })
          return addBuild({ ...build, ...created, workspace_id: id, build_number: 1 })
        }),

        insertBuild: Effect.fn("WorkspaceStore.insertBuild")(function* (workspaceId, build) {
          const created = yield* newBuild
          const before = Option.getOrThrow(latestBuild(workspaceId))
          if (isActive(before)) return yield* new BuildActive({ workspace_id: workspaceId })
          if (build.build_number !== before.build_number + 1) return yield* new BuildNumberTaken(build)
          return addBuild({ ...build, ...created, workspace_id: workspaceId })
        }),

        updateJob: (buildId, change) =>
          Effect.map(now, (time) => {
            const build = builds.get(buildId)
            if (build === undefined || !isActive(build)) return
            const times = change.status === "running" ? { started_at: time } : { completed_at: time }
            builds.set(buildId, { ...build, updated_at: time, job: { ...build.job, ...change, ...times } })
            if (change.status === "succeeded" && build.transition === "delete") {
              alter(workspaces, build.workspace_id, (row) => ({ ...row, deleted: true, updated_at: time }))
            }
          }),

        insertAgent: (buildId, app) =>
          Effect.map(
            Effect.all([ids.make("agent"), ids.make("agent token"), ids.make("app")]),
            ([id, token, appId]) => {
              const agent: AgentRow = {
                id,
                workspace_id: Option.getOrThrow(Option.fromNullable(builds.get(buildId))).workspace_id,
                build_id: buildId,
                token,
                status: "connecting",
                lifecycle_state: "created",
                app: app === null ? null : { ...app, id: appId, health: "initializing" }
              }
              agents.set(id, agent)
              agentOf.set(buildId, id)
              return agent
            }
          ),

        setWorktree: (workspaceId, worktree) =>
          Effect.sync(() => alter(workspaces, workspaceId, (row) => ({ ...row, worktree }))),

        updateAgent: (agentId, { health, ...fields }) =>
          Effect.sync(() =>
            alter(agents, agentId, (row) => ({
              ...row,
              ...fields,
              app: row.app === null || health === undefined ? row.app : { ...row.app, health }
            }))
          ),

        setFirstPrompt: (workspaceId, state) =>
          Effect.sync(() =>
            alter(workspaces, workspaceId, (row) =>
              row.first_prompt === "done" ? row : { ...row, first_prompt: state }
            )
          ),

        firstPrompt: (workspaceId) => Effect.sync(() => workspaces.get(workspaceId)?.first_prompt ?? "done"),

        addAppStatus: (agentId, { app_slug, ...report }) =>
          Effect.flatMap(Effect.all([ids.make("app status"), now]), ([id, created_at]) => {
            const { app, workspace_id = "" } = agents.get(agentId) ?? {}
            if (app?.slug !== app_slug) return new AppMissing({ slug: app_slug })
            const about = { workspace_id, agent_id: agentId, app_id: app.id, needs_user_attention: false }
            append(statuses, workspace_id, { id, created_at, ...about, ...report }, Limits.appStatuses)
            return Effect.void
          }),

        appendBuildLog: (buildId, line) =>
          Effect.map(now, (created_at) => append(buildLogs, buildId, { id: ++lines, created_at, ...line })),

        appendAgentLog: (agentId, line) =>
          Effect.map(now, (created_at) => append(agentLogs, agentId, { id: ++lines, created_at, ...line })),

        builds: (workspaceId) =>
          Effect.sync(() =>
            (buildsOf.get(workspaceId) ?? [])
              .toReversed()
              .flatMap((id) => Option.toArray(Option.flatMap(Option.fromNullable(builds.get(id)), stateOf)))
          ),

        list: Effect.sync(() =>
          [...workspaces.values()].filter((row) => !row.deleted).flatMap((row) => Option.toArray(latest(row.id)))
        ),
        workspace: (id) => Effect.sync(() => latest(id)),
        workspaceByName: (name) => Effect.sync(() => latest(named(name)?.id ?? "")),
        build: (id) => Effect.sync(() => Option.flatMap(Option.fromNullable(builds.get(id)), stateOf)),
        buildLogs: (buildId) => Effect.sync(() => buildLogs.get(buildId) ?? []),
        agentLogs: (agentId) =>
          Effect.sync(() => (agents.has(agentId) ? Option.some(agentLogs.get(agentId) ?? []) : Option.none())),
        agentByToken: (token) =>
          Effect.sync(() =>
            Option.fromNullable(
              [...agents.values()].find(
                (agent) => agent.token === token && buildsOf.get(agent.workspace_id)?.at(-1) === agent.build_id
              )
            )
          )
      }
    })
  )
}
