import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, FastCheck, TestClock } from "effect"
import { fleetTools } from "../../src/tools/FleetTools.ts"
import { at, fakes, type Asked } from "./Fakes.ts"

const byName = new Map(fleetTools.map((tool) => [tool.name, tool]))

const call = (name: string, args: unknown, asked: Asked = []) => {
  const tool = byName.get(name)
  if (tool === undefined) throw new Error(`no tool ${name}`)
  return Effect.provide(tool.call(args), fakes(asked))
}

const refused = (name: string, args: unknown, asked: Asked = []) =>
  Effect.map(Effect.either(call(name, args, asked)), (result) =>
    Either.isLeft(result) ? result.left.message : "not refused"
  )

const leaves = (value: unknown): ReadonlyArray<string> => {
  if (value === null || value === undefined) return []
  return typeof value === "object"
    ? Object.values(value).flatMap(leaves)
    : [typeof value === "string" ? value : JSON.stringify(value)]
}
/** Without what tables and indentation add. */
const plain = (text: string) => text.replaceAll("\\n", "\n").replaceAll("\\t", "\t").replaceAll(/\s+/g, " ")

const isTime = (leaf: string) => /^\d{4}-\d\d-\d\dT/.test(leaf)
/** Keys that no reader of a text misses: ids that no tool takes, and what says that there is nothing. */
const unsaid =
  /^(id|workspace_id|agent_id|app_id|project_id|metadata|metadata_count|more|default|has_.*|next_offset|offset)$/
/** What of the structured content a text must say: its facts, times to the second. */
const facts = (value: unknown, key = ""): ReadonlyArray<string> => {
  if (unsaid.test(key) || value === false || value === "") return []
  if (Array.isArray(value)) return value.flatMap((item) => facts(item))
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).flatMap(([name, inner]) => facts(inner, name))
  }
  return leaves(value).flatMap((leaf) => (isTime(leaf) ? [leaf.slice(0, 10), leaf.slice(11, 19)] : [leaf]))
}

const good = {
  list_agents: [{}, { status_filter: "idle", project_filter: "web", limit: 1 }],
  show_agent: [{ agent_name: "Fix-Login" }],
  list_agent_projects: [{}],
  list_agent_roles: [{ project: "web" }],
  create_agent: [
    { name: "a", project: "web", task: "do it" },
    { name: "a", project: "web", task: "do it", role: "reviewer", wait_ready: true }
  ],
  delete_agent: [{ agent_name: "fix-login" }],
  restart_agent: [{ agent_name: "fix-login" }],
  stop_agent: [{ agent_name: "fix-login" }],
  start_agent_task: [{ agent_name: "fix-login", task_description: "one\ntwo" }],
  cancel_agent_task: [{ agent_name: "docs" }],
  wait_for_agents: [
    {},
    {
      agent_names: ["fix-login", "docs"],
      until: "changed",
      mode: "all",
      timeout_seconds: 60,
      cursor: "1f2e3d4c.7.5a6b7c8d"
    }
  ],
  show_agent_task_history: [{ agent_name: "fix-login", page: 1, page_size: 100 }],
  show_agent_log: [{ agent_name: "fix-login" }]
}

it.effect("a value nested too deep to print is refused like any other", () =>
  Effect.gen(function* () {
    const deep: unknown = JSON.parse(`${"[".repeat(20_000)}${"]".repeat(20_000)}`)
    const asked: Asked = []
    expect(yield* refused("show_agent", { agent_name: deep }, asked)).toContain("agent_name: Expected")
    expect(asked).toEqual([])
  })
)

describe.each(Object.entries(good))("%s", (name, calls) => {
  it.effect("answers the same content as keys and as text", () =>
    Effect.forEach(calls, (args) =>
      Effect.map(call(name, args), ({ structured, text }) => {
        for (const fact of facts(structured)) expect(plain(text)).toContain(plain(fact))
        expect(JSON.parse(JSON.stringify(structured))).toEqual(structured)
      })
    )
  )

  it.effect("refuses what it does not take, and calls nothing", () =>
    Effect.gen(function* () {
      const asked: Asked = []
      expect(yield* refused(name, ["x"], asked)).toMatch(/Expected|unexpected/)
      expect(yield* refused(name, "x", asked)).toMatch(/Expected|unexpected/)
      for (const key of byName.get(name)?.definition().inputSchema.required ?? []) {
        expect(yield* refused(name, { ...calls[0], [key]: undefined }, asked)).toContain(`${key}: `)
        expect(yield* refused(name, { ...calls[0], [key]: null }, asked)).toContain(
          `${key}: Expected string, actual null`
        )
        expect(yield* refused(name, { ...calls[0], [key]: 7 }, asked)).toContain(`${key}: Expected string, actual 7`)
      }
      expect(asked).toEqual([])
    })
  )
})

describe("arguments", () => {
  it.effect("reach the services", () =>
    Effect.gen(function* () {
      const asked: Asked = []
      for (const [name, calls] of Object.entries(good)) yield* Effect.forEach(calls, (args) => call(name, args, asked))
      expect(asked).toEqual([
        ["list", { status: undefined, project: undefined, limit: undefined, offset: 0 }],
        ["list", { status: "idle", project: "web", limit: 1, offset: 0 }],
        ["show", "Fix-Login"],
        ["projects"],
        ["roles", "web"],
        ["create", { name: "a", project: "web", task: "do it" }],
        ["create", { name: "a", project: "web", task: "do it", role: "reviewer", wait_ready: true }],
        ["delete", "fix-login"],
        ["restart", "fix-login"],
        ["stop", "fix-login"],
        ["start", "fix-login", "one\ntwo"],
        ["cancel", "docs"],
        ["wait", { names: undefined, until: "idle", mode: "any", seconds: undefined, cursor: undefined }],
        [
          "wait",
          {
            names: ["fix-login", "docs"],
            until: "changed",
            mode: "all",
            seconds: 60,
            cursor: "1f2e3d4c.7.5a6b7c8d"
          }
        ],
        ["history", "fix-login", { page: 1, page_size: 100 }],
        ["log", "fix-login", { page: 1, page_size: 1 }]
      ])
    })
  )

  it.effect("have the original's defaults, also where a client sends null for an optional one", () =>
    Effect.gen(function* () {
      const asked: Asked = []
      yield* call("show_agent_task_history", { agent_name: "docs" }, asked)
      yield* call("show_agent_log", { agent_name: "docs", page: null, page_size: null }, asked)
      yield* call("create_agent", { name: "a", project: "p", task: "t", role: null, wait_ready: null }, asked)
      expect(asked).toEqual([
        ["history", "docs", { page: 1, page_size: 20 }],
        ["log", "docs", { page: 1, page_size: 1 }],
        ["create", { name: "a", project: "p", task: "t" }]
      ])
    })
  )

  it.effect.each([
    [{ page: 0 }, "page: Expected an integer of at least 1, actual 0"],
    [{ page: 1.5 }, "page: Expected an integer of at least 1, actual 1.5"],
    [{ page: "two" }, 'page: Expected an integer of at least 1, actual "two"'],
    [{ page: "1.5" }, 'page: Expected an integer of at least 1, actual "1.5"'],
    [{ page: "0" }, "page: Expected an integer of at least 1, actual 0"],
    [{ page_size: 0 }, "page_size: Expected an integer from 1 to 100, actual 0"],
    [{ page_size: 101 }, "page_size: Expected an integer from 1 to 100, actual 101"],
    [{ page_size: Number.NaN }, "page_size: Expected an integer from 1 to 100, actual null"]
  ] as const)("say what a page may be: %o", ([args, message]) =>
    Effect.gen(function* () {
      for (const name of ["show_agent_log", "show_agent_task_history"]) {
        expect(yield* refused(name, { agent_name: "docs", ...args })).toBe(`${name} was not called.\n${message}`)
      }
    })
  )

  it.effect("are told all their problems at once, each in one short line", () =>
    Effect.gen(function* () {
      const message = yield* refused("create_agent", { name: 1, task: "x".repeat(1_000_000), wait_ready: "yes", a: 1 })
      expect(message.split("\n")).toEqual([
        "create_agent was not called.",
        "name: Expected string, actual 1",
        "project: is missing",
        'wait_ready: Expected boolean, actual "yes"'
      ])
      const long = yield* refused("show_agent", { agent_name: ["x".repeat(1_000_000)] })
      expect(long.length).toBeLessThan(500)
    })
  )
})

const noon = at("2026-11-22T12:00:00Z").epochMillis

describe("texts", () => {
  it.effect.each(Object.entries(good))("are what was last looked at: %s", ([name, [args]]) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(noon)
      expect((yield* call(name, args)).text).toMatchSnapshot()
    })
  )

  it.effect("of empty lists say so, with the note of the server", () =>
    Effect.gen(function* () {
      expect((yield* call("list_agents", { project_filter: "none" })).text).toBe(
        "No agent matches. create_agent makes one."
      )
      expect((yield* call("list_agent_roles", { project: "web" })).text).toContain("note: More with --allow-shell.")
    })
  )

  it.effect("of a conversation cannot be forged by a message", () =>
    Effect.map(call("show_agent_log", { agent_name: "docs" }), ({ text }) => {
      expect(text.split("\n").filter((line) => line.startsWith("["))).toHaveLength(1)
    })
  )
})

describe("arguments as clients send them", () => {
  it.effect("are taken where no doubt is possible", () =>
    Effect.gen(function* () {
      const asked: Asked = []
      yield* call("show_agent_log", { agent_name: "docs", page: "1", page_size: " 5 " }, asked)
      yield* call("list_agents", null, asked)
      yield* call("list_agents", { status_filter: "", limit: "5", wait_for_previous: true, toolCallId: "x" }, asked)
      yield* call("create_agent", { name: "a", project: "p", task: "t", role: "", wait_ready: "True" }, asked)
      for (const agent_names of ["docs", '["docs"]', ["docs"]]) yield* call("wait_for_agents", { agent_names }, asked)
      expect(asked.splice(-3).map(([, request]) => (request as { readonly names: unknown }).names)).toEqual([
        ["docs"],
        ["docs"],
        ["docs"]
      ])
      expect(asked).toEqual([
        ["log", "docs", { page: 1, page_size: 5 }],
        ["list", { status: undefined, project: undefined, limit: undefined, offset: 0 }],
        ["list", { status: undefined, project: undefined, limit: 5, offset: 0 }],
        ["create", { name: "a", project: "p", task: "t", wait_ready: true }]
      ])
    })
  )

  it.effect.each([
    ["show_agent", { agent_name: "docs", agentName: "x" }, "agent_name"],
    ["show_agent", { AGENT_NAME: "docs" }, "agent_name"],
    ["show_agent", { agent_nmae: "docs" }, "agent_name"],
    ["list_agents", { status: "idle" }, "status_filter"],
    ["list_agents", { limt: 1 }, "limit"],
    ["create_agent", { name: "a", project: "p", task: "t", role_name: "x" }, "role"],
    ["create_agent", { name: "a", project: "p", task: "t", waitReady: true }, "wait_ready"],
    ["show_agent_log", { agent_name: "docs", pageSize: 3 }, "page_size"]
  ] as const)("are told where one is misspelled: %s %o", ([name, args, real]) =>
    Effect.gen(function* () {
      const asked: Asked = []
      expect(yield* refused(name, args, asked)).toContain(`is no argument of this tool; ${real} is.`)
      expect(asked).toEqual([])
    })
  )

  it.effect.prop(
    "that no tool has are ignored",
    [
      FastCheck.constantFrom(...Object.keys(good)),
      FastCheck.dictionary(
        FastCheck.stringMatching(/^(x_[0-9]{6,12}|wait_for_previous|sessionId|chatInput)$/),
        FastCheck.jsonValue()
      )
    ],
    ([name, added]) =>
      Effect.gen(function* () {
        const [plainly, more]: [Asked, Asked] = [[], []]
        const args = good[name as keyof typeof good][0]
        yield* call(name, args, plainly)
        yield* call(name, { ...added, ...args }, more)
        expect(more).toEqual(plainly)
      })
  )
})

it.effect("wait_for_agents says what may be waited for", () =>
  Effect.gen(function* () {
    expect(yield* refused("wait_for_agents", { until: "done" })).toContain(
      'until: Expected idle, waiting, changed, actual "done"'
    )
    expect(yield* refused("wait_for_agents", { mode: 1 })).toContain("mode: Expected any, all, actual 1")
    expect(yield* refused("wait_for_agents", { timeout_seconds: 0 })).toContain("Expected an integer of at least 1")
    expect(yield* refused("wait_for_agents", { agent_names: [1] })).toContain(
      "agent_names.0: Expected string, actual 1"
    )
  })
)

describe("errors of the services", () => {
  it.effect.each([
    ["show_agent", { agent_name: "nobody" }, 'There is no agent "nobody".'],
    ["list_agents", { status_filter: "sleepy" }, "Allowed: idle, busy."],
    ["start_agent_task", { agent_name: "docs", task_description: "x" }, "is busy"],
    ["cancel_agent_task", { agent_name: "fix-login" }, "there is nothing to cancel"],
    ["delete_agent", { agent_name: "nobody" }, "There is no agent"],
    ["wait_for_agents", { agent_names: ["docs", "nobody"] }, "There is no agent"]
  ] as const)("pass: %s", ([name, args, message]) =>
    Effect.map(refused(name, args), (text) => expect(text).toContain(message))
  )
})
