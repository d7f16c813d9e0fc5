import { Effect, Schema } from "effect"
import { pageKeys } from "../schemas/Pagination.ts"
import { Task } from "../schemas/Task.ts"
import { short } from "../schemas/Text.ts"
import { TaskService } from "../layers/services/TaskService.ts"
import * as Arguments from "./Arguments.ts"
import * as Fit from "./Fit.ts"
import * as Render from "./Render.ts"
import * as Tool from "./Tool.ts"

const taskAsShown = Task.annotations({
  jsonSchema: { type: "object", description: "Time, state, message, uri, and ids." }
})

const output = Schema.Struct({
  agent_name: Schema.String,
  tasks: Schema.Array(taskAsShown),
  ...pageKeys,
  note: Schema.String
})

const text = ({ note, tasks, ...keys }: typeof output.Encoded, { now }: Fit.View): string =>
  [
    Render.page(keys, tasks.length, note === "" || tasks.some(({ state }) => state !== "task") ? "reports" : "tasks"),
    ...Render.field("note", note),
    ...(tasks.length === 0
      ? []
      : Render.table([
          Render.moments(
            "time",
            tasks.map((task) => Render.moment(task.created_at, now))
          ),
          { heading: "state", cells: tasks.map(({ state }) => state) },
          { heading: "wants", cells: tasks.map((task) => (task.needs_user_attention ? "a person's attention" : "")) },
          { heading: "link", cells: tasks.map(({ uri }) => uri) },
          { heading: "message", cells: tasks.map(({ message }) => message) }
        ]))
  ].join("\n")

export const showAgentTaskHistory = Tool.make({
  name: "show_agent_task_history",
  title: "Show reports of an agent",
  description:
    "Lists what an agent of this fleet reported about its work since its latest start, newest first. Not for what it said: show_agent_log.",
  searchHint: "coding agent progress reports, app statuses, timeline, what a background agent has done so far",
  input: Schema.Struct({ agent_name: Arguments.agentName, ...Arguments.pageRequest(20) }),
  output,
  hints: Tool.readOnly,
  program: ({ agent_name, ...page }) =>
    Effect.gen(function* () {
      const service = yield* TaskService
      const { items: tasks, ...paging } = yield* service.history(agent_name, page)
      return { agent_name, tasks, ...paging }
    }),
  fit: ({ tasks, ...rest }, view) =>
    Fit.texts(view, text, (room) => ({
      ...rest,
      note: short(rest.note, Math.min(room, Fit.longest.note)),
      tasks: tasks.map((task) => ({ ...task, message: short(task.message, room), uri: short(task.uri, room) }))
    })),
  text
})
