import { HttpApiBuilder, HttpServerRequest } from "@effect/platform"
import { Effect, Either, Option } from "effect"
import { CoderApi } from "../../../../schemas/coder/CoderApi.ts"
import type { CoderError } from "../../../../schemas/coder/CoderError.ts"
import type { Template } from "../../../../schemas/coder/Templates.ts"
import { Catalog, CatalogLimits, type Project } from "../../engine/Catalog.ts"
import { Deployment } from "../../Deployment.ts"
import { Callers } from "../Callers.ts"
import { orNotFound, uuid } from "../Lookup.ts"
import { contains, parseSearch, type Search } from "../SearchQuery.ts"

const keys = [
  "name",
  "exact_name",
  "display_name",
  "exact_display_name",
  "organization",
  "deprecated",
  "has-ai-task"
] as const

type TemplateSearch = Search<(typeof keys)[number]>

const parse = (q: string): Either.Either<TemplateSearch, CoderError> =>
  parseSearch("template", q, keys, (words) => Either.right([["display_name", words]]))

/** Templates that are deprecated are left out unless they are asked for. */
const matches =
  (search: TemplateSearch) =>
  (template: typeof Template.Type): boolean =>
    contains(template.name, search.get("name") ?? "") &&
    contains(template.display_name, search.get("display_name") ?? "") &&
    equals(template.name, search.get("exact_name")) &&
    equals(template.display_name, search.get("exact_display_name")) &&
    (equals(template.organization_name, search.get("organization")) ||
      template.organization_id === search.get("organization")) &&
    String(template.deprecated) === (search.get("deprecated") ?? "false") &&
    search.get("has-ai-task") !== "true"

const equals = (value: string, wanted: string | undefined): boolean =>
  wanted === undefined || value.toLowerCase() === wanted

/** Projects as templates, their one version each, its parameter and its presets. */
export const templatesHandlers = HttpApiBuilder.group(CoderApi, "templates", (handlers) =>
  Effect.gen(function* () {
    const { findVersion, projects } = yield* Catalog
    const callers = yield* Callers
    const { organization } = yield* Deployment
    const { concurrency } = yield* CatalogLimits

    const view = (project: Project) =>
      Effect.map(Effect.either(project.repository), (repository): typeof Template.Type => ({
        id: project.template_id,
        name: project.template_name,
        display_name: project.display_name,
        description: project.description,
        organization_id: organization.id,
        organization_name: organization.name,
        active_version_id: project.version_id,
        deprecated: Either.isLeft(repository),
        deprecation_message: Either.isLeft(repository) ? repository.left.message : ""
      }))
    const views = Effect.gen(function* () {
      const client = Option.getOrUndefined(callers.clientOf(yield* HttpServerRequest.HttpServerRequest))
      return yield* Effect.forEach(yield* projects(client?.named), view, { concurrency })
    })

    const version = (id: string) =>
      Effect.flatMap(uuid(id), (versionId) => Effect.flatMap(findVersion(versionId), orNotFound))

    return handlers
      .handle("list", ({ urlParams }) =>
        Effect.flatMap(parse(urlParams.q ?? ""), (search) =>
          Effect.map(views, (templates) => templates.filter(matches(search)))
        )
      )
      .handle("version", ({ path }) =>
        Effect.map(version(path.version), ({ template_id, version_id }) => ({
          id: version_id,
          name: "1",
          template_id,
          job: { status: "succeeded" }
        }))
      )
      .handle("richParameters", ({ path }) => Effect.map(version(path.version), ({ parameters }) => parameters))
      .handle("presets", ({ path }) => Effect.map(version(path.version), ({ presets }) => presets))
  })
)
