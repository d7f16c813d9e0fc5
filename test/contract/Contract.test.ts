import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Workspace } from "../../src/schemas/coder/Workspaces.ts"
import { differences, match, restrict, shapeOf } from "./Contract.ts"
import { audit, bodyOf, exchanges } from "./Recordings.ts"

// The measures themselves: that they find what they are there to find.

const ast = Schema.encodedSchema(Workspace).ast

describe("the comparison of an answer with a recorded one", () => {
  const recorded = bodyOf("statuses: order in the workspace") as Record<string, unknown>
  const build = recorded["latest_build"] as Record<string, unknown>
  const compare = (given: unknown) => differences(shapeOf(ast, recorded), shapeOf(ast, given))
  const { name: _, ...nameless } = recorded
  const { has_ai_task: __, ...without } = build

  it.each([
    ["the same", recorded, []],
    ["other keys", { ...recorded, more: 1 }, []],
    ["another name", { ...recorded, name: "other" }, []],
    ["a missing key", nameless, ["name is absent, recorded: string"]],
    [
      "a missing optional key",
      { ...recorded, latest_build: without },
      ["latest_build.has_ai_task is absent, recorded: boolean"]
    ],
    ["null for text", { ...recorded, name: null }, ["name is null, recorded: string"]],
    ["a number for text", { ...recorded, name: 3 }, ["name is number, recorded: string"]],
    ["text for an id", { ...recorded, id: "workspace-1" }, ["id is string, recorded: id"]],
    ["text for a time", { ...recorded, created_at: "yesterday" }, ["created_at is string, recorded: time"]],
    [
      "a list without elements",
      { ...recorded, latest_build: { ...build, resources: [] } },
      ["latest_build.resources is empty list, recorded: list"]
    ],
    [
      "another situation",
      { ...recorded, latest_build: { ...build, status: "stopped" } },
      ['latest_build.status is "stopped", recorded: "running"']
    ],
    ["no object", null, ["(the answer) is null, recorded: object"]]
  ])("%s", (_name, given, expected) => {
    assert.deepStrictEqual(compare(given), expected)
  })
})

describe("the part of an answer that the contract declares", () => {
  it("has its keys and no others, however deep", () => {
    const recorded = bodyOf("agent: ready") as Record<string, unknown>
    const text = JSON.stringify(restrict(ast, recorded))
    assert.include(JSON.stringify(recorded), "ANTHROPIC_API_KEY")
    assert.notInclude(text, "ANTHROPIC_API_KEY")
    assert.notInclude(text, "owner_avatar_url")
    assert.include(text, "healthcheck")
  })
})

describe("the endpoint of a recorded request", () => {
  it.each([
    ["GET", "/api/v2/workspaces?q=x", "workspaces.list"],
    ["GET", "/api/v2/users/me/workspace/a%2Fb", "workspaces.getByName"],
    ["GET", "/@ada/Bot-1/apps/ccw/status", "agent.status"],
    ["DELETE", "/api/v2/workspaces", undefined],
    ["GET", "/@ada/Bot-1/apps/ccw/events", undefined],
    ["GET", "/status", undefined]
  ])("%s %s", (method, path, key) => {
    assert.strictEqual(match(method, path)?.endpoint.key, key)
  })
})

describe("the table of what is left out", () => {
  const all = exchanges.map(({ key }) => key)
  const [first = "", ...rest] = all

  it("finds an exchange in neither, one in both, one that is gone, and one without a reason", () => {
    assert.deepStrictEqual(audit(all, []), [])
    assert.deepStrictEqual(audit(rest, [{ reason: "why", keys: [first] }]), [])
    assert.deepStrictEqual(audit(rest, []), [`neither: ${first}`])
    assert.deepStrictEqual(audit(all, [{ reason: "why", keys: [first] }]), [`tested and listed: ${first}`])
    assert.deepStrictEqual(audit([...all, "gone"], []), ["does not exist: gone"])
    assert.deepStrictEqual(audit(rest, [{ reason: "", keys: [first] }]), [`no reason: ${first}`])
    assert.deepStrictEqual(audit(rest, [{ reason: "why", keys: [first, first] }]), [`listed twice: ${first}`])
  })
})
