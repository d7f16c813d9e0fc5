import { Clock, Context, DateTime, Duration, Effect, Either, Layer, Option, Schema } from "effect"
import { AgentName, type AgentView } from "../../schemas/Agent.ts"
import type { AgentApp } from "../../schemas/agentapi/AgentApi.ts"
import {
  AgentNotFound,
  NotAnAgent,
  NotYourAgent,
  AgentUnreadable,
  type LookupFailure
} from "../../schemas/errors/Agent.ts"
import type { CoderFailure } from "../../schemas/errors/Coder.ts"
import { Unreadable } from "../../schemas/coder/elements.ts"
import { type Workspace, type WorkspaceSummary } from "../../schemas/coder/Workspaces.ts"
import { AgentApiClient } from "../clients/AgentApiClient.ts"
import { CoderClient } from "../clients/CoderClient.ts"
import { FleetConfig } from "../config/FleetConfig.ts"
import { Limits } from "../config/Limits.ts"
import { TimeLimits, within } from "../time/Deadline.ts"
import { once } from "../time/Shared.ts"
import {
  agentApp,
  deriveState,
  probedState,
  toAgent,
  toAgentView,
  unansweredState,
  unreadableView,
  type AgentState
} from "./AgentState.ts"
import { wire, type FoundAgent, type WorkspaceHandle } from "./FoundAgent.ts"
import { ProjectLimits, ProjectRepository, type TemplateVersionInfo } from "./ProjectRepository.ts"
import { late, translate, words } from "./translate.ts"

export type { FoundAgent }

/** The caller's agents, read from Coder's workspaces. Which workspaces are agents is decided here and nowhere else. */
export class AgentRepository extends Context.Tag("fleet-mcp/layers/repositories/AgentRepository")<
  AgentRepository,
  {
    /** All agents of the caller, by name. `/api` requests: one a page of 100, and two a template version not seen yet. */
    readonly list: Effect.Effect<ReadonlyArray<AgentView>, CoderFailure>
    /** One agent by name, in any case, as it is now. The workspace belongs to the caller. */
    readonly find: (name: string) => Effect.Effect<FoundAgent, LookupFailure>
    /** What has a name among the caller's workspaces, agent or not; none where the name is free. */
    readonly holder: (name: string) => Effect.Effect<Option.Option<WorkspaceHandle>, CoderFailure | AgentUnreadable>
    /** Looks at the agent that a workspace is; its AgentAPI may be asked, but not Coder for the workspace again. */
    readonly look: (workspace: WorkspaceHandle) => Effect.Effect<FoundAgent>
  }
>() {
  static readonly layer: Layer.Layer<
    AgentRepository,
    never,
    CoderClient | AgentApiClient | ProjectRepository | FleetConfig
  > = Layer.scoped(
    this,
    Effect.gen(function* () {
      const coder = yield* CoderClient
      const agentApi = yield* AgentApiClient
      const projects = yield* ProjectRepository
      const options = yield* FleetConfig
      const { concurrency: versionConcurrency } = yield* ProjectLimits
      const configured = new Set((options.projects ?? []).map((name) => name.toLowerCase()))

      const { read } = yield* TimeLimits
      const me = yield* once(
        coder.users.user({ path: { user: "me" } }).pipe(
          Effect.mapError(translate("read whose token this is")),
          within(read, () => late("read whose token this is", read))
        )
      )

      const appOf = (workspace: WorkspaceSummary): Option.Option<AgentApp> =>
        Option.map(agentApp(workspace, options), ({ slug }) => ({
          owner_name: workspace.owner_name,
          workspace_name: workspace.name,
          slug
        }))

      /** Null where it cannot be decided, because the version could not be read. */
      const isAgent = (workspace: WorkspaceSummary, version: Either.Either<TemplateVersionInfo, CoderFailure>) =>
        configured.has(workspace.template_name.toLowerCase()) ||
        workspace.latest_build.has_ai_task === true ||
        Option.isSome(agentApp(workspace, options))
          ? true
          : Either.match(version, { onLeft: () => null, onRight: (info) => info.promptParameter !== null })

      const roleOf = (workspace: WorkspaceSummary, version: Either.Either<TemplateVersionInfo, CoderFailure>) =>
        Either.match(version, {
          onLeft: () => null,
          onRight: ({ presets }) =>
            presets.find((preset) => preset.ID === workspace.latest_build.template_version_preset_id)?.Name ?? null
        })

      /** Asks AgentAPI, until the moment given, where nothing else tells what a running agent does. */
      const observe = (workspace: WorkspaceSummary, until: number): Effect.Effect<AgentState> =>
        Effect.gen(function* () {
          const now = yield* DateTime.now
          const derived = deriveState(workspace, options, now)
          const app = appOf(workspace)
          if (derived.evidence.source !== "nothing" || Option.isNone(app)) return derived
          const left = until - DateTime.toEpochMillis(now)
          if (left <= 0) return unansweredState("no time was left to ask it", now)
          const api = yield* agentApi.of(app.value)
          const answer = yield* api
            .status()
            .pipe(
              Effect.mapError(words),
              Effect.timeoutFail({ duration: Duration.millis(left), onTimeout: () => "no answer in time" }),
              Effect.either
            )
          const then = yield* DateTime.now
          return Either.match(answer, {
            onLeft: (reason) => unansweredState(reason, then),
            onRight: (status) => probedState(status, then)
          })
        })

      const probesEnd = Effect.map(Clock.currentTimeMillis, (now) => now + Duration.toMillis(Limits.probeTimeout))

      const page = (offset: number) =>
        coder.workspaces
          .list({ urlParams: { q: "owner:me", limit: Limits.listPageSize, offset } })
          .pipe(Effect.mapError(translate("list the agents")))

      /** The order changes while workspaces change, so pages are merged by id; an unreadable one may have none. */
      const workspaces = Effect.gen(function* () {
        const first = yield* page(0)
        const offsets = Array.from(
          { length: Math.max(0, Math.ceil(first.count / Limits.listPageSize) - 1) },
          (_, index) => (index + 1) * Limits.listPageSize
        )
        const rest = yield* Effect.forEach(offsets, page, { concurrency: Limits.listConcurrency })
        const all = [first, ...rest].flatMap((one) => one.workspaces)
        return [...new Map(all.map((one) => [one.id === "" ? one : one.id, one])).values()]
      })

      const versionsOf = (found: ReadonlyArray<WorkspaceSummary>) =>
        Effect.map(
          Effect.forEach(
            new Set(found.map((workspace) => workspace.latest_build.template_version_id)),
            (id) => Effect.map(Effect.either(projects.version(id)), (version) => [id, version] as const),
            { concurrency: versionConcurrency }
          ),
          (versions) => new Map(versions)
        )

      const list = Effect.gen(function* () {
        const listed = yield* workspaces
        const readable = listed.filter((one): one is WorkspaceSummary => !isUnreadable(one))
        const versions = yield* versionsOf(readable)
        const versionOf = (workspace: WorkspaceSummary) =>
          versions.get(workspace.latest_build.template_version_id) ?? Either.right(nothingDeclared)
        const agents = readable.filter((workspace) => isAgent(workspace, versionOf(workspace)) !== false)
        const until = yield* probesEnd
        const views = yield* Effect.forEach(
          agents,
          (workspace) =>
            Effect.map(observe(workspace, until), (state) =>
              toAgentView(workspace, state, roleOf(workspace, versionOf(workspace)))
            ),
          { concurrency: Limits.probeConcurrency }
        )
        const now = yield* DateTime.now
        const unreadable = listed.filter(isUnreadable)
        return [...views, ...unreadable.map((one) => unreadableView(one, now))].toSorted((a, b) =>
          a.name.localeCompare(b.name, "en")
        )
      }).pipe(Effect.withSpan("AgentRepository.list"))

      const workspace = (name: string): Effect.Effect<Option.Option<Workspace>, CoderFailure | AgentUnreadable> =>
        coder.workspaces.getByName({ path: { user: "me", name } }).pipe(
          Effect.asSome,
          Effect.catchIf(
            (error) => error.reason === "status" && (error.status === 404 || error.status === 410),
            () => Effect.succeedNone
          ),
          Effect.mapError((error) =>
            error.reason === "unexpected"
              ? new AgentUnreadable({ agent_name: name, reason: words(error) })
              : translate(`look up the agent ${name}`)(error)
          )
        )

      const holder = (name: string) =>
        Effect.map(
          workspace(name),
          Option.map((found): WorkspaceHandle => ({ [wire]: { workspace: found } }))
        )

      const look = Effect.fn("AgentRepository.look")(function* (handle: WorkspaceHandle) {
        const found = handle[wire].workspace
        const version = yield* Effect.either(projects.version(found.latest_build.template_version_id))
        const state = yield* observe(found, yield* probesEnd)
        return {
          agent: toAgent(found, state, roleOf(found, version)),
          [wire]: { workspace: found, app: appOf(found) }
        }
      })

      const find = Effect.fn("AgentRepository.find")(function* (name: string) {
        if (!isAgentName(name)) return yield* new AgentNotFound({ agent_name: name })
        const [found, { id }] = yield* Effect.all([workspace(name), me], { concurrency: 2 })
        if (Option.isNone(found)) return yield* new AgentNotFound({ agent_name: name })
        const { owner_id, owner_name, template_name } = found.value
        if (owner_id !== id) return yield* new NotYourAgent({ agent_name: name, owner_name })
        const version = yield* Effect.either(projects.version(found.value.latest_build.template_version_id))
        const decided = isAgent(found.value, version)
        if (decided === null && Either.isLeft(version)) return yield* version.left
        if (decided !== true) return yield* new NotAnAgent({ agent_name: name, template_name })
        return yield* look({ [wire]: { workspace: found.value } })
      })

      return { list, find, holder, look }
    })
  )
}

const nothingDeclared: TemplateVersionInfo = { presets: [], parameters: [], promptParameter: null }

const isUnreadable = Schema.is(Unreadable)

const isAgentName = Schema.is(AgentName)
