import { Effect, Schema } from "effect"
import { AgentView } from "../schemas/Agent.ts"
import { AgentService } from "../layers/services/AgentService.ts"
import * as Arguments from "./Arguments.ts"
import * as Render from "./Render.ts"
import * as Tool from "./Tool.ts"

const output = Schema.Struct({ agents: Schema.Array(AgentView), total_count: Schema.Number })

const row = ({ evidence, last_status, metadata: _none, ...agent }: typeof AgentView.Encoded) => ({
  name: agent.name,
  status: agent.status,
  project: agent.project,
  role: agent.role,
  created_at: agent.created_at,
  metadata_count: agent.metadata_count,
  last_task: agent.last_task,
  evidence: `${evidence.source} (${evidence.observed_at}): ${evidence.detail}`,
  last_status: last_status && `${last_status.state} (${last_status.created_at}): ${last_status.message}`
})

export const listAgents = Tool.make({
  name: "list_agents",
  title: "List agents",
  description:
    "Lists your agents with their statuses; call it first, to learn what exists and what is idle. Not for details of one agent: show_agent.",
  input: Schema.Struct({
    status_filter: Arguments.optionalText("Only agents of this status. Default: all.", "idle"),
    project_filter: Arguments.optionalText("Only agents of this project. Default: all.", "website"),
    limit: Arguments.optionalCount("At most so many agents. Default: all.", 20)
  }),
  output,
  hints: Tool.readOnly,
  program: ({ limit, project_filter, status_filter }) =>
    Effect.flatMap(AgentService, (agents) => agents.list({ status: status_filter, project: project_filter, limit })),
  text: ({ agents, total_count }) =>
    Render.list({ total_count }, agents.map(row), "No agent matches. create_agent makes one.")
})
