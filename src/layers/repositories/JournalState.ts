import { DateTime } from "effect"
import type { WorkspaceSummary } from "../../schemas/coder/Workspaces.ts"
import type { AgentStand, FleetEvent } from "../../schemas/fleet/FleetEvent.ts"
import type { FleetOptions } from "../config/FleetConfig.ts"
import { observed, reportState, timeOf, workspaceState, type AgentState } from "./AgentState.ts"

// What the journal of an embedded Coder says of an agent: pure functions from the wire to the fleet's own terms.

/** The stand of an agent as a list would show it: so a status follows from both in the same way. */
const summaryOf = ({ name, workspace_id }: FleetEvent, { agent, build, report }: AgentStand): WorkspaceSummary => ({
  id: workspace_id,
  name,
  created_at: "",
  updated_at: "",
  owner_id: "",
  owner_name: "",
  organization_name: "",
  template_id: "",
  template_name: "",
  template_display_name: "",
  latest_build: {
    id: "",
    created_at: build.created_at,
    updated_at: "",
    workspace_id,
    template_version_id: "",
    template_version_preset_id: null,
    build_number: build.number,
    transition: build.transition,
    status: build.status,
    reason: "",
    job: { id: "", status: "", created_at: "", ...(build.error === null ? {} : { error: build.error }) },
    resources: agent === null ? [] : [{ type: "", name: "", agents: [agentIn(agent)] }]
  },
  latest_app_status: report === null ? null : { ...report, id: "", workspace_id, agent_id: "", app_id: "", uri: "" }
})

const agentIn = ({ app, lifecycle_state, status }: NonNullable<AgentStand["agent"]>) => ({
  id: "",
  name: "main",
  status,
  lifecycle_state,
  apps: app === null ? [] : [{ id: "", slug: app.slug, health: app.health, healthcheck: { url: "" }, statuses: [] }]
})

const turnState = (
  { turn, waiting }: Pick<AgentStand, "turn" | "waiting">,
  warning: string,
  at: DateTime.Utc
): AgentState => {
  if (turn === null) return observed("idle", "journal", `it has had no task yet${warning}`, at)
  const { begun_at, ended, task } = turn
  if (ended === null) return observed("busy", "journal", `a turn began: ${task}${warning}`, timeOf(begun_at) ?? at)
  const how = ended.state === "complete" ? "ended" : `ended (${ended.state})`
  const since = timeOf(ended.at) ?? at
  return waiting === 0
    ? observed("idle", "journal", `its turn ${how}: ${task}${warning}`, since)
    : observed("busy", "journal", `its turn ${how}, and the next of ${waiting} queued begins: ${task}${warning}`, since)
}

/** Whether somebody has spoken to the agent since its newest report. */
const isAnswered = ({ report, turn }: AgentStand): boolean =>
  report === null || (turn !== null && Date.parse(turn.begun_at) > Date.parse(report.created_at))

/** The status of an agent by its stand: what its workspace tells, then its newest turn. */
export const standState = (event: FleetEvent, stand: AgentStand, options: FleetOptions): AgentState => {
  const at = timeOf(event.at) ?? DateTime.unsafeMake(0)
  const workspace = summaryOf(event, stand)
  const told = workspaceState(workspace, options, at)
  if (told._tag === "Told") return told.state
  if (told._tag === "Reports") return reportState(workspace, `it shows no AgentAPI app${told.warning}`, at)
  const state = turnState(stand, told.warning, at)
  if (state.status !== "idle" || isAnswered(stand) || stand.report?.needs_user_attention !== true) return state
  return reportState(workspace, "no turn has begun since", at)
}
