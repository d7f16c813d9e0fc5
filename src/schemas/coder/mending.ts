import { Either, ParseResult, Schema } from "effect"
import { issuePaths } from "./issuePaths.ts"

/** A part of an answer that cannot be read and was left out, so that the rest can be. */
export interface LeftOut {
  /** The key that it stood under: that of its list (`apps`), or its own (`latest_app_status`). */
  readonly kind: string
  /** Its `slug` or `name`, where that can be read, else `""`. */
  readonly name: string
}

const leftOut: unique symbol = Symbol("fleet-mcp/schemas/coder/mending/leftOut")

interface Mended {
  readonly [leftOut]?: ReadonlyArray<LeftOut>
}

/** What was left out of a value that `mending` decoded; a copy by spreading keeps it. */
export const leftOutOf = (value: object): ReadonlyArray<LeftOut> => {
  const mended: Mended = value
  return mended[leftOut] ?? []
}

type Path = ReadonlyArray<PropertyKey>

/** What is to be done at a place of an answer, and below it. */
interface Edit {
  /** `absent`: the key goes; `empty`, `null`: that is put there. */
  action?: "absent" | "empty" | "null"
  readonly below: Map<PropertyKey, Edit>
}

const isRecord = (value: unknown): value is Readonly<Record<PropertyKey, unknown>> =>
  typeof value === "object" && value !== null

const at = (value: unknown, path: Path): unknown =>
  path.reduce((found: unknown, key) => (isRecord(found) ? found[key] : undefined), value)

/** Lists that may be absent or null: both mean that they are empty. */
const lists: ReadonlySet<PropertyKey> = new Set(["resources", "agents", "apps", "statuses"])

/** Values that may be null, and say something for themselves alone. */
const single: ReadonlySet<PropertyKey> = new Set(["latest_app_status"])

/** The mildest change that takes away what is wrong at `path`; none where that would take away everything. */
const editFor = (
  value: unknown,
  path: Path
): { readonly path: Path; readonly action: NonNullable<Edit["action"]> } | undefined => {
  const key = path.at(-1)
  const found = at(value, path)
  if (typeof key === "string" && (found ?? null) === null && lists.has(key)) return { path, action: "empty" }
  if (typeof key === "string" && found === null) return { path, action: "absent" }
  const element = path.findLastIndex((step) => typeof step === "number")
  if (element > 0) return { path: path.slice(0, element + 1), action: "absent" }
  const [first] = path
  return first !== undefined && single.has(first) ? { path: [first], action: "null" } : undefined
}

const edited = (value: unknown, { action, below }: Edit): unknown => {
  if (action === "empty") return []
  if (action === "null") return null
  if (Array.isArray(value)) {
    return value.flatMap((one: unknown, index) => {
      const edit = below.get(index)
      return edit === undefined ? [one] : edit.action === "absent" ? [] : [edited(one, edit)]
    })
  }
  const copy = new Map(Object.entries(isRecord(value) ? value : {}))
  for (const [key, edit] of below) {
    if (edit.action === "absent") copy.delete(String(key))
    else copy.set(String(key), edited(copy.get(String(key)), edit))
  }
  return Object.fromEntries(copy)
}

const text = (value: unknown): string => (typeof value === "string" ? value : "")

const describe = (value: unknown, path: Path): LeftOut => {
  const part = at(value, path)
  const kind = path.findLast((step) => typeof step === "string") ?? ""
  return { kind, name: text(at(part, ["slug"])) || text(at(part, ["name"])) }
}

/** The parts that an edit takes away, each once: not those within another. */
const partsOf = (edit: Edit, path: Path = []): ReadonlyArray<Path> => {
  if (edit.action === "null" || (edit.action === "absent" && typeof path.at(-1) === "number")) return [path]
  return [...edit.below].flatMap(([key, inner]) => partsOf(inner, [...path, key]))
}

/** The value without what is wrong, and what that was; none where the issue lies in no part that can go. */
const mended = (value: unknown, issue: ParseResult.ParseIssue) => {
  const root: Edit = { below: new Map() }
  for (const wrong of issuePaths(issue)) {
    const edit = editFor(value, wrong)
    if (edit === undefined) return undefined
    let node = root
    for (const key of edit.path) {
      const next = node.below.get(key) ?? { below: new Map() }
      node.below.set(key, next)
      node = next
    }
    node.action = edit.action
  }
  return { value: edited(value, root), gone: partsOf(root).map((path) => describe(value, path)) }
}

/**
 * The same schema, but what is wrong within a list costs the innermost element that it stands in; `leftOutOf` tells what
 * is missing. Null is as good as absent wherever absent is allowed. Only what does not decode as it is pays for that.
 */
export const mending = <A extends object, I>(schema: Schema.Schema<A, I>): Schema.Schema<A, unknown> => {
  const decode = ParseResult.decodeUnknownEither(schema)
  const decodeAll = ParseResult.decodeUnknownEither(schema, { errors: "all" })
  const decodeMended = (input: unknown): Either.Either<A, ParseResult.ParseIssue> => {
    let value = input
    const all: Array<LeftOut> = []
    for (;;) {
      const decoded = decodeAll(value)
      if (Either.isRight(decoded)) {
        return Either.right(all.length === 0 ? decoded.right : Object.assign(decoded.right, { [leftOut]: all }))
      }
      const next = mended(value, decoded.left)
      if (next === undefined) return decoded
      value = next.value
      all.push(...next.gone)
    }
  }
  const isDecoded = (input: unknown): input is A => typeof input === "object" && input !== null
  // What was decoded is not validated a second time.
  const trusted = () => (input: unknown, _: unknown, ast: Schema.Annotable.All["ast"]) =>
    isDecoded(input) ? ParseResult.succeed(input) : ParseResult.fail(new ParseResult.Type(ast, input))
  const decoded = Schema.declare(
    [Schema.typeSchema(schema)],
    { decode: trusted, encode: trusted },
    {
      arbitrary: (one) => one
    }
  )
  return Schema.transformOrFail(Schema.Unknown, decoded, {
    strict: true,
    decode: (input) => Either.orElse(decode(input), () => decodeMended(input)),
    encode: ParseResult.encodeUnknown(schema)
  })
}
