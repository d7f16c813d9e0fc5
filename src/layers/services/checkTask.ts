import { Effect } from "effect"
import { InvalidTask } from "../../schemas/errors/Task.ts"
import { asPrompt } from "../../schemas/Text.ts"
import { Limits } from "../config/Limits.ts"

/** The task as it may be sent: without control characters, not empty, not too large (UTF-8 bytes). */
export const checkTask = (task: string): Effect.Effect<string, InvalidTask> => {
  const text = asPrompt(task)
  const bytes = new TextEncoder().encode(text).length
  const invalid = (reason: InvalidTask["reason"]) => new InvalidTask({ reason, bytes, max_bytes: Limits.taskBytes })
  if (text.trim() === "") return Effect.fail(invalid("empty"))
  return bytes > Limits.taskBytes ? Effect.fail(invalid("too_large")) : Effect.succeed(text)
}
