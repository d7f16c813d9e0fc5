import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { CoderApi } from "../../../../schemas/coder/CoderApi.ts"
import { CoderError } from "../../../../schemas/coder/CoderError.ts"
import { BuildRunner } from "../../engine/BuildRunner.ts"
import { Catalog } from "../../engine/Catalog.ts"
import { keyUsed, notFound, storeFailed } from "../CoderBody.ts"
import { buildById, orNotFound, uuid, workspaceById } from "../Lookup.ts"
import { parametersOf } from "../Parameters.ts"
import { Views } from "../Views.ts"
import { WorkspaceStore } from "../../store/WorkspaceStore.ts"

/** Builds, which run on by themselves, and the logs that they and their agents leave behind. */
export const buildsHandlers = HttpApiBuilder.group(CoderApi, "builds", (handlers) =>
  Effect.gen(function* () {
    const store = yield* WorkspaceStore
    const catalog = yield* Catalog
    const views = yield* Views
    const runner = yield* BuildRunner

    return handlers
      .handle("list", ({ path, urlParams: { limit = 0 } }) =>
        Effect.gen(function* () {
          const { workspace } = yield* workspaceById(path.workspace)
          const builds = yield* Effect.catchTag(store.builds(workspace.id), "StoreFailed", storeFailed)
          return builds.slice(0, limit === 0 ? undefined : limit).map(views.build)
        })
      )
      .handle("create", ({ path, payload }) =>
        Effect.gen(function* () {
          const { build, workspace } = yield* workspaceById(path.workspace)
          const { idempotency, reason = "initiator", rich_parameter_values, transition } = payload
          if (workspace.deleted && transition !== "delete") return yield* deleted(transition)
          const project = yield* orNotFound(yield* catalog.findTemplate(workspace.template_id))
          const created = yield* store
            .insertBuild(
              workspace.id,
              {
                build_number: build.build_number + 1,
                transition,
                reason,
                template_version_id: build.template_version_id,
                template_version_preset_id: build.template_version_preset_id,
                parameters: parametersOf(project, { given: rich_parameter_values, before: build.parameters })
              },
              idempotency
            )
            .pipe(
              Effect.tap(runner.run),
              Effect.uninterruptible,
              Effect.catchTags({
                KeyUsed: () => keyUsed,
                BuildActive: () => active,
                BuildNumberTaken: () => lostRace,
                WorkspaceMissing: () => notFound,
                StoreFailed: storeFailed
              })
            )
          return views.build(created)
        })
      )
      .handle("get", ({ path }) => Effect.map(buildById(path.build), views.build))
      .handle("logs", ({ path, urlParams: { after = 0 } }) =>
        Effect.gen(function* () {
          const { build } = yield* buildById(path.build)
          return (yield* Effect.catchTag(store.buildLogs(build.id), "StoreFailed", storeFailed)).filter(
            ({ id }) => id > after
          )
        })
      )
      .handle("parameters", ({ path }) => Effect.map(buildById(path.build), ({ build }) => build.parameters))
      .handle("agentLogs", ({ path, urlParams: { after = 0 } }) =>
        Effect.gen(function* () {
          const logs = yield* orNotFound(
            yield* Effect.catchTag(store.agentLogs(yield* uuid(path.agent)), "StoreFailed", storeFailed)
          )
          return logs.filter(({ id }) => id > after)
        })
      )
  })
)

// Each in the words of a recording: builds.json "stop while a build is active", "six starts at once", "deleted, start".

const activeText = "A workspace build is already active."
const active = CoderError.answer(409, activeText, { detail: activeText })

const lostRace = CoderError.answer(409, "insert workspace build", {
  detail: 'pq: duplicate key value violates unique constraint "workspace_builds_workspace_id_build_number_key"'
})

const deleted = (transition: string) =>
  CoderError.answer(409, `Cannot ${transition} a deleted workspace!`, {
    detail: "This workspace has been deleted and cannot be modified."
  })
