import { Schema } from "effect"

/**
 * What a caller can do about an error, or after a change, in the order in which it should be tried. None of them repeats
 * a call that failed for a reason that lasts:
 * - `change_request`: ask for something else, of what the error says is allowed;
 * - `list_agents`, `look_at_agent`, `list_projects`, `list_roles`, `read_history`, `read_log`: look, and
 *   decide then;
 * - `wait`: what is in the way passes by itself;
 * - `start_task`: give the agent the task once it is idle;
 * - `answer_agent`: a person has to answer what the agent asks;
 * - `let_queue_go_on`: tasks that wait do not begin by themselves;
 * - `cancel_task`, `restart_agent`, `delete_agent`: change the agent first;
 * - `mend_cause`: the reason lasts until somebody takes it away;
 * - `try_again`: the same call may well succeed later;
 * - `renew_token`, `ask_administrator`, `configure`: a matter for the person who runs the fleet.
 */
export const NextStep = Schema.Literal(
  "change_request",
  "list_agents",
  "look_at_agent",
  "list_projects",
  "list_roles",
  "read_history",
  "read_log",
  "wait",
  "start_task",
  "let_queue_go_on",
  "answer_agent",
  "cancel_task",
  "restart_agent",
  "delete_agent",
  "mend_cause",
  "try_again",
  "renew_token",
  "ask_administrator",
  "configure"
)
export type NextStep = typeof NextStep.Type
