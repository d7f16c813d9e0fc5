import { Schema } from "effect"

/** A task that waits for its turn. `task` is its first line that says something, `bytes` the length of all of it. */
export const QueuedTask = Schema.Struct({
  task_id: Schema.Number,
  task: Schema.String,
  bytes: Schema.Number,
  /** Null where it cannot be read. */
  queued_at: Schema.NullOr(Schema.DateTimeUtc)
})

/** The tasks of an agent that wait, in the order of their turns; `held` says why none begins by itself, if so. */
export const Queue = Schema.Struct({
  held: Schema.NullOr(Schema.String),
  tasks: Schema.Array(QueuedTask)
})
export interface Queue extends Schema.Schema.Type<typeof Queue> {}
