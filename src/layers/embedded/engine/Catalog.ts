import { Array, Clock, Context, Data, Deferred, Duration, Effect, Either, Layer, Option, Schema } from "effect"
import { stat } from "node:fs"
import { resolve } from "node:path"
import type { Preset, RichParameter } from "../../../schemas/coder/Templates.ts"
import { type NotAProject } from "../../agenthost/git/ProjectDirectory.ts"
import { Worktree } from "../../agenthost/git/Worktree.ts"
import { Surroundings } from "../../agenthost/process/Surroundings.ts"
import { TurnCaller } from "../../agenthost/process/TurnCaller.ts"
import { EmbeddedConfig, type EmbeddedProject } from "../../config/EmbeddedConfig.ts"
import { type AgentKind, allKinds, noKindOffered, offeredKinds } from "./AgentKinds.ts"
import { derivedId } from "../store/Ids.ts"
import { type ProjectRow } from "../store/Rows.ts"
import { RowStore } from "../store/RowStore.ts"
import type { StoreFailed } from "../store/StoreFailed.ts"
import type { ReadRows } from "../store/Tables.ts"

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
      /** How long a look at a folder is waited for, from its beginning: a machine may be busy with other work. */
      time: Duration.seconds(10),
      /** How long a client that registers waits for looks at its folders: less than it waits for the answer. */
      registration: Duration.seconds(2),
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

/** A project that is shown to all clients. */
export interface KnownProject extends Pick<ProjectRow, "name" | "template_name" | "directory"> {
  /** Why agents cannot work on it now, if so. */
  readonly problem: string | null
  /** Names of its agents. */
  readonly agents: ReadonlyArray<string>
}

/** No project of this folder is kept. */
export class ProjectUnknown extends Data.TaggedError("ProjectUnknown")<{ readonly directory: string }> {}

/** A project that has agents stays. */
export class ProjectUsed extends Data.TaggedError("ProjectUsed")<{
  readonly directory: string
  readonly agents: ReadonlyArray<string>
}> {}

/** One look at the folder of a project. */
interface Look {
  readonly result: Deferred.Deferred<string, ProjectUnusable>
  /** When it began and when it ended (ms). */
  readonly began: number
  ended: number | undefined
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
    /** Keeps the project of a template in the store, and has it stay there while an agent of it is made. */
    readonly keeping: (
      templateId: string
    ) => <A, E, R>(make: Effect.Effect<A, E, R>) => Effect.Effect<A, E | StoreFailed, R>
    /** The projects that are kept in the store, with those whose folder is gone, by path. */
    readonly known: Effect.Effect<ReadonlyArray<KnownProject>, StoreFailed>
    /**
     * Takes the projects of a folder out of the store, and tells how they are called. A client that has named one sees it
     * still, and whoever names it from now on has it kept again.
     */
    readonly forget: (
      directory: string
    ) => Effect.Effect<ReadonlyArray<string>, ProjectUnknown | ProjectUsed | StoreFailed>
    /**
     * Adds the projects that are kept in the store, without a look at their folders; those whose folder is gone and that no
     * agent is of are forgotten in the background.
     */
    readonly restore: Effect.Effect<void, StoreFailed>
  }
>() {
  static readonly layer: Layer.Layer<Catalog, never, EmbeddedConfig | RowStore | Surroundings | Worktree> =
    Layer.scoped(
      this,
      Effect.gen(function* () {
        const scope = yield* Effect.scope
        const options = yield* EmbeddedConfig
        const limits = yield* CatalogLimits
        const store = yield* RowStore
        const { inspect } = yield* Worktree
        const surroundings = yield* Surroundings
        const entries = new Map<string, Entry>()
        // While an agent is made nobody takes its project away, nor the other way round.
        const inTurn = yield* Effect.makeSemaphore(1)

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

        /**
         * What was seen counts for a while; what is seen depends on whose git and whose home it is. A look goes on when
         * nobody waits for it any more, and as long as it does there is no other: a disk that does not answer holds one.
         */
        const inspected = (directory: string, advice: string) => {
          const seen = new Map<string, Look>()
          const begin = (key: string, now: number) =>
            Effect.gen(function* () {
              const look: Look = {
                result: yield* Deferred.make<string, ProjectUnusable>(),
                began: now,
                ended: undefined
              }
              seen.set(key, look)
              yield* inspect(directory).pipe(
                Effect.mapError(unusable(advice)),
                Effect.onExit((exit) =>
                  Effect.flatMap(Clock.currentTimeMillis, (ended) => {
                    look.ended = ended
                    return Deferred.done(look.result, exit)
                  })
                ),
                Effect.interruptible,
                Effect.forkIn(scope)
              )
              return look
            }).pipe(Effect.uninterruptible)
          return Effect.gen(function* () {
            const { HOME, PATH } = yield* surroundings.known
            const key = JSON.stringify([HOME, PATH])
            const now = yield* Clock.currentTimeMillis
            const before = seen.get(key)
            const counts = before?.ended === undefined || now - before.ended < Duration.toMillis(limits.inspection)
            if (before === undefined && seen.size >= limits.surroundings) seen.clear()
            const look = before !== undefined && counts ? before : yield* begin(key, now)
            if (look.ended !== undefined) return yield* Deferred.await(look.result)
            const time = Duration.subtract(limits.time, Duration.millis(now - look.began))
            return yield* Effect.timeoutFail(Deferred.await(look.result), {
              duration: time,
              onTimeout: () => slow(directory)
            })
          })
        }

        const slow = (directory: string) =>
          new ProjectUnusable({
            message: `${directory} cannot be looked at: nothing came within ${Duration.format(limits.time)}.`,
            gone: false
          })

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
            repository: inspected(directory, advice),
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
          inspected(directory, "").pipe(
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

        const keep = (entry: Entry) => {
          const { directory, display_name: name, known, template_id: id, template_name } = entry
          if (known) return Effect.void
          return store
            .transaction("keepProject", (rows) =>
              Either.right(rows.projects.put({ id, name, directory, template_name }))
            )
            .pipe(
              Effect.zipRight(
                Effect.sync(() => {
                  entry.known = true
                })
              )
            )
        }

        /** A name is chosen and taken in one go: no two clients get the same. */
        const entryOf = (project: EmbeddedProject, advice: string): Entry =>
          entries.get(derivedId("template", resolve(project.directory), project.name)) ??
          add({ ...project, template_name: templateName(project.name, taken()) }, false, advice)

        const keepUsable = (entry: Entry) =>
          entry.known ? Effect.void : Effect.whenEffect(keep(entry), Effect.isSuccess(entry.repository))

        /** Takes projects out of the store, unless agents are of them; they can be kept again. */
        const forget = (directory: string) =>
          store
            .transaction(
              "forgetProject",
              (rows): Either.Either<ReadonlyArray<ProjectRow>, ProjectUnknown | ProjectUsed> => {
                const found = rows.projects.select("all", "all").filter((row) => row.directory === directory)
                const agents = found.flatMap(({ id }) => agentsOf(rows, id))
                if (found.length === 0) return Either.left(new ProjectUnknown({ directory }))
                if (agents.length > 0) return Either.left(new ProjectUsed({ directory, agents }))
                for (const { id } of found) rows.projects.remove(id)
                return Either.right(found)
              }
            )
            .pipe(
              Effect.map((rows) =>
                rows.map(({ id, name }) => {
                  const entry = entries.get(id)
                  if (entry !== undefined) entry.known = false
                  return name
                })
              ),
              Effect.uninterruptible,
              inTurn.withPermits(1),
              Effect.withSpan("Catalog.forget")
            )

        const forgetGone = ({ directory }: ProjectRow) =>
          Effect.whenEffect(forget(directory), isGone(directory)).pipe(
            Effect.catchTags({ ProjectUnknown: () => Effect.void, ProjectUsed: () => Effect.void })
          )

        /** Why agents cannot work on it, or null. */
        const problemOf = (id: string) =>
          Option.match(Option.fromNullable(entries.get(id)), {
            onNone: () => Effect.succeed(null),
            onSome: ({ repository }) =>
              Effect.match(repository, { onFailure: ({ message }) => message, onSuccess: () => null })
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
            const own = projects.map((project) => entryOf(project, adviceOf(named)))
            // One that takes longer is kept as soon as an agent is of it.
            yield* Effect.timeoutOption(
              Effect.forEach(own, keepUsable, { concurrency: limits.concurrency, discard: true }),
              limits.registration
            )
            return new Set(own.map(({ template_id }) => template_id))
          }),
          keeping: (id) => (make) =>
            Effect.suspend(() =>
              Option.match(Option.fromNullable(entries.get(id)), { onNone: () => Effect.void, onSome: keep })
            ).pipe(Effect.zipRight(make), inTurn.withPermits(1)),
          known: Effect.gen(function* () {
            const kept = yield* store.read("projects", (rows) =>
              rows.projects.select("all", "all").map((row) => ({ row, agents: agentsOf(rows, row.id) }))
            )
            const all = yield* Effect.forEach(
              kept,
              ({ agents, row: { directory, id, name, template_name } }) =>
                Effect.map(problemOf(id), (problem) => ({ name, template_name, directory, problem, agents })),
              { concurrency: limits.concurrency }
            )
            return all.toSorted((a, b) => (a.directory < b.directory ? -1 : 1))
          }).pipe(Effect.withSpan("Catalog.known")),
          forget,
          restore: Effect.gen(function* () {
            const rows = yield* store.read("projects", (all) => all.projects.select("all", "all"))
            for (const row of rows) add(row, true, "")
            yield* Effect.forEach(rows, forgetGone, { discard: true }).pipe(
              Effect.catchTag("StoreFailed", ({ message }) =>
                Effect.logWarning(`Projects whose folder is gone are still known: ${message}`)
              ),
              Effect.forkIn(scope)
            )
          }).pipe(Effect.withSpan("Catalog.restore"))
        }
      })
    )
}

/** Names of the agents of a project's template. */
const agentsOf = (rows: ReadRows, templateId: string): ReadonlyArray<string> =>
  rows.workspaces
    .select("deleted", "false")
    .filter(({ template_id }) => template_id === templateId)
    .map(({ name }) => name)

/** Whether there is no such directory; where that cannot be told there may be. */
const isGone = (directory: string): Effect.Effect<boolean> =>
  Effect.async((resume) => {
    stat(directory, (error) => resume(Effect.succeed(error?.code === "ENOENT")))
  })

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
