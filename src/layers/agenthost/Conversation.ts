import { Schema, type Effect } from "effect"
import type { Message } from "../../schemas/agentapi/AgentApi.ts"

/** Nothing of it was stored, and nothing is there: the reason is that of the store. */
export class NotStored extends Schema.TaggedError<NotStored>()("NotStored", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}

/** How a turn ended: by itself, well or not; or it was interrupted. */
export const TurnState = Schema.Literal("complete", "failure", "interrupted")
export type TurnState = typeof TurnState.Type

/** What was said to one agent and by it: see `Transcript`. */
export interface Conversation {
  /** As AgentAPI lists it: also what came so late that it is not stored yet. */
  readonly messages: Effect.Effect<ReadonlyArray<Message>>
  readonly isEmpty: Effect.Effect<boolean>
  /** What the agent says before its first prompt. It is stored with what follows it. */
  readonly greet: (text: string) => Effect.Effect<void>
  /** A prompt, and the message that its answer is to stand in. Both are stored when this returns, or neither is there. */
  readonly beginTurn: (prompt: string) => Effect.Effect<void, NotStored>
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
