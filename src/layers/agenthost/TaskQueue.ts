import { Data, Schema, type Effect, type Option } from "effect"
import type { QueuedTask, TaskQueue as QueueAnswer } from "../../schemas/agentapi/FleetExtension.ts"
import type { KeyUse } from "../../schemas/Idempotency.ts"
import type { NotStored } from "./NotStored.ts"

/** Why the tasks that wait do not begin by themselves: how the turn ended that was before them. */
export const HoldReason = Schema.Literal("failed", "interrupted")
export type HoldReason = typeof HoldReason.Type

/** Why, and since when (ISO 8601). */
export interface Hold {
  readonly reason: HoldReason
  readonly at: string
}

/** How a queue is stored. */
export interface QueueState extends Pick<QueueAnswer, "tasks" | "last_id"> {
  readonly held: Hold | null
}

/** What a key was used for, and when (ISO 8601). */
export interface UsedKey {
  readonly fingerprint: string
  readonly usedAt: string
  /** None where it was no task of this agent. */
  readonly task: Option.Option<{ readonly state: "started" | "queued"; readonly id: number | null }>
}

/** Somebody has used the key meanwhile. */
export class KeyTaken extends Data.TaggedError("KeyTaken")<{ readonly key: string }> {}

/** As many tasks wait as may. */
export class QueueFull extends Data.TaggedError("QueueFull")<{ readonly limit: number }> {}

/** A task that is to wait. */
export interface NewTask {
  readonly text: string
  readonly key?: KeyUse | undefined
  /** How many may wait with it. */
  readonly limit: number
}

/** The tasks of one agent that wait for their turn, as they are stored: each method is one commit. */
export interface TaskQueue {
  readonly state: Effect.Effect<QueueState, NotStored>
  /** Puts a task at the end, and has the queue go on. */
  readonly add: (task: NewTask) => Effect.Effect<QueuedTask, KeyTaken | NotStored | QueueFull>
  /** Takes a task out that waits; false where it does not. */
  readonly remove: (id: number) => Effect.Effect<boolean, NotStored>
  /** Notes that none begins by itself; where that is noted already, the older reason stays. */
  readonly hold: (reason: HoldReason) => Effect.Effect<void, NotStored>
  /** What a key was used for, if it was and is remembered. */
  readonly used: (key: string) => Effect.Effect<Option.Option<UsedKey>, NotStored>
}
