import { Effect, Schema } from "effect"
import { Outcome } from "../schemas/Outcome.ts"
import { TaskService } from "../layers/services/TaskService.ts"
import * as Arguments from "./Arguments.ts"
import * as Change from "./Change.ts"
import * as Tool from "./Tool.ts"

export const cancelAgentTask = Tool.make({
  name: "cancel_agent_task",
  title: "Cancel a task",
  description:
    "Interrupts the work of a busy agent of this fleet and waits up to 10 s to see it idle; tasks that wait are kept, and held. Not for an agent that does not react: restart_agent.",
  searchHint: "stop, interrupt, abort, kill, pause a running coding agent or subagent",
  input: Schema.Struct({
    agent_name: Arguments.agentName,
    task_id: Arguments.optionalCount("Takes this task out of the queue instead. Default: the work.", 3)
  }),
  output: Schema.Struct({ agent_name: Schema.String, message: Schema.String, outcome: Outcome }),
  hints: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
  program: ({ agent_name, task_id }) =>
    Effect.map(
      Effect.flatMap(TaskService, (tasks) => tasks.cancel(agent_name, task_id)),
      Change.told()
    ),
  fit: Change.fit,
  text: Change.text
})
