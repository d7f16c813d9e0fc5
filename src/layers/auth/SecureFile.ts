import { Effect, Option } from "effect"
import { randomUUID } from "node:crypto"
import * as fs from "node:fs"
import { basename, dirname, join } from "node:path"
import {
  ancestorProblem,
  directoryProblem,
  fileProblem,
  notAFile,
  systemProblem,
  type Facts,
  type TokenFileRefused
} from "./FileRules.ts"

// Nothing else in this folder touches files. What is checked is what is open: names may change in between.

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = fs.constants

const user = (): number => process.geteuid?.() ?? -1

const codeOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : "unknown error"

/** A call to the system; one that fails is told by its code. */
const call = <A>(run: () => A): Effect.Effect<A, string> => Effect.try({ try: run, catch: codeOf })

/** The same, as a refusal of `path`. */
const on = <A>(path: string, action: string, run: () => A): Effect.Effect<A, TokenFileRefused> =>
  Effect.mapError(call(run), (code) => systemProblem(path, action, code))

const unless = (problem: TokenFileRefused | undefined): Effect.Effect<void, TokenFileRefused> =>
  problem === undefined ? Effect.void : Effect.fail(problem)

const withDescriptor = <A, E1, E2>(
  open: Effect.Effect<number, E1>,
  use: (descriptor: number) => Effect.Effect<A, E2>
): Effect.Effect<A, E1 | E2> =>
  Effect.acquireUseRelease(open, use, (descriptor) => Effect.ignore(call(() => fs.closeSync(descriptor))))

/** The directory itself first, then all above it. */
const upwards = (directory: string): ReadonlyArray<string> => {
  const above = dirname(directory)
  return above === directory ? [directory] : [directory, ...upwards(above)]
}

/** Whether there is a directory that may hold a token file; one that may not is refused. */
const checkDirectory = Effect.fn("SecureFile.checkDirectory")(function* (directory: string) {
  const real = yield* Effect.either(call(() => fs.realpathSync(directory)))
  if (real._tag === "Left") {
    if (real.left === "ENOENT") return false
    return yield* systemProblem(directory, "looked up", real.left)
  }
  const stat = (path: string) => on(path, "looked up", (): Facts => fs.statSync(path))
  yield* unless(directoryProblem(directory, yield* stat(real.right), user()))
  // Both ways lead through directories that others might change.
  for (const path of new Set([...upwards(directory).slice(1), ...upwards(real.right).slice(1)])) {
    yield* unless(ancestorProblem(path, yield* stat(path)))
  }
  return true
})

const syncDirectory = (directory: string) =>
  withDescriptor(
    on(directory, "opened", () => fs.openSync(directory, O_RDONLY | O_DIRECTORY)),
    (descriptor) => on(directory, "written to the disk", () => fs.fsyncSync(descriptor))
  )

/** Makes the directory, 0700 under any umask, where there is none. */
const ensureDirectory = Effect.fn("SecureFile.ensureDirectory")(function* (directory: string) {
  if (yield* checkDirectory(directory)) return
  const first = yield* on(directory, "made", () => fs.mkdirSync(directory, { recursive: true, mode: 0o700 }))
  if (first !== undefined) {
    yield* on(directory, "made", () => fs.chmodSync(directory, 0o700))
    const made = upwards(directory).filter((path) => path.length >= first.length)
    for (const path of made) yield* syncDirectory(dirname(path))
  }
  yield* checkDirectory(directory)
})

const temporaryPrefix = (path: string): string => `.${basename(path)}.`
const temporarySuffix = ".tmp"

const remove = (path: string) => Effect.ignore(call(() => fs.unlinkSync(path)))

/** A whole file under a temporary name beside `path`, on the disk, for as long as `use` runs. */
const withTemporary = <A, E>(path: string, content: string, use: (temporary: string) => Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => join(dirname(path), `${temporaryPrefix(path)}${randomUUID()}${temporarySuffix}`)),
    (temporary) =>
      withDescriptor(
        on(path, "made", () => fs.openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)),
        (descriptor) =>
          on(path, "written", () => {
            fs.fchmodSync(descriptor, 0o600)
            fs.writeFileSync(descriptor, content)
            fs.fsyncSync(descriptor)
          })
      ).pipe(Effect.zipRight(use(temporary))),
    remove
  )

/**
 * Removes the temporary names of an open file: its maker was killed, or is just about to do so. Other files with such
 * names are left alone.
 */
const dropTemporaryNames = (path: string, { dev, ino }: fs.Stats) =>
  call(() => {
    const directory = dirname(path)
    for (const name of fs.readdirSync(directory)) {
      if (!name.startsWith(temporaryPrefix(path)) || !name.endsWith(temporarySuffix)) continue
      const found = fs.lstatSync(join(directory, name), { throwIfNoEntry: false })
      if (found?.dev === dev && found.ino === ino) fs.rmSync(join(directory, name), { force: true })
    }
  }).pipe(Effect.ignore)

const openToRead = (path: string): Effect.Effect<Option.Option<number>, TokenFileRefused> =>
  call(() => fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)).pipe(
    Effect.asSome,
    Effect.catchAll((code) => {
      if (code === "ENOENT") return Effect.succeedNone
      if (code === "ELOOP" || code === "EMLINK" || code === "ENXIO") return Effect.fail(notAFile(path))
      // Somebody else's file cannot be opened; say that rather than EACCES.
      const found = call(() => fs.lstatSync(path)).pipe(Effect.orElseSucceed(() => undefined))
      return Effect.flatMap(found, (facts) =>
        Effect.fail(
          (facts === undefined ? undefined : fileProblem(path, facts, user())) ?? systemProblem(path, "read", code)
        )
      )
    })
  )

/** The text of an open file; none when it has just lost its name to another file. */
const readOpen = Effect.fn("SecureFile.readOpen")(function* (path: string, descriptor: number, longest: number) {
  const stat = on(path, "read", () => fs.fstatSync(descriptor))
  const first = yield* stat
  if (first.nlink > 1) yield* dropTemporaryNames(path, first)
  const facts = yield* stat
  if (facts.nlink === 0) return Option.none<string>()
  yield* unless(fileProblem(path, facts, user()))
  const buffer = new Uint8Array(longest + 1)
  const length = yield* on(path, "read", () => fs.readSync(descriptor, buffer))
  return Option.some(new TextDecoder().decode(buffer.subarray(0, length)))
})

/**
 * The text of a file that nobody but this user can have read or written; none where there is no file. Everything else
 * is refused. Of one that is longer than `longest` (bytes), one byte more is read.
 */
export const read = Effect.fn("SecureFile.read")(function* (path: string, longest: number) {
  if (!(yield* checkDirectory(dirname(path)))) return Option.none<string>()
  for (;;) {
    const opened = yield* openToRead(path)
    if (Option.isNone(opened)) return Option.none<string>()
    const text = yield* withDescriptor(Effect.succeed(opened.value), (descriptor) =>
      readOpen(path, descriptor, longest)
    )
    if (Option.isSome(text)) return text
  }
}, Effect.uninterruptible)

/**
 * Makes a file, whole or not at all and on the disk when this completes. False where there is one by that name, which
 * stays as it is: of any number of makers one wins.
 */
export const create = (path: string, content: string): Effect.Effect<boolean, TokenFileRefused> =>
  Effect.gen(function* () {
    yield* ensureDirectory(dirname(path))
    const made = yield* withTemporary(path, content, (temporary) =>
      call(() => fs.linkSync(temporary, path)).pipe(
        Effect.as(true),
        Effect.catchAll((code) =>
          code === "EEXIST" ? Effect.succeed(false) : Effect.fail(systemProblem(path, "made by a hard link", code))
        )
      )
    )
    yield* syncDirectory(dirname(path))
    return made
  }).pipe(Effect.uninterruptible, Effect.withSpan("SecureFile.create"))

/** Puts a new file under the name, instead of whatever has it, at once; on the disk when this completes. */
export const replace = (path: string, content: string): Effect.Effect<void, TokenFileRefused> =>
  Effect.gen(function* () {
    yield* ensureDirectory(dirname(path))
    yield* withTemporary(path, content, (temporary) => on(path, "replaced", () => fs.renameSync(temporary, path)))
    yield* syncDirectory(dirname(path))
  }).pipe(Effect.uninterruptible, Effect.withSpan("SecureFile.replace"))

/** Removes a file; false where there is none. On the disk when this completes. */
export const discard = (path: string): Effect.Effect<boolean, TokenFileRefused> =>
  Effect.gen(function* () {
    if (!(yield* checkDirectory(dirname(path)))) return false
    const gone = yield* call(() => fs.unlinkSync(path)).pipe(
      Effect.as(true),
      Effect.catchAll((code) =>
        code === "ENOENT" ? Effect.succeed(false) : Effect.fail(systemProblem(path, "removed", code))
      )
    )
    if (gone) yield* syncDirectory(dirname(path))
    return gone
  }).pipe(Effect.uninterruptible, Effect.withSpan("SecureFile.discard"))

/** The names in a directory of token files; none where there is no directory. */
export const names = Effect.fn("SecureFile.names")(function* (directory: string) {
  if (!(yield* checkDirectory(directory))) return []
  return yield* on(directory, "read", () => fs.readdirSync(directory).toSorted())
})

/** Changes whenever the file, or the names in the directory, at `path` have changed; cheap, and never fails. */
export const stamp = (path: string): Effect.Effect<string> =>
  call(() => fs.lstatSync(path, { bigint: true, throwIfNoEntry: false })).pipe(
    Effect.map((facts) =>
      facts === undefined
        ? "none"
        : `${facts.dev} ${facts.ino} ${facts.size} ${facts.mode} ${facts.mtimeNs} ${facts.ctimeNs}`
    ),
    Effect.catchAll(Effect.succeed)
  )
