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
    "Interrupts the work of a busy agent of this fleet and sees it idle, within 10 s; queued tasks stay, and do not begin. Not for one that does not react: restart_agent.",
  searchHint: "stop, interrupt, abort, kill, pause a running coding agent or subagent",
  input: Schema.Struct({
    agent_name: Arguments.agentName,
    task_id: Arguments.optionalCount("Take out this queued task. Default: the work.", 3)
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
