import type { ParseResult } from "effect"

/** The paths at which a value is not in the shape of its schema. */
export const pathsOf = (
  issue: ParseResult.ParseIssue,
  path: ReadonlyArray<PropertyKey> = []
): ReadonlyArray<ReadonlyArray<PropertyKey>> => {
  switch (issue._tag) {
    case "Pointer":
      return pathsOf(issue.issue, path.concat(issue.path))
    case "Composite":
      return [issue.issues].flat().flatMap((inner) => pathsOf(inner, path))
    case "Refinement":
    case "Transformation":
      return pathsOf(issue.issue, path)
    default:
      return [path]
  }
}

/**
 * Where a value is not in the shape of its schema, in words. Only paths: the words of an issue quote the value, which can
 * be a secret, very long, or nested too deep to print.
 */
export const placesOf = (issue: ParseResult.ParseIssue): ReadonlyArray<string> =>
  pathsOf(issue).map((path) => path.map(String).join("."))
