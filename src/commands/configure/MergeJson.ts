import { Either } from "effect"
import { getNodeValue, parseTree, printParseErrorCode, visit, type Node, type ParseError } from "jsonc-parser"
import { isDeepStrictEqual } from "node:util"
import type { Entry, EntryValue } from "./Clients.ts"
import { allKeys, entryName, mend, mergedValue, NotMergeable, strangerProblem } from "./Entry.ts"
import { applyEdits, endOfLine, indentation, isFirstOnLine, lineOf, type Edit } from "./Layout.ts"

type Value = EntryValue | { readonly [key: string]: Value }
type Property = readonly [key: string, value: Value]
type Merged<A> = Either.Either<A, NotMergeable>

const refuse = (problem: string, remedy = mend) => Either.left(new NotMergeable({ problem, remedy }))

const parse = (text: string): Merged<Node> => {
  const errors: Array<ParseError> = []
  const root = parseTree(text, errors, { allowTrailingComma: true })
  const [error] = errors
  if (error !== undefined) {
    return refuse(`is no JSON: ${printParseErrorCode(error.error)} in line ${lineOf(text, error.offset)}`)
  }
  return root?.type === "object" ? Either.right(root) : refuse("holds no JSON object")
}

/** The value of a key; of a key that is there twice, each client believes another one. */
const valueOf = (object: Node, key: string): Merged<Node | undefined> => {
  const found = (object.children ?? []).filter((property) => property.children?.[0]?.value === key)
  return found.length > 1 ? refuse(`has ${JSON.stringify(key)} twice`) : Either.right(found[0]?.children?.[1])
}

/** How a file is written: what stands between lines, and before nested ones. */
interface Style {
  readonly text: string
  readonly newline: string
  readonly unit: string
  /** Everything is on one line. */
  readonly compact: boolean
}

const styleOf = (text: string, root: Node): Style => {
  const first = root.children?.[0]
  const nested = first !== undefined && isFirstOnLine(text, first.offset)
  return {
    text,
    newline: endOfLine(text),
    unit: nested ? indentation(text, first.offset) || "  " : "  ",
    compact: first !== undefined && !text.slice(root.offset, root.offset + root.length).includes("\n")
  }
}

const print = (value: Value, { compact, newline, unit }: Style, indent: string): string =>
  compact ? JSON.stringify(value) : JSON.stringify(value, null, unit).replaceAll("\n", newline + indent)

/** Where the last thing inside of an object ends, comments included, and whether a comma stands behind its last property. */
const tailOf = (text: string, from: number, to: number) => {
  const inside = (offset: number) => offset >= from && offset < to
  let [end, comma] = [from, false]
  visit(
    text,
    {
      onComment: (offset, length) => {
        if (inside(offset)) end = Math.max(end, offset + length)
      },
      onSeparator: (character, offset) => {
        if (character === "," && inside(offset)) [end, comma] = [Math.max(end, offset + 1), true]
      }
    },
    { allowTrailingComma: true }
  )
  return { end, comma }
}

/** Adds properties at the end of an object. Nothing that is there is touched. */
const insert = (style: Style, object: Node, properties: ReadonlyArray<Property>): ReadonlyArray<Edit> => {
  if (properties.length === 0) return []
  const { compact, newline, text, unit } = style
  const close = object.offset + object.length - 1
  const children = object.children ?? []
  const [first, last] = [children[0], children.at(-1)]
  const lastEnd = last === undefined ? object.offset + 1 : last.offset + last.length
  const { comma, end } = tailOf(text, lastEnd, close)
  const outer = indentation(text, object.offset)
  const inner =
    first !== undefined && isFirstOnLine(text, first.offset) ? indentation(text, first.offset) : outer + unit
  const between = compact ? " " : newline + inner
  const lines = properties.map(([key, value]) => `${JSON.stringify(key)}: ${print(value, style, inner)}`)
  const before = compact && last === undefined ? "" : between
  const after = !compact && last === undefined && !text.slice(end, close).includes("\n") ? newline + outer : ""
  const content = before + lines.join(`,${between}`) + (comma ? "," : "") + after
  return last === undefined || comma
    ? [{ start: end, end, content }]
    : end === lastEnd
      ? [{ start: end, end, content: `,${content}` }]
      : [
          { start: lastEnd, end: lastEnd, content: "," },
          { start: end, end, content }
        ]
}

const replace = (style: Style, node: Node, value: Value): Edit => ({
  start: node.offset,
  end: node.offset + node.length,
  content: print(value, style, indentation(style.text, node.offset))
})

/** The edits that bring the entry that is there up to date. */
const update = (style: Style, node: Node, { initial, owned }: Entry): Merged<ReadonlyArray<Edit>> =>
  Either.gen(function* () {
    const edits: Array<Edit> = []
    const missing: Array<Property> = []
    for (const [key, value] of Object.entries(owned)) {
      const found = yield* valueOf(node, key)
      if (found === undefined) missing.push([key, value])
      else if (!isDeepStrictEqual(getNodeValue(found), value)) edits.push(replace(style, found, value))
    }
    for (const [key, value] of Object.entries(initial)) {
      const found = yield* valueOf(node, key)
      if (found === undefined) missing.push([key, value])
      else if (found.type === "object" && typeof value === "object" && !Array.isArray(value)) {
        const inner: Array<Property> = []
        for (const property of Object.entries(value)) {
          if ((yield* valueOf(found, property[0])) === undefined) inner.push(property)
        }
        edits.push(...insert(style, found, inner))
      }
    }
    return [...edits, ...insert(style, node, missing)]
  })

const edits = (text: string, root: Node, path: ReadonlyArray<string>, entry: Entry): Merged<ReadonlyArray<Edit>> =>
  Either.gen(function* () {
    const style = styleOf(text, root)
    let [object, done] = [root, 0]
    for (const key of path) {
      const found = yield* valueOf(object, key)
      if (found === undefined) break
      if (found.type !== "object") {
        return yield* refuse(`has ${JSON.stringify(path.slice(0, done + 1).join("."))}, which is no object`)
      }
      ;[object, done] = [found, done + 1]
    }
    const rest = path.slice(done)
    const there = rest.length === 0 ? yield* valueOf(object, entryName) : undefined
    if (there !== undefined) {
      const stranger = strangerProblem([...path, entryName].join("."), getNodeValue(there))
      return stranger === undefined ? yield* update(style, there, entry) : yield* Either.left(stranger)
    }
    const keys = [...rest, entryName]
    const value = keys.slice(1).reduceRight<Value>((inner, key) => ({ [key]: inner }), allKeys(entry))
    return insert(style, object, [[keys[0] ?? entryName, value]])
  })

/** Plain values, whatever the parser made. */
const plain = (node: Node): unknown => JSON.parse(JSON.stringify(getNodeValue(node)))

/** The text of a file that has nothing but our entry. */
export const newJson = (path: ReadonlyArray<string>, entry: Entry): string => {
  const value = [...path, entryName].reduceRight<Value>((inner, key) => ({ [key]: inner }), allKeys(entry))
  return `${JSON.stringify(value, null, 2)}\n`
}

/**
 * Adds our entry to a JSON text, or brings the one that is there up to date; comments, trailing commas, a byte order
 * mark and every byte outside of the entry stay. A text that is up to date comes back as it is.
 */
export const mergeJson = (original: string, path: ReadonlyArray<string>, entry: Entry): Merged<string> =>
  Either.gen(function* () {
    const mark = original.startsWith("\uFEFF") ? "\uFEFF" : ""
    const text = original.slice(mark.length)
    if (text.trim() === "") return original + newJson(path, entry)
    const root = yield* parse(text)
    const merged = applyEdits(text, yield* edits(text, root, path, entry))
    const result = plain(yield* parse(merged))
    return isDeepStrictEqual(result, mergedValue(plain(root), [...path, entryName], entry))
      ? mark + merged
      : yield* refuse("is in a form that cannot be merged into", "Add the entry by hand.")
  })
