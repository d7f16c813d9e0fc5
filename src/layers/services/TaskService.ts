import { Context, Effect, Layer, Option } from "effect"
import type { LogEntry } from "../../schemas/Conversation.ts"
import type { LookupFailure } from "../../schemas/errors/Agent.ts"
import type { DeadlineExceeded } from "../../schemas/errors/Coder.ts"
import { MessageNotFound, PageOutOfRange, type AgentUnreachable } from "../../schemas/errors/Task.ts"
import { pageCount, paginate, type Page, type PageRequest } from "../../schemas/Pagination.ts"
import type { Task } from "../../schemas/Task.ts"
import { AgentRepository, type FoundAgent } from "../repositories/AgentRepository.ts"
import type { IdempotencyKeys } from "../repositories/IdempotencyKeys.ts"
import { TaskRepository } from "../repositories/TaskRepository.ts"
import { makeCancelTask, type CanceledTask, type CancelFailure } from "./CancelTask.ts"
import { changing, reading, sending } from "./deadlines.ts"
import { makeTurns } from "./InTurn.ts"
import { makeStartTask, type GiveFailure, type GiveOptions, type StartedTask, type StartFailure } from "./StartTask.ts"

export interface TaskHistory extends Page<Task> {
  /** Why it holds no reports, or not all of them; else `""`. */
  readonly note: string
}

export type HistoryFailure = LookupFailure | PageOutOfRange | DeadlineExceeded
export type LogFailure = LookupFailure | AgentUnreachable | PageOutOfRange | MessageNotFound | DeadlineExceeded

/** Which part of a conversation: a page, or the page of one message on which the message of that id stands. */
export type LogRequest = PageRequest | { readonly message_id: number }

/** What agents are told to do, what they report, and what was said. */
export class TaskService extends Context.Tag("fleet-mcp/layers/services/TaskService")<
  TaskService,
  {
    /** Gives an idle agent a task. */
    readonly start: (agentName: string, task: string) => Effect.Effect<StartedTask, StartFailure>
    /** The same for any agent that is up: the options say what is to become of the task where it is at work. */
    readonly give: (agentName: string, task: string, options: GiveOptions) => Effect.Effect<StartedTask, GiveFailure>
    /**
     * Interrupts the work of an agent; tasks that wait are held then. With the id of one of these, that is taken out
     * instead.
     */
    readonly cancel: (agentName: string, taskId?: number) => Effect.Effect<CanceledTask, CancelFailure>
    /**
     * What the agent reported, as far as Coder shows it, newest first. Where it reported nothing since its latest start,
     * the tasks of its conversation.
     */
    readonly history: (agentName: string, page: PageRequest) => Effect.Effect<TaskHistory, HistoryFailure>
    /** The conversation, newest first. */
    readonly log: (agentName: string, request: LogRequest) => Effect.Effect<Page<LogEntry>, LogFailure>
  }
>() {
  static readonly layer: Layer.Layer<TaskService, never, AgentRepository | IdempotencyKeys | TaskRepository> =
    Layer.effect(
      this,
      Effect.gen(function* () {
        const agents = yield* AgentRepository
        const tasks = yield* TaskRepository

        /** What is typed into one agent takes turns: each looks at what the one before it left on the screen. */
        const inTurn = yield* makeTurns
        const canceling = yield* makeCancelTask
        const starting = yield* makeStartTask(canceling)
        const changesTask =
          (name: string) =>
          <A, E>(effect: Effect.Effect<A, E>) =>
            changing(`start a task of ${name}`)(inTurn(name.toLowerCase())(effect))

        const start = (name: string, task: string): Effect.Effect<StartedTask, StartFailure> =>
          changesTask(name)(starting.start(name, task))

        const give = (name: string, task: string, options: GiveOptions): Effect.Effect<StartedTask, GiveFailure> =>
          changesTask(name)(starting.give(name, task, options))

        const cancel = Effect.fn("TaskService.cancel")(
          function* (name: string, taskId?: number) {
            const found = yield* Effect.flatMap(agents.locate(name), agents.attend)
            const toCancel = sending(`cancel the task of ${name}`)
            if (taskId !== undefined) return yield* toCancel(canceling.remove(found, taskId))
            return yield* toCancel((yield* canceling.prepare(found)).press)
          },
          (effect, name): Effect.Effect<CanceledTask, CancelFailure> =>
            changing(`cancel the task of ${name}`)(inTurn(name.toLowerCase())(effect))
        )

        const history = Effect.fn("TaskService.history")(
          function* (name: string, page: PageRequest) {
            const located = yield* agents.locate(name)
            const { reports, unread } = tasks.history(located)
            const missing = unread === "" ? "" : `Reports may be missing, for this could not be read: ${unread}.`
            if (reports.length > 0) return { ...(yield* pageOf(reports, page)), note: missing }
            const found = yield* agents.look(located)
            const { given, note } = yield* givenTasks(found, missing === "" ? noReport : missing)
            return { ...(yield* pageOf(given, page)), note }
          },
          (effect, name) => reading(`read the task history of ${name}`)(effect)
        )

        /** The tasks of the conversation, for an agent without reports, and why they are told. */
        const givenTasks = (found: FoundAgent, noReports: string) =>
          (Option.isNone(found.live)
            ? Effect.fail(`the agent is ${found.agent.status} (${found.agent.evidence.detail})`)
            : Effect.mapError(tasks.given(found), ({ message }) => message)
          ).pipe(
            Effect.match({
              onFailure: (why) => ({
                given: [],
                note: `${noReports} The conversation cannot be read: ${why}`
              }),
              onSuccess: (given) => ({
                given,
                note: `${noReports} These are the tasks of the conversation.`
              })
            })
          )

        const log = Effect.fn("TaskService.log")(
          function* (name: string, request: LogRequest) {
            const found = yield* agents.find(name)
            const messages = yield* tasks.log(found)
            if (!("message_id" in request)) return yield* pageOf(messages, request)
            const { message_id } = request
            const index = messages.findIndex(({ id }) => id === message_id)
            if (index >= 0) return paginate(messages, { page: index + 1, page_size: 1 })
            const [newest, oldest] = [messages[0]?.id ?? null, messages.at(-1)?.id ?? null]
            return yield* new MessageNotFound({ agent_name: found.agent.name, message_id, oldest, newest })
          },
          (effect, name) => reading(`read the log of ${name}`)(effect)
        )

        return { start, give, cancel, history, log }
      })
    )
}

const noReport = "No report exists since the latest start."

const pageOf = <A>(items: ReadonlyArray<A>, request: PageRequest): Effect.Effect<Page<A>, PageOutOfRange> => {
  const pages = pageCount(items.length, request.page_size)
  return request.page > pages
    ? Effect.fail(new PageOutOfRange({ page: request.page, pages }))
    : Effect.succeed(paginate(items, request))
}
