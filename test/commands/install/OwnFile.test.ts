import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { checksum, isWritten, remove, sealed, write } from "../../../src/commands/install/OwnFile.ts"
import { temporaryDirectory } from "../../layers/agenthost/support.ts"

const one = sealed(`# ${checksum}\none\n`)
const two = sealed(`# ${checksum}\ntwo\n`)

describe("a file of the service manager", () => {
  it.scoped("is made, left as it is where it says the same, and replaced where this program wrote it", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryDirectory, "a", "b", "unit")
      expect(yield* isWritten(file)).toBe(false)
      expect(yield* write(file, one)).toBe("made")
      expect(yield* isWritten(file)).toBe(true)
      expect(yield* write(file, one)).toBe("unchanged")
      expect(yield* write(file, two)).toBe("replaced")
      expect(readFileSync(file, "utf8")).toBe(two)
      expect(readdirSync(join(file, ".."))).toEqual(["unit"])
      expect(yield* remove(file, Effect.void)).toBe("removed")
      expect(existsSync(file)).toBe(false)
      expect(yield* remove(file, Effect.dieMessage("nothing is to be ended"))).toBe("missing")
    })
  )

  it.scoped("is left alone where another wrote it, where it was changed, and where it is no file", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const foreign = join(directory, "foreign")
      writeFileSync(foreign, "[Unit]\n")
      const changed = join(directory, "changed")
      yield* write(changed, one)
      appendFileSync(changed, "MemoryMax=1G\n")
      const link = join(directory, "link")
      yield* write(join(directory, "own"), one)
      symlinkSync("own", link)
      const folder = join(directory, "folder")
      mkdirSync(folder)
      for (const file of [foreign, changed, link, folder]) {
        const before = file === folder ? "" : readFileSync(file, "utf8")
        expect((yield* Effect.flip(write(file, two))).message).toContain(`${file} is there and not as`)
        const refused = yield* Effect.flip(remove(file, Effect.dieMessage("nothing is to be ended")))
        expect(refused.message).toContain("It was left as it is")
        expect(yield* isWritten(file)).toBe(false)
        expect(existsSync(file)).toBe(true)
        if (file !== folder) expect(readFileSync(file, "utf8")).toBe(before)
      }
    })
  )

  it.scoped("whose folder cannot be written to is told, and nothing is left", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      writeFileSync(join(directory, "plain"), "")
      const file = join(directory, "plain", "unit")
      expect((yield* Effect.flip(write(file, one))).message).toMatch(/cannot be read or changed \((ENOTDIR|EEXIST)\)/)
      expect(readdirSync(directory)).toEqual(["plain"])
    })
  )
})
