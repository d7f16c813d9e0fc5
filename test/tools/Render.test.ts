import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as Render from "../../src/tools/Render.ts"

const lineBreak = /[\n\r\u2028\u2029]/

// With line breaks of all kinds between what is drawn.
const anyText = FastCheck.array(
  FastCheck.oneof(FastCheck.string({ unit: "binary" }), FastCheck.constantFrom("\n", "\r", "\u2028", "\t", "\\"))
).map((parts) => parts.join(""))

const cell = FastCheck.oneof(anyText, FastCheck.integer(), FastCheck.boolean(), FastCheck.constant(null))

describe("Render", () => {
  it("aligns columns, shows null as a dash, and does not pad the end of a line", () => {
    const rows = [
      { name: "a", status: "idle", role: null },
      { name: "longer", status: "busy", role: "x" }
    ]
    expect(Render.table(rows)).toBe(["name    status  role", "a       idle    -", "longer  busy    x"].join("\n"))
  })

  it("does not pad columns for one long cell", () => {
    expect(
      Render.table([
        { a: "x".repeat(200), b: 1 },
        { a: "y", b: 2 }
      ])
    ).toBe(["a  b", `${"x".repeat(200)}  1`, "y  2"].join("\n"))
  })

  it.prop(
    "has a line a row, whatever the cells hold",
    [FastCheck.array(FastCheck.tuple(cell, cell), { minLength: 1 })],
    ([cells]) => {
      const text = Render.table(cells.map(([a, b]) => ({ a, b })))
      expect(text.split(lineBreak)).toHaveLength(cells.length + 1)
    }
  )

  it("writes nested keys with dots, and texts of several lines indented", () => {
    expect(Render.fields({ a: { b: 1, c: {} }, text: "one\ntwo", none: null, list: ["x", "y"], empty: [] })).toBe(
      ["a.b: 1", "a.c: {}", "text:", "  one", "  two", "none: -", "list:", "  x", "  y", "empty: -"].join("\n")
    )
  })

  it.prop("leaves no line of a value at the margin", [anyText], ([value]) => {
    const [, ...others] = Render.fields({ value }).split(lineBreak)
    expect(others.every((line) => line.startsWith("  "))).toBe(true)
  })

  it("says once what all rows of a list agree on, if asked to", () => {
    const rows = [
      { name: "a", place: "x", kind: "k" },
      { name: "b", place: "x", kind: "l" }
    ]
    expect(Render.list({ total: 2 }, rows, "none", ["place", "kind"])).toBe(
      "total: 2\nplace: x\nname  kind\na     k\nb     l"
    )
    expect(Render.list({ total: 0 }, [], "none", ["place"])).toBe("total: 0\nnone")
  })
})
