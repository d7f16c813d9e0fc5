import { assert, describe, it } from "@effect/vitest"
import { DateTime, FastCheck, Option } from "effect"
import {
  reportState,
  timeOf,
  toAgent,
  toAgentView,
  workspaceState
} from "../../../src/layers/repositories/AgentState.ts"
import { agentApp } from "../../../src/layers/repositories/WorkspaceAgents.ts"
import { AgentStatus, type Evidence } from "../../../src/schemas/Agent.ts"
import type { AppStatus, AppSummary } from "../../../src/schemas/coder/Builds.ts"
import type { WorkspaceSummary } from "../../../src/schemas/coder/Workspaces.ts"

const now = DateTime.unsafeMake("2026-01-01T12:00:00Z")
const built = "2026-01-01T10:00:00Z"
const before = "2026-01-01T09:59:59.999999Z"
const after = "2026-01-01T10:30:00.5Z"

type Summary = WorkspaceSummary
type BuildSummary = Summary["latest_build"]
type AgentSummary = NonNullable<BuildSummary["resources"][number]["agents"]>[number]

const app = (more: Partial<AppSummary> = {}): AppSummary => ({
  id: "app",
  slug: "ccw",
  display_name: "Claude Code",
  health: "healthy",
  healthcheck: { url: "http://localhost:3284/status" },
  statuses: [],
  ...more
})

const agent = (more: Partial<AgentSummary> = {}): AgentSummary => ({
  id: "agent",
  parent_id: null,
  name: "main",
  status: "connected",
  lifecycle_state: "ready",
  apps: [app()],
  ...more
})

const report = (more: Partial<AppStatus> = {}): AppStatus => ({
  id: "report",
  created_at: after,
  workspace_id: "workspace",
  agent_id: "agent",
  app_id: "app",
  state: "idle",
  message: "",
  uri: "",
  ...more
})

interface Parts {
  readonly build?: Partial<BuildSummary>
  readonly agents?: ReadonlyArray<AgentSummary>
  readonly latest?: AppStatus | null
}

const workspace = ({ agents = [agent()], build = {}, latest = null }: Parts = {}): Summary => ({
  id: "workspace",
  name: "bot",
  created_at: "2025-12-31T10:00:00Z",
  updated_at: "2025-12-31T10:00:00Z",
  owner_id: "owner",
  owner_name: "ada",
  organization_name: "coder",
  template_id: "template",
  template_name: "claude-code",
  template_display_name: "Claude Code",
  latest_app_status: latest,
  latest_build: {
    id: "build",
    created_at: built,
    updated_at: "2026-01-01T10:00:05Z",
    workspace_id: "workspace",
    template_version_id: "version",
    template_version_preset_id: null,
    build_number: 3,
    transition: "start",
    status: "running",
    reason: "initiator",
    job: { id: "job", status: "succeeded", created_at: built },
    resources: [{ type: "docker_container", name: "dev", agents }],
    ...build
  }
})

/** What is told of an agent that does not answer itself. */
const unanswered = (one: Summary) => {
  const where = workspaceState(one, {}, now)
  return where._tag === "Told" ? where.state : reportState(one, `nobody answered${where.warning}`, now)
}

const derive = (parts: Parts) => {
  const { evidence, status } = unanswered(workspace(parts))
  return [status, evidence.source] as const
}

const failedJob = { id: "job", status: "failed", created_at: built, error: "no capacity" }
const rows: ReadonlyArray<readonly [string, Parts, AgentStatus, Evidence["source"]]> = [
  // What the build says beats everything else.
  ...(
    ["pending", "starting", "stopping", "stopped", "failed", "canceling", "canceled", "deleting", "deleted"] as const
  ).map((status) => [`build ${status}`, { build: { status }, latest: report() }, status, "build"] as const),
  [
    "stopped, and its last report says working",
    { build: { status: "stopped", transition: "stop" }, latest: report({ state: "working" }) },
    "stopped",
    "build"
  ],
  [
    "a build status that Coder does not have yet",
    { build: { status: "hibernating" }, latest: report() },
    "unknown",
    "build"
  ],
  ["a build status that is only ours", { build: { status: "idle" }, latest: report() }, "unknown", "build"],
  ["a failed delete", { build: { status: "failed", transition: "delete", job: failedJob } }, "failed", "build"],
  // Coder's agent.
  ["agent timeout", { agents: [agent({ status: "timeout" })], latest: report() }, "offline", "workspace_agent"],
  [
    "agent disconnected",
    { agents: [agent({ status: "disconnected" })], latest: report() },
    "offline",
    "workspace_agent"
  ],
  [
    "agent ended while it was at work",
    {
      agents: [agent({ status: "disconnected", lifecycle_state: "off" })],
      latest: report({ state: "working", message: "fix the login" })
    },
    "interrupted",
    "workspace_agent"
  ],
  [
    "agent ended while it had nothing to do",
    { agents: [agent({ status: "disconnected", lifecycle_state: "off" })], latest: report() },
    "offline",
    "workspace_agent"
  ],
  [
    "agent ended, and what it was at work on is from before the start",
    {
      agents: [agent({ status: "disconnected", lifecycle_state: "off" })],
      latest: report({ state: "working", created_at: "2025-12-31T10:00:00Z" })
    },
    "offline",
    "workspace_agent"
  ],
  [
    "agent is only not connected while it is at work",
    { agents: [agent({ status: "disconnected" })], latest: report({ state: "working" }) },
    "offline",
    "workspace_agent"
  ],
  [
    "the one of two agents that has the app is lost",
    { agents: [agent({ apps: [], name: "gpu" }), agent({ status: "disconnected" })] },
    "offline",
    "workspace_agent"
  ],
  [
    "the other one of two agents is lost",
    { agents: [agent({ status: "disconnected", apps: [], name: "gpu" }), agent()], latest: report() },
    "idle",
    "app_status"
  ],
  [
    "the other one of two agents runs its startup script",
    { agents: [agent({ lifecycle_state: "starting", apps: [], name: "gpu" }), agent()], latest: report() },
    "idle",
    "app_status"
  ],
  [
    "one of two agents is lost, and none has the app",
    { agents: [agent({ apps: [] }), agent({ status: "disconnected", apps: [] })], latest: report() },
    "offline",
    "workspace_agent"
  ],
  [
    "lost beats connecting, where none has the app",
    { agents: [agent({ status: "connecting", apps: [] }), agent({ status: "timeout", apps: [] })] },
    "offline",
    "workspace_agent"
  ],
  [
    "connecting",
    { agents: [agent({ status: "connecting", lifecycle_state: "created" })], latest: report() },
    "starting",
    "workspace_agent"
  ],
  ["lifecycle created", { agents: [agent({ lifecycle_state: "created" })] }, "starting", "workspace_agent"],
  ["lifecycle starting", { agents: [agent({ lifecycle_state: "starting" })] }, "starting", "workspace_agent"],
  [
    "a sub-agent is ignored",
    { agents: [agent(), agent({ parent_id: "agent", status: "disconnected" })], latest: report() },
    "idle",
    "app_status"
  ],
  [
    "an unknown agent status, and a report",
    { agents: [agent({ status: "dreaming" })], latest: report({ state: "working" }) },
    "busy",
    "app_status"
  ],
  // The app.
  [
    "app initializing",
    { agents: [agent({ apps: [app({ health: "initializing" })] })], latest: report() },
    "starting",
    "app_health"
  ],
  [
    "app unhealthy",
    { agents: [agent({ apps: [app({ health: "unhealthy" })] })], latest: report() },
    "degraded",
    "app_health"
  ],
  [
    "app without a health check",
    { agents: [agent({ apps: [app({ health: "disabled" })] })], latest: report() },
    "idle",
    "app_status"
  ],
  [
    "another app unhealthy",
    {
      agents: [agent({ apps: [app(), app({ slug: "vscode", display_name: "VS Code", health: "unhealthy" })] })],
      latest: report()
    },
    "idle",
    "app_status"
  ],
  // Reports since the start.
  ["working", { latest: report({ state: "working" }) }, "busy", "app_status"],
  ["idle", { latest: report({ state: "idle" }) }, "idle", "app_status"],
  ["complete", { latest: report({ state: "complete" }) }, "idle", "app_status"],
  ["failure", { latest: report({ state: "failure" }) }, "idle", "app_status"],
  ["a state that Coder does not have yet", { latest: report({ state: "pondering" }) }, "unknown", "app_status"],
  [
    "working, and wants a person",
    { latest: report({ state: "working", needs_user_attention: true }) },
    "waiting",
    "app_status"
  ],
  ["idle, and wants a person", { latest: report({ needs_user_attention: true }) }, "waiting", "app_status"],
  [
    "a startup script that failed",
    { agents: [agent({ lifecycle_state: "start_error" })], latest: report() },
    "idle",
    "app_status"
  ],
  [
    "a startup script that runs late",
    { agents: [agent({ lifecycle_state: "start_timeout" })], latest: report() },
    "idle",
    "app_status"
  ],
  // Nothing was heard.
  ["no report", {}, "unknown", "nothing"],
  ["a report from before the start", { latest: report({ created_at: before }) }, "unknown", "nothing"],
  ["a report of the very moment of the start", { latest: report({ created_at: built }) }, "unknown", "nothing"],
  ["a report whose time cannot be read", { latest: report({ created_at: "yesterday" }) }, "unknown", "nothing"],
  ["Go's zero time", { latest: report({ created_at: "0001-01-01T00:00:00Z" }) }, "unknown", "nothing"],
  ["no app and no report", { agents: [agent({ apps: [] })] }, "unknown", "nothing"],
  ["no agents at all", { agents: [] }, "unknown", "nothing"]
]

describe("an agent that does not answer", () => {
  for (const [what, parts, status, source] of rows) {
    it(`${what}: ${status} from ${source}`, () => {
      assert.deepStrictEqual(derive(parts), [status, source])
    })
  }

  it("compares times, not their text", () => {
    // 12:30 in +05:00 is 07:30 UTC, before the start.
    assert.strictEqual(derive({ latest: report({ created_at: "2026-01-01T12:30:00.123456789+05:00" }) })[0], "unknown")
    assert.strictEqual(derive({ latest: report({ created_at: "2026-01-01T05:30:00-06:00" }) })[0], "idle")
  })

  it("says which agent, which error, which warning, and when", () => {
    const of = (parts: Parts) => unanswered(workspace(parts)).evidence
    assert.include(of({ agents: [agent({ name: "gpu", status: "disconnected" })] }).detail, "gpu")
    assert.include(of({ build: { status: "failed", job: failedJob } }).detail, "no capacity")
    assert.include(of({ build: { status: "failed", transition: "delete", job: failedJob } }).detail, "delete")
    const other = agent({ name: "gpu", status: "disconnected", apps: [] })
    assert.include(of({ agents: [other, agent()] }).detail, "workspace agent gpu has lost its connection")
    const warned = of({ agents: [agent({ lifecycle_state: "start_error" })], latest: report({ message: "done" }) })
    assert.include(warned.detail, "the startup script of main failed")
    assert.include(warned.detail, "done")
    assert.strictEqual(DateTime.formatIso(warned.observed_at), "2026-01-01T10:30:00.500Z")
    assert.include(of({ agents: [agent({ lifecycle_state: "start_error" })] }).detail, "failed")
    assert.include(of({ latest: report({ state: "failure", message: "tests fail" }) }).detail, "failure: tests fail")
  })

  const text = FastCheck.oneof(
    FastCheck.constantFrom(
      "connected",
      "ready",
      "idle",
      "stable",
      "working",
      "running",
      "healthy",
      "start",
      "complete",
      ""
    ),
    FastCheck.string({ unit: "binary", maxLength: 12 })
  )
  const anyAgent = FastCheck.record({
    status: text,
    lifecycle_state: text,
    parent_id: FastCheck.constantFrom(null, "x"),
    health: text
  })
  const anyWorkspace = FastCheck.record({
    status: FastCheck.oneof(FastCheck.constant("running"), text),
    transition: text,
    agents: FastCheck.array(anyAgent, { maxLength: 3 }),
    state: FastCheck.option(text),
    message: text,
    created_at: FastCheck.constantFrom(before, after, built, "", "soon")
  }).map(({ agents, created_at, message, state, status, transition }) =>
    workspace({
      build: { status, transition },
      agents: agents.map(({ health, lifecycle_state, parent_id, status }) =>
        agent({
          status,
          lifecycle_state,
          parent_id,
          apps: [app({ health, statuses: [null, 7, { state, created_at }] })]
        })
      ),
      latest: state === null ? null : report({ state, message, created_at })
    })
  )

  it("never says idle or busy unless a fresh report said it", () => {
    FastCheck.assert(
      FastCheck.property(anyWorkspace, (one) => {
        const { evidence, status } = unanswered(one)
        assert.include(AgentStatus.literals, status)
        // oxlint-disable-next-line no-control-regex
        assert.notMatch(evidence.detail, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/)
        if (!["idle", "busy", "waiting"].includes(status)) return
        const { latest_app_status: latest, latest_build: build } = one
        assert.deepStrictEqual([evidence.source, build.status, build.transition], ["app_status", "running", "start"])
        assert.strictEqual(latest?.created_at, after)
        assert.include(status === "busy" ? ["working"] : ["idle", "complete", "failure"], latest?.state)
      }),
      { numRuns: 3000 }
    )
  })
})

it("a reason is cut", () => {
  const { evidence } = reportState(workspace(), "x".repeat(5000), now)
  assert.isBelow(evidence.detail.length, 600)
})

describe("agentApp", () => {
  const found = (apps: ReadonlyArray<AppSummary>, options = {}) =>
    Option.getOrNull(
      Option.map(agentApp(workspace({ agents: [agent({ apps })] }).latest_build, options), (one) => one.slug)
    )
  const other = app({ slug: "vscode", display_name: "VS Code", healthcheck: { url: "" } })
  const cli = app({ slug: "ccw-cli", display_name: "Claude Code", command: "claude", healthcheck: { url: "" } })
  const byCheck = app({ slug: "agent", display_name: "Agent" })
  const byName = app({ slug: "cc", healthcheck: { url: "" } })

  it("is ccw, else the health check, else the name, and never a command", () => {
    assert.strictEqual(found([byName, byCheck, app()]), "ccw")
    assert.strictEqual(found([other, byCheck]), "agent")
    assert.strictEqual(found([cli, other, byName]), "cc")
    assert.strictEqual(found([cli, other]), null)
    assert.strictEqual(found([app({ command: "x" })]), null)
    assert.strictEqual(
      found([app({ slug: "a", display_name: "a", healthcheck: { url: "http://x:13284/status" } })]),
      null
    )
  })

  it("is the configured slug alone", () => {
    assert.strictEqual(found([app(), other], { appSlug: "vscode" }), "vscode")
    assert.strictEqual(found([app(), byCheck], { appSlug: "gone" }), null)
  })

  it("is never an app of a sub-agent", () => {
    const sub = agent({ parent_id: "agent" })
    assert.isTrue(Option.isNone(agentApp(workspace({ agents: [agent({ apps: [] }), sub] }).latest_build, {})))
  })
})

describe("what is shown", () => {
  const iso = (time: DateTime.Utc | null) => (time === null ? null : DateTime.formatIso(time))
  const idle = unanswered(workspace())
  const statuses = [
    { state: "working", message: "old life", created_at: before },
    { state: "working", message: "second", created_at: "2026-01-01T10:20:00Z" },
    { state: "working", message: "newest\u001b[31m", created_at: "2026-01-01T10:40:00+00:00" },
    { state: "working", message: "first", created_at: "2026-01-01T12:10:00+02:00" },
    { state: "working", message: " \u0000", created_at: "2026-01-01T11:00:00Z" },
    { state: "idle", message: "resting", created_at: "2026-01-01T11:30:00Z" },
    null,
    { state: "working", message: 7, created_at: 7 }
  ]

  it("last_task is the newest non-empty working report since the start, in any order", () => {
    for (const order of [statuses, statuses.toReversed()]) {
      const one = workspace({ agents: [agent({ apps: [app({ statuses: order })] })] })
      assert.strictEqual(toAgentView(one, idle, null).last_task, "newest")
    }
    assert.strictEqual(toAgentView(workspace(), idle, null).last_task, null)
    const stopped = workspace({ build: { transition: "stop" }, agents: [agent({ apps: [app({ statuses })] })] })
    assert.strictEqual(toAgentView(stopped, idle, null).last_task, null)
  })

  it("last_status is the fresh report alone", () => {
    const fresh = toAgent(workspace({ latest: report({ state: "working", message: "a\u0007b" }) }), idle, "coder")
    assert.deepInclude(fresh.last_status, { state: "working", message: "ab" })
    assert.strictEqual(fresh.role, "coder")
    assert.strictEqual(iso(fresh.updated_at), "2026-01-01T10:30:00.500Z")
    const stale = toAgent(workspace({ latest: report({ created_at: before }) }), idle, null)
    assert.strictEqual(stale.last_status, null)
    assert.strictEqual(iso(stale.updated_at), "2026-01-01T10:00:05.000Z")
  })

  it("the project is the display name, or the name where that is empty", () => {
    const bare = { ...workspace(), template_display_name: "" }
    assert.strictEqual(toAgentView(bare, idle, null).project, "claude-code")
  })

  it("a time that cannot be read is none, never 1970", () => {
    assert.isNull(timeOf("never"))
    assert.isNull(timeOf(""))
    const unreadable = { ...workspace(), created_at: "yesterday" }
    assert.isNull(toAgentView(unreadable, idle, null).created_at)
    assert.strictEqual(
      iso(toAgent({ ...unreadable, updated_at: "" }, idle, null).updated_at),
      "2026-01-01T10:00:05.000Z"
    )
  })
})
