import { HttpApiBuilder } from "@effect/platform"
import { Effect, Option, Schema } from "effect"
import { AgentName } from "../../../../schemas/Agent.ts"
import { CoderApi } from "../../../../schemas/coder/CoderApi.ts"
import { CoderError, type Validation } from "../../../../schemas/coder/CoderError.ts"
import type { CreateWorkspace } from "../../../../schemas/coder/Workspaces.ts"
import { variablesOf } from "../../../agenthost/process/Surroundings.ts"
import { TurnCaller } from "../../../agenthost/process/TurnCaller.ts"
import { noKindOffered } from "../../engine/AgentKinds.ts"
import { BuildRunner } from "../../engine/BuildRunner.ts"
import { Catalog, type Project } from "../../engine/Catalog.ts"
import { Deployment } from "../../Deployment.ts"
import { keyUsed, storeFailed } from "../CoderBody.ts"
import { isCaller, orNotFound, workspaceById } from "../Lookup.ts"
import { parametersOf } from "../Parameters.ts"
import { Views } from "../Views.ts"
import { searchWorkspaces } from "../WorkspaceSearch.ts"
import { WorkspaceStore } from "../../store/WorkspaceStore.ts"

/** Workspaces: listed, looked up, and created with their first build, which runs on by itself. */
export const workspacesHandlers = HttpApiBuilder.group(CoderApi, "workspaces", (handlers) =>
  Effect.gen(function* () {
    const store = yield* WorkspaceStore
    const catalog = yield* Catalog
    const views = yield* Views
    const runner = yield* BuildRunner
    const { user } = yield* Deployment

    /** The project that is asked for, if agents can be created for it. */
    const projectFor = Effect.fn("Workspaces.projectFor")(function* (request: CreateWorkspace) {
      const { template_id = "", template_version_id } = request
      const project = yield* template_version_id === undefined
        ? Effect.mapError(Effect.flatten(catalog.findTemplate(template_id)), () =>
            missing("Template", "template_id", template_id)
          )
        : Effect.mapError(Effect.flatten(catalog.findVersion(template_version_id)), () =>
            missing("Template version", "template_version_id", template_version_id)
          )
      yield* Effect.mapError(project.repository, ({ message }) => deprecated(project, message))
      if (Option.isNone(yield* catalog.defaultKind)) return yield* CoderError.answer(400, noKindOffered)
      return project
    })

    return handlers
      .handle("list", ({ urlParams: { limit = 0, offset = 0, q = "" } }) =>
        Effect.gen(function* () {
          const all = (yield* Effect.catchTag(store.list, "StoreFailed", storeFailed)).map(views.workspace)
          const found = yield* searchWorkspaces(all, q, user.username)
          return { workspaces: found.slice(offset, limit === 0 ? undefined : offset + limit), count: found.length }
        })
      )
      .handle("get", ({ path, urlParams }) =>
        Effect.gen(function* () {
          const found = yield* workspaceById(path.workspace)
          return found.workspace.deleted && urlParams.include_deleted !== true
            ? yield* deleted(path.workspace)
            : views.workspace(found)
        })
      )
      .handle("getByName", ({ path }) =>
        Effect.gen(function* () {
          yield* isCaller(path.user)
          return views.workspace(
            yield* orNotFound(yield* Effect.catchTag(store.workspaceByName(path.name), "StoreFailed", storeFailed))
          )
        })
      )
      .handle("create", ({ path, payload }) =>
        Effect.gen(function* () {
          yield* isCaller(path.user)
          yield* validate(payload)
          const project = yield* projectFor(payload)
          const preset = yield* Option.match(Option.fromNullable(payload.template_version_preset_id), {
            onNone: () => Effect.succeedNone,
            onSome: (id) => Effect.asSome(Effect.mapError(Effect.flatten(catalog.findPreset(id)), () => missingPreset))
          })
          const created = yield* store
            .insertWorkspace(
              {
                name: payload.name,
                template_id: project.template_id,
                first_prompt_variables: Option.match(yield* TurnCaller, {
                  onNone: () => [],
                  onSome: (caller) => Object.keys(variablesOf(caller))
                })
              },
              {
                transition: "start",
                reason: "initiator",
                template_version_id: project.version_id,
                template_version_preset_id: payload.template_version_preset_id ?? null,
                parameters: parametersOf(project, {
                  preset: Option.getOrUndefined(preset)?.preset,
                  given: payload.rich_parameter_values
                })
              },
              payload.idempotency
            )
            .pipe(
              Effect.tap(runner.run),
              catalog.keeping(project.template_id),
              Effect.uninterruptible,
              Effect.catchTags({
                KeyUsed: () => keyUsed,
                NameTaken: ({ name }) => taken(name),
                StoreFailed: storeFailed
              })
            )
          return views.workspace(created)
        })
      )
  })
)

const isWorkspaceName = Schema.is(AgentName)
const noId = "00000000-0000-0000-0000-000000000000"

/** What Coder checks before it looks anything up (recordings: create.json, the names, "neither ..." and "both ..."). */
const validate = ({ name, template_id, template_version_id }: CreateWorkspace): Effect.Effect<void, CoderError> => {
  const failed = (field: string, tag: string, value: string): Validation => ({
    field,
    detail: `Validation failed for tag "${tag}" with value: "${value}"`
  })
  const validations = isWorkspaceName(name) ? [] : [failed("name", "workspace_name", name)]
  if ((template_id === undefined) === (template_version_id === undefined)) {
    const tag = template_id === undefined ? "required_without" : "excluded_with"
    validations.push(
      failed("template_id", tag, template_id ?? noId),
      failed("template_version_id", tag, template_version_id ?? noId)
    )
  }
  return validations.length === 0 ? Effect.void : CoderError.answer(400, "Validation failed.", { validations })
}

// Each in the words of a recording: create.json "unknown template", "unknown preset", "name already exists";
// builds.json "deleted, by id". That of a deprecated template is from Coder's source.

const missing = (what: "Template" | "Template version", field: string, id: string) =>
  CoderError.answer(400, `${what} "${id}" doesn't exist.`, {
    validations: [{ field, detail: `${what.toLowerCase()} not found` }]
  })

const deprecated = ({ template_name }: Project, detail: string) =>
  CoderError.answer(
    400,
    `Template "${template_name}" has been deprecated, and cannot be used to create a new workspace.`,
    { detail }
  )

const missingPreset = CoderError.answer(500, "failed to fetch preset parameter values", {
  detail: "failed to get preset parameters: sql: no rows in result set"
})

const taken = (name: string) =>
  CoderError.answer(409, `Workspace "${name}" already exists.`, {
    validations: [{ field: "name", detail: "This value is already in use and should be unique." }]
  })

const deleted = (id: string) =>
  CoderError.answer(
    410,
    `Workspace "${id}" was deleted, you can view this workspace by specifying '?deleted=true' and trying again.`
  )
