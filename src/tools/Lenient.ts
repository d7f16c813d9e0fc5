import { SchemaAST, type Schema } from "effect"

// What clients send that is not quite what a tool asks for, where no doubt is possible what is meant.

type Arguments = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Arguments =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const words = (name: string): ReadonlyArray<string> =>
  name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "")

/** How many letters must be put in, taken out, changed or swapped with their neighbour to make `a` of `b`. */
const distance = (a: string, b: string): number => {
  let [before, row]: [Array<number>, Array<number>] = [[], Array.from({ length: b.length + 1 }, (_, at) => at)]
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (before[j - 2] ?? Infinity) + 1 : Infinity
      next.push(Math.min(changed, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    ;[before, row] = [row, next]
  }
  return row[b.length] ?? 0
}

/** No longer name is a slip of a known one. */
const longestName = 64

const isSlip = (unknown: string, known: string): boolean => {
  const [a, b] = [words(unknown).join(""), words(known).join("")]
  return a === b || distance(a, b) <= (Math.min(a.length, b.length) <= 4 ? 1 : 2)
}

const begins = (whole: ReadonlyArray<string>, part: ReadonlyArray<string>) =>
  part.every((word, at) => word === whole[at])

/** One name has all words of the other at its beginning or end: `status` for `status_filter`, `role_name` for `role`. */
const isPart = (unknown: string, known: string): boolean => {
  const [short, long] = [words(unknown), words(known)].toSorted((a, b) => a.length - b.length)
  if (short === undefined || long === undefined || short.join("").length < 4) return false
  return begins(long, short) || begins(long.toReversed(), short.toReversed())
}

/** The argument that an unknown name was probably meant for. Parts of names count only for what was not passed. */
const meant = (unknown: string, known: ReadonlyArray<string>, args: Arguments): string | undefined => {
  if (unknown.length > longestName || words(unknown).join("").length < 3) return undefined
  return (
    known.find((name) => isSlip(unknown, name)) ??
    known.find((name) => args[name] === undefined && isPart(unknown, name))
  )
}

const typesOf = (ast: SchemaAST.AST): ReadonlyArray<string> =>
  SchemaAST.isUnion(ast) ? ast.types.flatMap(typesOf) : SchemaAST.isRefinement(ast) ? typesOf(ast.from) : [ast._tag]

const isNothing = (value: unknown) => value === undefined || value === null || value === ""

/** A list that was written as a text: as JSON, or one name. */
const listOf = (text: string): unknown => {
  if (!text.startsWith("[")) return [text]
  try {
    return JSON.parse(text)
  } catch {
    return [text]
  }
}

const read = (value: unknown, types: ReadonlyArray<string>): unknown => {
  if (typeof value !== "string") return value
  if (types.includes("TupleType")) return listOf(value.trim())
  const text = value.trim().toLowerCase()
  if (types.includes("NumberKeyword") && /^[+-]?\d{1,15}$/.test(text)) return Number(text)
  if (types.includes("BooleanKeyword") && (text === "true" || text === "false")) return text === "true"
  return value
}

/** Arguments as their tool's schema takes them, and a line for each name that is probably a slip. */
export interface Understood {
  readonly args: unknown
  readonly slips: ReadonlyArray<string>
}

/**
 * Reads arguments as clients send them: none at all for `{}`, `null` or `""` for an optional one that is left out,
 * `"5"` for 5, `"true"` for true, `"a"` and `"[\"a\"]"` for a list of one. Names that no argument has are left out, since clients add some by themselves
 * (`wait_for_previous`, `toolCallId`), but for those that are near a real one.
 */
export const understand = (schema: Schema.Schema.All, given: unknown): Understood => {
  if (given === undefined || given === null) return { args: {}, slips: [] }
  if (!isObject(given)) return { args: given, slips: ["Expected an object with the arguments by their names."] }
  const properties = new Map(
    SchemaAST.getPropertySignatures(SchemaAST.encodedAST(schema.ast)).map((property) => [
      String(property.name),
      property
    ])
  )
  const known = [...properties.keys()]
  const args = Object.entries(given).flatMap(([name, value]): ReadonlyArray<readonly [string, unknown]> => {
    const property = properties.get(name)
    if (property === undefined || (property.isOptional && isNothing(value))) return []
    return [[name, read(value, typesOf(property.type))]]
  })
  const slips = Object.keys(given).flatMap((name) => {
    const near = properties.has(name) ? undefined : meant(name, known, given)
    return near === undefined ? [] : [`${name}: is no argument of this tool; ${near} is. Pass that instead.`]
  })
  return { args: Object.fromEntries(args), slips }
}
