import { Schema } from "effect"
import { keyLength } from "../schemas/Idempotency.ts"
import { cut } from "../schemas/Text.ts"

const optional = { exact: true } as const

const integer = (range: string, schema: Schema.Schema<number>) =>
  schema.annotations({
    message: ({ actual }) => ({
      message: `Expected an integer ${range}, actual ${JSON.stringify(actual)}`,
      override: true
    })
  })

const from1 = integer("of at least 1", Schema.Int.pipe(Schema.greaterThanOrEqualTo(1)))
const from0 = integer("of at least 0", Schema.Int.pipe(Schema.greaterThanOrEqualTo(0)))
const from1to100 = integer("from 1 to 100", Schema.Int.pipe(Schema.between(1, 100)))

export const agentName = Schema.String.annotations({
  description: "Its name.",
  examples: ["bot-1"]
})

export const text = (description: string, example: string) =>
  Schema.String.annotations({ description, examples: [example] })

export const optionalText = (description: string, example: string) =>
  Schema.optionalWith(text(description, example), optional)

/** Names a call, so that it can be repeated. */
export const idempotencyKey = Schema.optionalWith(
  Schema.String.pipe(
    Schema.filter((key) => (key.length <= keyLength ? true : `Expected at most ${keyLength} characters`), {
      jsonSchema: {}
    })
  ).annotations({ description: "Makes a repeat safe. Default: none.", examples: ["k1"] }),
  optional
)

export const optionalFlag = (description: string) =>
  Schema.optionalWith(Schema.Boolean.annotations({ description, default: false, examples: [true] }), optional)

export const optionalCount = (description: string, example: number) =>
  Schema.optionalWith(from1.annotations({ description, examples: [example] }), optional)

export const optionalTexts = (description: string, example: ReadonlyArray<string>) =>
  Schema.optionalWith(Schema.Array(Schema.String).annotations({ description, examples: [example] }), optional)

/** One of a few words. */
export const optionalChoice = <const Words extends readonly [string, ...ReadonlyArray<string>]>(
  description: string,
  words: Words,
  byDefault: Words[number]
) =>
  Schema.optionalWith(
    Schema.Literal(...words).annotations({
      description,
      default: byDefault,
      examples: [byDefault],
      message: ({ actual }) => ({
        message: `Expected ${words.join(", ")}, actual ${cut(JSON.stringify(actual) ?? "nothing", 100)}`,
        override: true
      })
    }),
    { ...optional, default: (): Words[number] => byDefault }
  )

/** A whole number, 0 included, that may be left out. */
export const optionalOffset = (description: string, example: number) =>
  Schema.optionalWith(from0.annotations({ description, examples: [example] }), optional)

/** Where a list is taken up again. */
export const offset = Schema.optionalWith(
  from0.annotations({ description: "Skip so many.", default: 0, examples: [20] }),
  { ...optional, default: () => 0 }
)

/** `page` and `page_size`, with the defaults of a tool. */
export const pageRequest = (pageSize: number) => ({
  page: Schema.optionalWith(
    from1.annotations({ description: "Which page; 1 is the newest.", default: 1, examples: [2] }),
    {
      ...optional,
      default: () => 1
    }
  ),
  page_size: Schema.optionalWith(
    from1to100.annotations({ description: "Entries a page.", default: pageSize, examples: [50] }),
    { ...optional, default: () => pageSize }
  )
})
