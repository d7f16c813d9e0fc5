import { describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import { inputJsonSchema, outputJsonSchema } from "../../src/tools/JsonSchema.ts"

class Named extends Schema.Class<Named>("Named")({ name: Schema.String, when: Schema.DateTimeUtc }) {}

describe("JsonSchema", () => {
  it("has properties, although an input has no arguments", () => {
    expect(inputJsonSchema(Schema.Struct({}))).toEqual({ type: "object", properties: {}, additionalProperties: false })
  })

  it("keeps descriptions, defaults, examples and bounds of arguments, and closes the input", () => {
    const page = Schema.Int.pipe(Schema.between(1, 9)).annotations({ description: "Which.", default: 1, examples: [2] })
    const input = Schema.Struct({
      name: Schema.String,
      page: Schema.optionalWith(page, { exact: true, default: () => 1 }),
      order: Schema.Literal("up", "down")
    })
    expect(inputJsonSchema(input)).toEqual({
      type: "object",
      required: ["name", "order"],
      properties: {
        name: { type: "string" },
        page: { type: "integer", description: "Which.", default: 1, examples: [2], minimum: 1, maximum: 9 },
        order: { type: "string", enum: ["up", "down"] }
      },
      additionalProperties: false
    })
  })

  it("inlines classes, marks dates, and leaves outputs open", () => {
    const output = Schema.Struct({
      one: Named,
      many: Schema.Array(Named),
      maybe: Schema.NullOr(Schema.String),
      state: Schema.Literal("on", "off"),
      title: Schema.Struct({})
    })
    const named = {
      type: "object",
      properties: { name: { type: "string" }, when: { type: "string", format: "date-time" } }
    }
    expect(outputJsonSchema(output)).toEqual({
      type: "object",
      required: ["one", "many", "maybe", "state", "title"],
      properties: {
        one: named,
        many: { type: "array", items: named },
        title: { type: "object" }
      }
    })
  })

  it("takes properties for what they are, whatever their names", () => {
    const input = Schema.Struct({
      title: Schema.String,
      $id: Schema.String,
      enum: Schema.String,
      required: Schema.String
    })
    expect(Object.keys(inputJsonSchema(input)["properties"] as object)).toEqual(["title", "$id", "enum", "required"])
  })

  it.each([
    ["a string", Schema.String],
    ["an array", Schema.Array(Schema.String)],
    ["a union", Schema.Union(Schema.Struct({ a: Schema.String }), Schema.Struct({ b: Schema.String }))]
  ])("refuses a root that is %s", (_, schema) => {
    expect(() => inputJsonSchema(schema)).toThrow("must be an object")
    expect(() => outputJsonSchema(schema)).toThrow("must be an object")
  })
})
