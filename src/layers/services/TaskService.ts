import { Context, Duration, Effect, Layer, Option } from "effect"
import type { LogEntry } from "../../schemas/Conversation.ts"
import type { LookupFailure } from "../../schemas/errors/Agent.ts"
import type { DeadlineExceeded } from "../../schemas/errors/Coder.ts"
import type { NextStep } from "../../schemas/errors/NextStep.ts"
import {
  AgentNotBusy,
  AgentNotIdle,
  DialogueNotRefusable,
  InterruptNotSupported,
  MessageNotFound,
  PageOutOfRange,
  type AgentRefused,
  type AgentUnreachable,
  type InvalidTask
} from "../../schemas/errors/Task.ts"
import type { Outcome } from "../../schemas/Outcome.ts"
import { pageCount, paginate, type Page, type PageRequest } from "../../schemas/Pagination.ts"
import type { Task } from "../../schemas/Task.ts"
import { AgentRepository, type FoundAgent } from "../repositories/AgentRepository.ts"
import type { Dialogue } from "../repositories/LiveState.ts"
import { TaskRepository } from "../repositories/TaskRepository.ts"
import { checkTask } from "./checkTask.ts"
import { changing, reading, sending } from "./deadlines.ts"
import { TaskLimits } from "./TaskLimits.ts"

export interface StartedTask {
  readonly agent_name: string
  /** The task as it was sent: without control characters. */
  readonly task_description: string
  readonly outcome: Outcome
  readonly message: string
  readonly next: ReadonlyArray<NextStep>
}

export interface CanceledTask {
  readonly agent_name: string
  readonly outcome: Outcome
  readonly message: string
  readonly next: ReadonlyArray<NextStep>
}

export interface TaskHistory extends Page<Task> {
  /** Why it holds no reports, or not all of them; else `""`. */
  readonly note: string
}

export type StartFailure =
  LookupFailure | InvalidTask | AgentNotIdle | AgentUnreachable | AgentRefused | DeadlineExceeded
export type CancelFailure =
  | LookupFailure
  | AgentNotBusy
  | DialogueNotRefusable
  | InterruptNotSupported
  | AgentUnreachable
  | AgentRefused
  | DeadlineExceeded
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
    /**
     * What the agent reported, as far as Coder shows it, newest first. Where it reported nothing since its latest start,
     * the tasks of its conversation.
     */
    readonly history: (agentName: string, page: PageRequest) => Effect.Effect<TaskHistory, HistoryFailure>
    /** The conversation, newest first. */
    readonly log: (agentName: string, request: LogRequest) => Effect.Effect<Page<LogEntry>, LogFailure>
  }
>() {
  static readonly layer: Layer.Layer<TaskService, never, AgentRepository | TaskRepository> = Layer.effect(
    this,
    Effect.gen(function* () {
      const agents = yield* AgentRepository
      const tasks = yield* TaskRepository

      const turns = new Map<string, { readonly permit: Effect.Semaphore; users: number }>()

      /** What is typed into one agent takes turns: each looks at what the one before it left on the screen. */
      const inTurn =
        (name: string) =>
        <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
          Effect.acquireUseRelease(
            Effect.sync(() => {
              const turn = turns.get(name) ?? { permit: Effect.unsafeMakeSemaphore(1), users: 0 }
              turn.users += 1
              turns.set(name, turn)
              return turn
            }),
            ({ permit }) => permit.withPermits(1)(effect),
            (turn) =>
              Effect.sync(() => {
                turn.users -= 1
                if (turn.users === 0) turns.delete(name)
              })
          )

      const start = Effect.fn("TaskService.start")(
        function* (name: string, task: string) {
          const text = yield* checkTask(task)
          const found = yield* Effect.flatMap(agents.locate(name), agents.attend)
          const { agent } = found
          // Without an app there is nobody to ask; sending says so.
          const nobody = Option.isNone(found.live) && ["app_status", "nothing"].includes(agent.evidence.source)
          if (!nobody && !Option.exists(found.live, ({ takesTask }) => takesTask)) {
            return yield* new AgentNotIdle({ ...agent, agent_name: agent.name })
          }
          const { send } = yield* tasks.prepareMessage(found, text)
          // Before, for who looks while it is settled; afterwards, for what was seen before it arrived.
          const outcome = yield* Effect.zipRight(agents.outdate(found), send).pipe(
            Effect.ensuring(agents.outdate(found)),
            sending(`start a task of ${name}`)
          )
          return {
            agent_name: agent.name,
            task_description: text,
            outcome,
            ...(outcome === "applied"
              ? {
                  message: "The task was seen in the agent's conversation, and the agent at work on it or its answer.",
                  next: []
                }
              : {
                  message:
                    "The task was sent once, but the agent was not seen at work on it: look before you send it again.",
                  next: ["read_log"] as const
                })
          }
        },
        (effect, name) => changing(`start a task of ${name}`)(inTurn(name.toLowerCase())(effect))
      )

      const interrupt = Effect.fn("TaskService.interrupt")(function* (found: FoundAgent) {
        const { cancel: time } = yield* TaskLimits
        const [arrived, idle] = yield* Effect.zip(
          tasks.interrupt(found),
          tasks.lookUntil(found, time, ({ live }) => Option.exists(live, ({ takesTask }) => takesTask))
        )
        const report = Option.isSome(idle) ? yield* tasks.reportSince(found) : Option.none()
        return {
          agent_name: found.agent.name,
          outcome: Option.isSome(idle) ? arrived : ("unknown" as const),
          ...toldOf(arrived, Option.isSome(idle), time, report)
        }
      })

      /** Refuses what a dialogue asks for: one Escape, which must be seen to have taken it away. */
      const refuse = Effect.fn("TaskService.refuse")(function* (found: FoundAgent, dialogue: Dialogue) {
        const { cancel: time } = yield* TaskLimits
        const arrived = yield* tasks.interrupt(found)
        let stood = false
        const gone = yield* tasks.lookUntil(found, time, (now) => {
          stood = Option.exists(now.live, (live) => live.dialogue?.text === dialogue.text)
          return Option.isSome(now.live) && !stood
        })
        // What was not looked at after the Escape may be as alive as before.
        const isOld = Option.isNone(gone) && stood && arrived === "applied" && !dialogue.certain
        if (isOld) yield* agents.takeForOld(found, dialogue)
        return {
          agent_name: found.agent.name,
          outcome: Option.isSome(gone) ? arrived : ("unknown" as const),
          ...Option.match(gone, {
            onNone: () => notGone(dialogue, time, stood, isOld),
            onSome: ({ agent }): Told => ({
              message: `One Escape was sent, and what its screen showed is gone: ${asked(dialogue)}. It is ${agent.status} now.`,
              next: agent.status === "idle" ? [] : ["look_at_agent"]
            })
          })
        }
      })

      const cancel = Effect.fn("TaskService.cancel")(
        function* (name: string) {
          const found = yield* Effect.flatMap(agents.locate(name), agents.attend)
          const { agent } = found
          const live = Option.getOrUndefined(found.live)
          const dialogue = live?.dialogue ?? null
          if (live === undefined || (agent.status !== "busy" && dialogue === null)) {
            return yield* new AgentNotBusy({ ...agent, agent_name: agent.name })
          }
          if (live.transport !== "pty") {
            return yield* new InterruptNotSupported({ agent_name: agent.name, transport: live.transport })
          }
          if (dialogue !== null && dialogue.escape !== "refuses") {
            return yield* new DialogueNotRefusable({
              agent_name: agent.name,
              dialogue: dialogue.kind,
              text: dialogue.text,
              ends_agent: dialogue.escape === "ends_agent"
            })
          }
          const press = dialogue === null ? interrupt(found) : refuse(found, dialogue)
          return yield* press.pipe(sending(`cancel the task of ${name}`))
        },
        (effect, name) => changing(`cancel the task of ${name}`)(inTurn(name.toLowerCase())(effect))
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

      return { start, cancel, history, log }
    })
  )
}

const noReport = "No report exists since the latest start."

/** What an interrupt came to, and what to do then. */
type Told = Pick<CanceledTask, "message" | "next">

const toldOf = (arrived: Outcome, idle: boolean, time: Duration.Duration, report: Option.Option<Task>): Told => {
  if (!idle) {
    return {
      message: `One interrupt was sent. The agent was not seen idle within ${Duration.toSeconds(time)} s. A restart would end its work for good.`,
      next: ["look_at_agent", "restart_agent"]
    }
  }
  const reported = Option.match(report, { onNone: () => "", onSome: ({ message }) => ` It reported: ${message}.` })
  return arrived === "applied"
    ? { message: `The interrupt arrived, and the agent was seen idle.${reported}`, next: [] }
    : {
        message: `One interrupt was sent, and no answer told whether it arrived. The agent was seen idle: interrupted, or done by itself.${reported}`,
        next: ["read_log"]
      }
}

const asked = ({ kind, text }: Dialogue): string => `(${kind}) ${text}`

const notGone = (dialogue: Dialogue, time: Duration.Duration, stood: boolean, isOld: boolean): Told => {
  const within = `within ${Duration.toSeconds(time)} s: ${asked(dialogue)}.`
  if (!stood) {
    return { message: `One Escape was sent, and what came of it was not seen ${within}`, next: ["look_at_agent"] }
  }
  const still = `One Escape was sent, and nothing moved ${within}`
  return isOld
    ? { message: `${still} It is taken for old: the next task is let through.`, next: ["start_task"] }
    : {
        message: `${still} The agent still waits for an answer, in its terminal.`,
        next: ["answer_agent", "restart_agent"]
      }
}

const pageOf = <A>(items: ReadonlyArray<A>, request: PageRequest): Effect.Effect<Page<A>, PageOutOfRange> => {
  const pages = pageCount(items.length, request.page_size)
  return request.page > pages
    ? Effect.fail(new PageOutOfRange({ page: request.page, pages }))
    : Effect.succeed(paginate(items, request))
}
