import { DateTime, Option, Schema } from "effect"
import { AgentStatus, type Agent, type AgentView, type Evidence, type LastStatus } from "../../schemas/Agent.ts"
import type { AgentApiStatus } from "../../schemas/agentapi/AgentApi.ts"
import type { AppStatus, AppSummary, BuildSummary } from "../../schemas/coder/Builds.ts"
import type { Unreadable } from "../../schemas/coder/elements.ts"
import type { WorkspaceSummary } from "../../schemas/coder/Workspaces.ts"
import { cut, withoutControls } from "../../schemas/Text.ts"
import type { FleetOptions } from "../config/FleetConfig.ts"
import { Limits } from "../config/Limits.ts"

// What a workspace says about its agent: pure functions from the wire to the fleet's own terms.

type WorkspaceAgentSummary = NonNullable<BuildSummary["resources"][number]["agents"]>[number]

const epoch = DateTime.unsafeMake(0)

/** A time of the wire (RFC 3339 with any offset and fraction); the epoch where it cannot be read. */
export const timeOf = (text: string): DateTime.Utc =>
  Option.match(DateTime.make(text), { onNone: () => epoch, onSome: DateTime.toUtc })

const later = (a: DateTime.Utc, b: DateTime.Utc) => (DateTime.greaterThan(a, b) ? a : b)

/** The agents of a build, without sub-agents (dev containers), which say nothing about the coding agent. */
export const mainAgents = <A extends { readonly parent_id?: string | null }>(build: {
  readonly resources: ReadonlyArray<{ readonly agents?: ReadonlyArray<A> }>
}): ReadonlyArray<A> =>
  build.resources.flatMap((resource) => resource.agents ?? []).filter((agent) => (agent.parent_id ?? null) === null)

const isAgentApi = (app: AppSummary): boolean =>
  app.healthcheck.url.endsWith(":3284/status") || app.display_name === "Claude Code"

/**
 * The app that is AgentAPI: the configured slug, else `ccw` (claude-code module up to v4), else the app whose health
 * check asks AgentAPI's port 3284 for `/status`, else the one called `Claude Code`. Never a `command` app.
 */
export const agentApp = (workspace: WorkspaceSummary, options: FleetOptions): Option.Option<AppSummary> => {
  const apps = mainAgents(workspace.latest_build)
    .flatMap((agent) => agent.apps)
    .filter((app) => app.command === undefined)
  const bySlug = (slug: string) => apps.find((app) => app.slug === slug)
  return Option.fromNullable(
    options.appSlug === undefined ? (bySlug("ccw") ?? apps.find(isAgentApi)) : bySlug(options.appSlug)
  )
}

/** The moment (epoch milliseconds) after which reports count: the latest start build; none counts without one. */
const freshFrom = (build: BuildSummary): number =>
  build.transition === "start" ? Date.parse(build.created_at) : Number.POSITIVE_INFINITY

const freshReport = (workspace: WorkspaceSummary): Option.Option<AppStatus> =>
  Option.filter(
    Option.fromNullable(workspace.latest_app_status),
    (report) => Date.parse(report.created_at) > freshFrom(workspace.latest_build)
  )

const field = (value: unknown, key: keyof AppStatus): string => {
  const found = typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined
  return typeof found === "string" ? found : ""
}

/** The newest non-empty report of state `working` since the latest start; the reports may be undecoded. */
const lastTask = (workspace: WorkspaceSummary): string | null => {
  let newest = freshFrom(workspace.latest_build)
  let task: string | null = null
  const apps = mainAgents(workspace.latest_build).flatMap((agent) => agent.apps)
  for (const status of apps.flatMap((app) => app.statuses)) {
    if (field(status, "state") !== "working") continue
    const at = Date.parse(field(status, "created_at"))
    const message = withoutControls(field(status, "message")).trim()
    if (message === "" || !(at > newest)) continue
    newest = at
    task = message
  }
  return task
}

/** A status and what it was derived from. */
export interface AgentState {
  readonly status: AgentStatus
  readonly evidence: Evidence
}

const observed = (
  status: AgentStatus,
  source: Evidence["source"],
  detail: string,
  observed_at: DateTime.Utc
): AgentState => ({
  status,
  evidence: { source, detail: cut(withoutControls(detail), Limits.quotedText), observed_at }
})

/** The statuses of a build that are ours too; another word of Coder's must not pass for one of the others. */
const buildStatuses = AgentStatus.pipe(
  Schema.pickLiteral(
    "pending",
    "starting",
    "stopping",
    "stopped",
    "failed",
    "canceling",
    "canceled",
    "deleting",
    "deleted"
  )
)
const isBuildStatus = Schema.is(buildStatuses)

const connection = (agents: ReadonlyArray<WorkspaceAgentSummary>, now: DateTime.Utc): Option.Option<AgentState> => {
  const lost = agents.find((agent) => agent.status === "timeout" || agent.status === "disconnected")
  if (lost !== undefined) {
    const what = lost.status === "timeout" ? "never connected in time" : "has lost its connection"
    return Option.some(observed("offline", "workspace_agent", `workspace agent ${lost.name} ${what}`, now))
  }
  const coming = agents.find(
    (agent) =>
      agent.status === "connecting" || agent.lifecycle_state === "created" || agent.lifecycle_state === "starting"
  )
  if (coming !== undefined) {
    const what = coming.status === "connecting" ? "has not connected yet" : "runs its startup script"
    return Option.some(observed("starting", "workspace_agent", `workspace agent ${coming.name} ${what}`, now))
  }
  return Option.none()
}

/** A startup script that failed or runs late does not make the agent unusable, but it is told. */
const startupWarning = (agents: ReadonlyArray<WorkspaceAgentSummary>): string => {
  const bad = agents.find(
    (agent) => agent.lifecycle_state === "start_error" || agent.lifecycle_state === "start_timeout"
  )
  if (bad === undefined) return ""
  return bad.lifecycle_state === "start_error"
    ? `; the startup script of ${bad.name} failed`
    : `; the startup script of ${bad.name} is still running`
}

/** What a fresh report says, in the fleet's terms. */
const reported = (report: AppStatus, warning: string): AgentState => {
  const at = timeOf(report.created_at)
  const says = `the agent reported ${report.state}${report.message === "" ? "" : `: ${report.message}`}${warning}`
  if (report.needs_user_attention === true) return observed("waiting", "app_status", says, at)
  switch (report.state) {
    case "working":
      return observed("busy", "app_status", says, at)
    case "idle":
    case "complete":
    case "failure":
      return observed("idle", "app_status", says, at)
    default:
      return observed("unknown", "app_status", says, at)
  }
}

/**
 * The status of an agent, as far as its workspace tells it (`observed_at` is `now` unless something older is quoted).
 * `unknown` from source `nothing` means: ask AgentAPI.
 */
export const deriveState = (workspace: WorkspaceSummary, options: FleetOptions, now: DateTime.Utc): AgentState => {
  const build = workspace.latest_build
  if (build.status !== "running") {
    const status = isBuildStatus(build.status) ? build.status : "unknown"
    const error = build.job.error === undefined ? "" : `: ${build.job.error}`
    return observed(
      status,
      "build",
      `build ${build.build_number} (${build.transition}) is ${build.status}${error}`,
      now
    )
  }
  const agents = mainAgents(build)
  const connecting = connection(agents, now)
  if (Option.isSome(connecting)) return connecting.value
  const app = agentApp(workspace, options)
  const warning = startupWarning(agents)
  if (Option.isSome(app) && app.value.health === "initializing") {
    return observed(
      "starting",
      "app_health",
      `app ${app.value.slug} has not answered its health check yet${warning}`,
      now
    )
  }
  if (Option.isSome(app) && app.value.health === "unhealthy") {
    return observed("degraded", "app_health", `app ${app.value.slug} fails its health check${warning}`, now)
  }
  return Option.match(freshReport(workspace), {
    onSome: (report) => reported(report, warning),
    onNone: () =>
      observed(
        "unknown",
        "nothing",
        Option.isSome(app)
          ? `no report since the start, and AgentAPI was not asked${warning}`
          : `no report since the start, and no AgentAPI app to ask${warning}`,
        now
      )
  })
}

/** The status that AgentAPI itself gives. */
export const probedState = (answer: AgentApiStatus, now: DateTime.Utc): AgentState => {
  const detail = `AgentAPI says ${answer.status}`
  if (answer.status === "running") return observed("busy", "agentapi", detail, now)
  if (answer.status === "stable") return observed("idle", "agentapi", detail, now)
  return observed("unknown", "agentapi", detail, now)
}

/** AgentAPI was asked and did not answer. */
export const unansweredState = (reason: string, now: DateTime.Utc): AgentState =>
  observed("unknown", "nothing", `no report since the start, and AgentAPI did not answer: ${reason}`, now)

const fields = (workspace: WorkspaceSummary, { evidence, status }: AgentState, role: string | null) => {
  const report = freshReport(workspace)
  return {
    name: workspace.name,
    status,
    role,
    project: projectName(workspace),
    last_task: lastTask(workspace),
    created_at: timeOf(workspace.created_at),
    evidence,
    last_status: Option.match(report, {
      onNone: () => null,
      onSome: (newest): LastStatus => ({
        state: newest.state,
        message: withoutControls(newest.message),
        created_at: timeOf(newest.created_at)
      })
    }),
    metadata_count: 0
  }
}

/** Display name of the template, or its name where that is empty. */
export const projectName = (workspace: WorkspaceSummary): string =>
  withoutControls(workspace.template_display_name === "" ? workspace.template_name : workspace.template_display_name)

/** An agent, whole. */
export const toAgent = (workspace: WorkspaceSummary, state: AgentState, role: string | null): Agent => {
  const changed = Option.match(freshReport(workspace), {
    onNone: () => timeOf(workspace.latest_build.updated_at),
    onSome: (report) => later(timeOf(workspace.latest_build.updated_at), timeOf(report.created_at))
  })
  return {
    ...fields(workspace, state, role),
    workspace_id: workspace.id,
    updated_at: later(timeOf(workspace.updated_at), changed),
    metadata: { data: {}, meta: { version: "1.0" } }
  }
}

/** An agent in a list. */
export const toAgentView = (workspace: WorkspaceSummary, state: AgentState, role: string | null): AgentView => ({
  ...fields(workspace, state, role),
  metadata: null
})

/** The list's entry for a workspace that cannot be read. */
export const unreadableView = (workspace: Unreadable, now: DateTime.Utc): AgentView => ({
  name: workspace.name === "" ? `(unreadable ${workspace.id})` : workspace.name,
  status: "unknown",
  role: null,
  project: "",
  last_task: null,
  created_at: epoch,
  evidence: observed("unknown", "unreadable", workspace.reason, now).evidence,
  last_status: null,
  metadata: null,
  metadata_count: 0
})
