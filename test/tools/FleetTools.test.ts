import { describe, expect, it } from "@effect/vitest"
import { fleetTools } from "../../src/tools/FleetTools.ts"

const definitions = fleetTools.map((tool) => tool.definition())
const withoutMeta = definitions.map(({ _meta, ...definition }) => definition)

/** What people and models ask for who could use this fleet, in their words. */
const ways = [
  "worktree claude codex",
  "coder workspace",
  "run agents in parallel",
  "spawn subagent",
  "delegate task background",
  "list coding agents",
  "coding agent status",
  "launch claude code",
  "stop running agent",
  "interrupt agent",
  "send prompt to agent",
  "agent output transcript",
  "read result of subagent",
  "resume stopped workspace",
  "shut down coding agent",
  "wait until agents finish",
  "delete worktree",
  "fleet of agents",
  "assign task codex",
  "available repositories projects",
  "agent roles presets",
  "what has the agent done progress"
]
const propertiesOf = (schema: { readonly properties?: unknown }) =>
  Object.entries((schema.properties ?? {}) as Record<string, Record<string, unknown>>)

// What users of the original program rely on, and what its tools are beside.
const original: Readonly<Record<string, readonly [args: string, result: string]>> = {
  list_agents: ["status_filter? project_filter?", "agents total_count"],
  show_agent: ["agent_name", "agent"],
  list_agent_projects: ["", "projects total_count"],
  list_agent_roles: ["project", "roles project_name total_count"],
  create_agent: ["name project task role?", "agent message"],
  delete_agent: ["agent_name", "agent_name message"],
  restart_agent: ["agent_name", "agent message"],
  stop_agent: ["agent_name", "agent message outcome"],
  start_agent_task: ["agent_name task_description", "agent_name task_description message"],
  cancel_agent_task: ["agent_name", "agent_name message"],
  wait_for_agents: ["agent_names? until? mode? timeout_seconds? cursor?", "message done agents cursor"],
  show_agent_task_history: [
    "agent_name page? page_size?",
    "agent_name tasks total_count page page_size has_next_page has_previous_page"
  ],
  show_agent_log: [
    "agent_name page? page_size?",
    "agent_name logs total_count page page_size has_next_page has_previous_page"
  ]
}

const words = (text: string) => (text === "" ? [] : text.split(" "))

describe("tools/list", () => {
  it("is what was last looked at", () => {
    expect(JSON.stringify(definitions, null, 2)).toMatchSnapshot()
  })

  it("costs at most 3,000 tokens", () => {
    expect(JSON.stringify({ tools: withoutMeta }).length / 4).toBeLessThanOrEqual(3000)
  })

  it("is found by what someone would ask for", () => {
    const texts = definitions.map(({ _meta, description, name }) =>
      `${name} ${description} ${String(_meta?.["anthropic/searchHint"])}`.toLowerCase()
    )
    const isFound = (way: string) => texts.some((text) => way.split(" ").every((word) => text.includes(word)))
    expect(ways).toHaveLength(22)
    expect(ways.filter((way) => !isFound(way)).length).toBeLessThanOrEqual(2)
  })

  it("is at hand from the beginning where a client searches its tools: to look, to create and to wait", () => {
    const atHand = definitions.filter(({ _meta }) => _meta?.["anthropic/alwaysLoad"] === true)
    expect(atHand.map(({ name }) => name)).toEqual(["list_agents", "create_agent", "wait_for_agents"])
    expect(definitions.every(({ _meta }) => _meta?.["anthropic/searchHint"] !== "")).toBe(true)
  })

  it("holds the original's tools, in their order", () => {
    expect(definitions.map(({ name }) => name)).toEqual(Object.keys(original))
  })

  it("is the same object each time", () => {
    expect(fleetTools.map((tool) => tool.definition())).toEqual(definitions)
    expect(fleetTools[0]?.definition()).toBe(definitions[0])
  })
})

describe.each(definitions)("$name", ({ annotations, description, inputSchema, name, outputSchema, title }) => {
  it("has a name that every client takes", () => {
    expect(name).toMatch(/^[a-z]+(_[a-z]+)*$/)
    expect(name.length).toBeLessThanOrEqual(40)
    expect(title).toMatch(/^[A-Z]/)
  })

  it("says when to use it and when not, in few sentences, and that it is this fleet's", () => {
    expect(`${name} ${description}`).toMatch(/of this fleet/)
    expect(description).toMatch(/^[A-Z].*\.$|: \w+\.$/)
    expect(description?.length).toBeLessThanOrEqual(300)
    expect(description).toMatch(/\bnot\b/i)
  })

  it("has all four hints", () => {
    expect(Object.values(annotations ?? {}).map((hint) => typeof hint)).toEqual(Array(4).fill("boolean"))
    expect(annotations?.readOnlyHint).toBe(/^(list|show|wait)_/.test(name))
    expect(annotations?.readOnlyHint && annotations.destructiveHint).toBe(false)
  })

  it("takes the original's arguments and answers its keys", () => {
    const [args, result] = original[name] ?? ["", ""]
    const properties = propertiesOf(inputSchema).map(([key]) => key)
    expect(properties).toEqual(expect.arrayContaining(words(args).map((key) => key.replace("?", ""))))
    expect(inputSchema.required ?? []).toEqual(words(args).filter((key) => !key.endsWith("?")))
    expect(outputSchema?.required).toEqual(expect.arrayContaining(words(result)))
  })

  it("has a closed, flat input whose arguments are described, with an example", () => {
    expect(inputSchema["additionalProperties"]).toBe(false)
    expect(inputSchema.properties).toBeTypeOf("object")
    for (const [key, { description: about, examples, type }] of propertiesOf(inputSchema)) {
      expect(key).toMatch(/^[a-z_]+$/)
      expect(["string", "integer", "boolean", "array"]).toContain(type)
      expect(about).toMatch(/^[A-Z].*\.$/)
      expect(examples).toHaveLength(1)
    }
  })

  it("tells the default of every optional argument", () => {
    const optional = propertiesOf(inputSchema).filter(([key]) => !(inputSchema.required ?? []).includes(key))
    for (const [, property] of optional) {
      expect("default" in property || /Default: /.test(String(property["description"]))).toBe(true)
    }
  })

  it("has an open output", () => {
    expect(JSON.stringify(outputSchema)).not.toMatch(/additionalProperties|"enum"|\$ref|\$id/)
  })
})
