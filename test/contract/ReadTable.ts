// What the fleet says of the workspaces of RecordedServer.ts. Written by hand, by looking at the recordings.

/** An agent as lists and show_agent tell of it. `at`: when a report was made; else the moment of the call. */
export interface ExpectedAgent {
  readonly status: string
  readonly role: string | null
  readonly project: string
  readonly source: string
  readonly detail: string
  readonly at?: string
  readonly last_task?: string
  readonly last_status?: { readonly state: string; readonly message: string; readonly created_at: string }
}

const reviewer = { role: "reviewer", project: "Claude Code" } as const
const unnamed = { role: null } as const

export const expectedAgents: Readonly<Record<string, ExpectedAgent>> = {
  "at-work": { ...reviewer, status: "busy", source: "agentapi", detail: "AgentAPI says running" },
  broken: {
    ...unnamed,
    project: "",
    status: "unknown",
    source: "unreadable",
    detail: "not in the shape of the contract at: latest_build"
  },
  // Coder lets a cancelled start end as failed.
  canceled: {
    ...unnamed,
    project: "hang",
    status: "failed",
    source: "build",
    detail: "build 1 (start) is failed: canceled"
  },
  canceling: {
    ...unnamed,
    project: "hang",
    status: "canceling",
    source: "build",
    detail: "build 1 (start) is canceling"
  },
  "delete-requested": {
    ...unnamed,
    project: "hang",
    status: "pending",
    source: "build",
    detail: "build 2 (delete) is pending"
  },
  deleted: { ...unnamed, project: "hang", status: "deleted", source: "build", detail: "build 2 (delete) is deleted" },
  "failed-delete": {
    ...unnamed,
    project: "undeletable",
    status: "failed",
    source: "build",
    detail: "build 2 (delete) is failed: bucket not empty"
  },
  "failed-start": {
    ...unnamed,
    project: "fail",
    status: "failed",
    source: "build",
    detail: "build 1 (start) is failed: quota exceeded: no machines left"
  },
  "just-created": { ...reviewer, status: "pending", source: "build", detail: "build 1 (start) is pending" },
  "never-connected": {
    ...reviewer,
    status: "starting",
    source: "workspace_agent",
    detail: "workspace agent main has not connected yet"
  },
  ready: { ...reviewer, status: "idle", source: "agentapi", detail: "AgentAPI says stable" },
  reporting: {
    ...reviewer,
    status: "busy",
    source: "app_status",
    detail:
      "the agent reported working: Working at stop time; AgentAPI did not answer: Coder finds no such app, or the workspace agent is not connected",
    at: "2026-11-22T19:13:50.450Z",
    last_task: "Working at stop time",
    last_status: { state: "working", message: "Working at stop time", created_at: "2026-11-22T19:13:50.450Z" }
  },
  "signed-out": {
    ...reviewer,
    status: "unknown",
    source: "nothing",
    detail: "no report since the start, and AgentAPI did not answer: redirected to another page, perhaps to sign in"
  },
  silent: {
    ...reviewer,
    status: "unknown",
    source: "nothing",
    detail:
      "no report since the start, and AgentAPI did not answer: the workspace agent is not connected, or nothing listens behind the app"
  },
  "start-requested": { ...reviewer, status: "pending", source: "build", detail: "build 3 (start) is pending" },
  // What it reported before the stop does not count any more.
  "started-again": {
    ...reviewer,
    status: "starting",
    source: "workspace_agent",
    detail: "workspace agent main has not connected yet"
  },
  starting: { ...unnamed, project: "hang", status: "starting", source: "build", detail: "build 1 (start) is starting" },
  "stop-requested": { ...reviewer, status: "pending", source: "build", detail: "build 2 (stop) is pending" },
  stopped: { ...reviewer, status: "stopped", source: "build", detail: "build 2 (stop) is stopped" },
  // Its preset is of a version whose presets were not recorded.
  task: {
    ...unnamed,
    project: "Task template",
    status: "starting",
    source: "workspace_agent",
    detail: "workspace agent main has not connected yet"
  }
}

export const expectedProjects = [
  { name: "Claude Code", template_name: "claude-code", description: "One agent" },
  { name: "Claude Code", template_name: "claude-code-2", description: "" },
  { name: "fail", template_name: "fail", description: "" },
  { name: "hang", template_name: "hang", description: "" },
  { name: "undeletable", template_name: "undeletable", description: "" }
]

export const expectedRoles = [
  { id: "309b3c54-2273-4d37-869b-ae590bd990a0", name: "coder", description: "Writes code", default: true },
  { id: "8f3c9c09-6006-4470-8f98-a11e21ce0985", name: "reviewer", description: "", default: false },
  { id: "98534e40-6dbc-4095-be67-fdcda8a07a53", name: "bare", description: "", default: false }
]

/** Template versions of the workspaces: of claude-code, fail, hang, plain, task and undeletable. */
export const versions = 6
