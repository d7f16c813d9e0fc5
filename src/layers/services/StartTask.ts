import { Effect, Option } from "effect"
import type { LookupFailure } from "../../schemas/errors/Agent.ts"
import type { DeadlineExceeded } from "../../schemas/errors/Coder.ts"
import { IdempotencyKeyReused, IdempotencyNotSupported } from "../../schemas/errors/Idempotency.ts"
import type { NextStep } from "../../schemas/errors/NextStep.ts"
import { QueueFull, StartIncomplete, type QueueNotSupported } from "../../schemas/errors/Queue.ts"
import { AgentNotIdle, AgentRefused, type AgentUnreachable, type InvalidTask } from "../../schemas/errors/Task.ts"
import type { KeyUse } from "../../schemas/Idempotency.ts"
import type { Outcome } from "../../schemas/Outcome.ts"
import { AgentRepository, type FoundAgent } from "../repositories/AgentRepository.ts"
import { toSeconds, type Used } from "../repositories/IdempotencyKeys.ts"
import { TaskRepository, type GivenTask } from "../repositories/TaskRepository.ts"
import type { makeCancelTask, NotInterruptible } from "./CancelTask.ts"
import { checkTask } from "./checkTask.ts"
import { sending, tookEffect } from "./deadlines.ts"
import { doneBefore, makeOnce } from "./Once.ts"

export interface GiveOptions {
  /**
   * What is to become of the task where the agent is at work: `reject` refuses it (default); `queue` has it wait for its
   * turn; `interrupt` cancels that work, and starts the task once the agent was seen idle. Where the agent is idle it begins
   * at once; with `reject` tasks that are held stay so, with `queue` they come before it, with `interrupt` after it.
   */
  readonly whenBusy?: WhenBusy | undefined
  /** Names this act: whoever comes with it again within 24 hours is told what came of it. */
  readonly idempotencyKey?: string | undefined
}

export type WhenBusy = "reject" | "queue" | "interrupt"

export interface StartedTask {
  readonly agent_name: string
  /** The task as it was sent: without control characters. */
  readonly task_description: string
  readonly outcome: Outcome
  readonly message: string
  readonly next: ReadonlyArray<NextStep>
  /** Of a task that waits. */
  readonly task_id?: number
}

export type StartFailure =
  LookupFailure | InvalidTask | AgentNotIdle | AgentUnreachable | AgentRefused | DeadlineExceeded
export type GiveFailure =
  | StartFailure
  | NotInterruptible
  | QueueNotSupported
  | QueueFull
  | StartIncomplete
  | IdempotencyKeyReused
  | IdempotencyNotSupported

type Sent = Omit<StartedTask, "agent_name" | "task_description">

interface TaskToSend {
  readonly text: string
  readonly whenBusy: WhenBusy
  readonly key: KeyUse | undefined
}

/** What is looked at before anything is sent, and the effect that sends. */
type Prepared<E> = Effect.Effect<Effect.Effect<Sent, E>, E>

/** What `TaskService.start` and `TaskService.give` do. */
export const makeStartTask = ({ prepare: prepareCancel }: Effect.Effect.Success<typeof makeCancelTask>) =>
  Effect.gen(function* () {
    const agents = yield* AgentRepository
    const tasks = yield* TaskRepository
    const once = yield* makeOnce

    /** What the agent is asked before and after a task is sent to it says nothing of how it stands. */
    const outdating = <A, E>(found: FoundAgent, send: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      // Before, for who looks while it is settled; afterwards, for what was seen before it arrived.
      Effect.zipRight(agents.outdate(found), send).pipe(Effect.ensuring(agents.outdate(found)))

    const asMessage = (found: FoundAgent, text: string) =>
      Effect.map(tasks.prepareMessage(found, text), ({ send }) =>
        Effect.map(outdating(found, send), (outcome): Sent => messageSent(outcome, found))
      )

    const asTask = (found: FoundAgent, { key, text, whenBusy }: TaskToSend) => {
      const idempotency = key === undefined ? {} : { idempotency: key }
      return tasks.prepareTask(found, { content: text, when_busy: whenBusy, ...idempotency }).pipe(
        Effect.map(({ send }) => Effect.flatMap(outdating(found, send), (given) => taskSent(given, found))),
        Effect.mapError((error) => (error._tag === "QueueNotSupported" && key !== undefined ? unsupported() : error))
      )
    }

    /** Without a queue nothing waits either. */
    const atOnce = (found: FoundAgent, task: TaskToSend) =>
      Effect.catchTag(asTask(found, task), "QueueNotSupported", () => asMessage(found, task.text))

    const interrupted = (found: FoundAgent, task: TaskToSend) =>
      Effect.map(prepareCancel(found), ({ press }) => {
        const incomplete =
          (outcome: Outcome) =>
          ({ message, next }: { readonly message: string; readonly next: ReadonlyArray<NextStep> }) =>
            new StartIncomplete({ agent_name: found.agent.name, reason: message, next, outcome })
        return Effect.gen(function* () {
          const canceled = yield* press
          if (canceled.outcome === "applied") yield* tookEffect
          const now = yield* Effect.mapError(agents.attend(found), incomplete(canceled.outcome))
          if (!takesTask(now)) return yield* incomplete(canceled.outcome)(canceled)
          const send = yield* Effect.mapError(atOnce(now, task), incomplete(canceled.outcome))
          const sent = yield* Effect.mapError(send, incomplete(canceled.outcome))
          return { ...sent, message: `What it was at work on was interrupted. ${sent.message}` }
        })
      })

    const prepareStart = (found: FoundAgent, text: string): Prepared<StartFailure> =>
      takesTask(found) ? asMessage(found, text) : notIdle(found)

    const prepareGive = (found: FoundAgent, task: TaskToSend): Prepared<GiveFailure> =>
      Effect.gen(function* (): Effect.fn.Return<Effect.Effect<Sent, GiveFailure>, GiveFailure> {
        const { key, text, whenBusy } = task
        if (whenBusy === "queue" && (Option.isSome(found.live) || isUnasked(found))) return yield* asTask(found, task)
        if (takesTask(found)) {
          return yield* whenBusy === "reject" && key === undefined ? asMessage(found, text) : atOnce(found, task)
        }
        if (whenBusy !== "interrupt") return yield* notIdle(found)
        // Nothing is interrupted for what cannot follow.
        if (key !== undefined) yield* asTask(found, task)
        return yield* Effect.catchTag(interrupted(found, task), "AgentNotBusy", () => notIdle(found))
      })

    const starting = <E>(name: string, task: string, prepare: (found: FoundAgent, text: string) => Prepared<E>) =>
      Effect.gen(function* () {
        const text = yield* checkTask(task)
        const found = yield* Effect.flatMap(agents.locate(name), agents.attend)
        const send = yield* prepare(found, text)
        const sent = yield* send.pipe(sending(`start a task of ${name}`))
        return { agent_name: found.agent.name, task_description: text, ...sent } satisfies StartedTask
      })

    return {
      start: Effect.fn("TaskService.start")((name: string, task: string) => starting(name, task, prepareStart)),
      give: Effect.fn("TaskService.give")((name: string, task: string, options: GiveOptions) => {
        const { idempotencyKey, whenBusy = "reject" } = options
        return once<StartedTask, GiveFailure>({
          key: idempotencyKey,
          act: "start_agent_task",
          args: { agent_name: name.toLowerCase(), task, when_busy: whenBusy },
          fresh: (keyed) =>
            starting(name, task, (found, text) => prepareGive(found, { text, whenBusy, key: keyed?.use })),
          replay: (used) => Effect.map(checkTask(task), (text) => givenBefore(name, text, used))
        })
      })
    }
  })

const unsupported = () =>
  new IdempotencyNotSupported({
    reason:
      "the agent's AgentAPI is none of ours, and its conversation does not tell one task from another of the same words"
  })

/** A task that was given before. */
const givenBefore = (agent_name: string, task_description: string, { task, usedAt }: Used): StartedTask => {
  const was =
    task?.state === "queued" ? `The task was put into the queue as task ${task.id}.` : "The agent has begun the task."
  return {
    agent_name,
    task_description,
    outcome: "applied",
    message: `${was}${doneBefore(usedAt)}`,
    next: ["look_at_agent"],
    ...(task === null || task.id === null ? {} : { task_id: task.id })
  }
}

const notIdle = ({ agent }: FoundAgent) => new AgentNotIdle({ ...agent, agent_name: agent.name })

/** Without an app there is nobody to ask; sending says so. */
const isUnasked = ({ agent, live }: FoundAgent): boolean =>
  Option.isNone(live) && ["app_status", "nothing"].includes(agent.evidence.source)

const takesTask = (found: FoundAgent): boolean =>
  isUnasked(found) || Option.exists(found.live, (live) => live.takesTask)

/** What a task that began alone leaves where it is. */
const stillHeld = ({ live }: FoundAgent): Pick<Sent, "message" | "next"> => {
  const waiting = Option.getOrUndefined(live)?.queue?.waiting ?? 0
  if (waiting === 0) return { message: "", next: [] }
  const message = waiting === 1 ? " One queued task stays held." : ` ${waiting} queued tasks stay held.`
  return { message, next: ["let_queue_go_on"] }
}

const messageSent = (outcome: Outcome, found: FoundAgent): Sent => {
  const held = stillHeld(found)
  return outcome === "applied"
    ? {
        outcome,
        message: `The task was seen in the agent's conversation, and the agent at work on it or its answer.${held.message}`,
        next: held.next
      }
    : { outcome, message: notSeen, next: ["read_log"] }
}

const notSeen = "The task was sent once, but the agent was not seen at work on it: look before you send it again."

const taskSent = (
  given: GivenTask,
  { agent }: FoundAgent
): Effect.Effect<Sent, AgentNotIdle | AgentRefused | IdempotencyKeyReused | QueueFull> => {
  const agent_name = agent.name
  switch (given._tag) {
    case "Started":
      return Effect.succeed({ outcome: "applied", message: `The agent has begun the task.${again(given)}`, next: [] })
    case "Queued":
      return Effect.succeed({
        outcome: "applied",
        message: `${queuedText(given)}${again(given)}`,
        next: [],
        task_id: given.id
      })
    case "Unknown":
      return Effect.succeed({ outcome: "unknown", message: notSeen, next: ["look_at_agent", "read_log"] })
    case "Refused":
      return refused(given, agent_name, agent)
  }
}

const again = ({ usedAt }: { readonly usedAt: string | null }): string =>
  usedAt === null ? "" : doneBefore(toSeconds(usedAt))

const queuedText = ({ ahead, id }: Extract<GivenTask, { readonly _tag: "Queued" }>): string => {
  const before = ahead === 0 ? "it is the next" : `${ahead} ${ahead === 1 ? "waits" : "wait"} before it`
  return `The task waits for its turn as task ${id}: ${before}. It begins when the one before it has ended well.`
}

const refused = (
  { detail, reason }: Extract<GivenTask, { readonly _tag: "Refused" }>,
  agent_name: string,
  agent: FoundAgent["agent"]
) => {
  if (reason === "key_reused") return new IdempotencyKeyReused({ used_at: null })
  if (reason === "full") return new QueueFull({ agent_name, reason: detail })
  if (reason === "busy") return new AgentNotIdle({ ...agent, status: "busy", agent_name })
  return new AgentRefused({ agent_name, reason: detail })
}
