import { Effect, Schema } from "effect"
import { Outcome } from "../schemas/Outcome.ts"
import { AgentService } from "../layers/services/AgentService.ts"
import * as Arguments from "./Arguments.ts"
import * as Change from "./Change.ts"
import { agentAsShown } from "./ShowAgent.ts"
import * as Tool from "./Tool.ts"

export const stopAgent = Tool.make({
  name: "stop_agent",
  title: "Stop an agent",
  description:
    "Ends the processes of an agent of this fleet and keeps everything else; restart_agent starts it again. Not to end a task only: cancel_agent_task.",
  searchHint: "halt, shut down, suspend, park, free resources of a coding agent or Coder workspace, keep its worktree",
  input: Schema.Struct({ agent_name: Arguments.agentName }),
  output: Schema.Struct({
    message: Schema.String,
    outcome: Outcome,
    build_log: Schema.Array(Schema.String),
    agent: agentAsShown
  }),
  hints: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  program: ({ agent_name }) =>
    Effect.map(
      Effect.flatMap(AgentService, (agents) => agents.stop(agent_name)),
      Change.told({
        restart_agent: "restart_agent starts it again.",
        wait: "Call show_agent until it is stopped."
      })
    ),
  fit: Change.fit,
  text: Change.text
})
