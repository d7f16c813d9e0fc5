import { HttpApi, HttpApiEndpoint, HttpApiGroup } from "@effect/platform"
import { Schema } from "effect"
import { CoderError } from "../coder/CoderError.ts"
import { readable, shown } from "../coder/elements.ts"
import { AnswerSize, AnswerTime } from "../EndpointPolicy.ts"
import { giveEndpoint, queueEndpoint, QueueStatus, removeEndpoint } from "./FleetExtension.ts"

/**
 * `running` = at work (or starting), `stable` = waiting for input. `transport` is absent before AgentAPI 0.12; `queue` is
 * there where the agent offers our extension, and tasks wait.
 */
export const AgentApiStatus = Schema.Struct({
  status: Schema.String,
  agent_type: shown,
  transport: Schema.optionalWith(Schema.String, { exact: true, nullable: true }),
  queue: Schema.optionalWith(QueueStatus, { exact: true })
})
export type AgentApiStatus = typeof AgentApiStatus.Type

/** A message of the conversation; ids count up from 0. The last one of role `agent` is rewritten while it works. */
export const Message = Schema.Struct({
  id: Schema.Number,
  role: Schema.String,
  content: Schema.String,
  time: shown
})
export type Message = typeof Message.Type

/** `user` = a prompt, refused unless the agent is `stable`; `raw` = keystrokes, sent as they are. */
export const PostMessage = Schema.Struct({ content: Schema.String, type: Schema.Literal("user", "raw") })
export type PostMessage = typeof PostMessage.Type

/** AgentAPI's error body, `application/problem+json` (recording: agentapi.json). */
export const Problem = Schema.Struct({
  title: Schema.String,
  status: Schema.Number,
  detail: Schema.String,
  errors: Schema.optional(
    Schema.NullOr(
      Schema.Array(Schema.Struct({ message: Schema.optional(Schema.String), location: Schema.optional(Schema.String) }))
    )
  )
})
export type Problem = typeof Problem.Type

/** The key that means "interrupt" in Claude Code: one ESC, and only while it works. */
export const interruptKey = "\u001b"

/** Where an agent's AgentAPI is: an app of a workspace. The proxy wants the owner's real name, not `me`. */
export interface AgentApp {
  readonly owner_name: string
  readonly workspace_name: string
  readonly slug: string
}

/**
 * AgentAPI, the HTTP interface of one coding agent, behind an app of its workspace (seen: 0.11 and 0.12), and what our own
 * hosts offer beside it.
 */
export const AgentApi = HttpApi.make("agentapi")
  .add(
    HttpApiGroup.make("agent", { topLevel: true })
      .add(HttpApiEndpoint.get("status", "/status").addSuccess(AgentApiStatus))
      .add(
        HttpApiEndpoint.get("messages", "/messages")
          .addSuccess(Schema.Struct({ messages: readable(Message) }))
          .annotate(AnswerSize, "many")
      )
      .add(
        HttpApiEndpoint.post("message", "/message")
          .setPayload(PostMessage)
          .addSuccess(Schema.Struct({ ok: Schema.Boolean }))
          .annotate(AnswerTime, "terminal")
      )
      .add(queueEndpoint)
      .add(giveEndpoint)
      .add(removeEndpoint)
  )
  .addError(CoderError)
