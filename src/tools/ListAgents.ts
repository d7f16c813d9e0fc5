import { Effect, Schema } from "effect"
import { AgentView } from "../schemas/Agent.ts"
import { AgentService } from "../layers/services/AgentService.ts"
import * as AgentText from "./AgentText.ts"
import * as Arguments from "./Arguments.ts"
import * as Fit from "./Fit.ts"
import * as Render from "./Render.ts"
import * as Tool from "./Tool.ts"

const viewAsShown = AgentView.annotations({ jsonSchema: { type: "object", description: "As in show_agent, short." } })

const output = Schema.Struct({
  agents: Schema.Array(viewAsShown),
  total_count: Schema.Number,
  offset: Schema.Number,
  next_offset: Schema.NullOr(Schema.Number),
  note: Schema.String
})

const text = ({ agents, note, offset, total_count }: typeof output.Encoded, { now }: Fit.View): string => {
  if (total_count === 0) {
    return ["No agent matches. create_agent makes one.", ...Render.field("note", note)].join("\n")
  }
  const count = Render.shownOf(agents.length, total_count, offset, "agents", "list_agents with")
  return [count, ...Render.field("note", note), ...(agents.length === 0 ? [] : AgentText.agents(agents, now))].join(
    "\n"
  )
}

export const listAgents = Tool.make({
  name: "list_agents",
  title: "List agents",
  description:
    "Lists the coding agents of this fleet with their statuses. Call it first. Not for details of one agent: show_agent.",
  searchHint:
    "coding agents running in parallel, subagents, workers, background agents, worktree, Claude Code, Codex, Coder workspace, fleet overview, who is busy or idle",
  alwaysLoad: true,
  input: Schema.Struct({
    status_filter: Arguments.optionalText("Only agents of this status. Default: all.", "idle"),
    project_filter: Arguments.optionalText("Only agents of this project. Default: all.", "website"),
    limit: Arguments.optionalCount("At most so many. Default: as many as fit.", 20),
    offset: Arguments.offset
  }),
  output,
  hints: Tool.readOnly,
  program: ({ limit, offset, project_filter, status_filter }) =>
    Effect.gen(function* () {
      const { list } = yield* AgentService
      const found = yield* list({ status: status_filter, project: project_filter, limit, offset })
      return { ...found, offset, next_offset: null }
    }),
  fit: ({ agents, ...rest }, view) => {
    const short = agents.map(AgentText.listed)
    const firstShorter = short.findIndex((one, index) => AgentText.isShorter(one, agents[index] ?? one))
    return Fit.list(short.length, view, text, (count) => ({
      ...rest,
      note: firstShorter < 0 || firstShorter >= count ? rest.note : "show_agent has whole what ends with ….",
      agents: short.slice(0, count),
      next_offset: Fit.nextOffset(rest.offset, count, rest.total_count)
    }))
  },
  text
})
