import { Effect, Schema } from "effect"
import { Project } from "../schemas/Project.ts"
import { ProjectService } from "../layers/services/ProjectService.ts"
import { cut } from "../schemas/Text.ts"
import * as Arguments from "./Arguments.ts"
import * as Fit from "./Fit.ts"
import * as Render from "./Render.ts"
import * as Tool from "./Tool.ts"

const projectAsShown = Project.annotations({
  jsonSchema: { type: "object", description: "name, description, template and organization." }
})

const output = Schema.Struct({
  projects: Schema.Array(projectAsShown),
  total_count: Schema.Number,
  offset: Schema.Number,
  next_offset: Schema.NullOr(Schema.Number),
  note: Schema.String
})

const text = ({ note, offset, projects, total_count }: typeof output.Encoded): string =>
  [
    total_count === 0
      ? "There are no projects."
      : Render.shownOf(projects.length, total_count, offset, "projects", "list_agent_projects with"),
    ...Render.field("note", note),
    ...(projects.length === 0
      ? []
      : Render.table([
          { heading: "name", cells: projects.map(({ name }) => name) },
          { heading: "template", cells: projects.map(({ name, template_name }) => Render.unless(template_name, name)) },
          { heading: "organization", cells: projects.map(({ organization_name }) => organization_name) },
          { heading: "description", cells: projects.map(({ description }) => description) }
        ]))
  ].join("\n")

export const listAgentProjects = Tool.make({
  name: "list_agent_projects",
  title: "List projects",
  description: "Lists the projects that agents of this fleet can be created for. Not for existing agents: list_agents.",
  searchHint: "repositories, codebases, git projects, Coder templates, where coding agents can work",
  input: Schema.Struct({ offset: Arguments.offset }),
  output,
  hints: Tool.readOnly,
  program: ({ offset }) =>
    Effect.gen(function* () {
      const { list } = yield* ProjectService
      const { note, projects } = yield* list
      return { projects: projects.slice(offset), total_count: projects.length, offset, next_offset: null, note }
    }),
  fit: ({ projects, ...rest }, view) => {
    const short = projects.map((one) => ({ ...one, description: cut(one.description, Fit.longest.description) }))
    return Fit.list(short.length, view, text, (count) => ({
      ...rest,
      projects: short.slice(0, count),
      next_offset: Fit.nextOffset(rest.offset, count, rest.total_count),
      note: cut(rest.note, Fit.longest.note)
    }))
  },
  text
})
