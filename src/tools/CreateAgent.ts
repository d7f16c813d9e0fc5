import { Effect, Schema } from "effect"
import { Stage } from "../schemas/Agent.ts"
import { Outcome } from "../schemas/Outcome.ts"
import { TaskDelivery } from "../schemas/Task.ts"
import { AgentService } from "../layers/services/AgentService.ts"
import * as Arguments from "./Arguments.ts"
import * as Change from "./Change.ts"
import { agentAsShown } from "./ShowAgent.ts"
import * as Tool from "./Tool.ts"

export const createAgent = Tool.make({
  name: "create_agent",
  title: "Create an agent",
  description:
    "Creates a coding agent of this fleet, in a workspace of its own, and gives it its first task; several work in parallel. Not for further tasks of an agent that exists: start_agent_task.",
  searchHint:
    "run, spawn, launch, start coding agents in parallel, subagents, workers, delegate a task in the background, git worktree, branch, Claude Code, Codex, Coder workspace",
  alwaysLoad: true,
  input: Schema.Struct({
    name: Arguments.text("A new name: 1 to 32 letters and digits, single hyphens inside.", "fix-login"),
    project: Arguments.text("Of list_agent_projects.", "website"),
    task: Arguments.text("What to do first, with all that the agent must know.", "Fix the login."),
    role: Arguments.optionalText("Of list_agent_roles. Default: the project's.", "reviewer"),
    wait_ready: Arguments.optionalFlag("Wait until it is ready."),
    idempotency_key: Arguments.idempotencyKey
  }),
  output: Schema.Struct({
    message: Schema.String,
    outcome: Outcome,
    stage: Schema.NullOr(Stage),
    task: TaskDelivery,
    agent: Schema.NullOr(agentAsShown)
  }),
  hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  program: (request) =>
    Effect.map(
      Effect.flatMap(AgentService, (agents) => agents.create(request)),
      Change.told({ look_at_agent: "Call wait_for_agents, which tells when it is done." })
    ),
  fit: Change.fit,
  text: Change.text
})
