import { Effect, Schema } from "effect"
import { Agent } from "../schemas/Agent.ts"
import { AgentService } from "../layers/services/AgentService.ts"
import * as Arguments from "./Arguments.ts"
import * as Render from "./Render.ts"
import * as Tool from "./Tool.ts"

/** The agent in another tool's result, whose schema is written out here only. */
export const agentAsShown = Agent.annotations({ jsonSchema: { type: "object", description: "As in show_agent." } })

export const showAgent = Tool.make({
  name: "show_agent",
  title: "Show an agent",
  description:
    "Shows one agent: its status, what that was derived from, and its latest task. Use it to see whether an agent is done; not for what it said: show_agent_log.",
  input: Schema.Struct({ agent_name: Arguments.agentName }),
  output: Schema.Struct({ agent: Agent }),
  hints: Tool.readOnly,
  program: ({ agent_name }) =>
    Effect.gen(function* () {
      const agents = yield* AgentService
      return { agent: yield* agents.show(agent_name) }
    }),
  text: ({ agent }) => Render.fields(agent)
})
