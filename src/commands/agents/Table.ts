import type { AgentView } from "../../schemas/Agent.ts"
import { printable } from "../../schemas/Text.ts"

// The fleet as lines of a terminal: pure functions.

/** Characters that terminals show in two columns: East Asian ones (UAX #11: W and F) and emoji. */
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u
/** Characters that take no column by themselves. */
const narrowless = /^[\p{Mn}\p{Me}\p{Cf}]+$/u

/** Marks that turn the direction of what follows them, beyond their own cell. */
const turns = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" })

const widthOf = (character: string): number => (narrowless.test(character) ? 0 : wide.test(character) ? 2 : 1)

const charactersOf = (text: string): ReadonlyArray<string> =>
  Array.from(segmenter.segment(text), ({ segment }) => segment)

/** The columns of a terminal that a text takes. */
export const columnsOf = (text: string): number =>
  charactersOf(text).reduce((sum, character) => sum + widthOf(character), 0)

/** One line of at most so many columns, with an ellipsis where its end is missing; nothing in it moves a cursor. */
export const fitted = (text: string, columns: number): string => {
  const line = printable(text).replaceAll(turns, "").replaceAll(/\s+/g, " ").trim()
  if (columnsOf(line) <= columns) return line
  let room = columns - 1
  let kept = ""
  for (const character of charactersOf(line)) {
    room -= widthOf(character)
    if (room < 0) break
    kept += character
  }
  return columns < 1 ? "" : `${kept}…`
}

const padded = (text: string, columns: number): string =>
  `${fitted(text, columns)}${" ".repeat(Math.max(0, columns - columnsOf(fitted(text, columns))))}`

/** What a line says of an agent: its task, or why it is as it is. */
const about = ({ evidence, last_task, status }: AgentView): string =>
  (status === "busy" || status === "idle") && last_task !== null ? last_task : evidence.detail

const head = { name: "AGENT", status: "STATUS", project: "PROJECT", about: "" }

/** The narrowest and the widest that the columns of a table become; the last has what is left. */
const bounds = { name: [5, 32], status: [6, 11], project: [7, 20] } as const

/** The table of the fleet, no line of it wider than so many columns; columns that have no room are left out. */
export const tableLines = (agents: ReadonlyArray<AgentView>, columns: number): ReadonlyArray<string> => {
  const rows = [
    head,
    ...agents.map((agent) => ({
      name: agent.name,
      status: agent.status,
      project: agent.project,
      about: about(agent)
    }))
  ]
  const widest = (key: keyof typeof bounds): number => {
    const [least, most] = bounds[key]
    return Math.min(most, Math.max(least, ...rows.map((row) => columnsOf(printable(row[key])))))
  }
  const [status, project] = [widest("status"), widest("project")]
  // The name gives way to the status, which is what one looks for.
  const name = Math.max(1, Math.min(widest("name"), columns - status - 2))
  const hasProject = name + status + project + 4 <= columns
  const rest = columns - name - status - 4 - (hasProject ? project + 2 : 0)
  return rows.map((row) => {
    const cells = [
      padded(row.name, name),
      padded(row.status, status),
      ...(hasProject ? [padded(row.project, project)] : []),
      ...(rest >= 8 ? [fitted(row.about, rest)] : [])
    ]
    return clipped(cells.join("  ").trimEnd(), columns)
  })
}

/** A line that is made of fitted parts already. */
const clipped = (line: string, columns: number): string => {
  let room = columns
  return charactersOf(line)
    .filter((character) => (room -= widthOf(character)) >= 0)
    .join("")
}

/** An agent as a line for whoever reads lines: nothing is cut. */
export const plainLine = (agent: AgentView): string =>
  [agent.name, agent.status, agent.project, about(agent)].map((cell) => fitted(cell, Infinity)).join("\t")
