import { Schema } from "effect"

/** An entry of the task history: one report of the agent about its work (an app status). */
export const Task = Schema.Struct({
  id: Schema.String,
  /** Null where it cannot be read. */
  created_at: Schema.NullOr(Schema.DateTimeUtc),
  workspace_id: Schema.String,
  agent_id: Schema.String,
  app_id: Schema.String,
  state: Schema.String,
  message: Schema.String,
  uri: Schema.String,
  needs_user_attention: Schema.Boolean
})
export interface Task extends Schema.Schema.Type<typeof Task> {}

/**
 * Where the first task of a new agent stands: `in_build` (it travels in the prompt parameter of the build), `delivered`
 * (seen in the conversation), `not_delivered` (give it to the agent once it is idle), `unknown` (sent, and no read could tell).
 */
export const TaskDelivery = Schema.Literal("in_build", "delivered", "not_delivered", "unknown")
export type TaskDelivery = typeof TaskDelivery.Type
