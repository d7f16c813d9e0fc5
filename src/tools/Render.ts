import { DateTime, Option } from "effect"

// Texts of answers. A value of several lines is indented, or escaped where it stands in a table, so that nothing that
// others say forges a line of ours; what is empty is left out.

type Leaf = string | number | boolean | null | undefined

const lineBreak = /[\n\r\u2028\u2029]/

/** Indents every line of a text. */
export const indent = (text: string): string => text.replaceAll(/^/gm, "  ")

/** `label: value`, or nothing where there is no value. */
export const field = (label: string, value: Leaf): ReadonlyArray<string> => {
  if (value === null || value === undefined || value === "") return []
  const text = String(value)
  return lineBreak.test(text) ? [`${label}:`, indent(text)] : [`${label}: ${text}`]
}

/** A value that begins a text: its further lines are indented. */
export const first = (text: string): string => text.replaceAll(/(\r\n|[\n\r\u2028\u2029])/g, "$1  ")

const lengths = [
  [86_400, "d"],
  [3600, "h"],
  [60, "min"]
] as const

/** How long ago a time was, in its largest whole unit. */
const age = (time: DateTime.Utc, now: DateTime.Utc): string => {
  const distance = (now.epochMillis - time.epochMillis) / 1000
  const seconds = Math.floor(Math.abs(distance))
  const [length, unit] = lengths.find(([each]) => seconds >= each) ?? [1, "s"]
  const much = `${Math.floor(seconds / length)} ${unit}`
  return distance <= -1 ? `in ${much}` : `${much} ago`
}

/** A time to the second, with its age: `2026-11-27T10:00:00Z, 3 min ago`. What is no time stands as it is. */
export const moment = (time: string | number | null, now: DateTime.Utc): string =>
  Option.match(time === null ? Option.none() : DateTime.make(time), {
    onNone: () => String(time ?? ""),
    onSome: (at) => `${DateTime.formatIso(DateTime.toUtc(at)).slice(0, 19)}Z, ${age(DateTime.toUtc(at), now)}`
  })

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "|": "\\|" }

const cell = (value: Leaf): string =>
  String(value ?? "").replaceAll(/[\\|\n\r\t\u2028\u2029]/g, (found) => escapes[found] ?? " ")

/** A column of a table: its heading, and what stands in it for each row. */
export interface Column {
  readonly heading: string
  readonly cells: ReadonlyArray<Leaf>
}

/** A column of moments; where all are of one day, the day stands in the heading. */
export const moments = (heading: string, cells: ReadonlyArray<string>): Column => {
  const days = new Set(cells.filter((each) => each !== "").map((each) => each.slice(0, 10)))
  const [day] = days
  return days.size === 1 && cells.length > 1 && day !== undefined && /^\d{4}-\d\d-\d\d$/.test(day)
    ? { heading: `${heading} (${day})`, cells: cells.map((each) => each.slice(11)) }
    : { heading, cells }
}

/**
 * Rows under their headings. Columns without any value are left out. Newlines, tabs, bars and backslashes in a cell are
 * escaped, so that a row is one line.
 */
export const table = (columns: ReadonlyArray<Column>): ReadonlyArray<string> => {
  const filled = columns.filter(({ cells }) => cells.some((value) => cell(value) !== ""))
  const rows =
    filled[0]?.cells.map((_, row) =>
      filled
        .map(({ cells }) => cell(cells[row]))
        .join(" | ")
        .trimEnd()
    ) ?? []
  return [filled.map(({ heading }) => heading).join(" | "), ...rows]
}

/** How many of a list are shown, and with which call the others are. */
export const shownOf = (shown: number, total: number, offset: number, what: string, call: string): string => {
  const left = total - offset - shown
  const all = `${total} ${total === 1 ? what.replace(/s$/, "") : what}`
  const some = shown === total ? all : `${shown} of ${all}${offset > 0 ? `, from offset ${offset}` : ""}`
  return left > 0 ? `${some}; ${left} more: ${call} offset ${offset + shown}` : some
}

/** A value, or nothing where it only repeats another. */
export const unless = (value: string, other: string): string => (value === other ? "" : value)

/** Which page of which agent's list an answer is. */
export const page = (
  keys: {
    readonly agent_name: string
    readonly total_count: number
    readonly page: number
    readonly page_size: number
    readonly has_next_page: boolean
  },
  shown: number,
  what: string
): string =>
  `${first(keys.agent_name)}: ${shown} of ${keys.total_count} ${keys.total_count === 1 ? what.replace(/s$/, "") : what}, page ${keys.page} of page_size ${keys.page_size}, ${keys.has_next_page ? "older ones on the next page" : "the last page"}`
