import { Schema } from "effect"
import { AgentStatus, Evidence } from "./Agent.ts"
import { BuildLog } from "./coder/Builds.ts"

// What can go wrong for a caller, one class a case. Every message says what was wrong, what is allowed, and what to
// call next. A mutation that fails with one of these was not applied.

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

/** No usable project has that name. */
export class ProjectNotFound extends Schema.TaggedError<ProjectNotFound>()("ProjectNotFound", {
  project: Schema.String,
  available: Schema.Array(Schema.String),
  /** Why there is none at all, where the server says so; else "". */
  note: Schema.String
}) {
  override get message() {
    const why = this.note === "" ? "" : ` ${this.note}`
    return `There is no project ${JSON.stringify(this.project)}. Projects: ${list(this.available)}.${why} Call list_agent_projects for more.`
  }
}

/** Several projects have that name; `candidates` are `organization/template` names, which are unique. */
export class ProjectAmbiguous extends Schema.TaggedError<ProjectAmbiguous>()("ProjectAmbiguous", {
  project: Schema.String,
  candidates: Schema.Array(Schema.String)
}) {
  override get message() {
    return `Several projects are called ${JSON.stringify(this.project)}. Pass one of these instead: ${list(this.candidates)}.`
  }
}

/** The project has no role of that name. */
export class RoleNotFound extends Schema.TaggedError<RoleNotFound>()("RoleNotFound", {
  role: Schema.String,
  project: Schema.String,
  available: Schema.Array(Schema.String),
  /** What the project says about itself; it may say how roles come to be. */
  note: Schema.String
}) {
  override get message() {
    const why = this.note === "" ? "" : ` ${this.note}`
    return `Project ${JSON.stringify(this.project)} has no role ${JSON.stringify(this.role)}. Roles: ${list(this.available)}.${why} Call list_agent_roles for more.`
  }
}

/** The role sets the prompt parameter by itself, and a preset beats the caller's value: the task would be lost. */
export class RoleSetsPrompt extends Schema.TaggedError<RoleSetsPrompt>()("RoleSetsPrompt", {
  role: Schema.String,
  project: Schema.String,
  parameter: Schema.String
}) {
  override get message() {
    return `Role ${JSON.stringify(this.role)} of project ${JSON.stringify(this.project)} sets the parameter ${JSON.stringify(this.parameter)} itself, so your task would be lost. Nothing was created. Choose another role (list_agent_roles), or take the parameter out of the preset.`
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

/** Neither a Coder server nor this machine was chosen completely. */
export class BackendNotConfigured extends Schema.TaggedError<BackendNotConfigured>()("BackendNotConfigured", {
  problem: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `${this.problem} ${this.remedy}`
  }
}

/** Coder does not accept the token. */
export class CoderUnauthorized extends Schema.TaggedError<CoderUnauthorized>()("CoderUnauthorized", {
  detail: Schema.String
}) {
  override get message() {
    return `Coder does not accept the token: ${this.detail} Make a new one (coder tokens create), set CODER_SESSION_TOKEN, and restart fleet-mcp.`
  }
}

/** The token may not do this. */
export class CoderForbidden extends Schema.TaggedError<CoderForbidden>()("CoderForbidden", {
  action: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Coder does not allow this token to ${this.action}: ${this.detail} Ask an administrator for the permission, or use another token.`
  }
}

/** Coder allows no more requests for now. Nothing was carried out. */
export class CoderRateLimited extends Schema.TaggedError<CoderRateLimited>()("CoderRateLimited", {
  retry_after_ms: Schema.Number
}) {
  override get message() {
    return `Coder's rate limit is reached; nothing was carried out. Try again in ${Math.ceil(this.retry_after_ms / 1000)} s.`
  }
}

/** Coder gave no usable answer: not reachable, too slow, a sign-in page, a broken answer, an internal error. */
export class CoderUnavailable extends Schema.TaggedError<CoderUnavailable>()("CoderUnavailable", {
  action: Schema.String,
  reason: Schema.String,
  request_id: Schema.NullOr(Schema.String)
}) {
  override get message() {
    const id = this.request_id === null ? "" : ` (Coder request id ${this.request_id})`
    return `Could not ${this.action}: ${this.reason}${id}. Check that CODER_URL is Coder's own address and that the server runs, then try again.`
  }
}

/** Coder refused the request as it was. */
export class CoderRejected extends Schema.TaggedError<CoderRejected>()("CoderRejected", {
  action: Schema.String,
  status: Schema.Number,
  reason: Schema.String,
  request_id: Schema.NullOr(Schema.String)
}) {
  override get message() {
    const id = this.request_id === null ? "" : ` (Coder request id ${this.request_id})`
    return `Coder refused to ${this.action} (${this.status}): ${this.reason}${id}. The request was not carried out.`
  }
}

/** The call's time was over before there was an answer. */
export class DeadlineExceeded extends Schema.TaggedError<DeadlineExceeded>()("DeadlineExceeded", {
  action: Schema.String,
  seconds: Schema.Number
}) {
  override get message() {
    return `Could not ${this.action} within ${this.seconds} s. Call show_agent or list_agents to see where things stand.`
  }
}

/** What any call to the Coder contract can end in, translated from the wire once, in the repositories. */
export type CoderFailure = CoderUnauthorized | CoderForbidden | CoderRateLimited | CoderUnavailable | CoderRejected

/** What looking up one agent can end in. */
export type LookupFailure = CoderFailure | AgentNotFound | NotAnAgent | NotYourAgent | AgentUnreadable
