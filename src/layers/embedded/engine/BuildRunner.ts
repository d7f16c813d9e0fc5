import { Context, Effect, FiberMap, Layer, Option, Schema } from "effect"
import { existsSync } from "node:fs"
import type { Transition } from "../../../schemas/coder/Builds.ts"
import { ConversationStore } from "../../agenthost/ConversationStore.ts"
import { NotNoted } from "../../agenthost/git/Branch.ts"
import { type BranchNote, Worktree } from "../../agenthost/git/Worktree.ts"
import { refusedNames } from "../../agenthost/process/Environment.ts"
import { endStrays, stoppedText, straysText } from "../../agenthost/process/Strays.ts"
import { Surroundings } from "../../agenthost/process/Surroundings.ts"
import { Sweeper } from "../../agenthost/process/Sweeper.ts"
import { EmbeddedConfig } from "../../config/EmbeddedConfig.ts"
import { AgentHosts } from "./AgentHosts.ts"
import { type AgentKind, defaultKind, noKindOffered } from "./AgentKinds.ts"
import { Catalog, promptParameter } from "./Catalog.ts"
import { Faults } from "./Faults.ts"
import type { AgentRow, BuildState, JobChange, WorktreeRow } from "../store/Rows.ts"
import type { StoreFailed } from "../store/StoreFailed.ts"
import { logStoreFailed, untilStored } from "../store/StoreRetry.ts"
import { WorkspaceStore } from "../store/WorkspaceStore.ts"

/** Why a build's job failed, for `job.error` and the build's log. */
class JobFailed extends Schema.TaggedError<JobFailed>()("JobFailed", { message: Schema.String }) {}

/** The slug of the app that is AgentAPI, as Coder's own module for Claude Code has it. */
const agentSlug = "ccw"

const stages = { start: "Starting workspace", stop: "Stopping workspace", delete: "Deleting workspace" } as const

/** Carries out builds: pending, running, then succeeded or failed; one at a time for each workspace. */
export class BuildRunner extends Context.Tag("fleet-mcp/layers/embedded/engine/BuildRunner")<
  BuildRunner,
  {
    /** Runs a pending build to its end, in the background. */
    readonly run: (build: BuildState) => Effect.Effect<void>
    /**
     * Brings the agent of a workspace up again as it was before this process began, in the background. One that cannot
     * come up is told as off, with the reason in its log.
     */
    readonly resume: (build: BuildState, agent: AgentRow) => Effect.Effect<void, StoreFailed>
  }
>() {
  static readonly layer: Layer.Layer<
    BuildRunner,
    never,
    AgentHosts | Catalog | ConversationStore | EmbeddedConfig | Surroundings | Sweeper | WorkspaceStore | Worktree
  > = Layer.scoped(
    this,
    Effect.gen(function* () {
      const store = yield* WorkspaceStore
      const catalog = yield* Catalog
      const conversations = yield* ConversationStore
      const hosts = yield* AgentHosts
      const worktrees = yield* Worktree
      const surroundings = yield* Surroundings
      const { guard } = yield* Sweeper
      const { agentEnvironment, stateDirectory } = yield* EmbeddedConfig
      const faults = yield* Faults
      const fibers = yield* FiberMap.make<string>()
      if (agentEnvironment !== undefined && agentEnvironment.length > 0) {
        const refused = refusedNames(agentEnvironment)
        const names = agentEnvironment.filter((name) => !refused.includes(name))
        yield* Effect.logInfo("Agents see further variables", { names, refused })
      }

      type Step = (state: BuildState) => Effect.Effect<unknown, JobFailed | StoreFailed>

      // A line that is lost is no reason to fail.
      const unlessLost = (line: Effect.Effect<void, StoreFailed>) =>
        Effect.catchTag(line, "StoreFailed", logStoreFailed)

      const log = ({ build }: BuildState, output: string, log_level: "info" | "warn" | "error" = "info") =>
        unlessLost(
          store.appendBuildLog(build.id, {
            log_source: "provisioner",
            log_level,
            stage: stages[build.transition],
            output
          })
        )

      const daemonLog = ({ build }: BuildState, stage: string) =>
        unlessLost(
          store.appendBuildLog(build.id, { log_source: "provisioner_daemon", log_level: "info", stage, output: "" })
        )

      /**
       * Chosen among what its creator is offered, and the same ever after: to start it anew gives nobody a right, since
       * each prompt is checked by itself.
       */
      const kindOf = ({ build: { build_number, template_version_preset_id: preset } }: BuildState) => {
        const byDefault = build_number === 1 ? catalog.defaultKind : Effect.succeed(defaultKind)
        return Option.match(Option.flatMap(Option.fromNullable(preset), catalog.kindOfPreset), {
          onSome: Effect.succeed,
          onNone: () => Effect.mapError(Effect.flatten(byDefault), () => new JobFailed({ message: noKindOffered }))
        })
      }

      /** Ends the agent of a workspace, with all of its processes, and answers what else was ended. */
      const endAgent = (workspaceId: string) =>
        Effect.zipRight(hosts.stop(workspaceId), endStrays({ stateDirectory, workspaceIds: new Set([workspaceId]) }))

      const agentIn = ({ workspace }: BuildState, kind: AgentKind, directory: string) =>
        kind.make({ workspaceId: workspace.id, stateDirectory, directory, surroundings, guard })

      const promptOf = ({ build }: BuildState) =>
        build.parameters.find(({ name }) => name === promptParameter)?.value ?? ""

      const resume = Effect.fn("BuildRunner.resume")(function* (state: BuildState, agent: AgentRow) {
        const { workspace } = state
        const directory = workspace.worktree?.directory
        const why =
          directory === undefined || !existsSync(directory)
            ? `its worktree ${directory ?? ""} is gone`
            : yield* kindOf(state).pipe(
                Effect.flatMap((kind) =>
                  hosts.start({
                    workspace,
                    agent,
                    codingAgent: agentIn(state, kind, directory),
                    prompt: promptOf(state),
                    isResumed: agent.lifecycle_state === "ready"
                  })
                ),
                Effect.as(undefined),
                Effect.catchAll(({ message }) => Effect.succeed(message))
              )
        if (why === undefined) return
        const output = `It could not be brought up again after fleet-mcp had ended: ${why}`
        yield* unlessLost(store.appendAgentLog(agent.id, { level: "error", output }))
        yield* store.updateAgent(agent.id, { status: "disconnected", lifecycle_state: "off", health: "unhealthy" })
      })

      /** The worktree, noted in the store and the log before anything of it is made. */
      const makeWorktree = Effect.fn("BuildRunner.makeWorktree")(function* (state: BuildState, repository: string) {
        const { workspace } = state
        const before = workspace.worktree
        const directory = before?.directory ?? `${stateDirectory}/worktrees/${workspace.id}`
        const set = (at: string, { baseCommit, branch }: BranchNote, finished: boolean) =>
          store.setWorktree(workspace.id, { repository, directory: at, branch, base_commit: baseCommit, finished })
        const made = yield* worktrees
          .create({
            repository,
            directory,
            name: workspace.name,
            noted: before === null ? null : { branch: before.branch, baseCommit: before.base_commit },
            finished: before?.finished,
            note: (note) =>
              Effect.zipRight(
                Effect.mapError(set(directory, note, false), ({ message }) => new NotNoted({ detail: message })),
                log(state, `Making worktree ${directory} on branch ${note.branch}`)
              ),
            progress: (text) => log(state, text)
          })
          .pipe(
            Effect.mapError(({ message, passes }) => {
              const advice = passes ? "It may pass: try again." : "It does not pass by itself: put it right first."
              return new JobFailed({ message: `${message}. ${advice}` })
            })
          )
        yield* set(made.directory, made, true)
        yield* log(state, `Worktree ${made.directory} on branch ${made.branch}`)
        return made
      })

      const start: Step = Effect.fn("BuildRunner.start")(function* (state) {
        const { build, workspace } = state
        const kind = yield* kindOf(state)
        // A workspace that runs is started anew.
        const before = yield* endAgent(workspace.id)
        if (straysText(before) !== "") yield* log(state, stoppedText(before), before.left > 0 ? "warn" : "info")
        const project = yield* Effect.flatten(catalog.findTemplate(workspace.template_id)).pipe(
          Effect.mapError(() => new JobFailed({ message: "Its project is not known any more." }))
        )
        const repository = yield* Effect.mapError(project.repository, ({ message }) => new JobFailed({ message }))
        const worktree = yield* makeWorktree(state, repository)
        const { submodules } = worktree
        const lacks =
          submodules.length === 0
            ? null
            : `${submodules.length} ${submodules.length === 1 ? "submodule is" : "submodules are"} not checked out: ${submodules.join(", ")}`
        if (lacks !== null) yield* log(state, lacks, "warn")
        const app = faults.app(workspace, { slug: agentSlug, display_name: kind.name })
        const { directory } = worktree
        const codingAgent = agentIn(state, kind, directory)
        yield* hosts.start({
          workspace,
          agent: yield* store.insertAgent(build.id, app),
          codingAgent:
            lacks === null ? codingAgent : { ...codingAgent, greeting: `${codingAgent.greeting ?? ""}\n${lacks}` },
          prompt: promptOf(state)
        })
      })

      const endIt = Effect.fn("BuildRunner.endIt")(function* (state: BuildState) {
        const strays = yield* endAgent(state.workspace.id)
        yield* log(state, stoppedText(strays))
        return strays
      })

      /** What waits for an agent that is ended, in one line. */
      const waitingOf = ({ workspace }: BuildState) =>
        Effect.map(
          store.workspace(workspace.id),
          Option.match({
            onNone: () => [],
            onSome: ({ queue }) => queue.tasks.map(({ id, task }) => `[${id}] ${task}`)
          })
        )

      const stop: Step = Effect.fn("BuildRunner.stop")(function* (state) {
        const waiting = yield* waitingOf(state)
        if (waiting.length > 0) {
          yield* log(
            state,
            `Queued tasks are kept (${waiting.length}), and none begins by itself: ${waiting.join("; ")}`
          )
        }
        const strays = yield* endIt(state)
        if (strays.left === 0) return
        return yield* new JobFailed({ message: `${straysText(strays)}. End what is left, and stop again.` })
      })

      const remove: Step = Effect.fn("BuildRunner.remove")(function* (state) {
        const { id, worktree } = state.workspace
        const strays = yield* endIt(state)
        // They may write to the worktree while it is removed.
        if (strays.left > 0) {
          return yield* new JobFailed({
            message: `Nothing was removed: ${straysText(strays)}. End what is left, and delete again.`
          })
        }
        if (worktree !== null) yield* removeWorktree(state, worktree)
        const waiting = yield* waitingOf(state)
        if (waiting.length > 0) {
          yield* log(
            state,
            `Queued tasks are lost (${waiting.length}), none of them had begun: ${waiting.join("; ")}`,
            "warn"
          )
        }
        yield* Effect.mapError(conversations.discard(id), ({ message }) => new JobFailed({ message }))
      })

      const removeWorktree = Effect.fn("BuildRunner.removeWorktree")(function* (
        state: BuildState,
        worktree: WorktreeRow
      ) {
        const { base_commit, branch, directory, finished, repository } = worktree
        const noted = { branch, baseCommit: base_commit }
        const removal = yield* worktrees.remove({ repository, directory, noted, finished })
        yield* removal.kept
          ? log(state, `Worktree kept: ${removal.directory}, ${removal.at} (${removal.reasons.join("; ")})`)
          : log(state, [`Worktree ${directory} removed`, ...removal.remarks].join("; "))
      })

      const steps: Record<Transition, Step> = { start, stop, delete: remove }

      const carryOut: Step = Effect.fn("BuildRunner.carryOut")(function* (state) {
        const fault = yield* faults.beforeBuild(state)
        if (Option.isSome(fault)) return yield* new JobFailed({ message: fault.value })
        const { problem } = yield* surroundings.settled
        if (problem !== undefined) yield* log(state, problem, "warn")
        return yield* steps[state.build.transition](state)
      })

      // Another build can follow as soon as the job has ended, so that is the last act.
      const build = Effect.fn("BuildRunner.build")(function* (state: BuildState) {
        const { id, transition } = state.build
        const end = yield* store.updateJob(id, { status: "running" }).pipe(
          Effect.zipRight(daemonLog(state, "Setting up")),
          Effect.zipRight(daemonLog(state, stages[transition])),
          Effect.zipRight(carryOut(state)),
          Effect.as<JobChange>({ status: "succeeded" }),
          Effect.catchTag("StoreFailed", (error) =>
            Effect.zipRight(logStoreFailed(error), new JobFailed({ message: error.message }))
          ),
          Effect.catchAllDefect((defect) =>
            Effect.zipRight(Effect.logError("A build broke", defect), new JobFailed({ message: "internal error" }))
          ),
          Effect.catchTag("JobFailed", ({ message }) =>
            Effect.as(log(state, message, "error"), { status: "failed", error: message } as const)
          )
        )
        yield* daemonLog(state, "Cleaning Up")
        yield* untilStored(store.updateJob(id, end))
      })

      return {
        resume,
        run: (state) => build(state).pipe(Effect.interruptible, FiberMap.run(fibers, state.workspace.id), Effect.asVoid)
      }
    })
  )
}
