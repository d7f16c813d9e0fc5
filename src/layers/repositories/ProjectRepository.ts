import { Context, Effect, Either, Layer } from "effect"
import type { CoderFailure } from "../../schemas/errors/Coder.ts"
import { ProjectAmbiguous, ProjectNotFound } from "../../schemas/errors/Project.ts"
import type { Unreadable } from "../../schemas/coder/elements.ts"
import type { Preset, RichParameter, Template } from "../../schemas/coder/Templates.ts"
import type { Project } from "../../schemas/Project.ts"
import type { Role } from "../../schemas/Role.ts"
import { cut, shownName, withoutControls } from "../../schemas/Text.ts"
import { CoderClient } from "../clients/CoderClient.ts"
import { CoderConfig } from "../config/CoderConfig.ts"
import { FleetConfig } from "../config/FleetConfig.ts"
import { TimeLimits } from "../time/Deadline.ts"
import { shared } from "../time/Shared.ts"
import { late, translate } from "./translate.ts"

/** What a template version declares. It never changes, so it is kept once it was read. */
export interface TemplateVersionInfo {
  readonly presets: ReadonlyArray<Preset>
  readonly parameters: ReadonlyArray<RichParameter>
  /** The parameter that carries the first task; null where the version has none. */
  readonly promptParameter: string | null
}

/** A role of a project. `setsPrompt`: it sets the prompt parameter by itself, and would beat the caller's task. */
export interface FoundRole {
  readonly role: Role
  readonly setsPrompt: boolean
}

/** A project, as its active version declares it. */
export interface FoundProject {
  readonly project: Project
  readonly roles: ReadonlyArray<FoundRole>
  /** The parameter that carries the first task; null where the version has none. */
  readonly promptParameter: string | null
}

/** All usable projects; `note` says what was left out and why, `""` where nothing was. */
export interface FoundProjects {
  readonly projects: ReadonlyArray<FoundProject>
  readonly note: string
}

/** How much of the projects is looked at and kept. */
export class ProjectLimits extends Context.Reference<ProjectLimits>()(
  "fleet-mcp/layers/repositories/ProjectRepository/ProjectLimits",
  {
    defaultValue: () => ({
      /** Template versions looked up at once. */
      concurrency: 4,
      /** Template versions kept: they never change. */
      versionsKept: 1000,
      /** What is told of templates that were left out (characters). */
      note: 500
    })
  }
) {}

/** Projects: templates whose version has a prompt parameter, and those configured as projects. */
export class ProjectRepository extends Context.Tag("fleet-mcp/layers/repositories/ProjectRepository")<
  ProjectRepository,
  {
    readonly list: Effect.Effect<FoundProjects, CoderFailure>
    /** By display name or name, or by `organization/template`; case does not matter. */
    readonly find: (name: string) => Effect.Effect<FoundProject, CoderFailure | ProjectNotFound | ProjectAmbiguous>
    /**
     * Why Coder shows this token nothing, as far as that can be told; `""` where it shows a template. For lists that are
     * empty: to a token that may not see workspaces or templates, Coder answers with none.
     */
    readonly blindness: Effect.Effect<string>
    readonly version: (id: string) => Effect.Effect<TemplateVersionInfo, CoderFailure>
  }
>() {
  static readonly layer: Layer.Layer<ProjectRepository, never, CoderClient | CoderConfig | FleetConfig> = Layer.scoped(
    this,
    Effect.gen(function* () {
      const coder = yield* CoderClient
      const options = yield* FleetConfig
      const { displayName } = yield* CoderConfig
      const configured = new Set((options.projects ?? []).map(lower))

      const { read } = yield* TimeLimits
      const limits = yield* ProjectLimits

      const versionAction = (id: string) => `read template version ${id}`
      const version = yield* shared({
        capacity: limits.versionsKept,
        time: read,
        onTimeout: (id) => late(versionAction(id), read),
        lookup: (id: string): Effect.Effect<TemplateVersionInfo, CoderFailure> =>
          Effect.all(
            {
              parameters: coder.templates.richParameters({ path: { version: id } }),
              presets: coder.templates.presets({ path: { version: id } })
            },
            { concurrency: 2 }
          ).pipe(
            Effect.map(({ parameters, presets }) => ({
              parameters,
              presets: presets.map((preset) => ({ ...preset, Name: shownName(preset.Name) })),
              promptParameter: findPromptParameter(parameters, options.promptParameter)
            })),
            Effect.mapError(translate(versionAction(id)))
          )
      })

      const templates = (q?: string) =>
        Effect.mapError(coder.templates.list({ urlParams: { q } }), translate("list the projects"))

      const seesItself = coder.users.user({ path: { user: "me" } }).pipe(
        Effect.as(true),
        Effect.catchIf(
          ({ reason, status }) => reason === "status" && (status === 403 || status === 404),
          () => Effect.succeed(false)
        )
      )
      const blindness = Effect.gen(function* () {
        if (displayName !== undefined) return ""
        if (!(yield* seesItself)) return blind
        const seen = yield* Effect.zipWith(templates(), templates("deprecated:true"), (a, b) => a.length + b.length)
        return seen === 0 ? perhapsBlind : ""
      }).pipe(
        Effect.orElseSucceed(() => ""),
        Effect.withSpan("ProjectRepository.blindness")
      )

      const leaveOut = (name: string, reason: string): LeftOut => ({ leftOut: `${name} (${reason})` })

      const consider = (template: Template | Unreadable): Effect.Effect<FoundProject | LeftOut> => {
        if ("reason" in template) return Effect.succeed(leaveOut(template.name, template.reason))
        const { deprecated = false, deprecation_message = "deprecated", name } = template
        if (deprecated) return Effect.succeed(leaveOut(name, deprecation_message))
        return Effect.map(Effect.either(version(template.active_version_id)), (info) => {
          if (Either.isLeft(info)) return leaveOut(name, info.left.message)
          return info.right.promptParameter !== null || configured.has(lower(name))
            ? toFoundProject(template, info.right)
            : leaveOut(name, "no prompt parameter; to use it all the same, add it to FLEET_MCP_PROJECTS")
        })
      }

      /** Coder lists the deprecated ones only where they are asked for; a template that is in both lists counts once. */
      const allTemplates = Effect.map(
        Effect.all([templates(), templates("deprecated:true")], { concurrency: 2 }),
        (both) => [...new Map(both.flat().map((one) => [one.id === "" ? one : one.id, one])).values()]
      )

      const list = Effect.gen(function* () {
        const considered = yield* Effect.flatMap(allTemplates, (all) =>
          Effect.forEach(all, consider, { concurrency: limits.concurrency })
        )
        const projects = considered.flatMap((one) => ("leftOut" in one ? [] : [one]))
        const leftOut = considered.flatMap((one) => ("leftOut" in one ? [one.leftOut] : []))
        const reasons = [...new Set(leftOut)].join("; ")
        if (considered.length === 0) return { projects, note: yield* blindness }
        const note = reasons === "" ? "" : `Left out: ${cut(withoutControls(reasons), limits.note)}.`
        return { projects, note }
      }).pipe(Effect.withSpan("ProjectRepository.list"))

      const find = Effect.fn("ProjectRepository.find")(function* (name: string) {
        const wanted = lower(shownName(name))
        // Only what has the name is looked into: a template that cannot be read holds up nobody else's.
        const named = (yield* allTemplates).flatMap((one) => ("reason" in one || !isCalled(one, wanted) ? [] : [one]))
        const found = yield* Effect.forEach(named, consider, { concurrency: limits.concurrency })
        const usable = found.flatMap((one) => ("leftOut" in one ? [] : [one]))
        const { note, projects } = usable.length > 0 ? { note: "", projects: usable } : yield* list
        const exact = projects.find(({ project }) => lower(fullName(project)) === wanted)
        if (exact !== undefined) return exact
        const matches = projects.filter(({ project }) =>
          [project.name, project.template_name].map(lower).includes(wanted)
        )
        const [only, ...others] = matches
        if (only === undefined) {
          return yield* new ProjectNotFound({ project: name, available: projects.map((one) => one.project.name), note })
        }
        if (others.length > 0) {
          return yield* new ProjectAmbiguous({ project: name, candidates: matches.map((one) => fullName(one.project)) })
        }
        return only
      })

      return { list, find, blindness, version }
    })
  )
}

const scope = "a token of scope application_connect reaches the apps of workspaces, and sees nothing else"

const blind = `Coder does not even show this token its own user: its scope hides workspaces and templates (${scope}).`

const perhapsBlind = `Coder shows this token no template at all: there is none, or perhaps its scope hides them (${scope}).`

interface LeftOut {
  readonly leftOut: string
}

const lower = (text: string): string => text.trim().toLowerCase()

const toProject = (template: Template): Project => ({
  id: template.id,
  name: shownName(template.display_name === "" ? template.name : template.display_name),
  description: withoutControls(template.description),
  template_name: shownName(template.name),
  organization_name: shownName(template.organization_name)
})

const toFoundProject = (template: Template, version: TemplateVersionInfo): FoundProject => {
  const project = toProject(template)
  const { promptParameter } = version
  const roles = version.presets.map((preset): FoundRole => ({
    role: {
      id: preset.ID,
      name: preset.Name,
      description: withoutControls(preset.Description),
      project_id: project.id,
      project_name: project.name,
      default: preset.Default
    },
    setsPrompt: preset.Parameters?.some((parameter) => parameter.Name === promptParameter) === true
  }))
  return { project, roles, promptParameter }
}

const isCalled = (template: Template, wanted: string): boolean => {
  const project = toProject(template)
  return [project.name, project.template_name, fullName(project)].map(lower).includes(wanted)
}

/** The form of a project's name that is unique. */
const fullName = (project: Project): string => `${project.organization_name}/${project.template_name}`

const plain = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, "")

/** The configured name, else `AI Prompt` or `prompt` in any spelling: case and separators do not matter. */
const findPromptParameter = (parameters: ReadonlyArray<RichParameter>, configured?: string): string | null => {
  const names = parameters.map((parameter) => parameter.name)
  const find = (wanted: string) => names.find((name) => plain(name) === plain(wanted))
  return (configured === undefined ? (find("AI Prompt") ?? find("prompt")) : find(configured)) ?? null
}
