import { Effect, Schema } from "effect"
import { pageKeys } from "../schemas/Pagination.ts"
import { Task } from "../schemas/Task.ts"
import { TaskService } from "../layers/services/TaskService.ts"
import * as Arguments from "./Arguments.ts"
import * as Render from "./Render.ts"
import * as Tool from "./Tool.ts"

export const showAgentTaskHistory = Tool.make({
  name: "show_agent_task_history",
  title: "Show reports of an agent",
  description:
    "Lists what an agent reported about its work since its latest start, newest first. Not for what it said: show_agent_log.",
  input: Schema.Struct({ agent_name: Arguments.agentName, ...Arguments.pageRequest(20) }),
  output: Schema.Struct({ agent_name: Schema.String, tasks: Schema.Array(Task), ...pageKeys }),
  hints: Tool.readOnly,
  program: ({ agent_name, ...page }) =>
    Effect.gen(function* () {
      const service = yield* TaskService
      const { items: tasks, ...paging } = yield* service.history(agent_name, page)
      return { agent_name, tasks, ...paging }
    }),
  text: ({ tasks, ...keys }) => {
    const rows = tasks.map(({ created_at, message, state, ...task }) => ({ created_at, state, ...task, message }))
    const shared = ["workspace_id", "agent_id", "app_id"]
    return Render.list(keys, rows, "No reports since the latest start.", shared)
  }
})
