import { Effect, Schema } from "effect"
import { Outcome } from "../schemas/Outcome.ts"
import { AgentService } from "../layers/services/AgentService.ts"
import * as Arguments from "./Arguments.ts"
import * as Change from "./Change.ts"
import { agentAsShown } from "./ShowAgent.ts"
import * as Tool from "./Tool.ts"

export const restartAgent = Tool.make({
  name: "restart_agent",
  title: "Restart an agent",
  description:
    "Stops and starts an agent of this fleet that is stuck, failed, interrupted or offline; starts a stopped one. Its work ends. Not to end a task only: cancel_agent_task.",
  searchHint: "reboot, resume, recover, wake up, unstick, start a stopped coding agent or Coder workspace",
  input: Schema.Struct({ agent_name: Arguments.agentName, idempotency_key: Arguments.idempotencyKey }),
  output: Schema.Struct({ message: Schema.String, outcome: Outcome, agent: agentAsShown }),
  hints: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  program: ({ agent_name, idempotency_key }) =>
    Effect.map(
      Effect.flatMap(AgentService, (agents) => agents.restart(agent_name, idempotency_key)),
      Change.told({ restart_agent: "restart_agent goes on from there." })
    ),
  fit: Change.fit,
  text: Change.text
})
