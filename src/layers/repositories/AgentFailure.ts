import type { CoderError } from "../../schemas/coder/CoderError.ts"
import { CoderUnauthorized } from "../../schemas/errors/Coder.ts"
import { AgentRefused, AgentUnreachable } from "../../schemas/errors/Task.ts"
import { cut, quotedLength } from "../../schemas/Text.ts"
import { words } from "./translate.ts"

/** What asking an agent can end in. */
export type AgentFailure = AgentUnreachable | CoderUnauthorized

/**
 * AgentAPI's refusals that leave nothing behind (recording: agentapi.json). Other 500s can come after the text was
 * typed.
 */
export const isRefusal = (error: CoderError): boolean =>
  error.notProcessed || /can only be sent when the agent is waiting|must not be empty/.test(error.detail ?? "")

/** A message that was refused, in the fleet's terms. */
export const refusal =
  (agent_name: string) =>
  (error: CoderError): AgentFailure | AgentRefused =>
    error.reason === "status" && error.status !== 401
      ? new AgentRefused({ agent_name, reason: words(error) })
      : unreachable(agent_name)(error)

/**
 * An agent that did not answer, in the fleet's terms. Coder's proxy answers in HTML, and sends an expired token to the
 * sign-in page (recording: app-proxy.json).
 */
export const unreachable =
  (agent_name: string) =>
  (error: CoderError): AgentFailure => {
    if (error.reason === "redirect" || error.status === 401) {
      return new CoderUnauthorized({ detail: `${cut(words(error), quotedLength)}.` })
    }
    return new AgentUnreachable({ agent_name, reason: noAnswer(error), too_large: error.reason === "too_large" })
  }

/** Why an agent did not answer, as the end of a sentence. */
export const noAnswer = (error: CoderError): string =>
  error.reason === "not_json" && error.status !== null ? (proxyPages.get(error.status) ?? words(error)) : words(error)

const proxyPages = new Map([
  [400, "its workspace is stopped"],
  [403, "Coder does not allow apps on paths"],
  [404, "Coder finds no such app, or the workspace agent is not connected"],
  [502, "the workspace agent is not connected, or nothing listens behind the app"]
])
