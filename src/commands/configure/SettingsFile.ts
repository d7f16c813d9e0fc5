import { FileSystem, Path, type Error as PlatformError } from "@effect/platform"
import { Context, Data, Effect, Option, type Either } from "effect"
import { randomUUID } from "node:crypto"
import { isDeepStrictEqual } from "node:util"
import type { NotMergeable } from "./Entry.ts"

// A client's configuration file: read, merged and replaced, so that what a client finds is the old file or the new one.

/** What bounds the work on one file. */
export class SettingsFileLimits extends Context.Reference<SettingsFileLimits>()(
  "fleet-mcp/commands/configure/SettingsFileLimits",
  {
    defaultValue: () => ({
      /** A larger file is not read, in bytes. Claude Code's grows with its use, to some MiB. */
      bytes: 64 * 1024 * 1024,
      /** Backups beside one file. */
      backups: 100,
      /** How often a merge begins again because something else wrote the file meanwhile. */
      attempts: 10
    })
  }
) {}

/** A client's file was left as it is. */
export class ConfigureRefused extends Data.TaggedError("ConfigureRefused")<{
  readonly file: string
  readonly problem: string
  readonly remedy: string
}> {
  override get message() {
    return `${this.file} ${this.problem}. It was left as it is. ${this.remedy}`
  }
}

/** What a merge did. */
export type Written = Data.TaggedEnum<{
  /** It says already what it should. */
  Unchanged: { readonly file: string }
  Created: { readonly file: string }
  /** What it said before is in the backup. */
  Replaced: { readonly file: string; readonly backup: string }
}>
export const Written = Data.taggedEnum<Written>()

/** Something else wrote the file between reading and replacing it. */
class ChangedMeanwhile extends Data.TaggedError("ChangedMeanwhile") {}

interface Found {
  readonly bytes: Uint8Array
  /** Permission bits. */
  readonly mode: number
}

const has = (reason: PlatformError.SystemErrorReason) => (error: PlatformError.PlatformError) =>
  error._tag === "SystemError" && error.reason === reason

/** The text of a file, byte for byte: with its byte order mark, and only if it is UTF-8. */
const decode = (bytes: Uint8Array) =>
  Effect.try(() => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes))

/** Merges into the file at `file`, which may be a symbolic link or not be there yet. */
export const mergeInto = Effect.fn("SettingsFile.mergeInto")(function* (
  file: string,
  merge: (text: string) => Either.Either<string, NotMergeable>
) {
  const fs = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  const limits = yield* SettingsFileLimits

  const refuse = (problem: string, remedy: string) => new ConfigureRefused({ file, problem, remedy })
  const cannot = (action: string) => (error: PlatformError.PlatformError) =>
    refuse(
      `cannot be ${action}: ${error._tag === "SystemError" ? error.reason : error.description}`,
      "Make that possible for this user, or add the entry by hand."
    )

  /** The file itself, behind symbolic links: a link stays a link. */
  const follow = fs.realPath(file).pipe(
    Effect.catchIf(has("NotFound"), () =>
      Effect.flatMap(Effect.option(fs.readLink(file)), (target) =>
        Option.isSome(target)
          ? refuse(`is a symbolic link to ${target.value}, which is not there`, "Make that file, or remove the link.")
          : Effect.succeed(file)
      )
    ),
    Effect.catchTags({ BadArgument: (e) => cannot("looked up")(e), SystemError: (e) => cannot("looked up")(e) })
  )

  const find = Effect.fnUntraced(function* (real: string) {
    const info = yield* Effect.mapError(fs.stat(real), (error) =>
      has("NotFound")(error) ? error : cannot("read")(error)
    )
    if (info.type !== "File") return yield* refuse("is not a regular file", "Move it away, and run this again.")
    if (Option.exists(info.uid, (owner) => owner !== process.geteuid?.())) {
      return yield* refuse("belongs to another user", "Run this as the user whose client it is.")
    }
    if ((info.mode & 0o200) === 0) {
      return yield* refuse("is read-only", `Add the entry by hand, or run "chmod u+w" on it.`)
    }
    if (Option.exists(info.nlink, (names) => names > 1)) {
      return yield* refuse(
        "has several names (hard links)",
        "Add the entry by hand: it would be taken apart from them."
      )
    }
    if (info.size > limits.bytes) {
      return yield* refuse(`has more than ${limits.bytes} bytes`, "Add the entry by hand.")
    }
    const bytes = yield* Effect.mapError(fs.readFile(real), cannot("read"))
    return { bytes, mode: info.mode & 0o7777 }
  })
  const look = (real: string) =>
    find(real).pipe(
      Effect.asSome,
      Effect.catchTag("SystemError", () => Effect.succeed(Option.none<Found>()))
    )

  /** A new file, whole and on the disk. Fails where there is one of that name. */
  const make = (path: string, bytes: Uint8Array, mode: number) =>
    Effect.scoped(
      Effect.gen(function* () {
        const open = yield* fs.open(path, { flag: "wx", mode })
        yield* Effect.onError(
          // The mode again: the first was under the umask.
          Effect.all([fs.chmod(path, mode), open.writeAll(bytes), open.sync], { discard: true }),
          () => Effect.ignore(fs.remove(path))
        )
      })
    )

  const backUp = Effect.fnUntraced(function* (real: string, { bytes, mode }: Found) {
    for (let count = 1; count <= limits.backups; count++) {
      const path = `${real}.before-fleet-mcp${count === 1 ? "" : `-${count}`}`
      const made = yield* make(path, bytes, mode).pipe(
        Effect.as(true),
        Effect.catchIf(has("AlreadyExists"), () => Effect.succeed(false)),
        Effect.mapError(cannot("backed up"))
      )
      if (made) return path
    }
    return yield* refuse(`has ${limits.backups} backups`, `Remove some of ${real}.before-fleet-mcp*.`)
  })

  const isStill = (real: string, before: Option.Option<Found>) =>
    Effect.filterOrFail(
      look(real),
      (now) =>
        isDeepStrictEqual(
          Option.map(now, ({ bytes }) => bytes),
          Option.map(before, ({ bytes }) => bytes)
        ),
      () => new ChangedMeanwhile()
    )

  /** Puts the new file in the place of the old one, at once. */
  const replace = Effect.fnUntraced(function* (real: string, before: Option.Option<Found>, text: string) {
    const directory = paths.dirname(real)
    const temporary = paths.join(directory, `.${paths.basename(real)}.${randomUUID()}.tmp`)
    const mode = Option.match(before, { onNone: () => 0o600, onSome: (found) => found.mode })
    yield* make(temporary, new TextEncoder().encode(text), mode).pipe(
      Effect.mapError(cannot("replaced")),
      Effect.zipRight(isStill(real, before)),
      Effect.zipRight(
        Option.isSome(before)
          ? Effect.mapError(fs.rename(temporary, real), cannot("replaced"))
          : fs
              .link(temporary, real)
              .pipe(
                Effect.mapError((error) =>
                  has("AlreadyExists")(error) ? new ChangedMeanwhile() : cannot("made")(error)
                )
              )
      ),
      Effect.ensuring(Effect.ignore(fs.remove(temporary)))
    )
    yield* Effect.scoped(Effect.flatMap(fs.open(directory, { flag: "r" }), (open) => open.sync)).pipe(Effect.ignore)
  })

  const attempt = Effect.gen(function* () {
    const real = yield* follow
    const before = yield* look(real)
    const text = yield* Option.match(before, {
      onNone: () => Effect.succeed(""),
      onSome: ({ bytes }) =>
        Effect.mapError(decode(bytes), () => refuse("is not UTF-8", "Save it as UTF-8, and run this again."))
    })
    const merged = yield* Effect.mapError(merge(text), ({ problem, remedy }) => refuse(problem, remedy))
    if (Option.isNone(before)) {
      yield* Effect.mapError(fs.makeDirectory(paths.dirname(real), { recursive: true, mode: 0o700 }), cannot("made"))
      yield* replace(real, before, merged)
      return Written.Created({ file: real })
    }
    if (merged === text) return Written.Unchanged({ file: real })
    const backup = yield* backUp(real, before.value)
    yield* Effect.onError(replace(real, before, merged), () => Effect.ignore(fs.remove(backup)))
    return Written.Replaced({ file: real, backup })
  }).pipe(Effect.uninterruptible)

  return yield* attempt.pipe(
    Effect.retry({ while: (error) => error._tag === "ChangedMeanwhile", times: limits.attempts }),
    Effect.catchTag("ChangedMeanwhile", () =>
      refuse("is written again and again by something else", "Close the client, and run this again.")
    )
  )
})
