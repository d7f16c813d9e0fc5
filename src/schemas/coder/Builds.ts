import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "@effect/platform"
import { type ParseResult, Schema } from "effect"
import { AnswerSize } from "../EndpointPolicy.ts"
import { KeyUse } from "../Idempotency.ts"
import { readable, shown } from "./elements.ts"
import { mending } from "./mending.ts"
import { queryInteger } from "./QueryInteger.ts"
import { AgentSession, UserSession } from "./Security.ts"
import { Segment } from "./Segment.ts"

/** Coder's words for a value that is none of those allowed (recording: builds.json, "bad transition"). */
const notOneOf = ({ actual }: ParseResult.ParseIssue) => ({
  message: `Validation failed for tag "oneof" with value: "${String(actual)}"`,
  override: true
})

/** What a build is to do with its workspace. */
export const Transition = Schema.Literal("start", "stop", "delete").annotations({ message: notOneOf })
export type Transition = typeof Transition.Type

/** Why a client asks for a build; other reasons are Coder's own (recording: builds.json, "bad reason"). */
const BuildReason = Schema.Literal(
  "dashboard",
  "cli",
  "ssh_connection",
  "vscode_connection",
  "jetbrains_connection",
  "task_manual_pause"
).annotations({ message: notOneOf })

/** A parameter value of a build; all values are strings. */
export const BuildParameter = Schema.Struct({ name: Schema.String, value: Schema.String })
export type BuildParameter = typeof BuildParameter.Type

/**
 * A report of an agent about its work. `state` is `working`, `idle`, `complete` or `failure`; `message` holds at most
 * 160 bytes and may be `""` (recording: statuses.json).
 */
export const AppStatus = Schema.Struct({
  id: Schema.String,
  created_at: Schema.String,
  workspace_id: Schema.String,
  agent_id: Schema.String,
  app_id: Schema.String,
  state: Schema.String,
  message: Schema.String,
  uri: Schema.String,
  needs_user_attention: Schema.optionalWith(Schema.Boolean, { exact: true })
})
export type AppStatus = typeof AppStatus.Type

const appFields = {
  id: Schema.String,
  slug: Schema.String,
  display_name: Schema.optionalWith(Schema.String, { exact: true }),
  url: Schema.optionalWith(Schema.String, { exact: true }),
  command: Schema.optionalWith(Schema.String, { exact: true }),
  health: Schema.String,
  healthcheck: Schema.Struct({ url: Schema.String })
}

/**
 * An app as lists read it: its reports are left as they came, for they can be 100 kB a workspace. `health`: `disabled`,
 * `initializing`, `healthy`, `unhealthy`.
 */
export const AppSummary = Schema.Struct({ ...appFields, statuses: Schema.Array(Schema.Unknown) })
export type AppSummary = typeof AppSummary.Type

/** An app with all its reports, in no dependable order (newest first since v2.31, oldest first in v2.27). */
export const App = Schema.Struct({ ...appFields, statuses: Schema.Array(AppStatus) })
export type App = typeof App.Type

const agent = <A extends Schema.Schema.Any>(app: A) =>
  Schema.Struct({
    id: Schema.String,
    parent_id: Schema.optionalWith(Schema.NullOr(Schema.String), { exact: true }),
    name: Schema.String,
    status: Schema.String,
    lifecycle_state: Schema.String,
    apps: Schema.Array(app)
  })

const resource = <A extends Schema.Schema.Any>(app: A) =>
  Schema.Struct({
    type: Schema.String,
    name: Schema.String,
    agents: Schema.optionalWith(Schema.Array(agent(app)), { exact: true }),
    metadata: Schema.optionalWith(
      Schema.Array(Schema.Struct({ key: Schema.String, value: Schema.String, sensitive: Schema.Boolean })),
      { exact: true }
    )
  })

const build = <A extends Schema.Schema.Any>(app: A) =>
  Schema.Struct({
    id: Schema.String,
    created_at: Schema.String,
    updated_at: Schema.String,
    workspace_id: Schema.String,
    template_version_id: Schema.String,
    template_version_preset_id: Schema.NullOr(Schema.String),
    build_number: Schema.Number,
    transition: Schema.String,
    status: Schema.String,
    reason: Schema.String,
    job: Schema.Struct({
      id: Schema.String,
      status: Schema.String,
      created_at: Schema.String,
      started_at: Schema.optionalWith(Schema.String, { exact: true }),
      completed_at: Schema.optionalWith(Schema.String, { exact: true }),
      error: Schema.optionalWith(Schema.String, { exact: true })
    }),
    resources: Schema.Array(resource(app)),
    has_ai_task: Schema.optionalWith(Schema.Boolean, { exact: true })
  })

/** A build as lists read it. */
export const BuildSummary = build(AppSummary)
export type BuildSummary = typeof BuildSummary.Type

/**
 * A build. `status` follows from `transition` and `job.status`: a succeeded start is `running`, a succeeded stop
 * `stopped`, a succeeded delete `deleted`. An agent's `status` is `connecting`, `connected`, `disconnected` or
 * `timeout`; `parent_id` is set on sub-agents only.
 */
export const Build = build(App)
export type Build = typeof Build.Type

export type Resource = Build["resources"][number]
export type WorkspaceAgent = NonNullable<Resource["agents"]>[number]

/** `POST /workspaces/{id}/builds`. */
export const CreateBuild = Schema.Struct({
  transition: Transition,
  reason: Schema.optionalWith(BuildReason, { exact: true }),
  rich_parameter_values: Schema.optionalWith(Schema.Array(BuildParameter), { exact: true }),
  /** Our own: only for who answers `Keys`. A key of a stop may be used once more, for the start that follows it. */
  idempotency: Schema.optionalWith(KeyUse, { exact: true })
})

/** A line of a build's log, ascending by `id`. */
export const BuildLog = Schema.Struct({
  id: Schema.Number,
  created_at: shown,
  log_source: shown,
  log_level: shown,
  stage: shown,
  output: shown
})
export type BuildLog = typeof BuildLog.Type

/** A line of an agent's startup log. */
export const AgentLog = Schema.Struct({
  id: Schema.Number,
  created_at: shown,
  output: shown,
  level: shown
})
export type AgentLog = typeof AgentLog.Type

/** Bytes of a report's message: Coder refuses longer ones (recording: statuses.json, "message too long"). */
export const reportMessageBytes = 160

/** What an agent reports about its work, with its own agent token. */
export const PatchAppStatus = Schema.Struct({
  app_slug: Schema.String,
  state: Schema.Literal("working", "idle", "complete", "failure"),
  message: Schema.String,
  uri: Schema.String
})
export type PatchAppStatus = typeof PatchAppStatus.Type

/**
 * A success whose body says nothing: `null` or empty. Declaring no schema at all would leave the body unread and the
 * connection open.
 */
export const Nothing = Schema.transform(Schema.Unknown, Schema.Void, {
  strict: true,
  decode: () => undefined,
  encode: () => null
})

const buildId = HttpApiSchema.param("build", Segment)
const after = Schema.Struct({ after: Schema.optional(queryInteger("after")) })

/** Builds and what they leave behind: logs, parameters, agents. A list of builds has the newest first. */
export const Builds = HttpApiGroup.make("builds")
  .add(
    HttpApiEndpoint.get("list")`/api/v2/workspaces/${HttpApiSchema.param("workspace", Segment)}/builds`
      .setUrlParams(Schema.Struct({ limit: Schema.optional(queryInteger("limit")) }))
      .addSuccess(readable(mending(BuildSummary)))
      .annotate(AnswerSize, "many")
  )
  .add(
    HttpApiEndpoint.post("create")`/api/v2/workspaces/${HttpApiSchema.param("workspace", Segment)}/builds`
      .setPayload(CreateBuild)
      .addSuccess(mending(Build), { status: 201 })
      .addSuccess(mending(Build), { status: 200 })
  )
  .add(HttpApiEndpoint.get("get")`/api/v2/workspacebuilds/${buildId}`.addSuccess(mending(Build)))
  .add(
    HttpApiEndpoint.get("logs")`/api/v2/workspacebuilds/${buildId}/logs`
      .setUrlParams(after)
      .addSuccess(readable(BuildLog))
      .annotate(AnswerSize, "many")
  )
  .add(
    HttpApiEndpoint.get("parameters")`/api/v2/workspacebuilds/${buildId}/parameters`.addSuccess(
      readable(BuildParameter)
    )
  )
  .add(
    HttpApiEndpoint.get("agentLogs")`/api/v2/workspaceagents/${HttpApiSchema.param("agent", Segment)}/logs`
      .setUrlParams(after)
      .addSuccess(readable(AgentLog))
      .annotate(AnswerSize, "many")
  )
  .middleware(UserSession)

/** What an agent says of itself, with its own token. */
export const Agents = HttpApiGroup.make("agents")
  .add(
    HttpApiEndpoint.patch("appStatus", "/api/v2/workspaceagents/me/app-status")
      .setPayload(PatchAppStatus)
      .addSuccess(Nothing)
  )
  .middleware(AgentSession)
