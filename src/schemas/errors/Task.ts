import { Schema } from "effect"
import { AgentStatus, Evidence } from "../Agent.ts"
import { notApplied } from "../Outcome.ts"
import { quoted } from "../Text.ts"
import type { NextStep } from "./NextStep.ts"

/** The task says nothing, or too much. Sizes are UTF-8 bytes. */
export class InvalidTask extends Schema.TaggedError<InvalidTask>()("InvalidTask", {
  reason: Schema.Literal("empty", "too_large"),
  bytes: Schema.Number,
  max_bytes: Schema.Number,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["change_request"]
  }
  override get message() {
    return this.reason === "empty"
      ? "The task is empty. Nothing was sent. Say what the agent is to do."
      : `The task has ${this.bytes} bytes; at most ${this.max_bytes} are allowed. Nothing was sent. Put long material into a file of the repository and name it in the task.`
  }
}

const about = (agent_name: string, status: AgentStatus, evidence: Evidence): string =>
  `Agent ${quoted(agent_name)} is ${status} (${evidence.detail})`

/** Tasks go to idle agents only. */
export class AgentNotIdle extends Schema.TaggedError<AgentNotIdle>()("AgentNotIdle", {
  agent_name: Schema.String,
  status: AgentStatus,
  evidence: Evidence,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    switch (this.status) {
      case "busy":
        return ["wait", "cancel_task"]
      case "stopped":
      case "failed":
      case "interrupted":
      case "offline":
      case "canceled":
        return ["restart_agent"]
      case "waiting":
        return ["answer_agent", "cancel_task"]
      case "unknown":
        return ["answer_agent", "cancel_task", "restart_agent"]
      default:
        return ["wait", "look_at_agent"]
    }
  }
  override get message() {
    return `${about(this.agent_name, this.status, this.evidence)}, not idle. Nothing was sent.`
  }
}

/** Only the work of a busy agent can be cancelled. */
export class AgentNotBusy extends Schema.TaggedError<AgentNotBusy>()("AgentNotBusy", {
  agent_name: Schema.String,
  status: AgentStatus,
  evidence: Evidence,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["read_history"]
  }
  override get message() {
    return `${about(this.agent_name, this.status, this.evidence)}, not busy: there is nothing to cancel. Nothing was sent.`
  }
}

/** The agent cannot be interrupted over its transport: it would take the key as a prompt. */
export class InterruptNotSupported extends Schema.TaggedError<InterruptNotSupported>()("InterruptNotSupported", {
  agent_name: Schema.String,
  transport: Schema.String,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["restart_agent"]
  }
  override get message() {
    return `Agent ${quoted(this.agent_name)} runs over AgentAPI's transport ${quoted(this.transport)}, which cannot be interrupted. Nothing was sent.`
  }
}

/**
 * The agent's AgentAPI does not answer, or says something unusable; `too_large` = more than may be read. A task or key was
 * not sent to it.
 */
export class AgentUnreachable extends Schema.TaggedError<AgentUnreachable>()("AgentUnreachable", {
  agent_name: Schema.String,
  reason: Schema.String,
  too_large: Schema.Boolean.pipe(
    Schema.propertySignature,
    Schema.withConstructorDefault(() => false)
  ),
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return this.too_large ? ["restart_agent"] : ["look_at_agent", "restart_agent"]
  }
  override get message() {
    const what = this.too_large ? "has more to say than can be read" : "cannot be reached"
    return `Agent ${quoted(this.agent_name)} ${what}: ${this.reason}.`
  }
}

/**
 * A dialogue that no key of ours may answer: Escape would end the agent (`ends_agent`), or what it does is not known.
 * `text` is what the screen shows.
 */
export class DialogueNotRefusable extends Schema.TaggedError<DialogueNotRefusable>()("DialogueNotRefusable", {
  agent_name: Schema.String,
  dialogue: Schema.String,
  text: Schema.String,
  ends_agent: Schema.Boolean,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["answer_agent", "restart_agent"]
  }
  override get message() {
    const why = this.ends_agent ? "Escape would end the agent" : "what Escape does to it is not known"
    return `Agent ${quoted(this.agent_name)} waits for a person (${this.dialogue}): ${this.text}\nNothing was sent: ${why}.`
  }
}

/** AgentAPI took the request and refused it. */
export class AgentRefused extends Schema.TaggedError<AgentRefused>()("AgentRefused", {
  agent_name: Schema.String,
  reason: Schema.String,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["look_at_agent", "try_again"]
  }
  override get message() {
    return `Agent ${quoted(this.agent_name)} refused: ${this.reason}.`
  }
}

/** The page does not exist. */
export class PageOutOfRange extends Schema.TaggedError<PageOutOfRange>()("PageOutOfRange", {
  page: Schema.Number,
  pages: Schema.Number,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["change_request"]
  }
  override get message() {
    return `There is no page ${this.page}: pages run from 1 to ${this.pages}.`
  }
}

/** The conversation has no message of that id. `oldest` and `newest` are the ids that it begins and ends with. */
export class MessageNotFound extends Schema.TaggedError<MessageNotFound>()("MessageNotFound", {
  agent_name: Schema.String,
  message_id: Schema.Number,
  oldest: Schema.NullOr(Schema.Number),
  newest: Schema.NullOr(Schema.Number),
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["change_request"]
  }
  override get message() {
    const known = this.newest === null ? "It has none yet." : `Its ids run from ${this.oldest} to ${this.newest}.`
    return `The conversation with ${quoted(this.agent_name)} has no message ${this.message_id}. ${known}`
  }
}
