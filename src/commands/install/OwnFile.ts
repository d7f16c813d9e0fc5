import { Data, Effect } from "effect"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import { dirname } from "node:path"

// A file of the service manager that this program writes: it knows its own by a checksum in them, and changes no other.

const empty = "0".repeat(64)

/** Stands in a text where its checksum is to stand. */
export const checksum = `sha256 ${empty}`

const hash = (text: string): string => createHash("sha256").update(text).digest("hex")

/** The text with its checksum. */
export const sealed = (text: string): string => text.replace(checksum, `sha256 ${hash(text)}`)

const isOwn = (text: string): boolean => {
  const [, found] = /sha256 ([0-9a-f]{64})/.exec(text) ?? []
  return found !== undefined && hash(text.replace(found, empty)) === found
}

/** The file was left as it is. */
export class FileRefused extends Data.TaggedError("FileRefused")<{ readonly message: string }> {}

/** What was done. */
export type Done = "made" | "replaced" | "unchanged" | "removed" | "missing"

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : String(error)

const attempt = <A>(file: string, act: () => A): Effect.Effect<A, FileRefused> =>
  Effect.try({
    try: act,
    catch: (error) => new FileRefused({ message: `${file} cannot be read or changed (${codeOf(error)}).` })
  })

/** What the file says; none where there is none. Refused where it is not as this program has left it. */
const ownText = (file: string): Effect.Effect<string | undefined, FileRefused> =>
  Effect.gen(function* () {
    const text = yield* attempt(file, () => {
      const found = fs.lstatSync(file, { throwIfNoEntry: false })
      if (found === undefined) return undefined
      return found.isFile() ? fs.readFileSync(file, "utf8") : ""
    })
    if (text === undefined || isOwn(text)) return text
    return yield* new FileRefused({
      message: `${file} is there and not as fleet-mcp install writes it: another program wrote it, or it was changed since. It was left as it is: move it away, and run this again.`
    })
  })

/** Whether this program has written the file, and it is as it was written. */
export const isWritten = (file: string): Effect.Effect<boolean> =>
  Effect.match(ownText(file), { onFailure: () => false, onSuccess: (text) => text !== undefined })

/** Writes a sealed text, whole or not at all. */
export const write = (file: string, text: string): Effect.Effect<Done, FileRefused> =>
  Effect.gen(function* () {
    const before = yield* ownText(file)
    if (before === text) return "unchanged"
    const draft = `${file}.${process.pid}.tmp`
    yield* attempt(file, () => {
      fs.mkdirSync(dirname(file), { recursive: true })
      try {
        fs.writeFileSync(draft, text, { mode: 0o644 })
        fs.renameSync(draft, file)
      } finally {
        fs.rmSync(draft, { force: true })
      }
    })
    return before === undefined ? "made" : "replaced"
  })

/** Removes a file that this program has written; `first` comes before that, and not where there is none. */
export const remove = <E, R>(file: string, first: Effect.Effect<void, E, R>): Effect.Effect<Done, FileRefused | E, R> =>
  Effect.gen(function* () {
    if ((yield* ownText(file)) === undefined) return "missing"
    yield* first
    yield* attempt(file, () => fs.rmSync(file))
    return "removed"
  })
