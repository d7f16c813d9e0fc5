import { Effect, Schema } from "effect"
import { Outcome } from "../schemas/Outcome.ts"
import { AgentService } from "../layers/services/AgentService.ts"
import * as Arguments from "./Arguments.ts"
import * as Change from "./Change.ts"
import * as Tool from "./Tool.ts"

export const deleteAgent = Tool.make({
  name: "delete_agent",
  title: "Delete an agent",
  description: "Deletes an agent of this fleet and its workspace for good. Not to stop its work: cancel_agent_task.",
  searchHint: "remove, clean up, destroy, shut down a coding agent, its worktree, Coder workspace",
  input: Schema.Struct({ agent_name: Arguments.agentName }),
  output: Schema.Struct({
    agent_name: Schema.String,
    message: Schema.String,
    outcome: Outcome,
    build_log: Schema.Array(Schema.String)
  }),
  hints: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  program: ({ agent_name }) =>
    Effect.map(
      Effect.flatMap(AgentService, (agents) => agents.delete(agent_name)),
      Change.told({ wait: "Call show_agent until the agent is gone." })
    ),
  fit: Change.fit,
  text: Change.text
})
