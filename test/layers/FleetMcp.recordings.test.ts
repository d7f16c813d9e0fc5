import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Layer } from "effect"
import * as FleetMcp from "../../src/layers/FleetMcp.ts"
import type { AgentView } from "../../src/schemas/Agent.ts"
import { expectedAgents, expectedProjects, expectedRoles, versions, type ExpectedAgent } from "../contract/ReadTable.ts"
import { configuredProjects, manyWorkspaces, recordedServer, token } from "../contract/RecordedServer.ts"

const fleet = (url: URL) => FleetMcp.layerCoder({ url, sessionToken: token, projects: configuredProjects })

const iso = (time: DateTime.Utc | null): string => (time === null ? "" : DateTime.formatIso(time))

/** What the table says of an agent. Only what an agent reported itself was observed before the call. */
const seen = (agent: Omit<AgentView, "metadata">, began: DateTime.Utc): ExpectedAgent => {
  const at = agent.evidence.observed_at
  if (agent.evidence.source !== "app_status") assert.isTrue(DateTime.greaterThanOrEqualTo(at, began), agent.name)
  return {
    status: agent.status,
    role: agent.role,
    project: agent.project,
    source: agent.evidence.source,
    detail: agent.evidence.detail,
    ...(agent.evidence.source === "app_status" ? { at: iso(at) } : {}),
    ...(agent.last_task === null ? {} : { last_task: agent.last_task }),
    ...(agent.last_status === null
      ? {}
      : { last_status: { ...agent.last_status, created_at: iso(agent.last_status.created_at) } })
  }
}

describe("the services over a server that answers from recordings", () => {
  it.scopedLive("list: statuses, roles and evidence as in the table, and no personal workspace", () =>
    Effect.gen(function* () {
      const server = yield* recordedServer()
      const began = yield* DateTime.now
      const { agents, total_count } = yield* Effect.flatMap(FleetMcp.AgentService, (service) => service.list({})).pipe(
        Effect.provide(fleet(server.url))
      )
      assert.deepStrictEqual(
        agents.map(({ name }) => name),
        Object.keys(expectedAgents)
      )
      assert.strictEqual(total_count, Object.keys(expectedAgents).length)
      for (const agent of agents) {
        assert.deepStrictEqual(seen(agent, began), expectedAgents[agent.name], agent.name)
      }
    })
  )

  it.scopedLive("show: the same for each agent; a personal and an unreadable workspace are refused", () =>
    Effect.gen(function* () {
      const server = yield* recordedServer()
      const began = yield* DateTime.now
      const services = yield* Layer.build(fleet(server.url))
      const { show } = yield* Effect.provide(FleetMcp.AgentService, services)
      for (const [name, expected] of Object.entries(expectedAgents)) {
        if (name === "broken") continue
        const agent = yield* show(name.toUpperCase())
        assert.deepStrictEqual(seen(agent, began), expected)
        assert.strictEqual(agent.name, name)
      }
      assert.strictEqual((yield* Effect.flip(show("personal")))._tag, "NotAnAgent")
      assert.strictEqual((yield* Effect.flip(show("broken")))._tag, "AgentUnreadable")
      assert.strictEqual((yield* Effect.flip(show("nobody")))._tag, "AgentNotFound")
    })
  )

  it.scopedLive("projects and roles as in the tables; a name of two projects is refused with both", () =>
    Effect.gen(function* () {
      const server = yield* recordedServer()
      const services = yield* Layer.build(fleet(server.url))
      const projects = yield* Effect.provide(FleetMcp.ProjectService, services)
      const { note, projects: found } = yield* projects.list
      assert.deepStrictEqual(
        found.map(({ description, name, template_name }) => ({ name, template_name, description })),
        expectedProjects
      )
      assert.match(note, /nocancel.*plain.*required/)
      for (const name of ["claude-code", "Coder/Claude-Code"]) {
        const { project, roles } = yield* projects.roles(name)
        assert.strictEqual(project.template_name, "claude-code")
        assert.deepStrictEqual(
          roles.map(({ default: isDefault, description, id, name }) => ({ id, name, description, default: isDefault })),
          expectedRoles
        )
      }
      assert.deepStrictEqual((yield* projects.roles("hang")).roles, [])
      const ambiguous = yield* Effect.flip(projects.roles("Claude Code"))
      assert.include(ambiguous.message, "coder/claude-code-2")
    })
  )

  it.scopedLive("a list asks for its pages, and twice for each template version that is new to it", () =>
    Effect.gen(function* () {
      const server = yield* recordedServer()
      const services = yield* Layer.build(fleet(server.url))
      const { list } = yield* Effect.provide(FleetMcp.AgentService, services)
      yield* list({})
      // And once for the builds of a stopped workspace that nothing else tells about.
      assert.strictEqual(server.asked().length, 1 + 2 * versions + 1)
      yield* list({})
      assert.deepStrictEqual(server.asked(), ["GET /api/v2/workspaces?q=owner%3Ame&limit=100&offset=0"])
    })
  )

  it.scopedLive.each([1, 100, 101, 250])("a list of %i agents asks for each page once", (count) =>
    Effect.gen(function* () {
      const server = yield* recordedServer(manyWorkspaces(count))
      const services = yield* Layer.build(fleet(server.url))
      const { list } = yield* Effect.provide(FleetMcp.AgentService, services)
      assert.strictEqual((yield* list({})).total_count, count)
      assert.isAtMost(server.asked().length, Math.ceil(count / 100) + 2)
      assert.strictEqual((yield* list({ limit: 3 })).agents.length, Math.min(3, count))
      assert.isTrue(server.asked().every((request) => request.startsWith("GET /api/v2/workspaces?")))
    })
  )
})
