import { JSONSchema, type Schema } from "effect"

/** A JSON Schema whose root is an object, as MCP demands it of a tool's input and output. */
export interface ObjectSchema {
  readonly [keyword: string]: unknown
  readonly type: "object"
}

type Keywords = Record<string, unknown>

const isKeywords = (value: unknown): value is Keywords =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const generatedDate = "a string to be decoded into a DateTime.Utc"
const emptyStruct = "/schemas/%7B%7D"

type Openness = "closed" | "open"

const pruneEach = (schemas: Keywords, openness: Openness): Keywords =>
  Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, prune(schema, openness)]))

/** `A or null`, of a simple type, in one schema: half the size. */
const orNull = (members: unknown): Keywords | undefined => {
  if (!Array.isArray(members) || members.length !== 2) return undefined
  const [one, none]: ReadonlyArray<unknown> = members
  return isKeywords(one) && typeof one["type"] === "string" && isKeywords(none) && none["type"] === "null"
    ? { ...one, type: [one["type"], "null"] }
    : undefined
}

/** Takes out what Effect generates and clients trip over, pay tokens for, or hold against a newer server. */
const prune = (schema: unknown, openness: Openness): unknown => {
  if (Array.isArray(schema)) return schema.map((member) => prune(member, openness))
  if (!isKeywords(schema)) return schema
  if (schema["$id"] === emptyStruct) return { type: "object" }
  if (openness === "open" && Object.keys(schema).length === 1) {
    const nullable = orNull(schema["anyOf"])
    if (nullable !== undefined) return prune(nullable, openness)
  }
  const pruned: Keywords = {}
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === "$id" || keyword === "$schema" || keyword === "title") continue
    if (keyword === "additionalProperties" && value === true) continue
    if (openness === "open" && (keyword === "required" || keyword === "enum")) continue
    if (keyword === "required" && Array.isArray(value) && value.length === 0) continue
    if (keyword === "description" && value === generatedDate) pruned["format"] = "date-time"
    else if (keyword === "default" || keyword === "examples" || keyword === "enum") pruned[keyword] = value
    else if (keyword === "properties" && isKeywords(value)) pruned[keyword] = pruneEach(value, openness)
    else pruned[keyword] = prune(value, openness)
  }
  return pruned
}

const convert = (schema: Schema.Schema.All, openness: Openness): ObjectSchema => {
  const definitions: Record<string, JSONSchema.JsonSchema7> = {}
  const converted = JSONSchema.fromAST(schema.ast, {
    definitions,
    target: "jsonSchema2020-12",
    topLevelReferenceStrategy: "skip",
    additionalPropertiesStrategy: openness === "open" ? "allow" : "strict"
  })
  const root = prune(converted, openness)
  if (!isKeywords(root) || root["type"] !== "object") {
    throw new Error(`a tool's schema must be an object, not ${JSON.stringify(root)}`)
  }
  return {
    ...root,
    type: "object",
    ...("required" in converted && converted.required.length > 0 ? { required: converted.required } : {}),
    ...(Object.keys(definitions).length > 0 ? { $defs: pruneEach(definitions, openness) } : {})
  }
}

/**
 * Of a tool's arguments: nothing but what is named, so that no model invents more (what clients add is ignored all the
 * same), and with `properties` even where there are none: OpenAI's API refuses a schema without.
 */
export const inputJsonSchema = (schema: Schema.Schema.All): ObjectSchema => ({
  properties: {},
  ...convert(schema, "closed"),
  additionalProperties: false
})

/** A plain value without any description: its name, which is promised, says as much. */
const isPlain = (schema: unknown): boolean =>
  isKeywords(schema) && Object.keys(schema).every((keyword) => keyword === "type") && schema["type"] !== "object"

/**
 * Of a tool's result: open, so that a client which knows an older list accepts a newer result. The root's keys are
 * promised; of those with plain values that is all, since each costs every session its tokens.
 */
export const outputJsonSchema = (schema: Schema.Schema.All): ObjectSchema => {
  const whole = convert(schema, "open")
  const properties = isKeywords(whole["properties"]) ? Object.entries(whole["properties"]) : []
  return { ...whole, properties: Object.fromEntries(properties.filter(([, inner]) => !isPlain(inner))) }
}
