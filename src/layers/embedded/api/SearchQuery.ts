import { Either } from "effect"
import { CoderError, type Validation } from "../../../schemas/coder/CoderError.ts"

/** A search: the value of each key that was given. */
export type Search<Key extends string> = ReadonlyMap<Key, string>

/**
 * Reads Coder's search grammar: `key:value` elements parted by spaces, double quotes around what holds a space or a
 * colon, all lower case; words without a key are joined and given to `bare`, which says what they mean. An unknown key,
 * a key given twice and a broken element are refused (recording: list.json, "unknown key" and after).
 */
export const parseSearch = <Key extends string>(
  what: "workspace" | "template",
  query: string,
  keys: ReadonlyArray<Key>,
  bare: (words: string) => Either.Either<ReadonlyArray<readonly [Key, string]>, string>
): Either.Either<Search<Key>, CoderError> =>
  Either.gen(function* () {
    const found: Array<readonly [string, string]> = []
    for (const element of joinBareWords(split(query.toLowerCase(), " "))) {
      found.push(...(yield* readElement(element, bare)))
    }
    const wrong = [...new Set(found.map(([key]) => key))].flatMap((key) => complaints(key, found, keys))
    if (wrong.length > 0) return yield* Either.left(wrong)
    return new Map(keys.flatMap((key) => found.filter(([other]) => other === key).map(([, value]) => [key, value])))
  }).pipe(Either.mapLeft((validations) => CoderError.answer(400, `Invalid ${what} search query.`, { validations })))

type Complaints = ReadonlyArray<Validation>

const broken = (detail: string): Complaints => [{ field: "q", detail }]

const readElement = (
  element: string,
  bare: (words: string) => Either.Either<ReadonlyArray<readonly [string, string]>, string>
): Either.Either<ReadonlyArray<readonly [string, string]>, Complaints> => {
  if (element.startsWith(":") || element.endsWith(":")) {
    return Either.left(broken(`Query element "${element}" cannot start or end with ':'`))
  }
  const [key = "", value, ...more] = split(element, ":").map(withoutQuotes)
  if (more.length > 0) return Either.left(broken(`Query element "${element}" can only contain 1 ':'`))
  return value === undefined ? Either.mapLeft(bare(withoutQuotes(element)), broken) : Either.right([[key, value]])
}

const complaints = (
  key: string,
  found: ReadonlyArray<readonly [string, string]>,
  keys: ReadonlyArray<string>
): Complaints => {
  if (!keys.includes(key)) return [{ field: key, detail: `"${key}" is not a valid query param` }]
  const times = found.filter(([other]) => other === key).length
  const detail = `Query param "${key}" provided more than once, found ${times} times. Only provide 1 instance of this query param.`
  return times === 1 ? [] : [{ field: key, detail }]
}

/** Splits at a character outside double quotes; the quotes stay, empty parts go. */
const split = (text: string, at: " " | ":" | "/"): ReadonlyArray<string> =>
  text.match(at === " " ? /(?:"[^"]*"?|[^" ])+/g : at === ":" ? /(?:"[^"]*"?|[^":])+/g : /(?:"[^"]*"?|[^"/])+/g) ?? []

const withoutQuotes = (text: string): string => text.replaceAll('"', "")

const hasKey = (element: string): boolean => withoutQuoted(element).includes(":")
const withoutQuoted = (text: string): string => text.replaceAll(/"[^"]*"?/g, "")

/** Words without a key that stand side by side are one. */
const joinBareWords = (elements: ReadonlyArray<string>): ReadonlyArray<string> => {
  const joined: Array<string> = []
  let words: Array<string> = []
  for (const element of [...elements, ":"]) {
    if (!hasKey(element)) words.push(element)
    else {
      if (words.length > 0) joined.push(words.join(" "))
      joined.push(element)
      words = []
    }
  }
  return joined.slice(0, -1)
}

/** Workspaces: bare words are a name, or `owner/name`. */
export const nameOrOwnerAndName = (
  words: string
): Either.Either<ReadonlyArray<readonly ["owner" | "name", string]>, string> => {
  const [first = "", second, ...more] = words.split("/")
  if (more.length > 0) return Either.left(`Query element "${words}" can only contain 1 '/'`)
  return Either.right(
    second === undefined
      ? [["name", first]]
      : [
          ["owner", first],
          ["name", second]
        ]
  )
}

/** SQL's `ILIKE '%pattern%'`: case does not matter, `%` stands for any text and `_` for any character. */
export const contains = (text: string, pattern: string): boolean => {
  let rest = text
  for (const part of pattern.split("%")) {
    const source = part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll("_", ".")
    const found = new RegExp(source, "is").exec(rest)
    if (found === null) return false
    rest = rest.slice(found.index + found[0].length)
  }
  return true
}
