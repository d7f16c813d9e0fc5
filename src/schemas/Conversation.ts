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

/** A message in an answer. One that is not whole says how long it is, where what is shown begins, and where it goes on. */
export const ShownEntry = Schema.Struct({
  ...LogEntry.fields,
  characters: Schema.optionalWith(Schema.Number, { exact: true }),
  offset: Schema.optionalWith(Schema.Number, { exact: true }),
  next_offset: Schema.optionalWith(Schema.Number, { exact: true })
})
