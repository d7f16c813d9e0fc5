import { Array, Context, DateTime, Effect, Either, Layer, Option, Schema } from "effect"
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
import type { BuildSummary } from "../../schemas/coder/Builds.ts"
import { Unreadable } from "../../schemas/coder/elements.ts"
import { leftOutOf } from "../../schemas/coder/mending.ts"
import { type Workspace, type WorkspaceSummary } from "../../schemas/coder/Workspaces.ts"
import { AgentApiClient } from "../clients/AgentApiClient.ts"
import { CoderClient } from "../clients/CoderClient.ts"
import { FleetConfig } from "../config/FleetConfig.ts"
import { TimeLimits, within } from "../time/Deadline.ts"
import { once } from "../time/Shared.ts"
import { unreachable, type AgentFailure } from "./AgentFailure.ts"
import { queueOf, toQueue } from "./AgentQueue.ts"
import { LookLimits, makeAgentLook, type Look, type LookRequest } from "./AgentLook.ts"
import { toAgent, toAgentView, unreadableView, workspaceState } from "./AgentState.ts"
import { makeAgentSurvey, type Survey, type Wanted } from "./AgentSurvey.ts"
import type { Dialogue } from "./LiveState.ts"
import { makeEarlierBuilds } from "./EarlierBuilds.ts"
import { wire, type FoundAgent, type LocatedAgent, type WorkspaceHandle } from "./FoundAgent.ts"
import { ProjectLimits, ProjectRepository, type TemplateVersionInfo } from "./ProjectRepository.ts"
import { late, translate, words } from "./translate.ts"
import { agentApp, mayHideApp, unread } from "./WorkspaceAgents.ts"

export type { FoundAgent, LocatedAgent, WorkspaceHandle }

/** All agents; `note` says why there are none, where that may be the token's fault, else `""`. */
export interface FoundAgents {
  readonly agents: ReadonlyArray<AgentView>
  readonly note: string
}

/** How lists are read. */
export class ListLimits extends Context.Reference<ListLimits>()(
  "fleet-mcp/layers/repositories/AgentRepository/ListLimits",
  {
    defaultValue: () => ({
      /** Workspaces a page, and pages fetched at once. */
      pageSize: 100,
      pagesAtOnce: 8
    })
  }
) {}

/** The caller's agents, read from Coder's workspaces. Which workspaces are agents is decided here and nowhere else. */
export class AgentRepository extends Context.Tag("fleet-mcp/layers/repositories/AgentRepository")<
  AgentRepository,
  {
    /** All agents of the caller, by name. `/api` requests: one a page of 100, and two a template version not seen yet. */
    readonly list: Effect.Effect<FoundAgents, CoderFailure>
    /**
     * All agents, at little cost: for who looks again and again. `/api` requests: one a page of 100; of the wanted
     * agents some are asked, as `SurveyLimits` says. An agent that is deleted is told once.
     */
    readonly survey: (wanted: Wanted) => Effect.Effect<Survey, CoderFailure>
    /** The next surveys ask these agents themselves, whatever their reports say. */
    readonly doubt: (wanted: Wanted) => Effect.Effect<void>
    /** A task is sent to the agent: surveys tell it by its own answer, or by a report newer than those before the task. */
    readonly outdate: (agent: WorkspaceHandle) => Effect.Effect<void>
    /** One agent by name, in any case, as it is now. The workspace belongs to the caller. */
    readonly find: (name: string) => Effect.Effect<FoundAgent, LookupFailure>
    /** What has a name among the caller's workspaces, agent or not; none where the name is free. */
    readonly holder: (name: string) => Effect.Effect<Option.Option<WorkspaceHandle>, CoderFailure | AgentUnreadable>
    /** The same workspace as it is now, also where it was deleted: by its id, for its name may be another's by now. */
    readonly refresh: (workspace: WorkspaceHandle) => Effect.Effect<WorkspaceHandle, CoderFailure>
    /** The workspace of that id, deleted or not; none where it is forgotten. */
    readonly byId: (id: string) => Effect.Effect<Option.Option<WorkspaceHandle>, CoderFailure>
    /** The workspace of that name, which is the caller's and an agent; the agent itself is not asked. */
    readonly locate: (name: string) => Effect.Effect<LocatedAgent, LookupFailure>
    /** Looks at the agent that a workspace is: asks the agent, for a short time, but not Coder for the workspace again. */
    readonly look: (workspace: WorkspaceHandle) => Effect.Effect<FoundAgent>
    /**
     * The same for who is about to act on the agent: waits for the agent's own answer, and fails where there is none. An
     * agent that is not there to be asked is told by its workspace.
     */
    readonly attend: (workspace: WorkspaceHandle) => Effect.Effect<FoundAgent, AgentFailure>
    /**
     * Takes an uncertain dialogue that one Escape did not move for what is left of an older one, until the next message
     * of the conversation.
     */
    readonly takeForOld: (found: FoundAgent, dialogue: Dialogue) => Effect.Effect<void>
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
      const looks = yield* makeAgentLook
      const surveys = yield* makeAgentSurvey(looks)
      const projects = yield* ProjectRepository
      const options = yield* FleetConfig
      const { concurrency: versionConcurrency } = yield* ProjectLimits
      const { pageSize, pagesAtOnce } = yield* ListLimits
      const configured = new Set((options.projects ?? []).map((name) => name.toLowerCase()))

      const { read } = yield* TimeLimits
      const me = yield* once(
        coder.users.user({ path: { user: "me" } }).pipe(
          Effect.mapError(translate("read whose token this is")),
          within(read, () => late("read whose token this is", read))
        )
      )

      const appOf = (workspace: WorkspaceSummary): Option.Option<AgentApp> =>
        Option.map(agentApp(workspace.latest_build, options), ({ slug }) => ({
          owner_name: workspace.owner_name,
          workspace_name: workspace.name,
          slug
        }))

      const isAgentBuild = (build: BuildSummary) =>
        build.has_ai_task === true || Option.isSome(agentApp(build, options))

      const { wasAgent, whichWere } = yield* makeEarlierBuilds({
        isAgentBuild,
        isUnsure: (build) => mayHideApp(build, leftOutOf(build), options)
      })

      /** Null where it cannot be decided, because the version, or what may be the agent's app, could not be read. */
      const isAgent = (workspace: WorkspaceSummary, version: Either.Either<TemplateVersionInfo, CoderFailure>) => {
        const { latest_build, template_name } = workspace
        if (configured.has(template_name.toLowerCase()) || isAgentBuild(latest_build)) return true
        if (Either.isLeft(version)) return null
        if (version.right.promptParameter !== null) return true
        return mayHideApp(latest_build, leftOutOf(workspace), options) ? null : false
      }

      const roleOf = (workspace: WorkspaceSummary, version: Either.Either<TemplateVersionInfo, CoderFailure>) =>
        Either.match(version, {
          onLeft: () => null,
          onRight: ({ presets }) =>
            presets.find((preset) => preset.ID === workspace.latest_build.template_version_preset_id)?.Name ?? null
        })

      const requestFor = (
        workspace: WorkspaceSummary,
        version: Either.Either<TemplateVersionInfo, CoderFailure>
      ): LookRequest => ({
        workspace,
        app: appOf(workspace),
        promptParameter: Either.match(version, { onLeft: () => null, onRight: (info) => info.promptParameter })
      })

      const page = (offset: number) =>
        coder.workspaces
          .list({ urlParams: { q: "owner:me", limit: pageSize, offset } })
          .pipe(Effect.mapError(translate("list the agents")))

      /** The order changes while workspaces change, so pages are merged by id; an unreadable one may have none. */
      const workspaces = Effect.gen(function* () {
        const first = yield* page(0)
        const pages = Math.max(1, Math.ceil(first.count / pageSize))
        const offsets = Array.makeBy(pages, (index) => index * pageSize).slice(1)
        const rest = yield* Effect.forEach(offsets, page, { concurrency: pagesAtOnce })
        const all = [first, ...rest].flatMap((one) => one.workspaces)
        return { pages, found: [...new Map(all.map((one) => [one.id === "" ? one : one.id, one])).values()] }
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

      /** The workspaces that are agents, how to look at each, and those that cannot be read. */
      const everyAgent = Effect.gen(function* () {
        const { found: listed, pages } = yield* workspaces
        const readable = listed.filter((one): one is WorkspaceSummary => !isUnreadable(one))
        const versions = yield* versionsOf(readable)
        const versionOf = (workspace: WorkspaceSummary) =>
          versions.get(workspace.latest_build.template_version_id) ?? Either.right(nothingDeclared)
        const isNone = (workspace: WorkspaceSummary) => isAgent(workspace, versionOf(workspace)) === false
        const were = yield* whichWere(readable.filter(isNone))
        const agents = readable.filter((workspace) => !isNone(workspace) || were.get(workspace.id) !== false)
        const requests = agents.map((workspace) => requestFor(workspace, versionOf(workspace)))
        return { listed, agents, pages, requests, versionOf }
      })

      const list = Effect.gen(function* () {
        const { agents, listed, requests, versionOf } = yield* everyAgent
        const seen = yield* looks.many(requests)
        const views = Array.zipWith(agents, seen, (workspace, { state }) =>
          toAgentView(workspace, state, roleOf(workspace, versionOf(workspace)))
        )
        const now = yield* DateTime.now
        const note = listed.length === 0 ? yield* projects.blindness : ""
        const unreadable = listed.filter(isUnreadable)
        const all = [...views, ...unreadable.map((one) => unreadableView(one, now))]
        return { agents: all.toSorted((a, b) => a.name.localeCompare(b.name, "en")), note }
      }).pipe(Effect.withSpan("AgentRepository.list"))

      const survey = Effect.fn("AgentRepository.survey")(function* (wanted: Wanted) {
        const { pages, requests } = yield* everyAgent
        return { ...(yield* surveys.survey(requests, wanted)), pages }
      })

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

      const refresh = ({ [wire]: { workspace: known } }: WorkspaceHandle) =>
        coder.workspaces.get({ path: { workspace: known.id }, urlParams: { include_deleted: true } }).pipe(
          Effect.map((found): WorkspaceHandle => ({ [wire]: { workspace: found } })),
          Effect.mapError(translate(`look at the agent ${known.name}`))
        )

      const byId = (id: string) =>
        coder.workspaces.get({ path: { workspace: id }, urlParams: { include_deleted: true } }).pipe(
          Effect.map((found): Option.Option<WorkspaceHandle> => Option.some({ [wire]: { workspace: found } })),
          Effect.catchIf(
            (error) => error.reason === "status" && (error.status === 404 || error.status === 410),
            () => Effect.succeedNone
          ),
          Effect.mapError(translate("look at an agent"))
        )

      const versionOf = ({ latest_build }: Workspace) =>
        Effect.either(projects.version(latest_build.template_version_id))

      const toFound = (
        found: Workspace,
        version: Either.Either<TemplateVersionInfo, CoderFailure>,
        { live, state }: Look
      ): FoundAgent => ({
        agent: toAgent(found, state, roleOf(found, version)),
        live,
        takesPrompt: Either.match(version, { onLeft: () => false, onRight: (info) => info.promptParameter !== null }),
        lacksAgentApi: workspaceState(found, options, state.evidence.observed_at)._tag === "Reports",
        [wire]: { workspace: found, app: appOf(found) }
      })

      /** With the tasks that wait: as the workspace tells of them, or else the agent itself. */
      const withQueue = (found: FoundAgent): Effect.Effect<FoundAgent> =>
        Effect.gen(function* () {
          const { app, workspace: its } = found[wire]
          const told = queueOf(its)
          const asks = Option.isNone(told) && Option.exists(found.live, ({ queue }) => queue !== null)
          const queue = asks && Option.isSome(app) ? yield* askQueue(app.value) : told
          return Option.match(queue, {
            onNone: () => found,
            onSome: (tasks) => ({ ...found, agent: { ...found.agent, queue: tasks } })
          })
        })

      const askQueue = (app: AgentApp) =>
        Effect.flatMap(LookLimits, ({ one }) =>
          Effect.flatMap(agentApi.of(app), (api) => api.queue()).pipe(
            Effect.timeout(one),
            Effect.option,
            Effect.map(Option.flatMap(toQueue))
          )
        )

      const look = Effect.fn("AgentRepository.look")(function* ({ [wire]: { workspace: found } }: WorkspaceHandle) {
        const version = yield* versionOf(found)
        return yield* withQueue(toFound(found, version, yield* looks.one(requestFor(found, version))))
      })

      const attend = Effect.fn("AgentRepository.attend")(function* ({ [wire]: { workspace: found } }: WorkspaceHandle) {
        const version = yield* versionOf(found)
        const request = requestFor(found, version)
        const seen = yield* Effect.mapError(looks.attend(request), unreachable(found.name))
        return yield* withQueue(toFound(found, version, seen))
      })

      const locate = Effect.fn("AgentRepository.locate")(function* (name: string) {
        if (!isAgentName(name)) return yield* new AgentNotFound({ agent_name: name })
        const [found, { id }] = yield* Effect.all([workspace(name), me], { concurrency: 2 })
        if (Option.isNone(found)) return yield* new AgentNotFound({ agent_name: name })
        const { owner_id, owner_name, template_name } = found.value
        if (owner_id !== id) return yield* new NotYourAgent({ agent_name: name, owner_name })
        const version = yield* versionOf(found.value)
        const decided = isAgent(found.value, version)
        if (decided === null && Either.isLeft(version)) return yield* version.left
        if (decided === null) {
          const reason = `what could not be read may be the app that makes it an agent: ${unread(leftOutOf(found.value))}`
          return yield* new AgentUnreadable({ agent_name: name, reason })
        }
        if (!decided && !(yield* wasAgent(found.value)))
          return yield* new NotAnAgent({ agent_name: name, template_name })
        return { name: found.value.name, [wire]: { workspace: found.value } } satisfies LocatedAgent
      })

      return {
        list,
        survey,
        doubt: surveys.doubt,
        outdate: ({ [wire]: { workspace: found } }) => surveys.outdate(found),
        find: (name) => Effect.flatMap(locate(name), look),
        locate,
        holder,
        refresh,
        byId,
        look,
        attend,
        takeForOld: ({ live, [wire]: { workspace: found } }, dialogue) =>
          Option.match(live, {
            onNone: () => Effect.void,
            onSome: (state) => looks.takeForOld(found, state, dialogue)
          })
      }
    })
  )
}

const nothingDeclared: TemplateVersionInfo = { presets: [], parameters: [], promptParameter: null }

const isUnreadable = Schema.is(Unreadable)

const isAgentName = Schema.is(AgentName)
