import { Schema } from "effect"

/** A message of an agent's conversation: `input` was said to the agent, `output` by it. */
export class LogEntry extends Schema.Class<LogEntry>("fleet-mcp/schemas/LogEntry")({
  id: Schema.Number,
  content: Schema.String,
  type: Schema.Literal("input", "output"),
  time: Schema.DateTimeUtc
}) {}
