import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "@effect/platform"
import { Schema } from "effect"
import { AppStatus, Build, BuildParameter, BuildSummary } from "./Builds.ts"
import { AnswerSize } from "../EndpointPolicy.ts"
import { KeyUse } from "../Idempotency.ts"
import { elements } from "./elements.ts"
import { mending } from "./mending.ts"
import { queryInteger } from "./QueryInteger.ts"
import { UserSession } from "./Security.ts"
import { Segment } from "./Segment.ts"

const workspace = <A extends Schema.Schema.Any>(build: A) =>
  Schema.Struct({
    id: Schema.String,
    name: Schema.String,
    created_at: Schema.String,
    updated_at: Schema.String,
    owner_id: Schema.String,
    owner_name: Schema.String,
    organization_name: Schema.String,
    template_id: Schema.String,
    template_name: Schema.String,
    template_display_name: Schema.String,
    latest_build: build,
    latest_app_status: Schema.NullOr(AppStatus)
  })

/** A workspace as lists read it: the reports of its apps are not decoded. */
export const WorkspaceSummary = workspace(BuildSummary)
export type WorkspaceSummary = typeof WorkspaceSummary.Type

/**
 * A workspace. `latest_app_status` is the newest report over *all* builds: after a restart it still tells of the time
 * before (recording: restart.json).
 */
export const Workspace = workspace(Build)
export type Workspace = typeof Workspace.Type

/**
 * A page of workspaces. Of an element that cannot be decoded whole, the parts are left out that cannot be; one of which
 * nothing is left becomes an `Unreadable`, never a failed list.
 * `count` is the number of matches before paging.
 */
export const WorkspacePage = Schema.Struct({ workspaces: elements(mending(WorkspaceSummary)), count: Schema.Number })

/** `POST /users/{user}/workspaces`. A value for a parameter that the version does not declare is dropped silently. */
export const CreateWorkspace = Schema.Struct({
  name: Schema.String,
  template_id: Schema.optionalWith(Schema.String, { exact: true }),
  template_version_id: Schema.optionalWith(Schema.String, { exact: true }),
  template_version_preset_id: Schema.optionalWith(Schema.String, { exact: true }),
  rich_parameter_values: Schema.optionalWith(Schema.Array(BuildParameter), { exact: true }),
  /** Our own: only for who answers `Keys`. */
  idempotency: Schema.optionalWith(KeyUse, { exact: true })
})
export type CreateWorkspace = typeof CreateWorkspace.Type

const user = HttpApiSchema.param("user", Segment)

/** Workspaces: list by `q` (keys such as `owner:me`, `name:part`), by id, by owner and name, create. */
export const Workspaces = HttpApiGroup.make("workspaces")
  .add(
    HttpApiEndpoint.get("list", "/api/v2/workspaces")
      .setUrlParams(
        Schema.Struct({
          q: Schema.optional(Schema.String),
          limit: Schema.optional(queryInteger("limit")),
          offset: Schema.optional(queryInteger("offset"))
        })
      )
      .addSuccess(WorkspacePage)
      .annotate(AnswerSize, "many")
  )
  .add(
    HttpApiEndpoint.get("get")`/api/v2/workspaces/${HttpApiSchema.param("workspace", Segment)}`
      .setUrlParams(Schema.Struct({ include_deleted: Schema.optional(Schema.BooleanFromString) }))
      .addSuccess(mending(Workspace))
  )
  .add(
    HttpApiEndpoint.get(
      "getByName"
    )`/api/v2/users/${user}/workspace/${HttpApiSchema.param("name", Segment)}`.addSuccess(mending(Workspace))
  )
  .add(
    HttpApiEndpoint.post("create")`/api/v2/users/${user}/workspaces`
      .setPayload(CreateWorkspace)
      .addSuccess(mending(Workspace), { status: 201 })
      .addSuccess(mending(Workspace), { status: 200 })
  )
  .middleware(UserSession)
