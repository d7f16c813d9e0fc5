import { Schema } from "effect"
import { Queue } from "./Queue.ts"

const reserved = new Set(["new", "create"])

/**
 * The name of an agent = of its workspace. Coder's rule: 1 to 32 ASCII letters and digits with single hyphens inside,
 * and neither `new` nor `create` (recordings: create.json, `name "a--b"` and after).
 */
export const AgentName = Schema.String.pipe(
  Schema.filter((name) => name.length <= 32 && /^[a-zA-Z0-9]+(?:-[a-zA-Z0-9]+)*$/.test(name) && !reserved.has(name)),
  Schema.brand("AgentName")
)
export type AgentName = typeof AgentName.Type

/**
 * What an agent is doing. The original program's eleven, and five more: `waiting` (for a person), `offline` (agent lost
 * or timed out), `degraded` (its AgentAPI app is unhealthy), `unknown` (running, but nothing tells what it does),
 * `interrupted` (its work was cut off by a crash; nothing of it runs, and nobody runs it again unasked).
 */
export const AgentStatus = Schema.Literal(
  "pending",
  "starting",
  "idle",
  "busy",
  "waiting",
  "offline",
  "degraded",
  "unknown",
  "interrupted",
  "stopping",
  "stopped",
  "failed",
  "canceling",
  "canceled",
  "deleting",
  "deleted"
)
export type AgentStatus = typeof AgentStatus.Type

/**
 * What a status was derived from, and when that was observed:
 * - `build`: the latest build of the workspace;
 * - `workspace_agent`: whether Coder's agent process is connected and has run its startup script;
 * - `app_health`: the health check of the AgentAPI app;
 * - `agentapi`: the agent's own AgentAPI, asked just now: its status and what its screen shows;
 * - `journal`: a turn of the agent that began or ended, as the place noted that it runs in, whose journal tells it;
 * - `app_status`: a report of the agent since the latest start, where the agent itself did not answer;
 * - `nothing`: no source told anything;
 * - `unreadable`: Coder's entry for the workspace is not in the shape of the contract.
 */
export const Evidence = Schema.Struct({
  source: Schema.Literal(
    "build",
    "workspace_agent",
    "app_health",
    "app_status",
    "agentapi",
    "journal",
    "nothing",
    "unreadable"
  ),
  detail: Schema.String,
  observed_at: Schema.DateTimeUtc
})
export interface Evidence extends Schema.Schema.Type<typeof Evidence> {}

/** The newest report of the agent since its latest start. */
export const LastStatus = Schema.Struct({
  state: Schema.String,
  message: Schema.String,
  /** Null where it cannot be read. */
  created_at: Schema.NullOr(Schema.DateTimeUtc)
})
export interface LastStatus extends Schema.Schema.Type<typeof LastStatus> {}

/** The fields that a workspace describes itself with. No agent has any yet: what the original answers then. */
const Metadata = Schema.Struct({ data: Schema.Struct({}), meta: Schema.Struct({ version: Schema.Literal("1.0") }) })

const viewFields = {
  name: Schema.String,
  status: AgentStatus,
  role: Schema.NullOr(Schema.String),
  project: Schema.String,
  last_task: Schema.NullOr(Schema.String),
  created_at: Schema.NullOr(Schema.DateTimeUtc),
  evidence: Evidence,
  last_status: Schema.NullOr(LastStatus),
  metadata_count: Schema.Number
}

/** An agent in a list. */
export const AgentView = Schema.Struct({
  ...viewFields,
  metadata: Schema.Null
})
export interface AgentView extends Schema.Schema.Type<typeof AgentView> {}

/**
 * An agent: a workspace of the caller that runs a coding agent. `last_task` is the newest non-empty report of state
 * `working` since the latest start; `role` is null where the workspace was built without a preset; `updated_at` is the
 * latest of what is known to have changed (build or report), since a workspace's own `updated_at` is not its activity. A
 * time that cannot be read is null.
 */
export const Agent = Schema.Struct({
  ...viewFields,
  workspace_id: Schema.String,
  /** There where tasks wait for their turn. */
  queue: Schema.optionalWith(Queue, { exact: true }),
  updated_at: Schema.NullOr(Schema.DateTimeUtc),
  metadata: Metadata
})
export interface Agent extends Schema.Schema.Type<typeof Agent> {}

/** How far the creation of an agent has come. */
export const Stage = Schema.Literal("build_accepted", "building", "starting", "ready", "failed")
export type Stage = typeof Stage.Type
