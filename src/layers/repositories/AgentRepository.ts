import { Array, Context, DateTime, Effect, Either, Layer, Option, Schema } from "effect"
import { AgentName, type Agent, type AgentView } from "../../schemas/Agent.ts"
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
import { AgentUnreachable } from "../../schemas/errors/Task.ts"
import { unreachable, type AgentFailure } from "./AgentFailure.ts"
import { makeAgentLook, type Look, type LookRequest } from "./AgentLook.ts"
import { agentApp, toAgent, toAgentView, unreadableView } from "./AgentState.ts"
import { cacheSuccesses } from "./cacheSuccesses.ts"
import type { Dialogue, LiveState } from "./LiveState.ts"
import { ProjectRepository, type TemplateVersionInfo } from "./ProjectRepository.ts"
import { translate, words } from "./translate.ts"

/** An agent, with what is needed to act on it. */
export interface FoundAgent {
  readonly agent: Agent
  readonly workspace: Workspace
  /** Its AgentAPI, where the running workspace shows one. */
  readonly app: Option.Option<AgentApp>
  /** What it answered itself just now, where it did. */
  readonly live: Option.Option<LiveState>
}

/** The caller's agents, read from Coder's workspaces. Which workspaces are agents is decided here and nowhere else. */
export class AgentRepository extends Context.Tag("fleet-mcp/layers/repositories/AgentRepository")<
  AgentRepository,
  {
    /** All agents of the caller, by name. `/api` requests: one a page of 100, and two a template version not seen yet. */
    readonly list: Effect.Effect<ReadonlyArray<AgentView>, CoderFailure>
    /** One agent by name, in any case, as it is now. The workspace belongs to the caller. */
    readonly find: (name: string) => Effect.Effect<FoundAgent, LookupFailure>
    /**
     * The same for who is about to act on the agent: it waits for the agent's own answer, and fails where there is none.
     * An agent that is not there to be asked is told by its workspace.
     */
    readonly attend: (name: string) => Effect.Effect<FoundAgent, LookupFailure | AgentFailure>
    /** A workspace of the caller, agent or not; none where the name is free. */
    readonly workspace: (name: string) => Effect.Effect<Option.Option<Workspace>, CoderFailure | AgentUnreadable>
    /** The agent that a workspace is: asks the agent, but not Coder for the workspace again. */
    readonly look: (workspace: Workspace) => Effect.Effect<FoundAgent>
    /** Looks at an agent that was found before again, without asking Coder for its workspace; fails as `attend` does. */
    readonly lookAgain: (found: FoundAgent) => Effect.Effect<FoundAgent, AgentFailure>
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
    AgentApiClient | CoderClient | FleetConfig | ProjectRepository
  > = Layer.effect(
    this,
    Effect.gen(function* () {
      const coder = yield* CoderClient
      const looks = yield* makeAgentLook
      const projects = yield* ProjectRepository
      const options = yield* FleetConfig
      const configured = new Set((options.projects ?? []).map((name) => name.toLowerCase()))

      const users = yield* cacheSuccesses(1, (user: string) =>
        Effect.mapError(coder.users.user({ path: { user } }), translate("read whose token this is"))
      )
      const me = users.get("me")

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

      const requestFor = <W extends WorkspaceSummary>(
        workspace: W,
        version: Either.Either<TemplateVersionInfo, CoderFailure>
      ): LookRequest & { readonly workspace: W } => ({
        workspace,
        app: appOf(workspace),
        promptParameter: Either.match(version, { onLeft: () => null, onRight: (info) => info.promptParameter })
      })

      const page = (offset: number) =>
        coder.workspaces
          .list({ urlParams: { q: "owner:me", limit: Limits.listPageSize, offset } })
          .pipe(Effect.mapError(translate("list the agents")))

      /** The order changes while workspaces change, so pages are merged by id; an unreadable one may have none. */
      const workspaces = Effect.gen(function* () {
        const first = yield* page(0)
        const pages = Math.max(1, Math.ceil(first.count / Limits.listPageSize))
        const offsets = Array.makeBy(pages, (index) => index * Limits.listPageSize).slice(1)
        const rest = yield* Effect.forEach(offsets, page, { concurrency: Limits.listConcurrency })
        const all = [first, ...rest].flatMap((one) => one.workspaces)
        return [...new Map(all.map((one) => [one.id === "" ? one : one.id, one])).values()]
      })

      const versionsOf = (found: ReadonlyArray<WorkspaceSummary>) =>
        Effect.map(
          Effect.forEach(
            new Set(found.map((workspace) => workspace.latest_build.template_version_id)),
            (id) => Effect.map(Effect.either(projects.version(id)), (version) => [id, version] as const),
            { concurrency: Limits.versionConcurrency }
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
        const seen = yield* looks.many(agents.map((workspace) => requestFor(workspace, versionOf(workspace))))
        const views = Array.zipWith(agents, seen, (workspace, { state }) =>
          toAgentView(workspace, state, roleOf(workspace, versionOf(workspace)))
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

      const versionOfBuild = (found: Workspace) =>
        Effect.either(projects.version(found.latest_build.template_version_id))

      const toFound = (
        workspace: Workspace,
        version: Either.Either<TemplateVersionInfo, CoderFailure>,
        { live, state }: Look
      ): FoundAgent => ({
        agent: toAgent(workspace, state, roleOf(workspace, version)),
        workspace,
        app: appOf(workspace),
        live
      })

      const look = Effect.fn("AgentRepository.look")(function* (workspace: Workspace) {
        const version = yield* versionOfBuild(workspace)
        return toFound(workspace, version, yield* looks.one(requestFor(workspace, version)))
      })

      const attending = Effect.fnUntraced(function* (workspace: Workspace) {
        const version = yield* versionOfBuild(workspace)
        const request = requestFor(workspace, version)
        const seen = yield* Effect.mapError(looks.attend(request), (error) =>
          Option.match(request.app, {
            onNone: () => new AgentUnreachable({ agent_name: workspace.name, reason: words(error) }),
            onSome: (app) => unreachable(app)(error)
          })
        )
        return toFound(workspace, version, seen)
      })

      /** The workspace of that name, which is the caller's and an agent. */
      const locate = Effect.fn("AgentRepository.locate")(function* (name: string) {
        if (!isAgentName(name)) return yield* new AgentNotFound({ agent_name: name })
        const [found, { id }] = yield* Effect.all([workspace(name), me], { concurrency: 2 })
        if (Option.isNone(found)) return yield* new AgentNotFound({ agent_name: name })
        const { owner_id, owner_name, template_name } = found.value
        if (owner_id !== id) return yield* new NotYourAgent({ agent_name: name, owner_name })
        const version = yield* versionOfBuild(found.value)
        const decided = isAgent(found.value, version)
        if (decided === null && Either.isLeft(version)) return yield* version.left
        if (decided !== true) return yield* new NotAnAgent({ agent_name: name, template_name })
        return found.value
      })

      return {
        list,
        find: (name) => Effect.flatMap(locate(name), look),
        attend: (name) => Effect.flatMap(locate(name), attending),
        workspace,
        look,
        lookAgain: (found) => attending(found.workspace),
        takeForOld: ({ live, workspace }, dialogue) =>
          Option.match(live, {
            onNone: () => Effect.void,
            onSome: (state) => looks.takeForOld(workspace, state, dialogue)
          })
      }
    })
  )
}

const nothingDeclared: TemplateVersionInfo = { presets: [], parameters: [], promptParameter: null }

const isUnreadable = Schema.is(Unreadable)

const isAgentName = Schema.is(AgentName)
