import { Effect, Option } from "effect"
import { lstat, readdir } from "node:fs/promises"
import { join } from "node:path"

/** What lies in a place: files and other things but directories, their size in bytes, and whether that is all of it. */
export interface Size {
  readonly files: number
  readonly bytes: number
  readonly whole: boolean
}

/** Counts what lies at some paths and below them, links not followed, up to so many entries. */
export const sizeOf = (paths: ReadonlyArray<string>, entries: number): Effect.Effect<Size> =>
  Effect.gen(function* () {
    const waiting = [...paths]
    let files = 0
    let bytes = 0
    let whole = true
    for (let seen = 0; waiting.length > 0; seen++) {
      const path = waiting.pop()
      if (path === undefined) break
      if (seen >= entries) return { files, bytes, whole: false }
      const stat = yield* Effect.option(Effect.tryPromise(() => lstat(path)))
      if (Option.isSome(stat) && !stat.value.isDirectory()) {
        files++
        bytes += stat.value.size
        continue
      }
      const names = yield* Effect.option(Effect.tryPromise(() => readdir(path)))
      if (Option.isNone(names)) whole = false
      else for (const name of names.value) waiting.push(join(path, name))
    }
    return { files, bytes, whole }
  })

const units = ["bytes", "KiB", "MiB", "GiB"]

/** A size in words for people. */
export const tellSize = ({ bytes, files, whole }: Size): string => {
  let value = bytes
  let unit = 0
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024
  const amount = unit === 0 ? String(value) : value.toFixed(1)
  return `${whole ? "" : "more than "}${files} ${files === 1 ? "file" : "files"}, ${amount} ${units[unit] ?? ""}`
}
