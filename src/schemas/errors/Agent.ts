import { Schema } from "effect"
import { notApplied, Outcome } from "../Outcome.ts"
import { listed, quoted, shownName } from "../Text.ts"
import type { CoderFailure } from "./Coder.ts"
import { NextStep } from "./NextStep.ts"

/** The name breaks Coder's rule for workspace names. */
export class InvalidAgentName extends Schema.TaggedError<InvalidAgentName>()("InvalidAgentName", {
  agent_name: Schema.String,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["change_request"]
  }
  override get message() {
    return `Invalid agent name ${quoted(this.agent_name)}. A name has 1 to 32 ASCII letters or digits, with single hyphens inside, and is not "new" or "create". Example: fix-login-2.`
  }
}

/** The caller has no workspace of that name. */
export class AgentNotFound extends Schema.TaggedError<AgentNotFound>()("AgentNotFound", {
  agent_name: Schema.String,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["list_agents"]
  }
  override get message() {
    return `There is no agent ${quoted(this.agent_name)}.`
  }
}

/** A workspace of that name exists already, perhaps one that is still being deleted. `build_status`: null = not seen. */
export class AgentNameTaken extends Schema.TaggedError<AgentNameTaken>()("AgentNameTaken", {
  agent_name: Schema.String,
  build_status: Schema.NullOr(Schema.String),
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return this.build_status === "deleting" ? ["wait", "change_request"] : ["change_request", "look_at_agent"]
  }
  override get message() {
    const name = quoted(this.agent_name)
    return this.build_status === "deleting"
      ? `The name ${name} is taken by a workspace that is still being deleted.`
      : `The name ${name} is taken (workspace status: ${this.build_status ?? "not visible"}).`
  }
}

/** The workspace exists, but nothing says that it runs a coding agent. It was not touched. */
export class NotAnAgent extends Schema.TaggedError<NotAnAgent>()("NotAnAgent", {
  agent_name: Schema.String,
  template_name: Schema.String,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["configure"]
  }
  override get message() {
    return `The workspace ${quoted(this.agent_name)} is not an agent: its template ${quoted(this.template_name)} has no prompt parameter, is not configured as a project, and no app of it is AgentAPI. It was not touched.`
  }
}

/** The workspace belongs to somebody else. It was not touched. */
export class NotYourAgent extends Schema.TaggedError<NotYourAgent>()("NotYourAgent", {
  agent_name: Schema.String,
  owner_name: Schema.String,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["list_agents"]
  }
  override get message() {
    return `The workspace ${quoted(this.agent_name)} belongs to ${shownName(this.owner_name)}. It was not touched.`
  }
}

/** Coder's entry for the workspace is not in the shape of the contract, so nothing can be said or done about it. */
export class AgentUnreadable extends Schema.TaggedError<AgentUnreadable>()("AgentUnreadable", {
  agent_name: Schema.String,
  reason: Schema.String,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["ask_administrator"]
  }
  override get message() {
    return `Coder's answer about ${quoted(this.agent_name)} cannot be read: ${this.reason}. Nothing was done.`
  }
}

/** A filter names a value that does not exist. */
export class UnknownFilterValue extends Schema.TaggedError<UnknownFilterValue>()("UnknownFilterValue", {
  filter: Schema.String,
  value: Schema.String,
  allowed: Schema.Array(Schema.String),
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["change_request"]
  }
  override get message() {
    return `${this.filter} ${quoted(this.value)} does not exist. Allowed: ${listed(this.allowed)}.`
  }
}

/** Another build of the workspace is at work, so no new one can start. */
export class BuildInTheWay extends Schema.TaggedError<BuildInTheWay>()("BuildInTheWay", {
  agent_name: Schema.String,
  build_number: Schema.Number,
  transition: Schema.String,
  build_status: Schema.String,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["wait", "try_again"]
  }
  override get message() {
    return `Build ${this.build_number} of ${quoted(this.agent_name)} (${this.transition}, ${this.build_status}) is in the way, so no other was made.`
  }
}

/** The agent is stopped: there is nothing left to be stopped. */
export class AgentNotRunning extends Schema.TaggedError<AgentNotRunning>()("AgentNotRunning", {
  agent_name: Schema.String,
  /** The build that stopped it. */
  build_number: Schema.Number,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["restart_agent"]
  }
  override get message() {
    return `Agent ${quoted(this.agent_name)} is stopped already (build ${this.build_number}): there is nothing to stop. Nothing was sent.`
  }
}

/** A build was made and ended badly: what it did before stays done. */
export class BuildFailed extends Schema.TaggedError<BuildFailed>()("BuildFailed", {
  agent_name: Schema.String,
  build_number: Schema.Number,
  transition: Schema.String,
  build_status: Schema.String,
  reason: Schema.String,
  /** Its last lines. */
  log: Schema.Array(Schema.String),
  /** The status of the workspace's latest build, where a look after the failure told it. */
  status_afterwards: Schema.NullOr(Schema.String),
  outcome: Schema.Literal("applied").pipe(
    Schema.propertySignature,
    Schema.withConstructorDefault(() => "applied" as const)
  )
}) {
  get next(): ReadonlyArray<NextStep> {
    return this.transition === "delete"
      ? ["mend_cause", "delete_agent"]
      : ["mend_cause", "restart_agent", "delete_agent"]
  }
  override get message() {
    const afterwards =
      this.status_afterwards === null ? "" : ` A look afterwards showed its workspace as ${this.status_afterwards}.`
    const log =
      this.log.length === 0 ? "" : `\nLast lines of the build:\n${this.log.map((line) => `  ${line}`).join("\n")}\n`
    return `The ${this.transition} build ${this.build_number} of ${quoted(this.agent_name)} ended as ${this.build_status}: ${this.reason}.${afterwards}${log}`
  }
}

/**
 * A restart came as far as its stop build: nothing was started. `reason` says why not. `outcome`: `applied` where the
 * stop was the restart's own, `not_applied` where it was found at work and nothing was sent.
 */
export class RestartIncomplete extends Schema.TaggedError<RestartIncomplete>()("RestartIncomplete", {
  agent_name: Schema.String,
  build_number: Schema.Number,
  build_status: Schema.String,
  reason: Schema.String,
  /** What helps against the reason; another restart goes on from there. */
  next: Schema.Array(NextStep),
  outcome: Outcome
}) {
  override get message() {
    return `The restart of ${quoted(this.agent_name)} is half done: its stop build ${this.build_number} is ${this.build_status}, and no start was sent or taken: ${this.reason}`
  }
}

/** What looking up one agent can end in. */
export type LookupFailure = CoderFailure | AgentNotFound | NotAnAgent | NotYourAgent | AgentUnreadable
