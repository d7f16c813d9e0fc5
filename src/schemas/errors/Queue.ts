import { Schema } from "effect"
import { notApplied, Outcome } from "../Outcome.ts"
import { quoted } from "../Text.ts"
import { NextStep } from "./NextStep.ts"

/** The way to the agent has no queue: it is no host of ours. */
export class QueueNotSupported extends Schema.TaggedError<QueueNotSupported>()("QueueNotSupported", {
  agent_name: Schema.String,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["wait", "start_task"]
  }
  override get message() {
    return `Agent ${quoted(this.agent_name)} has no queue: its AgentAPI knows nothing of one (it answers 404 to /fleet/v1/queue). Nothing was sent.`
  }
}

/** As many tasks wait for the agent as may. */
export class QueueFull extends Schema.TaggedError<QueueFull>()("QueueFull", {
  agent_name: Schema.String,
  /** Of the agent's host. */
  reason: Schema.String,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["wait", "cancel_task"]
  }
  override get message() {
    return `The queue of agent ${quoted(this.agent_name)} is full: ${this.reason}. Nothing was sent.`
  }
}

/** No task of that id waits for the agent: it has begun, or was taken out, or there never was one. */
export class TaskNotQueued extends Schema.TaggedError<TaskNotQueued>()("TaskNotQueued", {
  agent_name: Schema.String,
  task_id: Schema.Number,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["look_at_agent"]
  }
  override get message() {
    return `No task ${this.task_id} waits for agent ${quoted(this.agent_name)}: it has begun, was taken out, or never was. Nothing was changed.`
  }
}

/**
 * The work of the agent was interrupted for a task that was not started then. `outcome` is that of the interrupt:
 * `applied`, or `unknown` where nobody saw the agent idle.
 */
export class StartIncomplete extends Schema.TaggedError<StartIncomplete>()("StartIncomplete", {
  agent_name: Schema.String,
  reason: Schema.String,
  next: Schema.Array(NextStep),
  outcome: Outcome
}) {
  override get message() {
    const was = this.outcome === "applied" ? "was interrupted" : "was sent one interrupt"
    return `The work of agent ${quoted(this.agent_name)} ${was}, and the task was not started: ${this.reason}`
  }
}
