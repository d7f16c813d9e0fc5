import { Context, Duration } from "effect"

/** How large a task may be, and how long it is waited for its end. */
export class TaskLimits extends Context.Reference<TaskLimits>()("fleet-mcp/layers/services/TaskLimits", {
  defaultValue: () => ({
    /** A task, in bytes of its UTF-8. */
    bytes: 256 * 1024,
    /** How long a cancel waits to see the agent idle, or a dialogue gone. */
    cancel: Duration.seconds(10)
  })
}) {}
