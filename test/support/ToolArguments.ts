import { FastCheck, Schema } from "effect"
import type { Tool } from "../../src/tools/Tool.ts"

// Arguments of tools, generated from what the tools say of themselves to every client.

const Property = Schema.Union(
  Schema.Struct({ type: Schema.Literal("string") }),
  Schema.Struct({ type: Schema.Literal("boolean") }),
  Schema.Struct({ type: Schema.Literal("array") }),
  Schema.Struct({
    type: Schema.Literal("integer"),
    minimum: Schema.optional(Schema.Number),
    maximum: Schema.optional(Schema.Number)
  })
)
type Property = typeof Property.Type

const Input = Schema.Struct({
  properties: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Property }), { default: () => ({}) }),
  required: Schema.optionalWith(Schema.Array(Schema.String), { default: () => [] })
})

type Generator = FastCheck.Arbitrary<unknown>

const anyText = FastCheck.string({ unit: "binary", maxLength: 40 })
const anyJson = FastCheck.jsonValue()

const anyOf = (property: Property): Generator => {
  switch (property.type) {
    case "string":
      return anyText
    case "boolean":
      return FastCheck.boolean()
    case "array":
      return FastCheck.array(anyText, { maxLength: 3 })
    case "integer": {
      const { maximum: max, minimum: min } = property
      return FastCheck.integer({ ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) })
    }
  }
}

/** For each argument but flags: what makes sense in the fleet of the test. */
export type Sense = Readonly<Record<string, Generator>>

const generator = (tool: Tool<unknown>, valueOf: (name: string, property: Property) => Generator) => {
  const { properties, required } = Schema.decodeUnknownSync(Input)(tool.definition().inputSchema)
  const values = Object.entries(properties).map(([name, property]) => [name, valueOf(name, property)] as const)
  return FastCheck.record(Object.fromEntries(values), { requiredKeys: [...required] })
}

/** Arguments with which the tool does what it is for. */
export const sensible = (tool: Tool<unknown>, sense: Sense) =>
  generator(tool, (name, property) => {
    if (property.type === "boolean") return anyOf(property)
    const value = sense[name]
    if (value === undefined) throw new Error(`what is a sensible ${name} of ${tool.name}?`)
    return value
  })

/** Arguments with which a client may call the tool: sensible ones, ones of the right types, and any JSON. */
export const anything = (tool: Tool<unknown>, sense: Sense): Generator =>
  FastCheck.oneof(
    { weight: 4, arbitrary: sensible(tool, sense) },
    { weight: 2, arbitrary: generator(tool, (_, property) => anyOf(property)) },
    { weight: 1, arbitrary: generator(tool, () => anyJson) },
    { weight: 1, arbitrary: anyJson }
  )
