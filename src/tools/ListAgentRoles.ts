import { Effect, Schema } from "effect"
import { Role } from "../schemas/Role.ts"
import { ProjectService } from "../layers/services/ProjectService.ts"
import { cut } from "../schemas/Text.ts"
import * as Arguments from "./Arguments.ts"
import * as Fit from "./Fit.ts"
import * as Render from "./Render.ts"
import * as Tool from "./Tool.ts"

const roleAsShown = Role.annotations({
  jsonSchema: { type: "object", description: "name, description, default, and ids." }
})

const output = Schema.Struct({
  roles: Schema.Array(roleAsShown),
  project_name: Schema.String,
  total_count: Schema.Number,
  offset: Schema.Number,
  next_offset: Schema.NullOr(Schema.Number),
  note: Schema.String
})

const text = ({ note, offset, project_name, roles, total_count }: typeof output.Encoded): string =>
  [
    ...Render.field("project", project_name),
    total_count === 0
      ? "The project has no roles."
      : Render.shownOf(roles.length, total_count, offset, "roles", "list_agent_roles with this project and"),
    ...Render.field("note", note),
    ...(roles.length === 0
      ? []
      : Render.table([
          { heading: "name", cells: roles.map(({ name }) => name) },
          { heading: "taken unasked", cells: roles.map((role) => (role.default ? "default" : "")) },
          { heading: "description", cells: roles.map(({ description }) => description) }
        ]))
  ].join("\n")

export const listAgentRoles = Tool.make({
  name: "list_agent_roles",
  title: "List roles",
  description: "Lists the roles of a project of this fleet. Not needed when the default role will do.",
  searchHint: "agent kinds, presets, Claude Code, Codex, shell, which model or tools a coding agent has",
  input: Schema.Struct({
    project: Arguments.text("Of list_agent_projects.", "website"),
    offset: Arguments.offset
  }),
  output,
  hints: Tool.readOnly,
  program: ({ offset, project }) =>
    Effect.gen(function* () {
      const projects = yield* ProjectService
      const { note, project: found, roles } = yield* projects.roles(project)
      const total_count = roles.length
      return { roles: roles.slice(offset), project_name: found.name, total_count, offset, next_offset: null, note }
    }),
  fit: ({ roles, ...rest }, view) => {
    const short = roles.map((one) => ({ ...one, description: cut(one.description, Fit.longest.description) }))
    return Fit.list(short.length, view, text, (count) => ({
      ...rest,
      roles: short.slice(0, count),
      next_offset: Fit.nextOffset(rest.offset, count, rest.total_count),
      note: cut(rest.note, Fit.longest.note)
    }))
  },
  text
})
