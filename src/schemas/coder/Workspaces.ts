import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "@effect/platform"
import { Either, ParseResult, Schema } from "effect"
import { AppStatus, Build, BuildParameter, BuildSummary } from "./Builds.ts"
import { placesOf } from "./places.ts"
import { queryInteger } from "./QueryInteger.ts"
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

/** What is left of a list element that does not decode: what could be read, and where it went wrong (paths only). */
export class UnreadableWorkspace extends Schema.TaggedClass<UnreadableWorkspace>()("UnreadableWorkspace", {
  id: Schema.String,
  name: Schema.String,
  owner_name: Schema.String,
  reason: Schema.String
}) {}

/** An element of a list of workspaces. */
export type ListedWorkspace = WorkspaceSummary | UnreadableWorkspace

const decodeSummary = ParseResult.decodeUnknownEither(WorkspaceSummary)

const text = (value: unknown, key: string): string => {
  const found = typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined
  return typeof found === "string" ? found : ""
}

const readElement = (element: unknown): ListedWorkspace =>
  Either.getOrElse(
    decodeSummary(element),
    (issue) =>
      new UnreadableWorkspace({
        id: text(element, "id"),
        name: text(element, "name"),
        owner_name: text(element, "owner_name"),
        reason: `not in the shape of the contract at: ${placesOf(issue).join(", ") || "the whole element"}`
      })
  )

const ListedWorkspaces: Schema.Schema<ReadonlyArray<ListedWorkspace>, ReadonlyArray<unknown>> = Schema.transform(
  Schema.Array(Schema.Unknown),
  Schema.Any,
  {
    strict: true,
    decode: (elements) => elements.map(readElement),
    encode: (workspaces: ReadonlyArray<unknown>) => workspaces
  }
)

/**
 * A page of workspaces. An element that cannot be decoded becomes an `UnreadableWorkspace`, never a failed list.
 * `count` is the number of matches before paging.
 */
export const WorkspacePage = Schema.Struct({ workspaces: ListedWorkspaces, count: Schema.Number })

/** `POST /users/{user}/workspaces`. A value for a parameter that the version does not declare is dropped silently. */
export const CreateWorkspace = Schema.Struct({
  name: Schema.String,
  template_id: Schema.optionalWith(Schema.String, { exact: true }),
  template_version_id: Schema.optionalWith(Schema.String, { exact: true }),
  template_version_preset_id: Schema.optionalWith(Schema.String, { exact: true }),
  rich_parameter_values: Schema.optionalWith(Schema.Array(BuildParameter), { exact: true })
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
  )
  .add(
    HttpApiEndpoint.get("get")`/api/v2/workspaces/${HttpApiSchema.param("workspace", Segment)}`
      .setUrlParams(Schema.Struct({ include_deleted: Schema.optional(Schema.BooleanFromString) }))
      .addSuccess(Workspace)
  )
  .add(
    HttpApiEndpoint.get(
      "getByName"
    )`/api/v2/users/${user}/workspace/${HttpApiSchema.param("name", Segment)}`.addSuccess(Workspace)
  )
  .add(
    HttpApiEndpoint.post("create")`/api/v2/users/${user}/workspaces`
      .setPayload(CreateWorkspace)
      .addSuccess(Workspace, { status: 201 })
      .addSuccess(Workspace, { status: 200 })
  )
