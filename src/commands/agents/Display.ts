import { Deferred, Effect, type Scope } from "effect"
import type { AgentView } from "../../schemas/Agent.ts"
import { fitted, plainLine, tableLines } from "./Table.ts"

/** The fleet at one moment, and what has to be said of it; else `""`. */
export interface Sight {
  readonly agents: ReadonlyArray<AgentView>
  readonly note: string
}

/** Where the fleet is shown. */
export interface Display {
  readonly show: (sight: Sight) => Effect.Effect<void>
  /** Done when nobody reads any more. */
  readonly closed: Effect.Effect<void>
}

/** What is needed of a stream such as `process.stdout`. */
export type Output = Pick<NodeJS.WriteStream, "isTTY" | "columns" | "rows" | "write" | "on" | "off">

/** A terminal that does not say how large it is. */
const usual = { columns: 80, rows: 24 }

const hideCursor = "\u001b[?25l"
const showCursor = "\u001b[?25h"
const clearScreen = "\u001b[2J\u001b[H"
const clearLine = "\u001b[K"
const clearBelow = "\u001b[J"
const upBy = (lines: number): string => (lines === 0 ? "\r" : `\u001b[${lines}A\r`)

/** The lines of a terminal: the last is free for the cursor, and what has no room is counted. */
const linesFor = ({ agents, note }: Sight, out: Output): ReadonlyArray<string> => {
  const columns = out.columns || usual.columns
  const room = Math.max(1, (out.rows || usual.rows) - 1)
  const said = note === "" ? [] : [fitted(note, columns)]
  const lines = [...(agents.length === 0 ? [fitted("No agents.", columns)] : tableLines(agents, columns)), ...said]
  if (lines.length <= room) return lines
  const kept = Math.max(0, room - said.length - 1)
  const left = agents.length - Math.max(0, kept - 1)
  return [...lines.slice(0, kept), fitted(`… and ${left} more`, columns), ...said].slice(0, room)
}

/** A table that is drawn anew in its place; the cursor is there again at the end of the scope. */
const terminal = (out: Output) =>
  Effect.gen(function* () {
    let drawn = 0
    let last: Sight | undefined
    const draw = (sight: Sight, before: string) => {
      const lines = linesFor(sight, out)
      last = sight
      drawn = lines.length
      out.write(`${before}${lines.map((line) => `${line}${clearLine}\n`).join("")}${clearBelow}`)
    }
    const resized = () => {
      if (last !== undefined) draw(last, clearScreen)
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        out.on("resize", resized)
        out.write(hideCursor)
      }),
      () =>
        Effect.sync(() => {
          out.off("resize", resized)
          out.write(showCursor)
        })
    )
    return (sight: Sight) => draw(sight, upBy(drawn))
  })

/** A line for each agent that is otherwise than before. */
const plain = (out: Output) => {
  let told = new Map<string, string>()
  let noted = ""
  return ({ agents, note }: Sight) => {
    const lines = new Map(agents.map((agent) => [agent.name, plainLine(agent)]))
    const changed = [...lines].filter(([name, line]) => told.get(name) !== line).map(([, line]) => line)
    const gone = [...told.keys()].filter((name) => !lines.has(name)).map((name) => `${fitted(name, Infinity)}\tgone`)
    told = lines
    const said = note === "" || note === noted ? [] : [`# ${fitted(note, Infinity)}`]
    noted = note
    const all = [...changed, ...gone, ...said]
    if (all.length > 0) out.write(`${all.join("\n")}\n`)
  }
}

/** A display that goes on, on a stream such as `process.stdout`: a table in a terminal, lines elsewhere. */
export const makeDisplay = (out: Output): Effect.Effect<Display, never, Scope.Scope> =>
  Effect.gen(function* () {
    const closed = yield* Deferred.make<void>()
    const close = () => Deferred.unsafeDone(closed, Effect.void)
    // It stays: what comes late of a pipe that is closed is no fault either.
    yield* Effect.sync(() => out.on("error", close))
    const show = out.isTTY ? yield* terminal(out) : plain(out)
    return { closed: Deferred.await(closed), show: (sight) => Effect.sync(() => show(sight)) }
  })

/** The fleet once. */
export const onceLines = ({ agents, note }: Sight, out: Output): string => {
  const said = note === "" ? [] : [fitted(note, Infinity)]
  if (agents.length === 0) return ["No agents.", ...said].join("\n")
  const lines = out.isTTY ? tableLines(agents, out.columns || usual.columns) : agents.map(plainLine)
  return [...lines, ...said].join("\n")
}
