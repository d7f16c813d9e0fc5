import { Array, Context, Duration, Effect, Layer, type Option, Schema } from "effect"
import { resolve } from "node:path"
import type { Preset, RichParameter } from "../../../schemas/coder/Templates.ts"
import { Worktree } from "../../agenthost/git/Worktree.ts"
import { EmbeddedConfig, type EmbeddedProject } from "../../config/EmbeddedConfig.ts"
import { type AgentKind, noKindOffered, offeredKinds } from "./AgentKinds.ts"
import { derivedId } from "../store/Ids.ts"

/** The parameter with the first task of an agent. */
export const promptParameter = "AI Prompt"

const parameters: ReadonlyArray<RichParameter> = [
  {
    name: promptParameter,
    type: "string",
    description: "The first task of the agent",
    default_value: "",
    required: false,
    mutable: true,
    ephemeral: false
  }
]

/** How projects are looked at. */
export class CatalogLimits extends Context.Reference<CatalogLimits>()(
  "fleet-mcp/layers/embedded/engine/Catalog/CatalogLimits",
  {
    defaultValue: () => ({
      /** How long what was seen of a project's folder counts. */
      inspection: Duration.seconds(1),
      /** Folders looked at at once. */
      concurrency: 4
    })
  }
) {}

/** Agents cannot work on a project now. */
class ProjectUnusable extends Schema.TaggedError<ProjectUnusable>()("ProjectUnusable", { message: Schema.String }) {}

/** A git repository as a template: one version, and a preset for each kind of agent. */
export interface Project {
  readonly template_id: string
  readonly version_id: string
  readonly template_name: string
  readonly display_name: string
  readonly description: string
  readonly directory: string
  readonly parameters: ReadonlyArray<RichParameter>
  readonly presets: ReadonlyArray<Preset>
  /**
   * The root of its working tree, or why agents cannot work on it: its folder may change at any time. What was seen
   * counts for a second.
   */
  readonly repository: Effect.Effect<string, ProjectUnusable>
}

/**
 * The templates: one for each project of the configuration. Their ids follow from the folder and the name of the project, and of a preset also from its kind: they are the same in every process.
 */
export class Catalog extends Context.Tag("fleet-mcp/layers/embedded/engine/Catalog")<
  Catalog,
  {
    /** Ordered by template name. */
    readonly projects: ReadonlyArray<Project>
    readonly findTemplate: (templateId: string) => Option.Option<Project>
    readonly findVersion: (versionId: string) => Option.Option<Project>
    /** Of any template: Coder, too, takes the preset of another (recording: create.json). */
    readonly findPreset: (presetId: string) => Option.Option<{ readonly preset: Preset; readonly kind: AgentKind }>
    /** What an agent is when no preset says so; none where no kind is offered. */
    readonly defaultKind: Option.Option<AgentKind>
  }
>() {
  static readonly layer: Layer.Layer<Catalog, never, EmbeddedConfig | Worktree> = Layer.effect(
    this,
    Effect.gen(function* () {
      const options = yield* EmbeddedConfig
      const limits = yield* CatalogLimits
      const { inspect } = yield* Worktree
      const kinds = offeredKinds(options)

      const presetsOf = (project: readonly [string, string]) =>
        kinds.map((kind) => ({
          kind,
          preset: {
            ID: derivedId("preset", ...project, kind.name),
            Name: kind.name,
            Description: kind.description,
            Default: kind.isDefault,
            Parameters: null
          }
        }))

      const advice = options.projects === undefined ? (options.projectAdvice ?? "") : ""
      const repositoryOf = (directory: string) =>
        inspect(directory).pipe(
          Effect.mapError(({ message }) => new ProjectUnusable({ message: `${message} ${advice}`.trim() })),
          Effect.cachedWithTTL(limits.inspection)
        )

      const byDefault = inspect(options.workingDirectory).pipe(
        Effect.orElseSucceed(() => options.workingDirectory),
        Effect.map((directory) => [{ name: folderName(directory), directory }])
      )
      const configured = options.projects ?? (yield* byDefault)

      const entries = yield* Effect.forEach(withTemplateNames(configured), ({ directory, name, template_name }) =>
        Effect.map(repositoryOf(directory), (repository) => {
          // The same folder can be a project under two names.
          const identity = [resolve(directory), name] as const
          const presets = presetsOf(identity)
          const project: Project = {
            template_id: derivedId("template", ...identity),
            version_id: derivedId("template version", ...identity),
            template_name,
            display_name: name,
            description: kinds.length === 0 ? noKindOffered : `Agents work in git worktrees of ${directory}`,
            directory,
            parameters,
            repository,
            presets: presets.map(({ preset }) => preset)
          }
          return { project, presets }
        })
      )
      const projects = entries.map(({ project }) => project)
      const presets = entries.flatMap((entry) => entry.presets)

      return {
        projects: projects.toSorted((a, b) => (a.template_name < b.template_name ? -1 : 1)),
        findTemplate: (id) => Array.findFirst(projects, (project) => project.template_id === id),
        findVersion: (id) => Array.findFirst(projects, (project) => project.version_id === id),
        findPreset: (id) => Array.findFirst(presets, ({ preset }) => preset.ID === id),
        defaultKind: Array.findFirst(kinds, ({ isDefault }) => isDefault)
      }
    })
  )
}

const folderName = (directory: string): string => directory.split("/").findLast((part) => part !== "") ?? directory

/** Coder's rule for names, which template names follow too: 1 to 32 letters and digits, single hyphens inside. */
const slug = (name: string): string => {
  const words = name
    .normalize("NFKD")
    .toLowerCase()
    .match(/[a-z0-9]+/g) ?? ["project"]
  return words.join("-").slice(0, 28).replace(/-$/, "")
}

/** Gives each project the name of its template; where several would get the same, numbers tell them apart. */
const withTemplateNames = (projects: ReadonlyArray<EmbeddedProject>) => {
  const taken = new Set(["new", "create"])
  return projects.map((project) => {
    const base = slug(project.name)
    let template_name = base
    for (let i = 2; taken.has(template_name); i++) template_name = `${base}-${i}`
    taken.add(template_name)
    return { ...project, template_name }
  })
}
