// Texts of results for readers that see no structured content. Nothing is left out and nothing forges a line: a value
// of several lines is indented, or escaped where it stands in a table.

type Leaf = string | number | boolean | null
type Row = Readonly<Record<string, Leaf>>

const leaf = (value: unknown): string => {
  if (value === null || value === undefined || value === "") return "-"
  return typeof value === "string" ? value : JSON.stringify(value)
}

/** Indents every line of a text. */
export const indent = (text: string): string => text.replaceAll(/^/gm, "  ")

const field = (key: string, value: unknown): ReadonlyArray<string> => {
  if (Array.isArray(value)) {
    return value.length === 0 ? [`${key}: -`] : [`${key}:`, ...value.map((item) => indent(leaf(item)))]
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value)
    return entries.length === 0 ? [`${key}: {}`] : entries.flatMap(([name, inner]) => field(`${key}.${name}`, inner))
  }
  const text = leaf(value)
  return /[\n\r\u2028\u2029]/.test(text) ? [`${key}:`, indent(text)] : [`${key}: ${text}`]
}

/** One `key: value` line for each value; keys of nested objects are joined by dots. */
export const fields = (record: object): string =>
  Object.entries(record)
    .flatMap(([key, value]) => field(key, value))
    .join("\n")

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" }

const cell = (value: Leaf): string =>
  leaf(value).replaceAll(/[\\\n\r\t\u2028\u2029]/g, (found) => escapes[found] ?? " ")

/** Columns are aligned as long as a cell is no longer than this: the length of an id. */
const alignedWidth = 36

/** Rows under their keys, two spaces between columns. Newlines, tabs and backslashes in a cell are escaped. */
export const table = (rows: ReadonlyArray<Row>): string => {
  const [first] = rows
  if (first === undefined) return ""
  const columns = Object.keys(first)
  const cells = [columns, ...rows.map((row) => columns.map((column) => cell(row[column] ?? null)))]
  const widths = columns.map((_, index) =>
    Math.max(...cells.map((row) => row[index]?.length ?? 0).filter((length) => length <= alignedWidth))
  )
  return cells
    .map((row) =>
      row
        .map((text, index) => text.padEnd(widths[index] ?? 0))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}

/** Takes columns out of rows that all have the same value in them. */
const agreed = (rows: ReadonlyArray<Row>, columns: ReadonlyArray<string>): readonly [Row, ReadonlyArray<Row>] => {
  const same = new Set(columns.filter((column) => rows.every((row) => row[column] === rows[0]?.[column])))
  const pick = (row: Row = {}, wanted: boolean): Row =>
    Object.fromEntries(Object.entries(row).filter(([column]) => same.has(column) === wanted))
  return [pick(rows[0], true), rows.map((row) => pick(row, false))]
}

/**
 * A list's text: its counts and other keys, then the table, or what is said when it is empty. Columns of `shared` are
 * said once above the table where all rows agree on them.
 */
export const list = (
  keys: object,
  rows: ReadonlyArray<Row>,
  empty: string,
  shared: ReadonlyArray<string> = []
): string => {
  if (rows.length === 0) return `${fields(keys)}\n${empty}`
  const [once, rest] = agreed(rows, shared)
  return `${fields({ ...keys, ...once })}\n${table(rest)}`
}
