import { Effect, Schema } from "effect"
import type { WhenBusy } from "../../schemas/agentapi/FleetExtension.ts"
import type { KeyUse } from "../../schemas/Idempotency.ts"
import type { NotStored } from "./NotStored.ts"
import type { QueueFull } from "./TaskQueue.ts"

/** A task, and what is to become of it where the agent is at work. */
export interface TaskToGive {
  readonly text: string
  readonly whenBusy: WhenBusy
  readonly key?: KeyUse | undefined
}

/** What became of a task that was taken, now or when its key was used before. */
export interface Given {
  readonly state: "started" | "queued"
  /** Where it waits. */
  readonly id: number | null
  /** How many wait before it. */
  readonly ahead: number
  /** When the key was used (ISO 8601): nothing was done now. */
  readonly usedAt: string | null
}

/**
 * The prompt was not taken: it is empty, or its caller may not, or the agent is at work, or it was stopped, or too many wait,
 * or its key was used for something else, or it could not be stored, for a reason that `detail` tells.
 */
export class PromptRefused extends Schema.TaggedError<PromptRefused>()("PromptRefused", {
  reason: Schema.Literal("empty", "busy", "stopped", "full", "key_reused", "not_stored", "forbidden"),
  detail: Schema.optionalWith(Schema.String, { exact: true })
}) {
  override get message() {
    if (this.reason === "forbidden") return this.detail ?? "this caller may not prompt it"
    if (this.reason === "empty") return "message must not be empty"
    // AgentAPI's words (recording: agentapi.json).
    if (this.reason === "busy") return "message can only be sent when the agent is waiting for user input"
    return this.reason === "stopped" ? "the agent was stopped" : (this.detail ?? "it could not be stored")
  }
}

export const notStored = ({ message }: NotStored): Effect.Effect<never, PromptRefused> =>
  new PromptRefused({ reason: "not_stored", detail: message })

export const keyReused = (): Effect.Effect<never, PromptRefused> =>
  new PromptRefused({ reason: "key_reused", detail: "the key was used for something else" })

export const full = ({ limit }: QueueFull): Effect.Effect<never, PromptRefused> =>
  new PromptRefused({ reason: "full", detail: `${limit} tasks wait already` })
