import { describe, expect, it } from "@effect/vitest"
import { DateTime, FastCheck } from "effect"
import * as Render from "../../src/tools/Render.ts"

const lineBreak = /[\n\r\u2028\u2029]/

// With line breaks of all kinds between what is drawn.
const anyText = FastCheck.array(
  FastCheck.oneof(FastCheck.string({ unit: "binary" }), FastCheck.constantFrom("\n", "\r", "\u2028", "\t", "\\"))
).map((parts) => parts.join(""))

const cell = FastCheck.oneof(anyText, FastCheck.integer(), FastCheck.boolean(), FastCheck.constant(null))

const now = DateTime.unsafeMake("2026-11-27T10:00:05.900Z")

describe("Render", () => {
  it("leaves out what is empty: fields and columns", () => {
    expect([...Render.field("a", null), ...Render.field("b", ""), ...Render.field("c", 0)]).toEqual(["c: 0"])
    expect(
      Render.table([
        { heading: "name", cells: ["a", "b|c"] },
        { heading: "role", cells: [null, ""] },
        { heading: "task", cells: ["one\ntwo", null] }
      ])
    ).toEqual(["name | task", "a | one\\ntwo", "b\\|c |"])
  })

  it.prop(
    "has a line a row, whatever the cells hold",
    [FastCheck.array(FastCheck.tuple(cell, cell), { minLength: 1 })],
    ([cells]) => {
      const columns = [cells.map(([a]) => a), cells.map(([, b]) => b)].map((each) => ({ heading: "h", cells: each }))
      if (cells.some((row) => row.some((value) => value !== null && value !== ""))) {
        expect(Render.table(columns).join("\n").split(lineBreak)).toHaveLength(cells.length + 1)
      }
    }
  )

  it.prop("leaves no line of a value at the margin", [anyText], ([value]) => {
    for (const text of [Render.field("value", value).join("\n"), Render.first(value)]) {
      const [, ...others] = text.split(lineBreak)
      expect(others.every((line) => line.startsWith("  ") || line === "")).toBe(true)
    }
  })

  it.each([
    ["2026-11-27T10:00:05Z", "2026-11-27T10:00:05Z, 0 s ago"],
    ["2026-11-27T09:57:00.123Z", "2026-11-27T09:57:00Z, 3 min ago"],
    ["2026-11-26T09:57:00+02:00", "2026-11-26T07:57:00Z, 1 d ago"],
    ["2026-11-27T11:00:06Z", "2026-11-27T11:00:06Z, in 1 h"],
    [null, ""],
    ["some day", "some day"]
  ])("tells a time to the second, with its age: %s", (time, told) => expect(Render.moment(time, now)).toBe(told))

  it("says the day of a column once", () => {
    const { cells, heading } = Render.moments("created", [
      "2026-11-27T09:57:00Z, 3 min ago",
      "",
      "2026-11-27T08:57:00Z, 1 h ago"
    ])
    expect([heading, ...cells]).toEqual(["created (2026-11-27)", "09:57:00Z, 3 min ago", "", "08:57:00Z, 1 h ago"])
  })
})
