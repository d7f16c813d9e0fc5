import { Schema } from "effect"

const fills = (value: string): boolean => !["", ".", ".."].includes(value) && !/\p{Surrogate}/u.test(value)

/**
 * A string that fills exactly one segment of a URL path: percent-encoded on the way out, and never `""`, `"."` or
 * `".."`, so that no name can leave its place in a path; nor half a surrogate pair, which cannot be encoded. The derived
 * client does not encode path parameters by itself.
 */
export const Segment = Schema.transform(
  Schema.String,
  Schema.String.pipe(
    Schema.filter((value) => (fills(value) ? true : "a name that is whole text, neither empty nor a path step"))
  ),
  { strict: true, decode: (value) => value, encode: encodeURIComponent }
)
