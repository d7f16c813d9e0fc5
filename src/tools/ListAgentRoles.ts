import { Effect, Schema } from "effect"
import { Role } from "../schemas/Role.ts"
import { ProjectService } from "../layers/services/ProjectService.ts"
import * as Arguments from "./Arguments.ts"
import * as Render from "./Render.ts"
import * as Tool from "./Tool.ts"

export const listAgentRoles = Tool.make({
  name: "list_agent_roles",
  title: "List roles",
  description:
    "Lists the roles of a project: the ways in which an agent can be set up. Not needed when the default role will do.",
  input: Schema.Struct({ project: Arguments.text("The project's name, as in list_agent_projects.", "website") }),
  output: Schema.Struct({
    roles: Schema.Array(Role),
    project_name: Schema.String,
    total_count: Schema.Number,
    note: Schema.String
  }),
  hints: Tool.readOnly,
  program: ({ project }) =>
    Effect.gen(function* () {
      const projects = yield* ProjectService
      const found = yield* projects.roles(project)
      return {
        roles: found.roles,
        project_name: found.project.name,
        total_count: found.roles.length,
        note: found.note
      }
    }),
  text: ({ note, project_name, roles, total_count }) =>
    Render.list(
      note === "" ? { project_name, total_count } : { project_name, total_count, note },
      roles.map(({ description, ...role }) => ({ ...role, description })),
      "The project has no roles."
    )
})
