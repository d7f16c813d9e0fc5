import { Data, DateTime, Option, Schema } from "effect"
import { AgentStatus, type Agent, type AgentView, type Evidence, type LastStatus } from "../../schemas/Agent.ts"
import type { AppStatus, AppSummary, BuildSummary } from "../../schemas/coder/Builds.ts"
import type { Unreadable } from "../../schemas/coder/elements.ts"
import { leftOutOf } from "../../schemas/coder/mending.ts"
import type { WorkspaceSummary } from "../../schemas/coder/Workspaces.ts"
import { cut, quotedLength, shownName, withoutControls } from "../../schemas/Text.ts"
import type { FleetOptions } from "../config/FleetConfig.ts"
import { agentApp, carrierOf, connection, mainAgents, mayHideApp, unread, warningOf } from "./WorkspaceAgents.ts"

// What a workspace says about its agent: pure functions from the wire to the fleet's own terms.

/** A time of the wire (RFC 3339 with any offset and fraction); null where it cannot be read. */
export const timeOf = (text: string): DateTime.Utc | null =>
  Option.getOrNull(Option.map(DateTime.make(text), DateTime.toUtc))

/** The latest of the times that can be read. */
const latest = (...times: ReadonlyArray<DateTime.Utc | null>): DateTime.Utc | null =>
  times.reduce((a, b) => (a === null || (b !== null && DateTime.greaterThan(b, a)) ? b : a), null)

/** The moment (epoch milliseconds) after which reports count: the latest start build; none counts without one. */
const freshFrom = (build: BuildSummary): number =>
  build.transition === "start" ? Date.parse(build.created_at) : Number.POSITIVE_INFINITY

/** The newest report, where it is from after the latest start. */
export const freshReport = (workspace: WorkspaceSummary): Option.Option<AppStatus> =>
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

/** A status with its evidence; the detail is cleaned and bounded. */
export const observed = (
  status: AgentStatus,
  source: Evidence["source"],
  detail: string,
  observed_at: DateTime.Utc
): AgentState => ({
  status,
  evidence: { source, detail: cut(withoutControls(detail), quotedLength), observed_at }
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

/** What a report says, in the fleet's terms. */
export const reportedStatus = ({ needs_user_attention, state }: AppStatus): AgentStatus => {
  if (needs_user_attention === true) return "waiting"
  switch (state) {
    case "working":
      return "busy"
    case "idle":
    case "complete":
    case "failure":
      return "idle"
    default:
      return "unknown"
  }
}

/** A report in one phrase. */
export const quotedReport = ({ message, needs_user_attention, state }: AppStatus): string =>
  [needs_user_attention === true ? `${state}, and needs a person` : state, message.trim()]
    .filter((part) => part !== "")
    .join(": ")

/** Where an agent stands before anybody asks it. */
export type WorkspaceState = Data.TaggedEnum<{
  /** The workspace itself tells: it is not running, or not yet, or it has lost its agent. */
  Told: { readonly state: AgentState }
  /** Its AgentAPI is the one to ask; `warning` belongs to whatever it answers. */
  Ask: { readonly app: AppSummary; readonly warning: string }
  /** There is nothing to ask: only reports are left. */
  Reports: { readonly warning: string }
}>
export const WorkspaceState = Data.taggedEnum<WorkspaceState>()

/**
 * The status of an agent as far as its workspace tells it: the build, the workspace agent that carries its app (any
 * where none does), the health of the app. Where the app may be among what could not be read, nothing but the build tells.
 */
export const workspaceState = (
  workspace: WorkspaceSummary,
  options: FleetOptions,
  now: DateTime.Utc
): WorkspaceState => {
  const told = (status: AgentStatus, source: Evidence["source"], detail: string) =>
    WorkspaceState.Told({ state: observed(status, source, detail, now) })
  const build = workspace.latest_build
  if (build.status !== "running") {
    const status = isBuildStatus(build.status) ? build.status : "unknown"
    const error = build.job.error === undefined ? "" : `: ${build.job.error}`
    return told(status, "build", `build ${build.build_number} (${build.transition}) is ${build.status}${error}`)
  }
  const leftOut = leftOutOf(workspace)
  if (mayHideApp(build, leftOut, options)) {
    return told(
      "unknown",
      "unreadable",
      `its AgentAPI app may be among what could not be read of it: ${unread(leftOut)}`
    )
  }
  const app = Option.getOrUndefined(agentApp(build, options))
  const agents = mainAgents(build)
  const carrier = carrierOf(agents, app)
  const work = Option.filter(freshReport(workspace), ({ state }) => state === "working")
  const connecting = connection(
    carrier === undefined ? agents : [carrier],
    Option.map(work, (report) => `${quotedReport(report)}, at ${report.created_at}`)
  )
  if (connecting !== undefined) return told(connecting.status, "workspace_agent", connecting.detail)
  const warning = warningOf(agents, leftOut)
  if (app === undefined) return WorkspaceState.Reports({ warning })
  if (app.health === "initializing") {
    return told("starting", "app_health", `app ${app.slug} has not answered its health check yet${warning}`)
  }
  if (app.health === "unhealthy") {
    return told("degraded", "app_health", `app ${app.slug} fails its health check${warning}`)
  }
  return WorkspaceState.Ask({ app, warning })
}

const hasUnreadReport = (workspace: WorkspaceSummary): boolean =>
  leftOutOf(workspace).some(({ kind }) => kind === "latest_app_status")

/**
 * The status by the newest report since the latest start, with its age; `unknown` where there is none, or none that can
 * be read. `why` says why the agent itself did not tell.
 */
export const reportState = (workspace: WorkspaceSummary, why: string, now: DateTime.Utc): AgentState =>
  Option.match(freshReport(workspace), {
    onNone: () =>
      hasUnreadReport(workspace)
        ? observed("unknown", "unreadable", `its newest report could not be read, and ${why}`, now)
        : observed("unknown", "nothing", `no report since the start, and ${why}`, now),
    onSome: (report) =>
      observed(
        reportedStatus(report),
        "app_status",
        `the agent reported ${quotedReport(report)}; ${why}`,
        timeOf(report.created_at) ?? now
      )
  })

const fields = (workspace: WorkspaceSummary, { evidence, status }: AgentState, role: string | null) => {
  const report = freshReport(workspace)
  return {
    name: shownName(workspace.name),
    status,
    role,
    project: projectName(workspace),
    last_task: lastTask(workspace),
    created_at: timeOf(workspace.created_at),
    evidence,
    last_status: Option.match(report, {
      onNone: () => null,
      onSome: (newest): LastStatus => ({
        state: shownName(newest.state),
        message: withoutControls(newest.message),
        created_at: timeOf(newest.created_at)
      })
    }),
    metadata_count: 0
  }
}

/** Display name of the template, or its name where that is empty. */
export const projectName = (workspace: WorkspaceSummary): string =>
  shownName(workspace.template_display_name === "" ? workspace.template_name : workspace.template_display_name)

/** An agent, whole. */
export const toAgent = (workspace: WorkspaceSummary, state: AgentState, role: string | null): Agent => {
  const report = Option.getOrUndefined(freshReport(workspace))
  return {
    ...fields(workspace, state, role),
    workspace_id: workspace.id,
    updated_at: latest(
      timeOf(workspace.updated_at),
      timeOf(workspace.latest_build.updated_at),
      report === undefined ? null : timeOf(report.created_at)
    ),
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
  name: shownName(workspace.name === "" ? `(unreadable ${workspace.id})` : workspace.name),
  status: "unknown",
  role: null,
  project: "",
  last_task: null,
  created_at: null,
  evidence: observed("unknown", "unreadable", workspace.reason, now).evidence,
  last_status: null,
  metadata: null,
  metadata_count: 0
})
