import { Data, Predicate } from "effect"
import { basename } from "node:path"
import type { Client, Entry, EntryValue, Server } from "./Clients.ts"

/** The name of our entry, in every client. */
export const entryName = "fleet"

/** Why a text was not merged into, as the end of a sentence that begins with the name of its file. */
export class NotMergeable extends Data.TaggedError("NotMergeable")<{
  readonly problem: string
  readonly remedy: string
}> {}

export const mend = "Mend it, and run this again."

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  Predicate.isRecord(value) && !Array.isArray(value)

/** Everything that the client is told. */
export const allKeys = ({ initial, owned }: Entry): Readonly<Record<string, EntryValue>> => ({ ...owned, ...initial })

const words = (value: unknown): ReadonlyArray<string> =>
  (Array.isArray(value) ? value : [value]).filter((word) => typeof word === "string")

/** Whether an entry starts this program, as file or as package; one that does not belongs to something else. */
export const startsFleetMcp = (entry: Readonly<Record<string, unknown>>): boolean =>
  [...words(entry["command"]), ...words(entry["args"])].some((word) => /^fleet-mcp(\.js)?(@.+)?$/.test(basename(word)))

/** What is wrong with an entry of our name that is there already, if it must not be changed. */
export const strangerProblem = (path: string, entry: unknown): NotMergeable | undefined =>
  isRecord(entry) && startsFleetMcp(entry)
    ? undefined
    : new NotMergeable({
        problem: `has an entry ${path} that does not start fleet-mcp`,
        remedy: "Rename or remove that entry, and run this again."
      })

/** The first word of a server that the client would change before it starts the server. */
export const replacedWord = ({ replaces }: Client, { args, command }: Server): string | undefined =>
  replaces === undefined ? undefined : [command, ...args].find((word) => replaces.test(word))

/** What a configuration says once the entry at `path` is merged into it. */
export const mergedValue = (value: unknown, path: ReadonlyArray<string>, entry: Entry): unknown => {
  const [key, ...rest] = path
  const there = isRecord(value) ? value : {}
  if (key !== undefined) return { ...there, [key]: mergedValue(there[key], rest, entry) }
  const initial = Object.entries(entry.initial).map(([name, wanted]) => {
    const found = there[name]
    return [name, isRecord(found) && isRecord(wanted) ? { ...wanted, ...found } : (found ?? wanted)]
  })
  return { ...there, ...entry.owned, ...Object.fromEntries(initial) }
}
