import { Either } from "effect"

const assignment = /^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/
const quoted = /^(["'])(.*)\1\s*(?:#.*)?$/
const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" }

const value = (text: string): string => {
  const [, quote, inside] = quoted.exec(text) ?? []
  if (inside === undefined) return text.replace(/(^|\s)#.*$/, "").trim()
  return quote === "'" ? inside : inside.replaceAll(/\\(.)/g, (_, escaped: string) => escapes[escaped] ?? escaped)
}

/**
 * Reads lines of `KEY=VALUE`: `export` before a key, comments, empty lines, and values in single quotes (as they are) or
 * double quotes (with `\n`, `\"`, `\\`) are understood; nothing is substituted. A line that is none of these is reported
 * by its number, never by its content.
 */
export const parseEnvFile = (text: string): Either.Either<Readonly<Record<string, string>>, string> => {
  const entries: Array<readonly [string, string]> = []
  for (const [index, line] of text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    const trimmed = line.trim()
    if (trimmed === "" || trimmed.startsWith("#")) continue
    const [, key, rest] = assignment.exec(trimmed) ?? []
    if (key === undefined || rest === undefined) return Either.left(`line ${index + 1} is not KEY=VALUE`)
    entries.push([key, value(rest)])
  }
  return Either.right(Object.fromEntries(entries))
}
