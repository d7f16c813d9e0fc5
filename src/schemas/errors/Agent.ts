import { Schema } from "effect"
import { BuildLog } from "../coder/Builds.ts"
import type { CoderFailure } from "./Coder.ts"

const list = (names: ReadonlyArray<string>): string => (names.length === 0 ? "none" : names.join(", "))

/** The name breaks Coder's rule for workspace names. */
export class InvalidAgentName extends Schema.TaggedError<InvalidAgentName>()("InvalidAgentName", {
  agent_name: Schema.String
}) {
  override get message() {
    return `Invalid agent name ${JSON.stringify(this.agent_name)}. A name has 1 to 32 ASCII letters or digits, with single hyphens inside, and is not "new" or "create". Example: fix-login-2.`
  }
}

/** The caller has no workspace of that name. */
export class AgentNotFound extends Schema.TaggedError<AgentNotFound>()("AgentNotFound", {
  agent_name: Schema.String
}) {
  override get message() {
    return `There is no agent ${JSON.stringify(this.agent_name)}. Call list_agents to see all agents.`
  }
}

/** A workspace of that name exists already, perhaps one that is still being deleted. */
export class AgentNameTaken extends Schema.TaggedError<AgentNameTaken>()("AgentNameTaken", {
  agent_name: Schema.String,
  build_status: Schema.NullOr(Schema.String)
}) {
  override get message() {
    return this.build_status === "deleting"
      ? `The name ${JSON.stringify(this.agent_name)} is taken by a workspace that is still being deleted. Wait until show_agent no longer finds it, or choose another name.`
      : `The name ${JSON.stringify(this.agent_name)} is taken (workspace status: ${this.build_status ?? "not visible"}). Choose another name, or call show_agent.`
  }
}

/** The workspace exists, but nothing says that it runs a coding agent. It was not touched. */
export class NotAnAgent extends Schema.TaggedError<NotAnAgent>()("NotAnAgent", {
  agent_name: Schema.String,
  template_name: Schema.String
}) {
  override get message() {
    return `The workspace ${JSON.stringify(this.agent_name)} is not an agent: its template ${JSON.stringify(this.template_name)} has no prompt parameter, is not configured as a project, and no app of it is AgentAPI. It was not touched. To make the template a project, add its name to FLEET_MCP_PROJECTS.`
  }
}

/** The workspace belongs to somebody else. It was not touched. */
export class NotYourAgent extends Schema.TaggedError<NotYourAgent>()("NotYourAgent", {
  agent_name: Schema.String,
  owner_name: Schema.String
}) {
  override get message() {
    return `The workspace ${JSON.stringify(this.agent_name)} belongs to ${this.owner_name}. It was not touched. Call list_agents to see your own agents.`
  }
}

/** Coder's entry for the workspace is not in the shape of the contract, so nothing can be said or done about it. */
export class AgentUnreadable extends Schema.TaggedError<AgentUnreadable>()("AgentUnreadable", {
  agent_name: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `Coder's answer about ${JSON.stringify(this.agent_name)} cannot be read: ${this.reason}. Nothing was done. Look at the workspace in Coder's dashboard.`
  }
}

/** A filter names a value that does not exist. */
export class UnknownFilterValue extends Schema.TaggedError<UnknownFilterValue>()("UnknownFilterValue", {
  filter: Schema.String,
  value: Schema.String,
  allowed: Schema.Array(Schema.String)
}) {
  override get message() {
    return `${this.filter} ${JSON.stringify(this.value)} does not exist. Allowed: ${list(this.allowed)}.`
  }
}

/** Another build of the workspace is at work, so no new one can start. */
export class BuildInTheWay extends Schema.TaggedError<BuildInTheWay>()("BuildInTheWay", {
  agent_name: Schema.String,
  build_number: Schema.Number,
  transition: Schema.String,
  build_status: Schema.String
}) {
  override get message() {
    return `Build ${this.build_number} of ${JSON.stringify(this.agent_name)} (${this.transition}, ${this.build_status}) is in the way, so no other was made. Call show_agent until it is over, then try again.`
  }
}

/** A build ended badly. `logs` are its last lines. */
export class BuildFailed extends Schema.TaggedError<BuildFailed>()("BuildFailed", {
  agent_name: Schema.String,
  transition: Schema.String,
  build_status: Schema.String,
  reason: Schema.String,
  logs: Schema.Array(BuildLog)
}) {
  override get message() {
    const logs =
      this.logs.length === 0
        ? ""
        : `\nLast lines of the build:\n${this.logs.map((log) => `  ${log.output}`).join("\n")}`
    return `The ${this.transition} build of ${JSON.stringify(this.agent_name)} ended as ${this.build_status}: ${this.reason}. The workspace stays as it is: call restart_agent to try again, or delete_agent.${logs}`
  }
}

/** A restart came as far as its stop build: nothing was started. `reason` says why not. */
export class RestartIncomplete extends Schema.TaggedError<RestartIncomplete>()("RestartIncomplete", {
  agent_name: Schema.String,
  build_number: Schema.Number,
  build_status: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `The restart of ${JSON.stringify(this.agent_name)} is half done: its stop build ${this.build_number} is ${this.build_status}, and no start was sent or taken: ${this.reason} Call restart_agent again: it goes on from there.`
  }
}

/** What looking up one agent can end in. */
export type LookupFailure = CoderFailure | AgentNotFound | NotAnAgent | NotYourAgent | AgentUnreadable
