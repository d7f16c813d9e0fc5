import { Either, ParseResult, Schema } from "effect"
import { placesOf } from "./places.ts"

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
          reason: `not in the shape of the contract at: ${placesOf(issue).join(", ") || "the whole element"}`
        })
    )
  return Schema.transform(Schema.Array(Schema.Unknown), Schema.Any, {
    strict: true,
    decode: (values) => values.map(read),
    encode: (values: ReadonlyArray<unknown>) => values
  })
}
