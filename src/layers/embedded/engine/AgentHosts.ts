import type { HttpApp } from "@effect/platform"
import { Context, Deferred, Duration, Effect, FiberId, FiberMap, Layer, Option } from "effect"
import { AgentApiServer } from "../../agenthost/AgentApiServer.ts"
import { AgentHost, type CodingAgent } from "../../agenthost/AgentHost.ts"
import { ConversationStore } from "../../agenthost/ConversationStore.ts"
import type { StatusReporter } from "../../agenthost/StatusReporter.ts"
import { TaskVariables } from "../../agenthost/process/TurnCaller.ts"
import { reportStatus } from "../api/AppStatuses.ts"
import { Faults } from "./Faults.ts"
import type { AgentChange, AgentRow, WorkspaceRow } from "../store/Rows.ts"
import { logStoreFailed, retryStore, retryWhile, untilStored } from "../store/StoreRetry.ts"
import { WorkspaceStore } from "../store/WorkspaceStore.ts"

/** How long an agent may take to connect: Coder's default. */
export class AgentConnectTimeout extends Context.Reference<AgentConnectTimeout>()(
  "fleet-mcp/layers/embedded/engine/AgentHosts/AgentConnectTimeout",
  { defaultValue: () => Duration.seconds(120) }
) {}

export interface StartAgent {
  readonly workspace: WorkspaceRow
  readonly agent: AgentRow
  readonly codingAgent: CodingAgent
  /** The first task, run once in the life of the workspace, at the first start that comes so far; `""` for none. */
  readonly prompt: string
  /** It was up before this process began: it sleeps until it is asked for, if its first task is done. Default false. */
  readonly isResumed?: boolean
}

/** An agent that is up as far as anybody can tell, and takes no place until it is asked for. */
interface Sleeper {
  readonly request: StartAgent
  readonly isAwake: Deferred.Deferred<void>
  isWaking: boolean
}

/** The agents at work: one host a workspace at most, each in a fiber of its own. All end with this layer. */
export class AgentHosts extends Context.Tag("fleet-mcp/layers/embedded/engine/AgentHosts")<
  AgentHosts,
  {
    /** Brings an agent up in the background: connecting, connected, starting, ready; then its app becomes healthy. */
    readonly start: (request: StartAgent) => Effect.Effect<void>
    /** Ends the agent of a workspace, if it has one, and waits until its processes are gone. */
    readonly stop: (workspaceId: string) => Effect.Effect<void>
    /** The workspaces whose agents are at work on a turn. */
    readonly atWork: Effect.Effect<ReadonlySet<string>>
    /** Done when the agent of a workspace is as ready as the end of its newest turn says that it is. */
    readonly settled: (workspaceId: string) => Effect.Effect<void>
    /** AgentAPI of the agent of a workspace; none unless its host is up. One that sleeps is woken, and waited for. */
    readonly app: (workspaceId: string) => Effect.Effect<Option.Option<HttpApp.Default>>
  }
>() {
  static readonly layer: Layer.Layer<AgentHosts, never, AgentApiServer | ConversationStore | WorkspaceStore> =
    Layer.scoped(
      this,
      Effect.gen(function* () {
        const store = yield* WorkspaceStore
        const conversations = yield* ConversationStore
        const server = yield* AgentApiServer
        const faults = yield* Faults
        const connectTimeout = yield* AgentConnectTimeout
        const hosts = new Map<string, AgentHost>()
        // Those that others may speak to: their first task is behind them.
        const open = new Set<string>()
        const fibers = yield* FiberMap.make<string>()
        const run = yield* FiberMap.runtime(fibers)()
        const asleep = new Map<string, Sleeper>()

        const reporterOf = ({ app, id }: AgentRow): StatusReporter => ({
          report: (report) =>
            reportStatus(id, { app_slug: app?.slug ?? "", uri: "", ...report }).pipe(
              Effect.provideService(WorkspaceStore, store),
              Effect.catchTags({
                CoderError: ({ message }) => Effect.logDebug("A report of an agent was refused", message),
                StoreFailed: logStoreFailed
              })
            )
        })

        const hostFor = Effect.fn("AgentHosts.hostFor")(function* ({ agent, codingAgent, workspace }: StartAgent) {
          const conversation = yield* Effect.acquireRelease(conversations.open(workspace.id), ({ close }) => close)
          const host = yield* AgentHost.make({ agent: codingAgent, conversation, reporter: reporterOf(agent) })
          yield* Effect.acquireRelease(
            Effect.sync(() => hosts.set(workspace.id, host)),
            () =>
              Effect.sync(() => {
                open.delete(workspace.id)
                hosts.delete(workspace.id)
              })
          )
          return host
        })

        const firstPrompt = Effect.fn("AgentHosts.firstPrompt")(function* (
          host: AgentHost,
          { prompt, workspace }: StartAgent
        ) {
          if (prompt.trim() === "" || (yield* retryStore(store.firstPrompt(workspace.id))) === "done") return
          // Nobody else can have said anything yet: what a user said before this start was the first task.
          const taken = (yield* host.messages).some(({ role }) => role === "user")
          if (!taken) {
            yield* retryStore(store.setFirstPrompt(workspace.id, "given"))
            yield* retryWhile(host.prompt(prompt), ({ reason }) => reason === "not_stored").pipe(
              Effect.provideService(TaskVariables, workspace.first_prompt_variables ?? []),
              Effect.uninterruptible
            )
          }
          yield* untilStored(store.setFirstPrompt(workspace.id, "done"))
        })

        const log = (agent: AgentRow, level: "info" | "error", output: string) =>
          Effect.catchTag(store.appendAgentLog(agent.id, { level, output }), "StoreFailed", logStoreFailed)

        const update = (agent: AgentRow, change: AgentChange) => untilStored(store.updateAgent(agent.id, change))

        /** The life of an agent, until it is stopped. */
        const life = Effect.fn("AgentHosts.life")(function* (request: StartAgent) {
          const { agent, workspace } = request
          const connects = yield* Effect.timeoutOption(faults.beforeConnect(workspace), connectTimeout)
          if (Option.isNone(connects)) return yield* update(agent, { status: "timeout" })
          const host = yield* hostFor(request).pipe(
            Effect.tapError(({ message }) => log(agent, "error", `Its conversation could not be read: ${message}`)),
            Effect.option
          )
          if (Option.isNone(host)) {
            return yield* update(agent, { lifecycle_state: "start_error", health: "unhealthy" })
          }
          return yield* up(request, host.value)
        }, Effect.scoped)

        const up = Effect.fn("AgentHosts.up")(function* (request: StartAgent, host: AgentHost) {
          const { agent, workspace } = request
          // One that goes on as it was has nothing to tell.
          if (request.isResumed !== true) {
            yield* update(agent, { status: "connected", lifecycle_state: "starting" })
            yield* log(agent, "info", `Agent ${host.agentType} started`)
          }
          yield* Effect.catchAll(firstPrompt(host, request), ({ message }) =>
            log(agent, "error", `The first task waits for the next start: ${message}`)
          )
          open.add(workspace.id)
          forget(workspace.id)
          yield* update(agent, faults.up(workspace, { lifecycle_state: "ready", health: "healthy" }))
          return yield* Effect.never
        })

        /** An agent that could not be brought up for a reason that nobody foresaw. */
        const broken = (agent: AgentRow) => (defect: unknown) =>
          Effect.zipRight(
            Effect.logError("An agent broke", defect),
            update(agent, { lifecycle_state: "start_error", health: "unhealthy" })
          )

        const lives = (request: StartAgent) =>
          life(request).pipe(Effect.tapDefect(broken(request.agent)), Effect.interruptible)

        const canSleep = ({ isResumed = false, prompt, workspace }: StartAgent) =>
          !isResumed
            ? Effect.succeed(false)
            : prompt.trim() === ""
              ? Effect.succeed(true)
              : store.firstPrompt(workspace.id).pipe(
                  Effect.map((state) => state === "done"),
                  // Then it is brought up at once, which tries again.
                  Effect.catchTag("StoreFailed", () => Effect.succeed(false))
                )

        const forget = (workspaceId: string) => {
          const sleeper = asleep.get(workspaceId)
          asleep.delete(workspaceId)
          if (sleeper !== undefined) Deferred.unsafeDone(sleeper.isAwake, Effect.void)
        }

        /** Has it up, or knows that it does not come. Several may wait for it. */
        const awake = (workspaceId: string) =>
          Effect.suspend(() => {
            const sleeper = asleep.get(workspaceId)
            if (sleeper === undefined) return Effect.void
            if (!sleeper.isWaking) {
              sleeper.isWaking = true
              run(workspaceId, lives(sleeper.request)).addObserver(() => forget(workspaceId))
            }
            return Deferred.await(sleeper.isAwake)
          })

        return {
          start: (request) =>
            Effect.flatMap(canSleep(request), (sleeps) => {
              const { id } = request.workspace
              forget(id)
              if (!sleeps) return Effect.asVoid(FiberMap.run(fibers, id, lives(request)))
              asleep.set(id, { request, isAwake: Deferred.unsafeMake(FiberId.none), isWaking: false })
              return Effect.void
            }),
          stop: (workspaceId) =>
            Effect.suspend(() => {
              forget(workspaceId)
              return hosts.get(workspaceId)?.stop ?? Effect.void
            }).pipe(Effect.zipRight(FiberMap.remove(fibers, workspaceId))),
          atWork: Effect.suspend(() =>
            Effect.filter(hosts.entries(), ([, host]) => Effect.map(host.status, (status) => status === "running"))
          ).pipe(Effect.map((running) => new Set(running.map(([id]) => id)))),
          settled: (workspaceId) => Effect.suspend(() => hosts.get(workspaceId)?.settled ?? Effect.void),
          app: (workspaceId) =>
            Effect.map(awake(workspaceId), () =>
              Option.fromNullable(hosts.get(workspaceId)).pipe(
                Option.filter(() => open.has(workspaceId)),
                Option.map(server.app)
              )
            )
        }
      })
    )
}
