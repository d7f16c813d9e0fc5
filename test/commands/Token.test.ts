import { Command } from "@effect/cli"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { afterEach, assert, describe, it } from "@effect/vitest"
import { ConfigProvider, type Console, Effect, Redacted, TestClock } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { token } from "../../src/commands/Token.ts"
import { authOf, storeAt, temporaryDirectory } from "../layers/auth/support.ts"

const exitCode = process.exitCode
afterEach(() => {
  process.exitCode = exitCode
})

/** Runs `fleet-mcp token ...` over the token file of a directory. */
const run = (directory: string, args: ReadonlyArray<string>, environment: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const stdout: Array<string> = []
    const stderr: Array<string> = []
    const console: Console.Console = {
      ...(yield* Effect.console),
      log: (text: string) => Effect.sync(() => void stdout.push(text)),
      error: (text: string) => Effect.sync(() => void stderr.push(text))
    }
    process.exitCode = 0
    const variables = new Map(Object.entries({ FLEET_MCP_STATE_DIR: directory, ...environment }))
    yield* Command.run(token(Effect.succeed(ConfigProvider.fromMap(variables))), { name: "test", version: "1" })([
      "node",
      "token",
      ...args
    ]).pipe(
      Effect.catchAll(() => Effect.sync(() => (process.exitCode = 2))),
      Effect.withConsole(console),
      Effect.provide(NodeContext.layer)
    )
    return { stdout: stdout.join("\n"), stderr: stderr.join("\n"), code: process.exitCode }
  })

const valueIn = (file: string): string =>
  (JSON.parse(fs.readFileSync(file, "utf8")) as { readonly value: string }).value

describe("fleet-mcp token", () => {
  it.scoped("prints where the file is, which it makes, and never the value", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const file = join(directory, "auth_token")
      const first = yield* run(directory, [])
      assert.deepStrictEqual(first, { stdout: file, stderr: "", code: 0 })
      const value = valueIn(file)
      assert.deepStrictEqual(yield* run(directory, []), first)
      assert.strictEqual(valueIn(file), value)
    })
  )

  it.scoped("says that the token is that of the environment, without it", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const environment = { FLEET_MCP_AUTH_TOKEN: "CANARY" }
      const shown = yield* run(directory, [], environment)
      assert.strictEqual(shown.stdout, "")
      assert.include(shown.stderr, "FLEET_MCP_AUTH_TOKEN; no file is used")
      const rotated = yield* run(directory, ["rotate"], environment)
      assert.strictEqual(rotated.code, 1)
      assert.notInclude(shown.stderr + rotated.stderr + rotated.stdout, "CANARY")
      assert.deepStrictEqual(fs.readdirSync(directory), [])
    })
  )

  it.scoped("rotate makes a new token that is not shown", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const file = join(directory, "auth_token")
      yield* run(directory, [])
      const value = valueIn(file)
      const { code, stderr, stdout } = yield* run(directory, ["rotate"])
      assert.deepStrictEqual([code, stdout], [0, file])
      assert.notStrictEqual(valueIn(file), value)
      for (const each of [value, valueIn(file)]) assert.notInclude(stdout + stderr, each)
    })
  )

  it.scoped("add prints the value once, list and revoke do not", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const file = join(directory, "auth_token")
      yield* TestClock.setTime(Date.UTC(2026, 0, 1))
      const added = yield* run(directory, ["add", "--role", "operate", "--expires", "30d", "ci"])
      assert.match(added.stdout, /^[A-Za-z0-9_-]{43}$/)
      assert.notInclude(added.stderr, added.stdout)
      const caller = Effect.flatMap(authOf({ tokenFile: file }), (auth) => auth.check([`Bearer ${added.stdout}`]))
      assert.strictEqual((yield* Effect.scoped(caller)).role, "operate")
      yield* run(directory, ["add", "--role", "read", "board"])

      const listed = yield* run(directory, ["list"])
      assert.deepStrictEqual(listed.stdout.split("\n"), [
        "NAME\tROLE\tCREATED\tEXPIRES",
        "board\tread\t2026-01-01T00:00:00.000Z\tnever",
        "ci\toperate\t2026-01-01T00:00:00.000Z\t2026-01-31T00:00:00.000Z"
      ])
      yield* TestClock.adjust("30 days")
      assert.include((yield* run(directory, ["list"])).stdout, "2026-01-31T00:00:00.000Z (expired)")

      assert.strictEqual((yield* run(directory, ["add", "--role", "read", "ci"])).code, 1)
      const revoked = yield* run(directory, ["revoke", "ci"])
      assert.deepStrictEqual([revoked.code, revoked.stdout], [0, ""])
      const again = yield* run(directory, ["revoke", "ci"])
      assert.strictEqual(again.code, 1)
      assert.include(again.stderr, "fleet-mcp token list")
      assert.strictEqual((yield* (yield* storeAt(file)).list).length, 1)
    })
  )

  it.scoped("a value given as a name is not repeated", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const value = Redacted.value(yield* (yield* storeAt(join(directory, "auth_token"))).main)
      for (const args of [
        ["revoke", value],
        ["add", "--role", "read", value]
      ]) {
        const { code, stderr, stdout } = yield* run(directory, args)
        assert.strictEqual(code, 1)
        assert.notInclude(stdout + stderr, value)
      }
    })
  )

  it.scoped("refuses what it does not understand", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      for (const args of [
        ["add", "x"],
        ["add", "--role", "admin", "x"],
        ["add", "--role", "read", "--expires", "soon", "x"],
        ["add", "--role", "read", "--expires", "-1d", "x"],
        ["revoke"]
      ]) {
        assert.strictEqual((yield* run(directory, args)).code, 2, args.join(" "))
      }
      assert.strictEqual((yield* run(directory, ["add", "--role", "read", "--expires", "0d", "x"])).code, 1)
      assert.deepStrictEqual(fs.readdirSync(directory), [])
    })
  )

  it.scoped("says the fix for a file that it refuses, and exits with 1", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      yield* run(directory, [])
      fs.chmodSync(join(directory, "auth_token"), 0o644)
      const { code, stderr } = yield* run(directory, [])
      assert.strictEqual(code, 1)
      assert.include(stderr, "fleet-mcp token rotate")
      assert.strictEqual((yield* run(directory, ["rotate"])).code, 0)
      assert.strictEqual((yield* run(directory, [])).code, 0)
    })
  )
})
