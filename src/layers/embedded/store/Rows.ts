import type { AppStatus, BuildLog, BuildParameter, Transition } from "../../../schemas/coder/Builds.ts"

/** Where a workspace's files are: a git worktree on a branch of its own. */
export interface WorktreeRow {
  readonly repository: string
  readonly directory: string
  readonly branch: string
  readonly base_commit: string
  /** False while it is being made: what must be undone is noted before it is done. */
  readonly finished: boolean
}

/**
 * Where the first task of a workspace is: `pending`; `given` to the agent's host, which may have been stopped before
 * it took it; `done` once it stands in the conversation.
 */
export type FirstPrompt = "pending" | "given" | "done"

export interface WorkspaceRow {
  readonly id: string
  readonly name: string
  readonly template_id: string
  readonly created_at: string
  readonly updated_at: string
  /** True once a delete build has succeeded: the name is free again. */
  readonly deleted: boolean
  /** From before it is made, by the first start that came so far. */
  readonly worktree: WorktreeRow | null
  readonly first_prompt: FirstPrompt
}

/** A job goes from `pending` over `running` to one of the last three; `canceling` is on the way to `canceled`. */
export type JobStatus = "pending" | "running" | "canceling" | "canceled" | "failed" | "succeeded"

export interface BuildRow {
  readonly id: string
  readonly workspace_id: string
  /** Counts from 1 in a workspace, without gaps. */
  readonly build_number: number
  readonly transition: Transition
  readonly reason: string
  readonly template_version_id: string
  readonly template_version_preset_id: string | null
  readonly parameters: ReadonlyArray<BuildParameter>
  readonly created_at: string
  readonly updated_at: string
  readonly job: {
    readonly id: string
    readonly status: JobStatus
    readonly started_at?: string
    readonly completed_at?: string
    readonly error?: string
  }
}

/** The agent of a start build: a new one, with a new token and a new app, for each. */
export interface AgentRow {
  readonly id: string
  readonly workspace_id: string
  readonly build_id: string
  readonly token: string
  readonly status: "connecting" | "connected" | "disconnected" | "timeout"
  readonly lifecycle_state: "created" | "starting" | "ready" | "start_error"
  readonly app: AppRow | null
}

export interface AppRow {
  readonly id: string
  readonly slug: string
  readonly display_name: string
  readonly health: "initializing" | "healthy" | "unhealthy"
}

/** What changes of an agent, and of the health of its app. */
export type AgentChange = Partial<Pick<AgentRow, "status" | "lifecycle_state">> & { readonly health?: AppRow["health"] }

/** A build, and what belongs to it. */
export interface BuildState {
  readonly workspace: WorkspaceRow
  readonly build: BuildRow
  readonly agent: AgentRow | null
  /** The reports of the workspace over all its builds, oldest first. */
  readonly statuses: ReadonlyArray<AppStatus>
}

export type NewBuild = Pick<
  BuildRow,
  "build_number" | "transition" | "reason" | "template_version_id" | "template_version_preset_id" | "parameters"
>

/** How a job goes on. */
export type JobChange =
  | { readonly status: "running" }
  | { readonly status: "succeeded" }
  | { readonly status: "failed"; readonly error: string }

export type NewLog = Pick<BuildLog, "log_source" | "log_level" | "stage" | "output">

const finished: ReadonlySet<JobStatus> = new Set(["succeeded", "failed", "canceled"])

/** True until the job has come to an end. */
export const isActive = (build: BuildRow): boolean => !finished.has(build.job.status)
