import { Schema } from "effect"

/**
 * A string that fills exactly one segment of a URL path: percent-encoded on the way out, and never `""`, `"."` or
 * `".."`, so that no name can leave its place in a path. The derived client does not encode path parameters by itself.
 */
export const Segment = Schema.transform(
  Schema.String,
  Schema.String.pipe(
    Schema.filter((value) => (["", ".", ".."].includes(value) ? "a name that is neither empty nor a path step" : true))
  ),
  { strict: true, decode: (value) => value, encode: encodeURIComponent }
)
