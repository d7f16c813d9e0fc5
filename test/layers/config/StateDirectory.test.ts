import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { StateDirectory } from "../../../src/layers/config/StateDirectory.ts"
import { temporaryDirectory } from "../auth/support.ts"

const at = (path: string) => Effect.provide(StateDirectory, StateDirectory.layer(path))
const modeOf = (path: string) => fs.statSync(path).mode & 0o777

describe("StateDirectory", () => {
  it.scoped("is not made before it is needed, and then for this user alone, whatever the umask", () =>
    Effect.gen(function* () {
      const path = join(yield* temporaryDirectory, "deep", "state")
      const before = process.umask(0)
      yield* Effect.addFinalizer(() => Effect.sync(() => process.umask(before)))
      const state = yield* at(`${path}/`)
      assert.strictEqual(state.path, path)
      assert.isFalse(fs.existsSync(path))
      assert.strictEqual(yield* state.ensure, path)
      assert.strictEqual(modeOf(path), 0o700)
      assert.strictEqual(yield* state.ensure, path)
      process.umask(0o777)
      const other = join(path, "other")
      yield* Effect.flatMap(at(other), ({ ensure }) => ensure)
      assert.strictEqual(modeOf(other), 0o700)
    })
  )

  it.scoped("is made once by any number who need it at once", () =>
    Effect.gen(function* () {
      const path = join(yield* temporaryDirectory, "a", "b")
      const made = yield* Effect.all(
        Array.from({ length: 20 }, () => Effect.flatMap(at(path), ({ ensure }) => ensure)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual([...new Set(made)], [path])
    })
  )

  it.scoped("has one path, by whatever links it is named", () =>
    Effect.gen(function* () {
      const directory = fs.realpathSync(yield* temporaryDirectory)
      fs.mkdirSync(join(directory, "real"))
      fs.symlinkSync("real", join(directory, "link"))
      for (const parent of ["link", "real"]) {
        const { ensure } = yield* at(join(directory, parent, "state"))
        assert.strictEqual(yield* ensure, join(directory, "real", "state"))
      }
    })
  )

  it.scoped("that others may read stays as its user made it", () =>
    Effect.gen(function* () {
      const path = join(yield* temporaryDirectory, "state")
      fs.mkdirSync(path, { mode: 0o755 })
      yield* Effect.flatMap(at(path), ({ ensure }) => ensure)
      assert.strictEqual(modeOf(path), 0o755)
    })
  )

  for (const [what, reason, prepare] of [
    ["a symbolic link", "type", (path: string) => fs.symlinkSync(".", path)],
    ["a symbolic link to nothing", "type", (path: string) => fs.symlinkSync("nothing", path)],
    ["a file", "type", (path: string) => fs.writeFileSync(path, "kept")],
    [
      "a directory that others may write",
      "mode",
      (path: string) => {
        fs.mkdirSync(path)
        fs.chmodSync(path, 0o770)
      }
    ],
    ["beneath a file", "system", (path: string) => fs.writeFileSync(join(path, ".."), "")],
    ...(process.geteuid?.() === 0
      ? [
          [
            "a directory of another user",
            "owner",
            (path: string) => {
              fs.mkdirSync(path)
              fs.chownSync(path, 12_345, 12_345)
            }
          ] as const
        ]
      : [])
  ] as const) {
    it.scoped(`is refused where there is ${what}, which stays as it is`, () =>
      Effect.gen(function* () {
        const parent = join(yield* temporaryDirectory, "parent")
        if (reason !== "system") fs.mkdirSync(parent)
        const path = join(parent, "state")
        prepare(path)
        const before = reason === "system" ? undefined : fs.lstatSync(path)
        const refused = yield* Effect.flip(Effect.flatMap(at(path), ({ ensure }) => ensure))
        assert.strictEqual(refused.reason, reason)
        assert.include(refused.message, JSON.stringify(path))
        assert.include(refused.message, "FLEET_MCP_STATE_DIR")
        if (before !== undefined) assert.strictEqual(fs.lstatSync(path).mode, before.mode)
      })
    )
  }
})
