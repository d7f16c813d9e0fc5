import { Effect, Schema } from "effect"
import { Agent } from "../schemas/Agent.ts"
import { AgentService } from "../layers/services/AgentService.ts"
import * as AgentText from "./AgentText.ts"
import * as Arguments from "./Arguments.ts"
import * as Fit from "./Fit.ts"
import * as Tool from "./Tool.ts"

/** Written out in a few words: the keys of an agent would be a tenth of all that the tools say of themselves. */
const agentShown = Agent.annotations({
  jsonSchema: {
    type: "object",
    description: "name, status, evidence, last_task, last_status, role, project, workspace_id, queue, times, metadata."
  }
})

/** The agent in another tool's result, whose keys are named here only. */
export const agentAsShown = Agent.annotations({ jsonSchema: { type: "object", description: "As in show_agent." } })

const text = ({ agent }: { readonly agent: typeof Agent.Encoded }, { now }: Fit.View): string =>
  AgentText.agent(agent, now).join("\n")

export const showAgent = Tool.make({
  name: "show_agent",
  title: "Show an agent",
  description:
    "Shows one agent of this fleet: its status and why, its latest task, and those that wait. Not for what it said: show_agent_log.",
  searchHint:
    "coding agent status, progress, is the subagent done, what is it doing, watch, poll, wait for a worker, worktree, Coder workspace",
  input: Schema.Struct({ agent_name: Arguments.agentName }),
  output: Schema.Struct({ agent: agentShown }),
  hints: Tool.readOnly,
  program: ({ agent_name }) =>
    Effect.gen(function* () {
      const agents = yield* AgentService
      return { agent: yield* agents.show(agent_name) }
    }),
  fit: ({ agent }, view) => Fit.texts(view, text, (room) => ({ agent: AgentText.bounded(agent, room) })),
  text
})
