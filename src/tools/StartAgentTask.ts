import { Effect, Schema } from "effect"
import { Outcome } from "../schemas/Outcome.ts"
import { TaskService } from "../layers/services/TaskService.ts"
import * as Arguments from "./Arguments.ts"
import * as Change from "./Change.ts"
import * as Tool from "./Tool.ts"

export const startAgentTask = Tool.make({
  name: "start_agent_task",
  title: "Start a task",
  description:
    "Gives an idle agent of this fleet its next task, and answers when it has it. Not for a busy agent: wait until it is idle, or cancel_agent_task.",
  searchHint:
    "delegate, assign, prompt, send a message or instruction to a coding agent, subagent, Claude Code, Codex, next job",
  input: Schema.Struct({
    agent_name: Arguments.agentName,
    task_description: Arguments.text(
      "What to do, with all that the agent must know; at most 256 KiB.",
      "Add a test for the login page."
    )
  }),
  output: Schema.Struct({
    agent_name: Schema.String,
    task_description: Schema.String,
    message: Schema.String,
    outcome: Outcome
  }),
  hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  program: ({ agent_name, task_description }) =>
    Effect.map(
      Effect.flatMap(TaskService, (tasks) => tasks.start(agent_name, task_description)),
      Change.told()
    ),
  fit: Change.fit,
  text: Change.text
})
