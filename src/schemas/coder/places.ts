import type { ParseResult } from "effect"

/**
 * Where a value is not in the shape of its schema. Only paths: the words of an issue quote the value, which can be a
 * secret, very long, or nested too deep to print.
 */
export const placesOf = (
  issue: ParseResult.ParseIssue,
  path: ReadonlyArray<PropertyKey> = []
): ReadonlyArray<string> => {
  switch (issue._tag) {
    case "Pointer":
      return placesOf(issue.issue, path.concat(issue.path))
    case "Composite":
      return [issue.issues].flat().flatMap((inner) => placesOf(inner, path))
    case "Refinement":
    case "Transformation":
      return placesOf(issue.issue, path)
    default:
      return [path.map(String).join(".")]
  }
}
