import { Context, DateTime, Duration, Effect, Layer, Option } from "effect"
import type { LogEntry } from "../../schemas/Conversation.ts"
import type { LookupFailure } from "../../schemas/errors/Agent.ts"
import type { DeadlineExceeded } from "../../schemas/errors/Coder.ts"
import {
  AgentNotBusy,
  AgentNotIdle,
  AgentUnreachable,
  InterruptNotSupported,
  MessageNotFound,
  PageOutOfRange,
  type AgentRefused,
  type InvalidTask
} from "../../schemas/errors/Task.ts"
import type { Outcome } from "../../schemas/Outcome.ts"
import { pageCount, paginate, type Page, type PageRequest } from "../../schemas/Pagination.ts"
import type { Task } from "../../schemas/Task.ts"
import type { AgentApp } from "../../schemas/agentapi/AgentApi.ts"
import { lookUntil } from "../time/Deadline.ts"
import { Limits } from "../config/Limits.ts"
import { AgentRepository, type FoundAgent } from "../repositories/AgentRepository.ts"
import { probedState } from "../repositories/AgentState.ts"
import { TaskRepository } from "../repositories/TaskRepository.ts"
import { checkTask } from "./checkTask.ts"
import { changing, reading, sending } from "./deadlines.ts"

export interface StartedTask {
  readonly agent_name: string
  /** The task as it was sent: without control characters. */
  readonly task_description: string
  readonly outcome: Outcome
  readonly message: string
}

export interface CanceledTask {
  readonly agent_name: string
  readonly outcome: Outcome
  readonly message: string
}

export type StartFailure =
  LookupFailure | InvalidTask | AgentNotIdle | AgentUnreachable | AgentRefused | DeadlineExceeded
export type CancelFailure =
  LookupFailure | AgentNotBusy | InterruptNotSupported | AgentUnreachable | AgentRefused | DeadlineExceeded
export type HistoryFailure = LookupFailure | PageOutOfRange | DeadlineExceeded
export type LogFailure = LookupFailure | AgentUnreachable | PageOutOfRange | MessageNotFound | DeadlineExceeded

/** Which part of a conversation: a page, or the page of one message on which the message of that id stands. */
export type LogRequest = PageRequest | { readonly message_id: number }

/** What agents are told to do, what they report, and what was said. */
export class TaskService extends Context.Tag("fleet-mcp/layers/services/TaskService")<
  TaskService,
  {
    readonly start: (agentName: string, task: string) => Effect.Effect<StartedTask, StartFailure>
    readonly cancel: (agentName: string) => Effect.Effect<CanceledTask, CancelFailure>
    /** What the agent reported, as far as Coder shows it, newest first. */
    readonly history: (agentName: string, page: PageRequest) => Effect.Effect<Page<Task>, HistoryFailure>
    /** The conversation, newest first. */
    readonly log: (agentName: string, request: LogRequest) => Effect.Effect<Page<LogEntry>, LogFailure>
  }
>() {
  static readonly layer: Layer.Layer<TaskService, never, AgentRepository | TaskRepository> = Layer.effect(
    this,
    Effect.gen(function* () {
      const agents = yield* AgentRepository
      const tasks = yield* TaskRepository

      const appOf = ({ agent, app }: FoundAgent): Effect.Effect<AgentApp, AgentUnreachable> =>
        Effect.mapError(
          app,
          () =>
            new AgentUnreachable({
              agent_name: agent.name,
              reason: `it shows no AgentAPI app (status ${agent.status}: ${agent.evidence.detail})`
            })
        )

      /** What AgentAPI itself says just now: reports lag behind, and before a key is pressed it must be certain. */
      const ask = (app: AgentApp) =>
        Effect.flatMap(tasks.status(app), (answer) =>
          Effect.map(DateTime.now, (now) => ({ ...probedState(answer, now), transport: answer.transport ?? "pty" }))
        )

      const start = Effect.fn("TaskService.start")(
        function* (name: string, task: string) {
          const text = yield* checkTask(task)
          const found = yield* agents.find(name)
          const { agent } = found
          if (agent.status !== "idle" && agent.status !== "unknown")
            return yield* new AgentNotIdle({ ...agent, agent_name: agent.name })
          const app = yield* appOf(found)
          const { evidence, status } = yield* ask(app)
          if (status !== "idle") return yield* new AgentNotIdle({ agent_name: agent.name, status, evidence })
          const { send } = yield* tasks.prepareMessage(app, text)
          const outcome = yield* send.pipe(sending(`start a task of ${name}`))
          return {
            agent_name: agent.name,
            task_description: text,
            outcome,
            message:
              outcome === "applied"
                ? "The task was seen in the agent's conversation."
                : "The task was sent once, but not seen in the conversation. Call show_agent_log before you send it again."
          }
        },
        (effect, name) => changing(`start a task of ${name}`)(effect)
      )

      /** Asks until the agent is seen idle, or the time is up. */
      const seenIdle = (app: AgentApp) =>
        lookUntil(
          Limits.cancelWait,
          Effect.map(
            Effect.option(ask(app)),
            Option.filter(({ status }) => status === "idle")
          )
        ).pipe(Effect.map(Option.isSome))

      const cancel = Effect.fn("TaskService.cancel")(
        function* (name: string) {
          const found = yield* agents.find(name)
          const { agent } = found
          if (!reachable.has(agent.status)) return yield* new AgentNotBusy({ ...agent, agent_name: agent.name })
          const app = yield* appOf(found)
          const { evidence, status, transport } = yield* ask(app)
          if (status !== "busy") return yield* new AgentNotBusy({ agent_name: agent.name, status, evidence })
          if (transport !== "pty") return yield* new InterruptNotSupported({ agent_name: agent.name, transport })
          const [arrived, idle] = yield* Effect.zip(tasks.interrupt(app), seenIdle(app)).pipe(
            sending(`cancel the task of ${name}`)
          )
          return {
            agent_name: agent.name,
            outcome: idle ? arrived : ("unknown" as const),
            message: toldOf(arrived, idle)
          }
        },
        (effect, name) => changing(`cancel the task of ${name}`)(effect)
      )

      const history = Effect.fn("TaskService.history")(
        function* (name: string, page: PageRequest) {
          const { workspace } = yield* agents.find(name)
          return yield* pageOf(tasks.history(workspace), page)
        },
        (effect, name) => reading(`read the task history of ${name}`)(effect)
      )

      const log = Effect.fn("TaskService.log")(
        function* (name: string, request: LogRequest) {
          const found = yield* agents.find(name)
          const messages = yield* Effect.flatMap(appOf(found), tasks.log)
          if (!("message_id" in request)) return yield* pageOf(messages, request)
          const { message_id } = request
          const index = messages.findIndex(({ id }) => id === message_id)
          if (index >= 0) return paginate(messages, { page: index + 1, page_size: 1 })
          const [newest, oldest] = [messages[0]?.id ?? null, messages.at(-1)?.id ?? null]
          return yield* new MessageNotFound({ agent_name: found.agent.name, message_id, oldest, newest })
        },
        (effect, name) => reading(`read the log of ${name}`)(effect)
      )

      return { start, cancel, history, log }
    })
  )
}

const toldOf = (arrived: Outcome, idle: boolean): string => {
  if (!idle) {
    return `One interrupt was sent. The agent was not seen idle within ${Duration.toSeconds(Limits.cancelWait)} s. Call show_agent to look again, or restart_agent to stop its work for good.`
  }
  return arrived === "applied"
    ? "The agent was interrupted, and was seen idle."
    : "One interrupt was sent, and no answer told whether it arrived. The agent was seen idle: interrupted, or done by itself. Call show_agent_log to see which."
}

/** Statuses in which AgentAPI can be asked whether there is something to cancel. */
const reachable = new Set(["idle", "busy", "waiting", "unknown"])

const pageOf = <A>(items: ReadonlyArray<A>, request: PageRequest): Effect.Effect<Page<A>, PageOutOfRange> => {
  const pages = pageCount(items.length, request.page_size)
  return request.page > pages
    ? Effect.fail(new PageOutOfRange({ page: request.page, pages }))
    : Effect.succeed(paginate(items, request))
}
