import { Either, Option } from "effect"
import { isDeepStrictEqual } from "node:util"
import { getStaticTOMLValue, parseTOML } from "toml-eslint-parser"
import type { Entry, EntryValue } from "./Clients.ts"
import { allKeys, entryName, isRecord, mend, mergedValue, NotMergeable, strangerProblem } from "./Entry.ts"
import { applyEdits, endOfLine, type Edit } from "./Layout.ts"

type Merged<A> = Either.Either<A, NotMergeable>

const byHand = "Add the entry by hand."

const refuse = (problem: string, remedy = mend) => Either.left(new NotMergeable({ problem, remedy }))

const parse = (text: string) =>
  Either.try({
    try: () => {
      const program = parseTOML(text)
      return { tables: program.body[0].body, value: getStaticTOMLValue(program) }
    },
    catch: (error) =>
      new NotMergeable({
        problem: `is no TOML: ${error instanceof Error ? error.message : String(error)}${lineOfError(error)}`,
        remedy: mend
      })
  })

const lineOfError = (error: unknown): string =>
  isRecord(error) && typeof error["lineNumber"] === "number" ? ` in line ${error["lineNumber"]}` : ""

const string = (value: string): string => JSON.stringify(value).replaceAll("\u007F", "\\u007F")

const print = (value: EntryValue): string => {
  if (typeof value === "string") return string(value)
  return Array.isArray(value)
    ? `[${value.map(string).join(", ")}]`
    : `{ ${Object.entries(value)
        .map(([key, inner]) => `${string(key)} = ${string(inner)}`)
        .join(", ")} }`
}

const assign = ([key, value]: readonly [string, EntryValue]): string => `${key} = ${print(value)}`

const block = (path: ReadonlyArray<string>, entry: Entry): ReadonlyArray<string> => [
  `[${[...path, entryName].join(".")}]`,
  ...Object.entries(allKeys(entry)).map(assign)
]

/** The text of a file that has nothing but our entry. */
export const newToml = (path: ReadonlyArray<string>, entry: Entry): string => `${block(path, entry).join("\n")}\n`

const append = (text: string, path: ReadonlyArray<string>, entry: Entry): string => {
  const newline = endOfLine(text)
  const before = text.trim() === "" ? "" : (text.endsWith("\n") ? "" : newline) + newline
  return text + before + block(path, entry).join(newline) + newline
}

/** The edits that bring the table that is there up to date; none where it is no table of its own. */
const update = (
  text: string,
  tables: ReturnType<typeof parseTOML>["body"][0]["body"],
  path: ReadonlyArray<string>,
  there: Readonly<Record<string, unknown>>,
  { initial, owned }: Entry
): Option.Option<ReadonlyArray<Edit>> => {
  const table = tables.find(
    (one) => one.type === "TOMLTable" && one.kind === "standard" && isDeepStrictEqual(one.resolvedKey, path)
  )
  if (table?.type !== "TOMLTable") return Option.none()
  const edits: Array<Edit> = []
  const missing: Array<string> = []
  for (const [key, value] of Object.entries({ ...initial, ...owned })) {
    if (!(key in there)) missing.push(assign([key, value]))
    else if (key in owned && !isDeepStrictEqual(there[key], value)) {
      const found = table.body.find(({ key: { keys } }) => {
        const [only] = keys
        return keys.length === 1 && (only?.type === "TOMLBare" ? only.name : only?.value) === key
      })
      if (found === undefined) return Option.none()
      edits.push({ start: found.value.range[0], end: found.value.range[1], content: print(value) })
    }
  }
  if (missing.length > 0) {
    const newline = endOfLine(text)
    const last = table.body.at(-1)?.range[1] ?? table.key.range[1]
    const lineEnd = /\r?\n|$/.exec(text.slice(last))?.index ?? 0
    const start = last + lineEnd
    edits.push({ start, end: start, content: missing.map((line) => newline + line).join("") })
  }
  return Option.some(edits)
}

const merge = (text: string, path: ReadonlyArray<string>, entry: Entry): Merged<string> =>
  Either.gen(function* () {
    const whole = [...path, entryName]
    const name = whole.join(".")
    const { tables, value } = yield* parse(text)
    let servers: unknown = value
    for (const key of path) {
      servers = isRecord(servers) ? (servers[key] ?? {}) : undefined
      if (!isRecord(servers)) return yield* refuse(`has ${key}, which is no table`)
    }
    const there = isRecord(servers) ? servers[entryName] : undefined
    if (there === undefined) return append(text, path, entry)
    const stranger = strangerProblem(name, there)
    if (stranger !== undefined) return yield* Either.left(stranger)
    return yield* Option.match(isRecord(there) ? update(text, tables, whole, there, entry) : Option.none(), {
      onNone: () => refuse(`has ${name} in another form than a table [${name}]`, byHand),
      onSome: (edits) => Either.right(applyEdits(text, edits))
    })
  })

/**
 * Adds our entry to a TOML text, or brings the one that is there up to date; every byte outside of the entry stays. A
 * text that is up to date comes back as it is. What the result says is compared with what the text said: servers that
 * are written in a form that a further table does not fit (an inline table) are refused.
 */
export const mergeToml = (original: string, path: ReadonlyArray<string>, entry: Entry): Merged<string> =>
  Either.gen(function* () {
    const mark = original.startsWith("\uFEFF") ? "\uFEFF" : ""
    const text = original.slice(mark.length)
    const merged = yield* merge(text, path, entry)
    const before = yield* parse(text)
    const after = Either.getOrUndefined(parse(merged))
    return isDeepStrictEqual(after?.value, mergedValue(before.value, [...path, entryName], entry))
      ? mark + merged
      : yield* refuse(`has ${path.join(".")} in a form that a table cannot be added to`, byHand)
  })
