import type { ParseResult } from "effect"

/** The paths at which a value is not in the shape of its schema. */
export const issuePaths = (
  issue: ParseResult.ParseIssue,
  path: ReadonlyArray<PropertyKey> = []
): ReadonlyArray<ReadonlyArray<PropertyKey>> => {
  switch (issue._tag) {
    case "Pointer":
      return issuePaths(issue.issue, path.concat(issue.path))
    case "Composite":
      return [issue.issues].flat().flatMap((inner) => issuePaths(inner, path))
    case "Refinement":
    case "Transformation":
      return issuePaths(issue.issue, path)
    default:
      return [path]
  }
}

/**
 * Where a value is not in the shape of its schema, in words. Only paths: the words of an issue quote the value, which can
 * be a secret, very long, or nested too deep to print.
 */
export const issuePathTexts = (issue: ParseResult.ParseIssue): ReadonlyArray<string> =>
  issuePaths(issue).map((path) => path.map(String).join("."))
