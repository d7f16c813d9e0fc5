import { Array, Context, DateTime, Duration, Effect, Layer, Option } from "effect"
import { interruptKey, type AgentApp, type Message } from "../../schemas/agentapi/AgentApi.ts"
import type { GivenState, GivenTask as Answer, GiveTask } from "../../schemas/agentapi/FleetExtension.ts"
import type { CoderError } from "../../schemas/coder/CoderError.ts"
import type { LogEntry } from "../../schemas/Conversation.ts"
import { leftOutOf } from "../../schemas/coder/mending.ts"
import { QueueNotSupported } from "../../schemas/errors/Queue.ts"
import { AgentUnreachable, type AgentRefused } from "../../schemas/errors/Task.ts"
import type { Outcome } from "../../schemas/Outcome.ts"
import type { Task } from "../../schemas/Task.ts"
import { byteLength, shownName, withoutControls } from "../../schemas/Text.ts"
import { AgentApiClient } from "../clients/AgentApiClient.ts"
import { lookUntil, TimeLimits } from "../time/Deadline.ts"
import { isRefusal, refusal, unreachable, type AgentFailure } from "./AgentFailure.ts"
import { isUnknownThere } from "./AgentQueue.ts"
import { AgentRepository } from "./AgentRepository.ts"
import { timeOf } from "./AgentState.ts"
import { wire, type FoundAgent, type WorkspaceHandle } from "./FoundAgent.ts"
import { mainAgents, unread } from "./WorkspaceAgents.ts"

/** What became of a task that was given: it has begun, it waits, it was not taken, or nobody could tell. */
export type GivenTask =
  | { readonly _tag: "Started"; readonly usedAt: string | null }
  | { readonly _tag: "Queued"; readonly id: number; readonly ahead: number; readonly usedAt: string | null }
  | {
      readonly _tag: "Refused"
      readonly reason: Exclude<GivenState, "started" | "queued">
      readonly detail: string
    }
  | { readonly _tag: "Unknown" }

export interface RemovedTask {
  /** `not_applied`: it does not wait any more. */
  readonly outcome: Outcome
  /** How many wait still; null where that was not seen. */
  readonly waiting: number | null
}

type TaskFailure = AgentFailure | AgentRefused

/** What agents report, what was said to them and by them, and the ways to speak to them. */
export class TaskRepository extends Context.Tag("fleet-mcp/layers/repositories/TaskRepository")<
  TaskRepository,
  {
    /** The reports of the latest build, newest first; `unread` says what of it could not be read, else `""`. */
    readonly history: (agent: WorkspaceHandle) => { readonly reports: ReadonlyArray<Task>; readonly unread: string }
    /** The tasks that the conversation shows, newest first; their state is `task`. */
    readonly given: (found: FoundAgent) => Effect.Effect<ReadonlyArray<Task>, AgentFailure>
    /** The conversation, newest first. */
    readonly log: (found: FoundAgent) => Effect.Effect<ReadonlyArray<LogEntry>, AgentFailure>
    /**
     * Reads the conversation. `send` then sends the prompt once: `applied` where it was seen in the conversation and the
     * agent at work on it, or its answer; refused where it is not there; else `unknown`.
     */
    readonly prepareMessage: (
      found: FoundAgent,
      text: string
    ) => Effect.Effect<{ readonly send: Effect.Effect<Outcome, AgentFailure | AgentRefused> }, AgentFailure>
    /**
     * Reads what waits for the agent, and its conversation; fails where the way to it has no queue. `send` then gives it the
     * task once, to begin or to wait.
     */
    readonly prepareTask: (
      found: FoundAgent,
      task: GiveTask
    ) => Effect.Effect<{ readonly send: Effect.Effect<GivenTask, TaskFailure> }, AgentFailure | QueueNotSupported>
    /** Takes a task out that waits. `unknown` = no answer told what became of it. */
    readonly removeQueued: (
      found: FoundAgent,
      id: number
    ) => Effect.Effect<RemovedTask, AgentFailure | QueueNotSupported>
    /** Presses the interrupt key once. `unknown` = no answer told whether it arrived. */
    readonly interrupt: (found: FoundAgent) => Effect.Effect<Outcome, AgentFailure | AgentRefused>
    /** The newest report, where it came after those that were there when the agent was found, and could be read. */
    readonly reportSince: (found: FoundAgent) => Effect.Effect<Option.Option<Task>>
    /** Looks at the agent until it is as wanted; none when the time is over before. A look that fails is repeated. */
    readonly lookUntil: (
      found: FoundAgent,
      time: Duration.Duration,
      wanted: (now: FoundAgent) => boolean
    ) => Effect.Effect<Option.Option<FoundAgent>>
  }
>() {
  static readonly layer: Layer.Layer<TaskRepository, never, AgentApiClient | AgentRepository> = Layer.effect(
    this,
    Effect.gen(function* () {
      const agentApi = yield* AgentApiClient
      const agents = yield* AgentRepository

      const appOf = ({ agent, [wire]: { app } }: FoundAgent): Effect.Effect<AgentApp, AgentUnreachable> =>
        Effect.mapError(
          app,
          () =>
            new AgentUnreachable({
              agent_name: agent.name,
              reason: `it shows no AgentAPI app (status ${agent.status}: ${agent.evidence.detail})`
            })
        )

      const messages = (app: AgentApp) =>
        Effect.flatMap(agentApi.of(app), (api) => Effect.map(api.messages(), (answer) => answer.messages))

      const log = (found: FoundAgent) =>
        Effect.flatMap(appOf(found), (app) =>
          messages(app).pipe(
            Effect.map((all) => all.map(toLogEntry).toReversed()),
            Effect.mapError(unreachable(found.agent.name))
          )
        )

      const given = (found: FoundAgent) =>
        Effect.map(log(found), (entries) => entries.filter(({ type }) => type === "input").map(toTask(found)))

      const prepareMessage = Effect.fn("TaskRepository.prepareMessage")(function* (found: FoundAgent, text: string) {
        const app = yield* appOf(found)
        const api = yield* agentApi.of(app)
        const before = yield* Effect.mapError(messages(app), unreachable(found.agent.name))
        const running = Effect.map(api.status(), ({ status }) => status === "running")
        const seen = Effect.flatMap(messages(app), (now) => {
          const taken = sentIn(now, before.at(-1)?.id ?? -1, text)
          return Option.match(taken, {
            onNone: () => Effect.succeed(false),
            onSome: ({ id }) => (isAnswered(now, id) ? Effect.succeed(true) : running)
          })
        })
        const settled = Effect.flatMap(TimeLimits, ({ look, settle }) =>
          lookUntil(settle, Effect.map(Effect.option(Effect.timeout(seen, look)), Option.filter(Boolean)))
        ).pipe(Effect.map((sight): Outcome => (Option.isSome(sight) ? "applied" : "unknown")))
        const send = api.message({ payload: { content: text, type: "user" } }).pipe(
          Effect.matchEffect({
            onSuccess: () => settled,
            onFailure: (error): Effect.Effect<Outcome, AgentFailure | AgentRefused> =>
              isRefusal(error) ? Effect.fail(refusal(found.agent.name)(error)) : settled
          }),
          Effect.withSpan("TaskRepository.send")
        )
        return { send }
      })

      const prepareTask = Effect.fn("TaskRepository.prepareTask")(function* (found: FoundAgent, task: GiveTask) {
        const app = yield* appOf(found)
        const api = yield* agentApi.of(app)
        const { last_id } = yield* Effect.mapError(api.queue(), noQueue(found))
        const before = yield* Effect.mapError(messages(app), unreachable(found.agent.name))
        const bytes = byteLength(task.content.trim())
        const waits = Effect.map(api.queue(), ({ tasks: all }) =>
          Option.map(
            Array.findFirst(all, (one) => one.id > last_id && one.bytes === bytes),
            ({ id }): GivenTask => ({
              _tag: "Queued",
              id,
              ahead: all.filter((one) => one.id < id).length,
              usedAt: null
            })
          )
        )
        const begun = Effect.map(messages(app), (now) =>
          Option.map(sentIn(now, before.at(-1)?.id ?? -1, task.content), (): GivenTask => ({
            _tag: "Started",
            usedAt: null
          }))
        )
        // What waited at the first look may have begun at the second.
        const seen = Effect.flatMap(waits, (waiting) => (Option.isSome(waiting) ? Effect.succeed(waiting) : begun))
        const settled = Effect.flatMap(TimeLimits, ({ look, settle }) =>
          lookUntil(settle, Effect.map(Effect.option(Effect.timeout(seen, look)), Option.flatten))
        ).pipe(Effect.map(Option.getOrElse((): GivenTask => ({ _tag: "Unknown" }))))
        const send = api.give({ payload: task }).pipe(
          Effect.map(toGiven),
          Effect.catchAll((error): Effect.Effect<GivenTask, TaskFailure> =>
            isRefusal(error) ? Effect.fail(refusal(found.agent.name)(error)) : settled
          ),
          Effect.withSpan("TaskRepository.give")
        )
        return { send }
      })

      const removeQueued = Effect.fn("TaskRepository.removeQueued")(function* (found: FoundAgent, id: number) {
        const api = yield* Effect.flatMap(appOf(found), agentApi.of)
        return yield* api.removeQueued({ path: { task: String(id) } }).pipe(
          Effect.map(({ removed, waiting }): RemovedTask => ({
            outcome: removed ? "applied" : "not_applied",
            waiting
          })),
          Effect.catchAll((error) => {
            if (isUnknownThere(error)) return Effect.fail(noQueue(found)(error))
            return isRefusal(error)
              ? Effect.fail(unreachable(found.agent.name)(error))
              : Effect.succeed<RemovedTask>({ outcome: "unknown", waiting: null })
          })
        )
      })

      const interrupt = Effect.fn("TaskRepository.interrupt")(function* (found: FoundAgent) {
        const app = yield* appOf(found)
        const api = yield* agentApi.of(app)
        return yield* api.message({ payload: { content: interruptKey, type: "raw" } }).pipe(
          Effect.as<Outcome>("applied"),
          Effect.catchAll((error): Effect.Effect<Outcome, AgentFailure | AgentRefused> =>
            isRefusal(error) ? Effect.fail(refusal(found.agent.name)(error)) : Effect.succeed("unknown")
          )
        )
      })

      return {
        history,
        given,
        log,
        prepareMessage,
        prepareTask,
        removeQueued,
        interrupt,
        reportSince: (found) =>
          Effect.map(Effect.option(agents.refresh(found)), (now) => {
            const known = new Set(history(found).reports.map(({ id }) => id))
            return Option.flatMap(now, (seen) => Option.fromNullable(history(seen).reports[0])).pipe(
              Option.filter(({ id }) => !known.has(id))
            )
          }),
        lookUntil: (found, time, wanted) =>
          lookUntil(time, Effect.map(Effect.option(agents.attend(found)), Option.filter(wanted)))
      }
    })
  )
}

/** A failure to ask for the queue, which may be that there is none. */
const noQueue =
  ({ agent }: FoundAgent) =>
  (error: CoderError): AgentFailure | QueueNotSupported =>
    isUnknownThere(error) ? new QueueNotSupported({ agent_name: agent.name }) : unreachable(agent.name)(error)

const toGiven = ({ ahead, detail, state, task_id, used_at }: Answer): GivenTask => {
  switch (state) {
    case "started":
      return { _tag: "Started", usedAt: used_at }
    case "queued":
      return { _tag: "Queued", id: task_id ?? 0, ahead, usedAt: used_at }
    default:
      return { _tag: "Refused", reason: state, detail }
  }
}

const history = ({ [wire]: { workspace } }: WorkspaceHandle) => ({
  reports: mainAgents(workspace.latest_build)
    .flatMap((agent) => agent.apps)
    .flatMap((app) => app.statuses)
    .map((status): Task => ({
      ...status,
      state: shownName(status.state),
      message: withoutControls(status.message),
      uri: withoutControls(status.uri),
      created_at: timeOf(status.created_at),
      needs_user_attention: status.needs_user_attention ?? false
    }))
    .toSorted(newestFirst),
  unread: unread(leftOutOf(workspace).filter(({ kind }) => kind !== "metadata" && kind !== "latest_app_status"))
})

/** A message to an agent, as an entry of its history: its id is the message's, and no report's. */
const toTask =
  ({ [wire]: { app, workspace } }: FoundAgent) =>
  ({ content, id, time }: LogEntry): Task => {
    const slug = Option.getOrUndefined(app)?.slug
    const at = mainAgents(workspace.latest_build)
      .flatMap((agent) => agent.apps.map(({ id: app_id, slug: its }) => ({ agent_id: agent.id, app_id, its })))
      .find(({ its }) => its === slug)
    return {
      id: `message-${id}`,
      created_at: time,
      workspace_id: workspace.id,
      agent_id: at?.agent_id ?? "",
      app_id: at?.app_id ?? "",
      state: "task",
      message: content,
      uri: "",
      needs_user_attention: false
    }
  }

const millis = (time: DateTime.Utc | null): number => (time === null ? 0 : DateTime.toEpochMillis(time))

const newestFirst = (a: Task, b: Task): number => millis(b.created_at) - millis(a.created_at) || (a.id < b.id ? 1 : -1)

const toLogEntry = (message: Message): LogEntry => ({
  id: message.id,
  content: withoutControls(message.content),
  type: message.role === "user" ? "input" : "output",
  time: timeOf(message.time)
})

/** The prompt of that text among the messages after `before`. */
const sentIn = (messages: ReadonlyArray<Message>, before: number, text: string): Option.Option<Message> =>
  Option.fromNullable(
    messages.find(({ content, id, role }) => id > before && role === "user" && sameText(content, text))
  )

/** The agent has said something after that message: AgentAPI records what it types itself, whoever reads it. */
const isAnswered = (messages: ReadonlyArray<Message>, prompt: number): boolean =>
  messages.some(({ content, id, role }) => id > prompt && role !== "user" && content.trim() !== "")

/** AgentAPI trims what it is given, and a terminal may wrap it. */
const sameText = (a: string, b: string): boolean =>
  a.replaceAll(/\s+/g, " ").trim() === b.replaceAll(/\s+/g, " ").trim()
