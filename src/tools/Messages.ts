import { Match } from "effect"
import type { FleetError } from "../schemas/errors/FleetError.ts"
import type { NextStep } from "../schemas/errors/NextStep.ts"
import type { Outcome } from "../schemas/Outcome.ts"
import { cut } from "../schemas/Text.ts"

// The words for those who call tools: what an error of the fleet says, and which tool comes next.

/**
 * Characters of what was wrong, and of what to call next: with tag and outcome at most 8,000. Some clients cut longer
 * texts by themselves, and lose the end.
 */
const size = { wrong: 6800, advice: 1000 }

/** How a call ended badly, and what became of it, in finished words. */
export interface Told {
  readonly _tag: string
  readonly outcome: Outcome
  readonly message: string
}

/** An error of the fleet for an MCP caller. */
export const tell = (error: FleetError): Told => {
  const advice = cut(adviceOn(error), size.advice)
  const wrong = cut(error.message, size.wrong)
  const separator = advice === "" || wrong.endsWith("\n") ? "" : " "
  return { _tag: error._tag, outcome: error.outcome, message: `${wrong}${separator}${advice}` }
}

/** What each step means in tools, where an error has no words of its own for it. */
const toolFor: Readonly<Record<NextStep, string>> = {
  change_request: "",
  list_agents: "Call list_agents to see your agents.",
  look_at_agent: "Call show_agent to see where it stands.",
  list_projects: "Call list_agent_projects for more.",
  list_roles: "Call list_agent_roles for more.",
  read_history: "Call show_agent_task_history to see what it did.",
  read_log: "Call show_agent_log to see what was said.",
  wait: "Call show_agent until that is over.",
  start_task: "When show_agent says idle, send it with start_agent_task.",
  let_queue_go_on:
    "What waits goes on with the next start_agent_task of when_busy queue (before that task) or interrupt (after it); cancel_agent_task with its task_id takes one out.",
  answer_agent: "A person has to answer what it asks.",
  cancel_task: "Stop its work with cancel_agent_task.",
  restart_agent: "Call restart_agent.",
  delete_agent: "Call delete_agent to remove it.",
  mend_cause: "The reason lasts until it is mended.",
  try_again: "Then try again.",
  renew_token: "Make a new one (coder tokens create), set CODER_SESSION_TOKEN, and restart fleet-mcp.",
  ask_administrator: "Ask an administrator of Coder.",
  configure: "Check that CODER_URL is Coder's own address and that the server runs."
}

const onUnavailable = {
  no_answer: "Check that CODER_URL is Coder's own address and that the server runs, then try again.",
  answer: "Coder itself answered so: try again later, or ask an administrator of Coder.",
  too_large:
    "It would be as large again: somebody has to shorten, in Coder, the text that is so long (a report, a name, a description, the error of a build), or delete what has it there.",
  not_coder: "Check that CODER_URL is Coder's own address, and that no sign-in page or proxy stands before it.",
  proxy:
    "Check HTTPS_PROXY (for http: HTTP_PROXY), with user and password if the proxy wants them, or add Coder's host to NO_PROXY, and restart fleet-mcp.",
  untrusted_certificate:
    "Set NODE_EXTRA_CA_CERTS to a file with the certificate (PEM) of the authority that signed Coder's, and restart fleet-mcp."
}

/** Which tools are the next steps; `words` where a tool has its own for a step. */
export const advise = (next: ReadonlyArray<NextStep>, words: Partial<Record<NextStep, string>> = {}): string =>
  next
    .map((step) => words[step] ?? toolFor[step])
    .filter((each) => each !== "")
    .join(" ")

const usual = ({ next }: FleetError): string => advise(next)

/** What to call next. A tag without words of its own is a type error, not a silence. */
const adviceOn: (error: FleetError) => string = Match.type<FleetError>().pipe(
  Match.tagsExhaustive({
    AgentNotFound: () => "Call list_agents to see all agents.",
    NotAnAgent: () => `To make the template a project, add its name to FLEET_MCP_PROJECTS.`,
    NotYourAgent: () => "Call list_agents to see your own agents.",
    AgentUnreadable: () => "Look at the workspace in Coder's dashboard.",
    InvalidAgentName: usual,
    AgentNameTaken: ({ next }) =>
      next.includes("wait")
        ? "Wait until show_agent no longer finds it, or choose another name."
        : "Choose another name, or call show_agent.",
    UnknownFilterValue: usual,
    AgentNotRunning: () => "restart_agent starts it again.",
    BuildInTheWay: () => "Call show_agent until it is over, then try again.",
    BuildFailed: ({ transition }) =>
      transition === "delete"
        ? "Once the reason is mended, delete_agent goes on; until then it would end the same way. Call show_agent to look at it."
        : "Once the reason is mended, restart_agent builds it again; delete_agent removes it.",
    RestartIncomplete: (error) =>
      `${error.next
        .filter((step) => step !== "restart_agent")
        .map((step) => toolFor[step])
        .join(" ")} restart_agent goes on from there.`,
    BackendNotConfigured: () => "",
    CoderUnauthorized: usual,
    CoderForbidden: () => "Ask an administrator for the permission, or use another token.",
    CoderRateLimited: ({ retry_after_ms }) => `Try again in ${Math.ceil(retry_after_ms / 1000)} s.`,
    CoderUnavailable: ({ fault }) => onUnavailable[fault],
    CoderRejected: () => "The same request would be refused again: ask for what the reason allows.",
    DeadlineExceeded: ({ outcome }) =>
      outcome === "not_applied"
        ? "Try again, or call show_agent or list_agents to see where things stand."
        : "Call show_agent or list_agents to see where things stand, before you repeat it.",
    ProjectNotFound: () => "Call list_agent_projects for more.",
    ProjectAmbiguous: usual,
    RoleNotFound: () => "Call list_agent_roles for more.",
    RoleSetsPrompt: () => "Choose another role (list_agent_roles), or take the parameter out of the preset.",
    InvalidTask: usual,
    AgentNotIdle: ({ next, status }) => {
      if (status === "unknown") {
        return "Look at the agent's terminal; cancel_agent_task sends one Escape where that is safe, and restart_agent starts it anew."
      }
      if (next.includes("answer_agent")) {
        return "A person has to answer it, in the agent's terminal; cancel_agent_task refuses what it asks."
      }
      if (next.includes("cancel_task")) {
        return "Wait until it is idle (wait_for_agents), pass when_busy queue or interrupt, or stop its work with cancel_agent_task."
      }
      if (next.includes("restart_agent")) return "Start it with restart_agent."
      return "Wait until it is idle (wait_for_agents); show_agent tells more."
    },
    IdempotencyKeyReused: () => "Choose another key, or call with the arguments of that time.",
    IdempotencyNotSupported: () => "Call without idempotency_key, and look before you repeat a call.",
    QueueNotSupported: () =>
      "Wait until it is idle (wait_for_agents), then start_agent_task; or pass when_busy interrupt.",
    QueueFull: () => "Wait until some have begun, or take one out: cancel_agent_task with its task_id (show_agent).",
    TaskNotQueued: () => "Call show_agent to see what waits.",
    StartIncomplete: ({ next }) => advise(next, { start_task: "" }) || "Call show_agent, then start_agent_task.",
    AgentNotBusy: usual,
    DialogueNotRefusable: () =>
      "A person has to answer it, in the agent's terminal; restart_agent starts the agent anew.",
    InterruptNotSupported: () => "Call restart_agent to stop its work.",
    AgentUnreachable: ({ too_large }) =>
      too_large
        ? "What it said is in its terminal; restart_agent begins a new conversation, unless its AgentAPI keeps the old one."
        : "Call show_agent for its status, or restart_agent.",
    AgentRefused: () => "Call show_agent for its status, then try again.",
    MessageNotFound: () => "show_agent_log without message_id shows the newest.",
    PageOutOfRange: usual
  })
)
