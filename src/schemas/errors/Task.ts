import { Schema } from "effect"
import { AgentStatus, Evidence } from "../Agent.ts"

/** The task says nothing, or too much. Sizes are UTF-8 bytes. */
export class InvalidTask extends Schema.TaggedError<InvalidTask>()("InvalidTask", {
  reason: Schema.Literal("empty", "too_large"),
  bytes: Schema.Number,
  max_bytes: Schema.Number
}) {
  override get message() {
    return this.reason === "empty"
      ? "The task is empty. Nothing was sent. Say what the agent is to do."
      : `The task has ${this.bytes} bytes; at most ${this.max_bytes} are allowed. Nothing was sent. Put long material into a file of the repository and name it in the task.`
  }
}

/** Tasks go to idle agents only. */
export class AgentNotIdle extends Schema.TaggedError<AgentNotIdle>()("AgentNotIdle", {
  agent_name: Schema.String,
  status: AgentStatus,
  evidence: Evidence
}) {
  override get message() {
    const next =
      this.status === "busy"
        ? "Wait until it is idle (show_agent), or stop its work with cancel_agent_task."
        : this.status === "stopped" ||
            this.status === "failed" ||
            this.status === "offline" ||
            this.status === "canceled"
          ? "Start it with restart_agent."
          : "Call show_agent until it is idle."
    return `Agent ${JSON.stringify(this.agent_name)} is ${this.status} (${this.evidence.detail}), not idle. Nothing was sent. ${next}`
  }
}

/** Only the work of a busy agent can be cancelled. */
export class AgentNotBusy extends Schema.TaggedError<AgentNotBusy>()("AgentNotBusy", {
  agent_name: Schema.String,
  status: AgentStatus,
  evidence: Evidence
}) {
  override get message() {
    return `Agent ${JSON.stringify(this.agent_name)} is ${this.status} (${this.evidence.detail}), not busy: there is nothing to cancel. Nothing was sent. Call show_agent_task_history to see what it did.`
  }
}

/** The agent cannot be interrupted over its transport: it would take the key as a prompt. */
export class InterruptNotSupported extends Schema.TaggedError<InterruptNotSupported>()("InterruptNotSupported", {
  agent_name: Schema.String,
  transport: Schema.String
}) {
  override get message() {
    return `Agent ${JSON.stringify(this.agent_name)} runs over AgentAPI's transport ${JSON.stringify(this.transport)}, which cannot be interrupted. Nothing was sent. Call restart_agent to stop its work.`
  }
}

/** The agent's AgentAPI does not answer, or says something unusable. */
export class AgentUnreachable extends Schema.TaggedError<AgentUnreachable>()("AgentUnreachable", {
  agent_name: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `Agent ${JSON.stringify(this.agent_name)} cannot be reached: ${this.reason}. Call show_agent for its status, or restart_agent.`
  }
}

/** AgentAPI took the request and refused it. */
export class AgentRefused extends Schema.TaggedError<AgentRefused>()("AgentRefused", {
  agent_name: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `Agent ${JSON.stringify(this.agent_name)} refused: ${this.reason}. Call show_agent for its status, then try again.`
  }
}

/** The page does not exist. */
export class PageOutOfRange extends Schema.TaggedError<PageOutOfRange>()("PageOutOfRange", {
  page: Schema.Number,
  pages: Schema.Number
}) {
  override get message() {
    return `There is no page ${this.page}: pages run from 1 to ${this.pages}.`
  }
}

/** The conversation has no message of that id. `oldest` and `newest` are the ids that it begins and ends with. */
export class MessageNotFound extends Schema.TaggedError<MessageNotFound>()("MessageNotFound", {
  agent_name: Schema.String,
  message_id: Schema.Number,
  oldest: Schema.NullOr(Schema.Number),
  newest: Schema.NullOr(Schema.Number)
}) {
  override get message() {
    const known = this.newest === null ? "It has none yet." : `Its ids run from ${this.oldest} to ${this.newest}.`
    return `The conversation with ${JSON.stringify(this.agent_name)} has no message ${this.message_id}. ${known}`
  }
}
