import { Effect, Schema } from "effect"
import { pageKeys } from "../schemas/Pagination.ts"
import { Task } from "../schemas/Task.ts"
import { cut, short } from "../schemas/Text.ts"
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

type Shown = (typeof output.Encoded.tasks)[number]

/** Where there are no reports, the history is that of the conversation. */
const isOfConversation = ({ note, tasks }: Pick<typeof output.Encoded, "note" | "tasks">): boolean => {
  const [one] = tasks
  return one === undefined ? note !== "" : one.id.startsWith("message-")
}

/** What shows more of a message that is cut. */
const more = (tasks: ReadonlyArray<Shown>, ofConversation: boolean): string => {
  if (ofConversation) return "show_agent_log has whole what is cut."
  return tasks.length > 1 ? "A smaller page_size shows more of what ends with …." : ""
}

const text = ({ note, tasks, ...keys }: typeof output.Encoded, { now }: Fit.View): string =>
  [
    Render.page(keys, tasks.length, isOfConversation({ note, tasks }) ? "tasks" : "reports"),
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
    Fit.texts(view, text, (room) => {
      const shorten = tasks.length > 1 ? short : cut
      const shown = tasks.map((task) => ({ ...task, message: shorten(task.message, room), uri: short(task.uri, room) }))
      const hasCut = shown.some(({ message }, index) => message !== tasks[index]?.message)
      const note = short(rest.note, Math.min(room, Fit.longest.note))
      const hint = hasCut ? more(tasks, isOfConversation({ note: rest.note, tasks })) : ""
      return { ...rest, note: [note, hint].filter((part) => part !== "").join(" "), tasks: shown }
    }),
  text
})
