import type { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Record, Redacted, Schema } from "effect"
import { Agent, AgentView } from "../../src/schemas/Agent.ts"
import { Project } from "../../src/schemas/Project.ts"
import { Role } from "../../src/schemas/Role.ts"
import { connectProgram } from "../support/Program.ts"
import { configuredProjects, recordedServer, token } from "./RecordedServer.ts"
import { expectedAgents, expectedProjects, expectedRoles, type ExpectedAgent } from "./ReadTable.ts"

/** The built program over stdio, with nothing in its environment but where Coder is. */
const session = (coder: URL) =>
  connectProgram({
    env: {
      CODER_URL: coder.toString(),
      CODER_SESSION_TOKEN: Redacted.value(token),
      FLEET_MCP_PROJECTS: configuredProjects.join(",")
    }
  })

const Answer = Schema.Struct({
  isError: Schema.optional(Schema.Boolean),
  structuredContent: Schema.optional(Schema.Unknown),
  content: Schema.Array(Schema.Struct({ type: Schema.String, text: Schema.String }))
})

const call = <A, I>(client: Client, output: Schema.Schema<A, I>, name: string, args: Record<string, unknown> = {}) =>
  Effect.gen(function* () {
    const answer = yield* Effect.promise(() => client.callTool({ name, arguments: args }))
    const { content, isError, structuredContent } = yield* Schema.decodeUnknown(Answer)(answer)
    const text = content.map((part) => part.text).join("\n")
    assert.notStrictEqual(isError, true, text)
    return { ...(yield* Schema.decodeUnknown(output)(structuredContent)), text }
  })

const Lists = {
  agents: Schema.Struct({ agents: Schema.Array(Schema.encodedSchema(AgentView)), total_count: Schema.Number }),
  projects: Schema.Struct({ projects: Schema.Array(Project), total_count: Schema.Number }),
  roles: Schema.Struct({ roles: Schema.Array(Role), project_name: Schema.String, total_count: Schema.Number })
}

const seen = (agent: Omit<typeof AgentView.Encoded, "metadata">): ExpectedAgent => ({
  status: agent.status,
  role: agent.role,
  project: agent.project,
  source: agent.evidence.source,
  detail: agent.evidence.detail,
  ...(agent.evidence.source === "app_status" ? { at: agent.evidence.observed_at } : {}),
  ...(agent.last_task === null ? {} : { last_task: agent.last_task }),
  ...(agent.last_status === null
    ? {}
    : { last_status: { ...agent.last_status, created_at: agent.last_status.created_at ?? "" } })
})

/** A list shows so much of what a status was derived from. */
const inList = (detail: string): string => (detail.length <= 120 ? detail : `${detail.slice(0, 119)}…`)

describe("the read tools of the built program, over recorded answers", () => {
  it.scopedLive("list_agents, show_agent, list_agent_projects and list_agent_roles tell what the tables say", () =>
    Effect.gen(function* () {
      const { url } = yield* recordedServer()
      const client = yield* session(url)

      const { agents, text, total_count } = yield* call(client, Lists.agents, "list_agents")
      assert.strictEqual(total_count, agents.length)
      const listed = Record.map(expectedAgents, (one): ExpectedAgent => ({ ...one, detail: inList(one.detail) }))
      assert.deepStrictEqual(Object.fromEntries(agents.map((agent) => [agent.name, seen(agent)])), listed)
      for (const [name, { detail, last_status, status }] of Object.entries(listed)) {
        for (const part of [name, status, last_status?.message ?? detail]) assert.include(text, part)
      }

      for (const [name, expected] of Object.entries(expectedAgents)) {
        if (name === "broken") continue
        const shown = yield* call(client, Schema.Struct({ agent: Schema.encodedSchema(Agent) }), "show_agent", {
          agent_name: name
        })
        assert.deepStrictEqual(seen(shown.agent), expected)
        assert.include(shown.text, expected.last_status?.message ?? expected.detail)
      }

      const projects = yield* call(client, Lists.projects, "list_agent_projects")
      assert.deepStrictEqual(
        projects.projects.map(({ description, name, template_name }) => ({ name, template_name, description })),
        expectedProjects
      )
      const roles = yield* call(client, Lists.roles, "list_agent_roles", { project: "claude-code" })
      assert.strictEqual(roles.project_name, "Claude Code")
      assert.deepStrictEqual(
        roles.roles.map(({ default: isDefault, description, id, name }) => ({
          id,
          name,
          description,
          default: isDefault
        })),
        expectedRoles
      )
    })
  )
})
