import { Effect } from "effect"

/** A line of the demo's table. */
export interface Row {
  readonly name: string
  readonly status: string
  readonly last_task: string | null
}

/** Where the demo tells what happens: a table that is drawn anew in a terminal; elsewhere a line for each change. */
export interface Screen {
  /** Something that was done, and seen to be true. */
  readonly step: (text: string) => Effect.Effect<void>
  readonly table: (rows: ReadonlyArray<Row>) => Effect.Effect<void>
}

const widths = { name: 10, status: 10 }

const line = (row: Row, width: number): string =>
  `${row.name.padEnd(widths.name)}${row.status.padEnd(widths.status)}${(row.last_task ?? "-").replaceAll(/\s+/g, " ")}`.slice(
    0,
    width
  )

const terminal = (out: NodeJS.WriteStream): Screen => {
  let drawn = 0
  const erase = () => (drawn === 0 ? "" : `\u001b[${drawn}A\u001b[0J`)
  const draw = (text: string, lines: number) =>
    Effect.sync(() => {
      out.write(`${erase()}${text}`)
      drawn = lines
    })
  return {
    step: (text) => draw(`* ${text}\n`, 0),
    table: (rows) => draw(rows.map((row) => `  ${line(row, out.columns - 3)}\n`).join(""), rows.length)
  }
}

const plain = (out: NodeJS.WriteStream): Screen => {
  const told = new Map<string, string>()
  const write = (text: string) => Effect.sync(() => void out.write(text))
  return {
    step: (text) => write(`* ${text}\n`),
    table: (rows) =>
      Effect.forEach(
        rows.filter((row) => told.get(row.name) !== row.status),
        (row) => {
          told.set(row.name, row.status)
          return write(`    ${line(row, 100)}\n`)
        },
        { discard: true }
      )
  }
}

/** A screen on a stream such as `process.stdout`. */
export const makeScreen = (out: NodeJS.WriteStream): Screen => (out.isTTY ? terminal(out) : plain(out))
