import { Either, Option, ParseResult, Schema } from "effect"
import { issuePathTexts } from "./issuePaths.ts"

/** What is left of an element that does not decode: what could be read, and where it went wrong (paths, no values). */
export class Unreadable extends Schema.TaggedClass<Unreadable>()("Unreadable", {
  id: Schema.String,
  name: Schema.String,
  reason: Schema.String
}) {}

const text = (value: unknown, key: string): string => {
  const found = typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined
  return typeof found === "string" ? found : ""
}

/**
 * A list in which one bad element costs one element: what cannot be decoded becomes an `Unreadable`. The decoded side
 * is not validated a second time, which would double the work.
 */
export const elements = <A, I>(
  element: Schema.Schema<A, I>
): Schema.Schema<ReadonlyArray<A | Unreadable>, ReadonlyArray<unknown>> => {
  const decode = ParseResult.decodeUnknownEither(element)
  const read = (value: unknown): A | Unreadable =>
    Either.getOrElse(
      decode(value),
      (issue) =>
        new Unreadable({
          id: text(value, "id"),
          name: text(value, "name"),
          reason: `not in the shape of the contract at: ${issuePathTexts(issue).join(", ") || "the whole element"}`
        })
    )
  return Schema.transform(Schema.Array(Schema.Unknown), Schema.Any, {
    strict: true,
    decode: (values) => values.map(read),
    encode: (values: ReadonlyArray<unknown>) => values
  })
}

/**
 * A list in which one bad element costs that element: what cannot be decoded is left out. Null is a list of none. For
 * lists whose elements are worth nothing in part; `elements` keeps what could be read.
 */
export const readable = <A, I>(
  element: Schema.Schema<A, I>
): Schema.Schema<ReadonlyArray<A>, ReadonlyArray<unknown> | null> => {
  const decode = ParseResult.decodeUnknownOption(element)
  const encode = ParseResult.encodeUnknown(Schema.Array(element))
  const isList = (input: unknown): input is ReadonlyArray<A> => Array.isArray(input)
  // Its elements are not validated a second time.
  const decoded = Schema.declare(
    [Schema.typeSchema(element)],
    {
      decode: () => (input, _, ast) =>
        isList(input) ? ParseResult.succeed(input) : ParseResult.fail(new ParseResult.Type(ast, input)),
      encode: () => (input, _, ast) =>
        isList(input) ? ParseResult.succeed(input) : ParseResult.fail(new ParseResult.Type(ast, input))
    },
    { arbitrary: (one) => (fastCheck) => fastCheck.array(one(fastCheck)) }
  )
  return Schema.transformOrFail(Schema.NullOr(Schema.Array(Schema.Unknown)), decoded, {
    strict: true,
    decode: (values) => ParseResult.succeed((values ?? []).flatMap((value) => Option.toArray(decode(value)))),
    encode: (values) => encode(values)
  })
}

/** A text that is only shown: absent, null and empty are one thing. */
export const shown = Schema.optionalWith(Schema.String, { nullable: true, default: () => "" })

/** A flag that is off unless it is said to be on. */
export const flag = Schema.optionalWith(Schema.Boolean, { nullable: true, default: () => false })
