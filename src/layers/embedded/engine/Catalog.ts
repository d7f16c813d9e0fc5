import { Array, Context, Duration, Effect, Either, Layer, Option, Schema } from "effect"
import { resolve } from "node:path"
import type { Preset, RichParameter } from "../../../schemas/coder/Templates.ts"
import { type NotAProject } from "../../agenthost/git/ProjectDirectory.ts"
import { Worktree } from "../../agenthost/git/Worktree.ts"
import { environmentFor, TurnCaller } from "../../agenthost/process/TurnCaller.ts"
import { EmbeddedConfig, type EmbeddedProject } from "../../config/EmbeddedConfig.ts"
import { type AgentKind, allKinds, noKindOffered, offeredKinds } from "./AgentKinds.ts"
import { derivedId } from "../store/Ids.ts"
import { type ProjectRow } from "../store/Rows.ts"
import { RowStore } from "../store/RowStore.ts"
import type { StoreFailed } from "../store/StoreFailed.ts"

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
      /** For so many callers with programs or a home of their own. */
      surroundings: 16,
      /** Folders looked at at once. */
      concurrency: 4
    })
  }
) {}

/** Agents cannot work on a project now. */
class ProjectUnusable extends Schema.TaggedError<ProjectUnusable>()("ProjectUnusable", {
  message: Schema.String,
  /** There is no such directory. */
  gone: Schema.Boolean
}) {}

/** A git repository as a template: one version, and a preset for each kind of agent that the caller is offered. */
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

/** What is the same of a project for every caller. */
interface Entry extends Omit<Project, "description" | "presets"> {
  readonly presets: ReadonlyArray<{ readonly preset: Preset; readonly kind: AgentKind }>
  /** Shown to all callers, and not only to those who named it. */
  known: boolean
}

/** The repositories that a client names: those, or by default that of its working directory. */
export interface NamedProjects {
  readonly projects?: ReadonlyArray<EmbeddedProject> | undefined
  readonly workingDirectory: string
  /** As in `EmbeddedOptions`. */
  readonly projectAdvice?: string | undefined
}

/**
 * The templates: one for each project. Which there are says the configuration, or, where clients register theirs, what
 * they have named. Their ids follow from the folder and the name of the project, and of a preset also from its kind: they
 * are the same in every process. Presets are those that the caller at hand is offered.
 */
export class Catalog extends Context.Tag("fleet-mcp/layers/embedded/engine/Catalog")<
  Catalog,
  {
    /**
     * Ordered by template name. `named`: ids of templates that are shown to this caller also where agents cannot work on
     * them.
     */
    readonly projects: (named?: ReadonlySet<string>) => Effect.Effect<ReadonlyArray<Project>>
    readonly findTemplate: (templateId: string) => Effect.Effect<Option.Option<Project>>
    readonly findVersion: (versionId: string) => Effect.Effect<Option.Option<Project>>
    /** Of any template: Coder, too, takes the preset of another (recording: create.json). */
    readonly findPreset: (
      presetId: string
    ) => Effect.Effect<Option.Option<{ readonly preset: Preset; readonly kind: AgentKind }>>
    /** The kind of the agents of a preset, whether or not the caller at hand is offered it. */
    readonly kindOfPreset: (presetId: string) => Option.Option<AgentKind>
    /** What an agent is when no preset says so; none where no kind is offered. */
    readonly defaultKind: Effect.Effect<Option.Option<AgentKind>>
    /** How a template is called, whoever asks. */
    readonly nameOf: (templateId: string) => Option.Option<Pick<Project, "template_name" | "display_name">>
    /**
     * Adds the projects that a client names, and keeps those on which agents can work in the store. Answers the ids of
     * their templates.
     */
    readonly register: (named: NamedProjects) => Effect.Effect<ReadonlySet<string>, StoreFailed>
    /** Keeps the project of a template in the store: an agent is to be of it. */
    readonly keep: (templateId: string) => Effect.Effect<void, StoreFailed>
    /** Adds the projects that are kept in the store; forgets those whose folder is gone and that no agent is of. */
    readonly restore: Effect.Effect<void, StoreFailed>
  }
>() {
  static readonly layer: Layer.Layer<Catalog, never, EmbeddedConfig | RowStore | Worktree> = Layer.effect(
    this,
    Effect.gen(function* () {
      const options = yield* EmbeddedConfig
      const limits = yield* CatalogLimits
      const store = yield* RowStore
      const { inspect } = yield* Worktree
      const entries = new Map<string, Entry>()

      const offered = Effect.map(TurnCaller, (caller) =>
        offeredKinds(Option.getOrElse(caller, () => ({ allowShell: options.allowShell })))
      )

      const presetsOf = (identity: readonly [string, string]) =>
        allKinds.map((kind) => ({
          kind,
          preset: {
            ID: derivedId("preset", ...identity, kind.name),
            Name: kind.name,
            Description: kind.description,
            Default: kind.isDefault,
            Parameters: null
          }
        }))

      const unusable = (advice: string) => (error: NotAProject) =>
        new ProjectUnusable({ message: `${error.message} ${advice}`.trim(), gone: error.reason === "no_directory" })

      /** What was seen counts for a while; what is seen depends on whose git and whose home it is. */
      const inspected = <A, E>(look: Effect.Effect<A, E>) => {
        const seen = new Map<string, Effect.Effect<A, E>>()
        return Effect.gen(function* () {
          const { HOME, PATH } = environmentFor(yield* TurnCaller, options.environment)
          const key = JSON.stringify([HOME, PATH])
          const cached = seen.get(key) ?? (yield* Effect.cachedWithTTL(look, limits.inspection))
          if (seen.size >= limits.surroundings) seen.clear()
          seen.set(key, cached)
          return yield* cached
        })
      }

      const add = (
        { directory, name, template_name }: EmbeddedProject & Pick<Project, "template_name">,
        known: boolean,
        advice: string
      ): Entry => {
        // The same folder can be a project under two names.
        const identity = [resolve(directory), name] as const
        const entry: Entry = {
          template_id: derivedId("template", ...identity),
          version_id: derivedId("template version", ...identity),
          template_name,
          display_name: name,
          directory,
          parameters,
          repository: inspected(inspect(directory).pipe(Effect.mapError(unusable(advice)))),
          presets: presetsOf(identity),
          known
        }
        entries.set(entry.template_id, entry)
        return entry
      }

      /** The names that templates cannot have any more. */
      const taken = () => new Set(["new", "create", ...[...entries.values()].map((entry) => entry.template_name)])

      const view = (entry: Entry, kinds: ReadonlyArray<AgentKind>): Project => ({
        ...entry,
        description: kinds.length === 0 ? noKindOffered : `Agents work in git worktrees of ${entry.directory}`,
        presets: entry.presets.filter(({ kind }) => kinds.includes(kind)).map(({ preset }) => preset)
      })

      const find = (isIt: (entry: Entry) => boolean) =>
        Effect.map(offered, (kinds) =>
          Option.map(Array.findFirst(entries.values(), isIt), (entry) => view(entry, kinds))
        )

      const presetBy = (id: string) =>
        Array.findFirst(
          [...entries.values()].flatMap(({ presets }) => presets),
          ({ preset }) => preset.ID === id
        )

      const byDefault = (directory: string) =>
        inspect(directory).pipe(
          Effect.orElseSucceed(() => directory),
          Effect.map((root) => [{ name: folderName(root), directory: root }])
        )

      const adviceOf = ({ projectAdvice = "", projects }: NamedProjects) =>
        projects === undefined ? projectAdvice : ""

      if (options.registered !== true) {
        const configured = options.projects ?? (yield* byDefault(options.workingDirectory))
        for (const project of configured) {
          add({ ...project, template_name: templateName(project.name, taken()) }, true, adviceOf(options))
        }
      }

      // A name is chosen and taken in one go: no two clients get the same.
      const inTurn = yield* Effect.makeSemaphore(1)

      const keep = (entry: Entry) => {
        const { directory, display_name: name, known, template_id: id, template_name } = entry
        if (known) return Effect.void
        return store
          .transaction("keepProject", (rows) => Either.right(rows.projects.put({ id, name, directory, template_name })))
          .pipe(
            Effect.zipRight(
              Effect.sync(() => {
                entry.known = true
              })
            )
          )
      }

      const registerOne = (project: EmbeddedProject, advice: string) =>
        Effect.gen(function* () {
          const id = derivedId("template", resolve(project.directory), project.name)
          const entry =
            entries.get(id) ?? add({ ...project, template_name: templateName(project.name, taken()) }, false, advice)
          if (yield* Effect.isSuccess(entry.repository)) yield* keep(entry)
          return id
        })

      const restoreOne = (row: ProjectRow, isUsed: boolean) =>
        Effect.gen(function* () {
          const isGone = Effect.map(
            Effect.flip(inspect(row.directory)),
            ({ reason }) => reason === "no_directory"
          ).pipe(Effect.orElseSucceed(() => false))
          if (!isUsed && (yield* isGone)) {
            return yield* store.transaction("forgetProject", (rows) => Either.right(rows.projects.remove(row.id)))
          }
          add(row, true, "")
        })

      return {
        projects: (named) =>
          Effect.gen(function* () {
            const kinds = yield* offered
            const all = [...entries.values()].toSorted((a, b) => (a.template_name < b.template_name ? -1 : 1))
            const shown = yield* Effect.filter(
              all,
              (entry) => {
                if (options.registered !== true || named?.has(entry.template_id) === true) return Effect.succeed(true)
                if (!entry.known) return Effect.succeed(false)
                return Effect.match(entry.repository, { onFailure: ({ gone }) => !gone, onSuccess: () => true })
              },
              { concurrency: limits.concurrency }
            )
            return shown.map((entry) => view(entry, kinds))
          }),
        findTemplate: (id) => find((entry) => entry.template_id === id),
        findVersion: (id) => find((entry) => entry.version_id === id),
        findPreset: (id) =>
          Effect.map(offered, (kinds) => Option.filter(presetBy(id), ({ kind }) => kinds.includes(kind))),
        kindOfPreset: (id) => Option.map(presetBy(id), ({ kind }) => kind),
        defaultKind: Effect.map(offered, (kinds) => Array.findFirst(kinds, ({ isDefault }) => isDefault)),
        nameOf: (id) => Option.fromNullable(entries.get(id)),
        register: Effect.fn("Catalog.register")(function* (named) {
          const projects = named.projects ?? (yield* byDefault(named.workingDirectory))
          const ids = yield* Effect.forEach(projects, (project) => registerOne(project, adviceOf(named)))
          return new Set(ids)
        }, inTurn.withPermits(1)),
        keep: (id) =>
          Effect.suspend(() =>
            Option.match(Option.fromNullable(entries.get(id)), { onNone: () => Effect.void, onSome: keep })
          ),
        restore: Effect.gen(function* () {
          const { rows, used } = yield* store.read("projects", (all) => ({
            rows: all.projects.select("all", "all"),
            used: new Set(all.workspaces.select("deleted", "false").map(({ template_id }) => template_id))
          }))
          yield* Effect.forEach(rows, (row) => restoreOne(row, used.has(row.id)), { discard: true })
        }).pipe(inTurn.withPermits(1), Effect.withSpan("Catalog.restore"))
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

/** The name of a project's template; where it is taken, a number tells the two apart. */
const templateName = (name: string, taken: ReadonlySet<string>): string => {
  const base = slug(name)
  let found = base
  for (let i = 2; taken.has(found); i++) found = `${base}-${i}`
  return found
}
