import { Effect, Schema } from "effect"
import { Project } from "../schemas/Project.ts"
import { ProjectService } from "../layers/services/ProjectService.ts"
import * as Arguments from "./Arguments.ts"
import * as Render from "./Render.ts"
import * as Tool from "./Tool.ts"

export const listAgentProjects = Tool.make({
  name: "list_agent_projects",
  title: "List projects",
  description:
    "Lists the projects that agents can be created for. Call it before create_agent, not to find existing agents.",
  input: Arguments.none,
  output: Schema.Struct({ projects: Schema.Array(Project), total_count: Schema.Number, note: Schema.String }),
  hints: Tool.readOnly,
  program: () =>
    Effect.gen(function* () {
      const { list } = yield* ProjectService
      const { note, projects } = yield* list
      return { projects, total_count: projects.length, note }
    }),
  text: ({ note, projects, total_count }) =>
    Render.list(
      note === "" ? { total_count } : { total_count, note },
      projects.map(({ description, ...project }) => ({ ...project, description })),
      "There are no projects."
    )
})
