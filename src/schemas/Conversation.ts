import { Schema } from "effect"

/** A message of an agent's conversation: `input` was said to the agent, `output` by it. */
export const LogEntry = Schema.Struct({
  id: Schema.Number,
  content: Schema.String,
  type: Schema.Literal("input", "output"),
  /** Null where it cannot be read. */
  time: Schema.NullOr(Schema.DateTimeUtc)
})
export interface LogEntry extends Schema.Schema.Type<typeof LogEntry> {}
