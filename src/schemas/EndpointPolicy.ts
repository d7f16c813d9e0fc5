import { Context } from "effect"

// What a client needs to know of an endpoint beyond its shapes, as annotations of the contract. Which numbers these
// words stand for is the client's.

/** How large an answer may be: `one` thing, or `many` (a list, a log, a conversation). */
export class AnswerSize extends Context.Reference<AnswerSize>()("fleet-mcp/schemas/EndpointPolicy/AnswerSize", {
  defaultValue: (): "one" | "many" => "one"
}) {}

/**
 * What an answer waits for: the `server` alone, the `terminal` of an agent (AgentAPI may wait 20 s for it), or an `event`
 * (the server waits 20 s for one at most).
 */
export class AnswerTime extends Context.Reference<AnswerTime>()("fleet-mcp/schemas/EndpointPolicy/AnswerTime", {
  defaultValue: (): "server" | "terminal" | "event" => "server"
}) {}
