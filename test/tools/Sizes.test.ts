import { describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck, Layer, TestClock } from "effect"
import { AgentService } from "../../src/layers/services/AgentService.ts"
import { ProjectService } from "../../src/layers/services/ProjectService.ts"
import { TaskService } from "../../src/layers/services/TaskService.ts"
import { WaitService } from "../../src/layers/services/WaitService.ts"
import type { AgentView } from "../../src/schemas/Agent.ts"
import type { LogEntry } from "../../src/schemas/Conversation.ts"
import { paginate } from "../../src/schemas/Pagination.ts"
import { withoutControls } from "../../src/schemas/Text.ts"
import { fleetTools } from "../../src/tools/FleetTools.ts"
import { agent, at, busyAgent, fakes, log, project, role, task } from "./Fakes.ts"

interface Fleet {
  readonly agents?: ReadonlyArray<AgentView>
  readonly messages?: ReadonlyArray<LogEntry>
  readonly text?: string
}

const noon = at("2026-11-22T12:00:00Z").epochMillis

/** Services of a fleet of so many agents, and of so long texts. */
const services = ({ agents = [], messages = [], text = "" }: Fleet) => {
  const many = <A>(count: number, one: A) => Array.from({ length: count }, (_, index) => ({ ...one, id: `${index}` }))
  const long = { ...agent, last_task: text, evidence: { ...agent.evidence, detail: text } }
  const changed = {
    agent: long,
    outcome: "applied",
    message: text,
    next: ["restart_agent"],
    agent_name: "a",
    build_log: [text, text]
  } as const
  return Layer.mergeAll(
    fakes(),
    Layer.mock(AgentService, {
      list: ({ limit = agents.length, offset = 0 }) =>
        Effect.succeed({ agents: agents.slice(offset, offset + limit), total_count: agents.length, note: "" }),
      show: () => Effect.succeed(long),
      create: () => Effect.succeed({ ...changed, stage: "ready", task: "delivered" }),
      delete: () => Effect.succeed(changed),
      restart: () => Effect.succeed(changed),
      stop: () => Effect.succeed(changed)
    }),
    Layer.mock(WaitService, {
      wait: () =>
        Effect.succeed({
          done: true,
          agents: Array.from({ length: 16 }, () => ({
            name: "x".repeat(32),
            status: "waiting" as const,
            evidence: { ...agent.evidence, detail: text.slice(0, 160) },
            now: "busy" as const,
            last_message: text.slice(0, 500)
          })),
          more: 284,
          reached: 300,
          waited_for: 300,
          isEmpty: false,
          standing: [["waiting", 300]] as const,
          waited: 1,
          limit: 45,
          note: text.slice(0, 1100),
          cursor: "1f2e3d4c.7.5a6b7c8d"
        })
    }),
    Layer.mock(ProjectService, {
      list: Effect.succeed({ projects: many(300, { ...project, description: text }), note: text }),
      roles: () => Effect.succeed({ project, roles: many(300, { ...role, description: text }), note: text })
    }),
    Layer.mock(TaskService, {
      start: (agent_name, task_description) => Effect.succeed({ ...changed, agent_name, task_description }),
      cancel: () => Effect.succeed(changed),
      history: (_, page) =>
        Effect.succeed({ ...paginate(many(1000, { ...task, message: text, uri: text }), page), note: text }),
      log: (_, request) =>
        Effect.succeed(
          "page" in request
            ? paginate(messages, request)
            : paginate(messages, { page: messages.findIndex(({ id }) => id === request.message_id) + 1, page_size: 1 })
        )
    })
  )
}

const call = (fleet: Fleet, name: string, args: object = {}) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(noon)
    const tool = fleetTools.find((each) => each.name === name)
    if (tool === undefined) return yield* Effect.dieMessage(`no tool ${name}`)
    return yield* Effect.provide(tool.call(args), services(fleet))
  })

const conversation = (count: number, content: string): ReadonlyArray<LogEntry> =>
  Array.from({ length: count }, (_, index) => ({ ...log, id: count - index, content }))

const usual = (index: number): AgentView => ({
  ...busyAgent,
  name: `fix-login-${index}`,
  project: "shop",
  role: "shell",
  status: index % 3 === 0 ? "busy" : "idle",
  evidence: { ...busyAgent.evidence, detail: index % 3 === 0 ? "AgentAPI says running" : "AgentAPI says stable" },
  last_task: "Fix the login page",
  last_status: {
    state: index % 3 === 0 ? "working" : "complete",
    message: index % 3 === 0 ? "Fix the login page" : "All tests pass",
    created_at: at(`2026-11-22T11:${10 + index}:00Z`)
  }
})

const everyTool: ReadonlyArray<readonly [string, object]> = [
  ["list_agents", {}],
  ["show_agent", { agent_name: "a" }],
  ["list_agent_projects", {}],
  ["list_agent_roles", { project: "web" }],
  ["create_agent", { name: "a", project: "p", task: "t" }],
  ["delete_agent", { agent_name: "a" }],
  ["restart_agent", { agent_name: "a" }],
  ["stop_agent", { agent_name: "a" }],
  ["start_agent_task", { agent_name: "a", task_description: "x\n".repeat(10_000) }],
  ["cancel_agent_task", { agent_name: "a" }],
  ["wait_for_agents", {}],
  ["show_agent_task_history", { agent_name: "a", page_size: 100 }],
  ["show_agent_log", { agent_name: "a" }],
  ["show_agent_log", { agent_name: "a", page_size: 100 }],
  ["show_agent_log", { agent_name: "a", message_id: 7, offset: 100_000 }]
]

describe("a fleet of 300 agents, 2,000 messages, texts of 256 KB", () => {
  const cases = ["x", "\n", "é😀", '"\\'].map((unit) => unit.repeat(250_000 / unit.length))
  it.effect.each(
    everyTool.map(([name, args]) => [`${name} ${JSON.stringify(args).slice(0, 60)}`, name, args] as const)
  )(
    "%s answers within its limits",
    ([, name, args]) =>
      Effect.forEach(cases, (text) =>
        Effect.gen(function* () {
          const agents = Array.from({ length: 300 }, (_, index) => ({
            ...usual(index % 40),
            last_task: text.slice(0, 2000)
          }))
          const answer = yield* call({ agents, text, messages: conversation(2000, text) }, name, args)
          expect(answer.text.length).toBeLessThanOrEqual(8000)
          expect(Buffer.byteLength(JSON.stringify(answer.structured))).toBeLessThanOrEqual(64 * 1024)
          expect(answer.text.length).toBeGreaterThan(20)
        })
      ),
    240_000
  )
})

describe("list_agents", () => {
  const agents = Array.from({ length: 300 }, (_, index) => usual(index % 40))

  it.effect("of 20 usual agents has at most 2,500 characters", () =>
    Effect.map(call({ agents: agents.slice(0, 20) }, "list_agents"), ({ text }) => {
      expect(text.length).toBeLessThanOrEqual(2500)
      expect(text).toMatchSnapshot()
    })
  )

  it.effect("shows what fits, keys and text cut at the same agent, and names the call for the others", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      for (let offset: unknown = 0; offset !== null;) {
        const { structured, text } = yield* call({ agents }, "list_agents", { offset })
        const shown = structured["agents"] as ReadonlyArray<AgentView>
        expect(text.split("\n").filter((line) => line.startsWith("fix-login-"))).toHaveLength(shown.length)
        expect(shown.length).toBeGreaterThan(0)
        seen.push(...shown.map(({ name }) => name))
        const next = structured["next_offset"]
        if (next !== null) expect(text).toContain(`${300 - Number(next)} more: list_agents with offset ${Number(next)}`)
        offset = next
      }
      expect(seen).toEqual(agents.map(({ name }) => name))
    })
  )
})

it.effect("show_agent of a usual agent has at most 700 characters", () =>
  Effect.map(call({ text: "Fix the login page and commit" }, "show_agent", { agent_name: "a" }), ({ text }) => {
    expect(text.length).toBeLessThanOrEqual(700)
    expect(text).toMatchSnapshot()
  })
)

describe("show_agent_log", () => {
  it.effect("shows head and tail of a long message, and names the call for the rest", () =>
    Effect.gen(function* () {
      const content = `first\n${"line\n".repeat(10_000)}last`
      const { structured, text } = yield* call({ messages: conversation(3, content) }, "show_agent_log", {
        agent_name: "a",
        page: 2
      })
      expect(text).toMatch(/first\n.*show_agent_log with message_id 2, offset \d+\].*\n {2}last$/s)
      expect(JSON.stringify(structured)).toMatch(/show_agent_log with message_id 2, offset \d+/)
      expect(structured["logs"]).toMatchObject([{ id: 2, characters: content.length }])
      expect(text.length).toBeGreaterThan(7000)
    })
  )

  it.effect("is bounded for a message of 10 MB", () =>
    Effect.gen(function* () {
      const messages = conversation(1, "line\n".repeat(2_000_000))
      for (const offset of [undefined, 0, 9_999_000]) {
        const { structured, text } = yield* call({ messages }, "show_agent_log", {
          agent_name: "a",
          ...(offset === undefined ? {} : { message_id: 1, offset })
        })
        expect(text.length).toBeLessThanOrEqual(8000)
        expect(JSON.stringify(structured).length).toBeLessThanOrEqual(64 * 1024)
      }
    })
  )

  it.effect("gives the newest of several messages the most, and all of them something", () =>
    Effect.gen(function* () {
      const messages = conversation(30, "word ".repeat(5000))
      const { structured } = yield* call({ messages }, "show_agent_log", { agent_name: "a", page_size: 30 })
      const logs = structured["logs"] as ReadonlyArray<LogEntry>
      expect(logs).toHaveLength(30)
      expect(logs[0]?.content.length).toBeGreaterThan(2000)
      expect(logs.every(({ content }) => content.length >= 40)).toBe(true)
    })
  )

  it.effect.prop(
    "shows a long message in parts that make up the whole",
    [
      FastCheck.array(FastCheck.constantFrom("plain text", "\n", "😀", "e\u0301", "👨‍👩‍👧‍👦", "\u001b[31m"), {
        minLength: 1
      }),
      FastCheck.integer({ min: 1, max: 800 })
    ],
    ([units, times]) =>
      Effect.gen(function* () {
        const content = units.join("").repeat(times)
        let read = ""
        for (let offset: unknown = 0; offset !== undefined;) {
          const args = { agent_name: "a", message_id: 1, offset }
          const { structured } = yield* call({ messages: conversation(1, content) }, "show_agent_log", args)
          const [part] = structured["logs"] as ReadonlyArray<LogEntry & { readonly next_offset?: number }>
          read += part?.content ?? ""
          if (part?.next_offset !== undefined) expect(part.next_offset).toBe(read.length)
          offset = part?.next_offset
        }
        expect(read).toBe(withoutControls(content))
      }),
    { fastCheck: { numRuns: 10 } }
  )
})
