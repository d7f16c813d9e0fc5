import { Effect } from "effect"
import { InvalidTask } from "../../schemas/errors/Task.ts"
import { asPrompt, byteLength } from "../../schemas/Text.ts"
import { TaskLimits } from "./TaskLimits.ts"

/** The task as it may be sent: without control characters, not empty, not too large (UTF-8 bytes). */
export const checkTask = (task: string): Effect.Effect<string, InvalidTask> =>
  Effect.flatMap(TaskLimits, (limits) => {
    const text = asPrompt(task)
    const bytes = byteLength(text)
    const invalid = (reason: InvalidTask["reason"]) => new InvalidTask({ reason, bytes, max_bytes: limits.bytes })
    if (text.trim() === "") return Effect.fail(invalid("empty"))
    return bytes > limits.bytes ? Effect.fail(invalid("too_large")) : Effect.succeed(text)
  })
