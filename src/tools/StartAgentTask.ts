import { Effect, Schema } from "effect"
import { Outcome } from "../schemas/Outcome.ts"
import type { GiveFailure, StartedTask } from "../layers/services/StartTask.ts"
import { TaskService } from "../layers/services/TaskService.ts"
import * as Arguments from "./Arguments.ts"
import * as Change from "./Change.ts"
import * as Tool from "./Tool.ts"

export const startAgentTask = Tool.make({
  name: "start_agent_task",
  title: "Start a task",
  description:
    "Gives an agent of this fleet its next task, and answers when it has it, or it waits for its turn. Not for one that is stopped: restart_agent.",
  searchHint:
    "delegate, assign, prompt, send a message or instruction to a coding agent, subagent, Claude Code, Codex, next job",
  input: Schema.Struct({
    agent_name: Arguments.agentName,
    task_description: Arguments.text("What to do, with all that the agent must know.", "Add a test."),
    when_busy: Arguments.optionalChoice(
      "Refuse, wait for its turn, or cancel its work.",
      ["reject", "queue", "interrupt"],
      "reject"
    ),
    idempotency_key: Arguments.idempotencyKey
  }),
  output: Schema.Struct({
    agent_name: Schema.String,
    task_description: Schema.String,
    message: Schema.String,
    outcome: Outcome,
    task_id: Schema.optionalWith(Schema.Number, { exact: true })
  }),
  hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  program: ({ agent_name, idempotency_key, task_description, when_busy }) =>
    Effect.map(
      Effect.flatMap(TaskService, (tasks): Effect.Effect<StartedTask, GiveFailure> =>
        when_busy === "reject" && idempotency_key === undefined
          ? tasks.start(agent_name, task_description)
          : tasks.give(agent_name, task_description, { whenBusy: when_busy, idempotencyKey: idempotency_key })
      ),
      Change.told()
    ),
  fit: Change.fit,
  text: Change.text
})
