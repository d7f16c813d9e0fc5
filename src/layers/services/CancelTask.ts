import { Duration, Effect, Option } from "effect"
import type { LookupFailure } from "../../schemas/errors/Agent.ts"
import type { DeadlineExceeded } from "../../schemas/errors/Coder.ts"
import type { NextStep } from "../../schemas/errors/NextStep.ts"
import type { Task } from "../../schemas/Task.ts"
import { TaskNotQueued, type QueueNotSupported } from "../../schemas/errors/Queue.ts"
import {
  AgentNotBusy,
  DialogueNotRefusable,
  InterruptNotSupported,
  type AgentRefused,
  type AgentUnreachable
} from "../../schemas/errors/Task.ts"
import type { Outcome } from "../../schemas/Outcome.ts"
import { AgentRepository, type FoundAgent } from "../repositories/AgentRepository.ts"
import type { Dialogue } from "../repositories/LiveState.ts"
import { TaskRepository } from "../repositories/TaskRepository.ts"
import { TaskLimits } from "./TaskLimits.ts"

export interface CanceledTask {
  readonly agent_name: string
  readonly outcome: Outcome
  readonly message: string
  readonly next: ReadonlyArray<NextStep>
}

/** Why the work of an agent cannot be interrupted; nothing was sent. */
export type NotInterruptible = AgentNotBusy | DialogueNotRefusable | InterruptNotSupported

export type CancelFailure =
  | LookupFailure
  | NotInterruptible
  | QueueNotSupported
  | TaskNotQueued
  | AgentUnreachable
  | AgentRefused
  | DeadlineExceeded

/** How the work of an agent, or a task that waits, is taken from it. */
export const makeCancelTask = Effect.gen(function* () {
  const agents = yield* AgentRepository
  const tasks = yield* TaskRepository

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
      ...toldOf(arrived, idle, time, report)
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

  /** Looks whether the agent can be interrupted; answers the effect that does it, once, and waits to see it idle. */
  const prepare = (found: FoundAgent) =>
    Effect.gen(function* () {
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
      return { press: dialogue === null ? interrupt(found) : refuse(found, dialogue) }
    })

  /** Takes a task out that waits. */
  const remove = Effect.fn("TaskService.remove")(function* (found: FoundAgent, task_id: number) {
    const agent_name = found.agent.name
    const { outcome, waiting } = yield* tasks.removeQueued(found, task_id)
    if (outcome === "not_applied") return yield* new TaskNotQueued({ agent_name, task_id })
    return {
      agent_name,
      outcome,
      ...(outcome === "applied"
        ? {
            message: `Task ${task_id} was taken out of the queue, and will not begin; ${waiting === 0 ? "none waits" : `${waiting} wait`} now.`,
            next: []
          }
        : {
            message: `No answer told whether task ${task_id} was taken out of the queue.`,
            next: ["look_at_agent"] as const
          })
    } satisfies CanceledTask
  })

  return { prepare, remove }
})

/** What an interrupt came to, and what to do then. */
type Told = Pick<CanceledTask, "message" | "next">

const toldOf = (
  arrived: Outcome,
  idle: Option.Option<FoundAgent>,
  time: Duration.Duration,
  report: Option.Option<Task>
): Told => {
  if (Option.isNone(idle)) {
    return {
      message: `One interrupt was sent. The agent was not seen idle within ${Duration.toSeconds(time)} s. A restart would end its work for good.`,
      next: ["look_at_agent", "restart_agent"]
    }
  }
  const reported = Option.match(report, { onNone: () => "", onSome: ({ message }) => ` It reported: ${message}.` })
  const held = heldText(idle.value)
  const next = held === "" ? [] : (["let_queue_go_on"] as const)
  return arrived === "applied"
    ? { message: `The interrupt arrived, and the agent was seen idle.${reported}${held}`, next }
    : {
        message: `One interrupt was sent, and no answer told whether it arrived. The agent was seen idle: interrupted, or done by itself.${reported}${held}`,
        next: ["read_log", ...next]
      }
}

/** A stop that stops: what waits does not begin by itself. */
const heldText = ({ live }: FoundAgent): string => {
  const queue = Option.getOrUndefined(live)?.queue ?? null
  if (queue === null) return ""
  return queue.waiting === 1
    ? " The task that waits is kept, and does not begin by itself."
    : ` The ${queue.waiting} tasks that wait are kept, and do not begin by themselves.`
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
