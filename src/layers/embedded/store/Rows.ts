import { Schema } from "effect"
import { type AppStatus, type BuildLog, BuildParameter, Transition } from "../../../schemas/coder/Builds.ts"
import { TurnState } from "../../agenthost/Conversation.ts"
import { HoldReason, type QueueState } from "../../agenthost/TaskQueue.ts"

/** Where a workspace's files are: a git worktree on a branch of its own. */
const WorktreeRow = Schema.Struct({
  repository: Schema.String,
  directory: Schema.String,
  branch: Schema.String,
  base_commit: Schema.String,
  /** False while it is being made: what must be undone is noted before it is done. */
  finished: Schema.Boolean
})
export type WorktreeRow = typeof WorktreeRow.Type

/**
 * Where the first task of a workspace is: `pending`; `given` to the agent's host, which may have been stopped before
 * it took it; `done` once it stands in the conversation.
 */
const FirstPrompt = Schema.Literal("pending", "given", "done")
export type FirstPrompt = typeof FirstPrompt.Type

export const WorkspaceRow = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  template_id: Schema.String,
  created_at: Schema.String,
  updated_at: Schema.String,
  /** True once a delete build has succeeded: the name is free again. */
  deleted: Schema.Boolean,
  /** From before it is made, by the first start that came so far. */
  worktree: Schema.NullOr(WorktreeRow),
  first_prompt: FirstPrompt,
  /** Names of variables that whoever gave the first task had set for it; the values are stored nowhere. */
  first_prompt_variables: Schema.optionalWith(Schema.Array(Schema.String), { exact: true })
})
export type WorkspaceRow = typeof WorkspaceRow.Type

/** A job goes from `pending` over `running` to one of the last three; `canceling` is on the way to `canceled`. */
const JobStatus = Schema.Literal("pending", "running", "canceling", "canceled", "failed", "succeeded")
export type JobStatus = typeof JobStatus.Type

export const BuildRow = Schema.Struct({
  id: Schema.String,
  workspace_id: Schema.String,
  /** Counts from 1 in a workspace, without gaps. */
  build_number: Schema.Number,
  transition: Transition,
  reason: Schema.String,
  template_version_id: Schema.String,
  template_version_preset_id: Schema.NullOr(Schema.String),
  parameters: Schema.Array(BuildParameter),
  created_at: Schema.String,
  updated_at: Schema.String,
  job: Schema.Struct({
    id: Schema.String,
    status: JobStatus,
    started_at: Schema.optionalWith(Schema.String, { exact: true }),
    completed_at: Schema.optionalWith(Schema.String, { exact: true }),
    error: Schema.optionalWith(Schema.String, { exact: true })
  })
})
export type BuildRow = typeof BuildRow.Type

const AppRow = Schema.Struct({
  id: Schema.String,
  slug: Schema.String,
  display_name: Schema.String,
  health: Schema.Literal("initializing", "healthy", "unhealthy")
})
export type AppRow = typeof AppRow.Type

/** The agent of a start build: a new one, with a new token and a new app, for each. */
export const AgentRow = Schema.Struct({
  id: Schema.String,
  workspace_id: Schema.String,
  build_id: Schema.String,
  token: Schema.String,
  status: Schema.Literal("connecting", "connected", "disconnected", "timeout"),
  lifecycle_state: Schema.Literal("created", "starting", "ready", "start_error", "off"),
  app: Schema.NullOr(AppRow)
})
export type AgentRow = typeof AgentRow.Type

/** Whether nothing that can change of an agent differs. */
export const isSameAgent = (one: AgentRow, other: AgentRow): boolean =>
  one.status === other.status && one.lifecycle_state === other.lifecycle_state && one.app?.health === other.app?.health

/** A line of the log of a build. Ids rise from line to line. */
export const BuildLogRow = Schema.Struct({
  id: Schema.Number,
  build_id: Schema.String,
  created_at: Schema.String,
  log_source: Schema.String,
  log_level: Schema.String,
  stage: Schema.String,
  output: Schema.String
})

/** A line of the log of an agent, likewise. */
export const AgentLogRow = Schema.Struct({
  id: Schema.Number,
  agent_id: Schema.String,
  created_at: Schema.String,
  output: Schema.String,
  level: Schema.String
})

/** A project that a client has named. Its id is that of its template. */
export const ProjectRow = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  /** Absolute. */
  directory: Schema.String,
  template_name: Schema.String
})
export type ProjectRow = typeof ProjectRow.Type

const TextSize = Schema.Struct({ json: Schema.Number, bytes: Schema.Number })

/** What the transcript of a workspace has lost at its beginning. */
export const TranscriptRow = Schema.Struct({
  workspace_id: Schema.String,
  /** The newest of the messages that were dropped. */
  left_out: Schema.NullOr(Schema.Struct({ id: Schema.Number, time: Schema.String }))
})

/** A message of a transcript, without its text. Ids count from 0 in a workspace, as AgentAPI has them. */
export const MessageRow = Schema.Struct({
  workspace_id: Schema.String,
  id: Schema.Number,
  role: Schema.String,
  time: Schema.String,
  first_part: Schema.Number,
  left_out: TextSize,
  last_line: Schema.NullOr(Schema.String)
})

/** A part of a message's text; it never becomes shorter. Ids rise in a workspace. */
export const PartRow = Schema.Struct({
  workspace_id: Schema.String,
  id: Schema.Number,
  message_id: Schema.Number,
  text: Schema.String
})

/** The queue of a workspace: there from its first task on. */
export const QueueRow = Schema.Struct({
  workspace_id: Schema.String,
  /** The id that was given last. */
  last_id: Schema.Number,
  /** Why none of its tasks begins by itself; null where they go on. */
  held: Schema.NullOr(Schema.Struct({ reason: HoldReason, at: Schema.String }))
})

/** A task that waits for its turn, without its text. */
export const QueuedTaskRow = Schema.Struct({
  workspace_id: Schema.String,
  id: Schema.Number,
  /** Its first line that says something, as a turn has it. */
  task: Schema.String,
  bytes: Schema.Number,
  queued_at: Schema.String
})

/** The text of a task that waits. */
export const QueuedTextRow = Schema.Struct({ workspace_id: Schema.String, id: Schema.Number, text: Schema.String })

/** What an idempotency key was used for. */
export const KeyRow = Schema.Struct({
  key: Schema.String,
  fingerprint: Schema.String,
  used_at: Schema.String,
  workspace_id: Schema.String,
  /** The builds that were made for it, in their order. */
  build_numbers: Schema.Array(Schema.Number),
  /** What became of the task that was given with it; null where it was used for something else. */
  task: Schema.NullOr(Schema.Struct({ state: Schema.Literal("started", "queued"), id: Schema.NullOr(Schema.Number) }))
})
export type KeyRow = typeof KeyRow.Type

/** One run of an agent from a prompt to its end. */
export const TurnRow = Schema.Struct({
  workspace_id: Schema.String,
  /** The prompt's. */
  message_id: Schema.Number,
  /** The first line of the prompt that says something, as it is reported. */
  task: Schema.String,
  begun_at: Schema.String,
  /** How much has been said, and when that was noted: coarse, so that it may be told. */
  output: Schema.Struct({ bytes: Schema.Number, at: Schema.String }),
  /** Null while it runs. */
  ended: Schema.NullOr(Schema.Struct({ at: Schema.String, state: TurnState }))
})
export type TurnRow = typeof TurnRow.Type

/** What changes of an agent, and of the health of its app. */
export type AgentChange = Partial<Pick<AgentRow, "status" | "lifecycle_state">> & { readonly health?: AppRow["health"] }

/** A build, and what belongs to it. */
export interface BuildState {
  readonly workspace: WorkspaceRow
  readonly build: BuildRow
  readonly agent: AgentRow | null
  /** The reports of the workspace over all its builds, oldest first. */
  readonly statuses: ReadonlyArray<AppStatus>
  /** The tasks of the workspace that wait. */
  readonly queue: QueueState
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
