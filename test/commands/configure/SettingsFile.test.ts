import * as NodeContext from "@effect/platform-node/NodeContext"
import { afterEach, beforeEach, describe, expect, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NotMergeable } from "../../../src/commands/configure/Entry.ts"
import { mergeInto, SettingsFileLimits } from "../../../src/commands/configure/SettingsFile.ts"

let folder: string
let file: string

beforeEach(() => {
  folder = fs.mkdtempSync(join(fs.realpathSync(tmpdir()), "fleet-configure-"))
  file = join(folder, "settings.json")
})
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

const limits = { bytes: 1000, backups: 3, attempts: 3 }
const read = (path: string) => fs.readFileSync(path, "utf8")

const run = (merge: (text: string) => Either.Either<string, NotMergeable>, path = file) =>
  mergeInto(path, merge).pipe(Effect.provideService(SettingsFileLimits, limits), Effect.provide(NodeContext.layer))

const append = (text: string) => Either.right(`${text}+`)
const same = (text: string) => Either.right(text)
const broken = () => Either.left(new NotMergeable({ problem: "is no JSON", remedy: "Mend it." }))

/** A refusal that left everything in the folder as it was. */
const expectRefused = (problem: RegExp, merge: (text: string) => Either.Either<string, NotMergeable> = append) =>
  Effect.gen(function* () {
    const before = fs.readdirSync(folder)
    const error = yield* Effect.flip(run(merge))
    expect(error.message).toMatch(problem)
    expect(fs.readdirSync(folder)).toEqual(before)
  })

describe("mergeInto", () => {
  it.effect("replaces a file, keeps its mode, and has a backup of each earlier one", () =>
    Effect.gen(function* () {
      fs.writeFileSync(file, "\uFEFFa\r\n")
      fs.chmodSync(file, 0o664)
      const backup = `${file}.before-fleet-mcp`
      expect(yield* run(append)).toEqual({ _tag: "Replaced", file, backup })
      expect(yield* run(append)).toEqual({ _tag: "Replaced", file, backup: `${backup}-2` })
      expect([read(file), read(backup), read(`${backup}-2`)]).toEqual(["\uFEFFa\r\n++", "\uFEFFa\r\n", "\uFEFFa\r\n+"])
      expect(fs.readdirSync(folder)).toHaveLength(3)
      for (const path of [file, backup]) expect(fs.statSync(path).mode & 0o7777).toBe(0o664)
    })
  )

  it.effect("makes a file that only the user can read, with its folders", () =>
    Effect.gen(function* () {
      const made = join(folder, "a/b/settings.json")
      expect(yield* run(append, made)).toEqual({ _tag: "Created", file: made })
      expect(read(made)).toBe("+")
      expect(fs.statSync(made).mode & 0o777).toBe(0o600)
      expect(fs.readdirSync(join(folder, "a/b"))).toEqual(["settings.json"])
    })
  )

  it.effect("does nothing to a file that is as it should be, even one that was touched by nobody", () =>
    Effect.gen(function* () {
      fs.writeFileSync(file, "a")
      const before = fs.statSync(file)
      expect(yield* run(same)).toEqual({ _tag: "Unchanged", file })
      expect(fs.statSync(file)).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs })
      expect(fs.readdirSync(folder)).toEqual(["settings.json"])
    })
  )

  it.effect("changes the file behind a symbolic link, and leaves the link", () =>
    Effect.gen(function* () {
      fs.mkdirSync(join(folder, "dotfiles"))
      const real = join(folder, "dotfiles/settings.json")
      fs.writeFileSync(real, "a")
      fs.symlinkSync("dotfiles/settings.json", file)
      expect(yield* run(append)).toMatchObject({ file: real, backup: `${real}.before-fleet-mcp` })
      expect(fs.readlinkSync(file)).toBe("dotfiles/settings.json")
      expect(read(real)).toBe("a+")
    })
  )

  it.effect("begins again when the file was written meanwhile, and loses neither", () =>
    Effect.gen(function* () {
      fs.writeFileSync(file, "a")
      let times = 0
      const written = yield* run((text) => {
        if (times++ === 0) fs.writeFileSync(file, "b")
        return append(text)
      })
      expect(read(file)).toBe("b+")
      expect(written).toMatchObject({ backup: `${file}.before-fleet-mcp` })
      expect(fs.readdirSync(folder).toSorted()).toEqual(["settings.json", "settings.json.before-fleet-mcp"])
      expect(read(`${file}.before-fleet-mcp`)).toBe("b")
    })
  )

  it.effect("leaves a file that another program made meanwhile", () =>
    Effect.gen(function* () {
      let times = 0
      yield* run((text) => {
        if (times++ === 0) fs.writeFileSync(file, "theirs")
        return append(text)
      })
      expect(read(file)).toBe("theirs+")
    })
  )

  it.effect("gives up on a file that is written again and again", () =>
    Effect.gen(function* () {
      fs.writeFileSync(file, "a")
      let times = 0
      yield* expectRefused(/written again and again/, (text) => {
        fs.writeFileSync(file, `${times++}`)
        return append(text)
      })
      expect(times).toBe(limits.attempts + 1)
    })
  )

  it.effect("refuses what cannot be merged into, and leaves it as it is", () =>
    Effect.gen(function* () {
      fs.writeFileSync(file, "{")
      yield* expectRefused(/settings\.json is no JSON\. It was left as it is\. Mend it\./, broken)
      expect(read(file)).toBe("{")
      fs.writeFileSync(file, Buffer.from([0x7b, 0xff, 0x7d]))
      yield* expectRefused(/is not UTF-8/)
      fs.writeFileSync(file, "a".repeat(limits.bytes + 1))
      yield* expectRefused(/more than 1000 bytes/)
    })
  )

  it.effect("refuses what is no file of this user to write", () =>
    Effect.gen(function* () {
      fs.mkdirSync(file)
      yield* expectRefused(/not a regular file/)
      fs.rmdirSync(file)
      fs.symlinkSync("nowhere", file)
      yield* expectRefused(/symbolic link to nowhere/)
      fs.unlinkSync(file)
      fs.writeFileSync(file, "a")
      fs.chmodSync(file, 0o444)
      yield* expectRefused(/is read-only/)
      fs.chmodSync(file, 0o644)
      fs.linkSync(file, join(folder, "other"))
      yield* expectRefused(/several names/)
      expect(read(file)).toBe("a")
    })
  )

  it.effect("refuses when there are too many backups", () =>
    Effect.gen(function* () {
      fs.writeFileSync(file, "a")
      for (let count = 0; count < limits.backups; count++) yield* run(append)
      yield* expectRefused(/has 3 backups/)
    })
  )
})
