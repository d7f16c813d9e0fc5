import { HttpApiEndpoint, HttpApiSchema } from "@effect/platform"
import { Schema } from "effect"
import { Segment } from "../coder/Segment.ts"
import { KeyUse } from "../Idempotency.ts"

// What our own agent hosts offer beside AgentAPI, below `/fleet/`: AgentAPI of others answers 404 there, and its status
// says nothing of it.

/** How the queue of an agent stands, in short: part of the status, so that nobody has to ask twice. */
export const QueueStatus = Schema.Struct({
  /** Tasks that wait for their turn. */
  waiting: Schema.Number,
  /** Why none of them begins by itself; null where they go on. */
  held: Schema.NullOr(Schema.String)
})
export type QueueStatus = typeof QueueStatus.Type

/** A task that waits for its turn. */
export const QueuedTask = Schema.Struct({
  /** Counts up in an agent, and names no other task ever after. */
  id: Schema.Number,
  /** Its first line that says something, at most 160 bytes. */
  task: Schema.String,
  /** How long it is as a whole, in UTF-8. */
  bytes: Schema.Number,
  /** ISO 8601. */
  queued_at: Schema.String
})
export type QueuedTask = typeof QueuedTask.Type

/** The tasks that wait, in the order of their turns. */
export const TaskQueue = Schema.Struct({
  tasks: Schema.Array(QueuedTask),
  /** Why none of them begins by itself, and since when; null where they go on. */
  held: Schema.NullOr(Schema.Struct({ reason: Schema.String, at: Schema.String })),
  /** The id that was given last; 0 before the first. */
  last_id: Schema.Number,
  /** How many may wait. */
  limit: Schema.Number
})
export type TaskQueue = typeof TaskQueue.Type

/** The key under which the metadata of a workspace's resource holds a `TaskQueue` as JSON, where tasks wait. */
export const queueMetadataKey = "fleet_queue"

/**
 * What becomes of a task where the agent is at work: `reject` and `interrupt` refuse it, `queue` has it wait. With `reject` a
 * queue that is held stays so; `interrupt` comes before all that wait, which then go on; `queue` comes after them.
 */
export const WhenBusy = Schema.Literal("reject", "queue", "interrupt")
export type WhenBusy = typeof WhenBusy.Type

export const GiveTask = Schema.Struct({
  content: Schema.String,
  when_busy: WhenBusy,
  idempotency: Schema.optionalWith(KeyUse, { exact: true })
})
export type GiveTask = typeof GiveTask.Type

/** What became of a task: it has begun, or it waits, or nothing at all for the reason of that name. */
export const GivenState = Schema.Literal(
  "started",
  "queued",
  "busy",
  "full",
  "stopped",
  "empty",
  "forbidden",
  "not_stored",
  "key_reused"
)
export type GivenState = typeof GivenState.Type

export const GivenTask = Schema.Struct({
  state: GivenState,
  /** Its id where it waits. */
  task_id: Schema.NullOr(Schema.Number),
  /** How many wait before it. */
  ahead: Schema.Number,
  /** When the idempotency key was used for this: then nothing was done now. ISO 8601. */
  used_at: Schema.NullOr(Schema.String),
  /** The reason in words, where it was not taken. */
  detail: Schema.String
})
export type GivenTask = typeof GivenTask.Type

/** Whether the task was there to be removed, and how many wait still. */
export const RemovedTask = Schema.Struct({ removed: Schema.Boolean, waiting: Schema.Number })

export const queueEndpoint = HttpApiEndpoint.get("queue", "/fleet/v1/queue").addSuccess(TaskQueue)

export const giveEndpoint = HttpApiEndpoint.post("give", "/fleet/v1/tasks").setPayload(GiveTask).addSuccess(GivenTask)

export const removeEndpoint = HttpApiEndpoint.del(
  "removeQueued"
)`/fleet/v1/queue/${HttpApiSchema.param("task", Segment)}`.addSuccess(RemovedTask)
