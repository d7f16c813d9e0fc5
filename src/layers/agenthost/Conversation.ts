import { Schema, type Effect, type Option } from "effect"
import type { Message } from "../../schemas/agentapi/AgentApi.ts"
import type { KeyUse } from "../../schemas/Idempotency.ts"
import type { NotStored } from "./NotStored.ts"
import type { KeyTaken, TaskQueue } from "./TaskQueue.ts"

/** How a turn ended: by itself, well or not; or it was interrupted. */
export const TurnState = Schema.Literal("complete", "failure", "interrupted")
export type TurnState = typeof TurnState.Type

/** What is stored with the beginning of a turn. */
export interface TurnBegin {
  /** A key that this turn uses. */
  readonly key?: KeyUse | undefined
  /** The tasks that wait go on after it; else a queue that is held stays so. Default false. */
  readonly goesOn?: boolean | undefined
}

/** What was said to one agent and by it, see `Transcript`, and the tasks that wait for their turn. */
export interface Conversation {
  /** As AgentAPI lists it: also what came so late that it is not stored yet. */
  readonly messages: Effect.Effect<ReadonlyArray<Message>>
  readonly isEmpty: Effect.Effect<boolean>
  /** What the agent says before its first prompt. It is stored with what follows it. */
  readonly greet: (text: string) => Effect.Effect<void>
  /** A prompt, and the message that its answer is to stand in. Both are stored when this returns, or neither is there. */
  readonly beginTurn: (prompt: string, more?: TurnBegin) => Effect.Effect<void, KeyTaken | NotStored>
  /** Begins the turn of the task that has waited longest, in one commit; none where none waits. */
  readonly beginNext: Effect.Effect<Option.Option<{ readonly id: number; readonly text: string }>, NotStored>
  readonly queue: TaskQueue
  /** More output of the agent, added to the last message. It is stored within a bounded time, where it can be. */
  readonly extend: (output: string) => Effect.Effect<void>
  /**
   * The end of a turn, with the last line of its message, which stays whatever else is left out. It is stored with all
   * output before it when this returns, unless the store goes on failing.
   */
  readonly endTurn: (state: TurnState, lastLine?: string) => Effect.Effect<void>
  /** Whoever opened it needs it no more. When nobody does, and all of it is stored, it takes no memory any more. */
  readonly close: Effect.Effect<void>
}
