import { readdirSync, readFileSync } from "node:fs"
import { Schema } from "effect"

// What a Coder server (v2.31.3) was asked, and what it answered: test/fixtures/coder/v2.31.3, one file a topic.

const Exchange = Schema.Struct({
  name: Schema.String,
  request: Schema.Struct({
    /** Whose token went along: `ada`, `admin`, `ada, cookie`; `anon` and `-`: the headers tell. */
    as: Schema.String,
    method: Schema.String,
    path: Schema.String,
    host: Schema.optional(Schema.String),
    headers: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.String })),
    body: Schema.optional(Schema.Unknown)
  }),
  response: Schema.Struct({
    status: Schema.Number,
    headers: Schema.Record({ key: Schema.String, value: Schema.Union(Schema.String, Schema.Array(Schema.String)) }),
    body: Schema.optional(Schema.Unknown),
    text: Schema.optional(Schema.String),
    events: Schema.optional(Schema.Array(Schema.Unknown))
  })
})

const Recording = Schema.Struct({ topic: Schema.String, exchanges: Schema.Array(Exchange) })

/** `key` is unique: `topic: name`. */
export interface Exchange extends Schema.Schema.Type<typeof Exchange> {
  readonly key: string
}

const folder = new URL("../fixtures/coder/v2.31.3/", import.meta.url)

const read = (file: string): ReadonlyArray<Exchange> => {
  const { exchanges, topic } = Schema.decodeUnknownSync(Schema.parseJson(Recording))(
    readFileSync(new URL(file, folder), "utf8")
  )
  return exchanges.map((exchange) => ({ ...exchange, key: `${topic}: ${exchange.name}` }))
}

/** Every recorded exchange, in the order of the files and of the recording. */
export const exchanges: ReadonlyArray<Exchange> = readdirSync(folder)
  .filter((file) => file.endsWith(".json"))
  .toSorted()
  .flatMap(read)

/** The exchange of that key. */
export const recorded = (key: string): Exchange => {
  const found = exchanges.find((exchange) => exchange.key === key)
  if (found === undefined) throw new Error(`There is no recorded exchange ${JSON.stringify(key)}`)
  return found
}

/** The recorded answer of that key. */
export const bodyOf = (key: string): unknown => recorded(key).response.body

/** True for an answer in JSON; a proxy's pages and redirections are HTML. */
export const isJson = ({ response }: Exchange): boolean =>
  /\bjson\b/.test(String(response.headers["content-type"] ?? ""))

/** Exchanges that a test leaves out, each with the reason. */
export type LeftOut = ReadonlyArray<{ readonly reason: string; readonly keys: ReadonlyArray<string> }>

/**
 * Checks a table of exchanges left out against what is tested: the complaints, none where each exchange is in exactly
 * one of the two and each entry exists.
 */
export const audit = (tested: ReadonlyArray<string>, leftOut: LeftOut): ReadonlyArray<string> => {
  const listed = leftOut.flatMap(({ keys }) => keys)
  const all = exchanges.map(({ key }) => key)
  const twice = (keys: ReadonlyArray<string>) => keys.filter((key, index) => keys.indexOf(key) !== index)
  return [
    ...twice(all).map((key) => `recorded twice: ${key}`),
    ...twice(listed).map((key) => `listed twice: ${key}`),
    ...all.filter((key) => !tested.includes(key) && !listed.includes(key)).map((key) => `neither: ${key}`),
    ...listed.filter((key) => tested.includes(key)).map((key) => `tested and listed: ${key}`),
    ...[...tested, ...listed].filter((key) => !all.includes(key)).map((key) => `does not exist: ${key}`),
    ...leftOut.filter(({ reason }) => reason === "").map(({ keys }) => `no reason: ${keys.join(", ")}`)
  ]
}
