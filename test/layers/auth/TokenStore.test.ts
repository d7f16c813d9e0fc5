import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Exit, Option, Redacted, TestClock } from "effect"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import { join } from "node:path"
import type { TokenFileRefused } from "../../../src/layers/auth/FileRules.ts"
import { AuthLimits } from "../../../src/layers/auth/AuthLimits.ts"
import { traces } from "../../support/clients.ts"
import { secret, storeAt, storeOf, temporaryDirectory, tokenText } from "./support.ts"
import { TokenStore } from "../../../src/layers/auth/TokenStore.ts"

const limits = AuthLimits.defaultValue()

const isRoot = process.geteuid?.() === 0

/** A good token file. */
const write = (file: string, text = tokenText()) => {
  fs.writeFileSync(file, text)
  fs.chmodSync(file, 0o600)
}

/** All that lies in a directory: kinds, modes, names and contents. */
const picture = (directory: string): ReadonlyArray<unknown> =>
  fs.readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name)
    const { ino, mode, nlink, uid } = fs.lstatSync(path)
    const content = entry.isFile() ? fs.readFileSync(path, "latin1") : entry.isDirectory() ? picture(path) : ""
    return [[entry.name, ino, mode, nlink, uid, content]]
  })

interface State {
  readonly state: string
  readonly reason: TokenFileRefused["reason"]
  readonly message: RegExp
  /** Makes it so in an empty directory; answers the path of the token file, if it is not `auth_token`. */
  readonly arrange: (directory: string, file: string) => string | void
  readonly skip?: boolean
}

const states: ReadonlyArray<State> = [
  ...[0o644, 0o640, 0o604, 0o660, 0o610, 0o601].map((mode): State => ({
    state: `mode ${mode.toString(8)}`,
    reason: "mode",
    message: /token rotate.*chmod 600/,
    arrange: (_, file) => {
      write(file)
      fs.chmodSync(file, mode)
    }
  })),
  {
    state: "another owner",
    reason: "owner",
    message: /belongs to user 12345, not to this one.*token rotate/,
    arrange: (_, file) => {
      write(file)
      fs.chownSync(file, 12_345, 12_345)
    },
    skip: !isRoot
  },
  {
    state: "a symbolic link",
    reason: "type",
    message: /not a regular file.*Move it away/,
    arrange: (directory, file) => {
      write(join(directory, "target"))
      fs.symlinkSync("target", file)
    }
  },
  {
    state: "a symbolic link to nothing",
    reason: "type",
    message: /not a regular file/,
    arrange: (_, file) => fs.symlinkSync("nothing", file)
  },
  {
    state: "a hard link",
    reason: "links",
    message: /has 2 names.*token rotate/,
    arrange: (directory, file) => {
      write(file)
      fs.linkSync(file, join(directory, "other"))
    }
  },
  {
    state: "a pipe",
    reason: "type",
    message: /not a regular file/,
    arrange: (_, file) => {
      execFileSync("/bin/sh", ["-c", 'mkfifo -m 600 "$0"', file])
    }
  },
  { state: "a directory", reason: "type", message: /not a regular file/, arrange: (_, file) => fs.mkdirSync(file) },
  ...[0o770, 0o702, 0o777, 0o1777].map((mode): State => ({
    state: `its directory has mode ${mode.toString(8)}`,
    reason: "directory",
    message: /can be written by other users.*chmod 700.*FLEET_MCP_AUTH_TOKEN_FILE/,
    arrange: (directory) => {
      const inside = join(directory, "inside")
      fs.mkdirSync(inside)
      write(join(inside, "auth_token"))
      fs.chmodSync(inside, mode)
      return join(inside, "auth_token")
    }
  })),
  {
    state: "its directory has such a mode, and there is no file yet",
    reason: "directory",
    message: /chmod 700/,
    arrange: (directory) => {
      const inside = join(directory, "inside")
      fs.mkdirSync(inside)
      fs.chmodSync(inside, 0o770)
      return join(inside, "auth_token")
    }
  },
  {
    state: "its directory has another owner",
    reason: "directory",
    message: /belongs to user 12345.*Run fleet-mcp as that user.*chown/,
    arrange: (directory) => {
      const inside = join(directory, "inside")
      fs.mkdirSync(inside, { mode: 0o755 })
      write(join(inside, "auth_token"))
      fs.chownSync(inside, 12_345, 12_345)
      return join(inside, "auth_token")
    },
    skip: !isRoot
  },
  {
    state: "its directory is a file",
    reason: "directory",
    message: /is not a directory/,
    arrange: (directory) => {
      write(join(directory, "inside"))
      return join(directory, "inside", "auth_token")
    }
  },
  {
    state: "a directory above is writable by everybody, without a sticky bit",
    reason: "ancestor",
    message: /no sticky bit.*chmod o-w/,
    arrange: (directory) => {
      const inside = join(directory, "open", "inside")
      fs.mkdirSync(inside, { recursive: true, mode: 0o700 })
      fs.chmodSync(join(directory, "open"), 0o777)
      write(join(inside, "auth_token"))
      return join(inside, "auth_token")
    }
  },
  ...[
    ["empty", ""],
    ["not JSON", secret],
    ["cut off", tokenText().slice(0, -10)],
    ["a token that is too short", tokenText(secret.slice(1))],
    ["a token that is too long", tokenText(`${secret}x`)],
    ["a token in another alphabet", tokenText(`${secret.slice(1)}+`)],
    ["no date", JSON.stringify({ value: secret })],
    ["a bad date", JSON.stringify({ value: secret, created_at: "yesterday" })],
    ["no value", JSON.stringify({ created_at: "2026-01-01T00:00:00Z" })],
    ["an array", JSON.stringify([secret])],
    ["too large", tokenText() + " ".repeat(limits.file)]
  ].map(([what = "", text = ""]): State => ({
    state: `content: ${what}`,
    reason: "content",
    message: /(form of a token file|larger than 4096 bytes).*token rotate/,
    arrange: (_, file) => write(file, text)
  }))
]

describe("the main token's file", () => {
  for (const { arrange, message, reason, skip, state } of states) {
    it.scoped.skipIf(skip === true)(`is refused and left alone: ${state}`, () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const file = arrange(directory, join(directory, "auth_token")) ?? join(directory, "auth_token")
        const before = picture(directory)
        const { errors, exit, left } = yield* traces(Effect.flatMap(storeAt(file), (store) => store.main))
        assert.isTrue(Exit.isFailure(exit))
        assert.match(errors, message)
        assert.include(errors, `"reason":"${reason}"`)
        assert.notInclude(errors + left, secret.slice(0, 6))
        assert.deepStrictEqual(picture(directory), before)
      })
    )
  }

  it.scoped("is used as the original wrote it, and in a directory behind a symbolic link", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      fs.mkdirSync(join(directory, "real"), { mode: 0o755 })
      fs.symlinkSync("real", join(directory, "link"))
      const text = JSON.stringify({ value: secret, created_at: "2025-05-01T10:00:00.123456+00:00", more: 1 }, null, 2)
      write(join(directory, "real", "auth_token"), text)
      const store = yield* storeAt(join(directory, "link", "auth_token"))
      assert.strictEqual(Redacted.value(yield* store.main), secret)
    })
  )

  it.scoped("stays when its maker was killed between two names", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const file = join(directory, "auth_token")
      write(file)
      fs.linkSync(file, join(directory, ".auth_token.0b0e.tmp"))
      write(join(directory, ".auth_token.dead.tmp"), tokenText("y".repeat(43)))
      assert.strictEqual(Redacted.value(yield* (yield* storeAt(file)).main), secret)
      assert.deepStrictEqual(fs.readdirSync(directory).toSorted(), [".auth_token.dead.tmp", "auth_token"])
    })
  )

  for (const { arrange, reason, skip, state } of states) {
    if (reason === "directory" || reason === "ancestor" || state === "a directory") continue
    it.scoped.skipIf(skip === true)(`is replaced by a rotation: ${state}`, () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const file = join(directory, "auth_token")
        arrange(directory, file)
        const store = yield* storeAt(file)
        yield* store.rotate
        const value = Redacted.value(yield* store.main)
        assert.match(value, /^[A-Za-z0-9_-]{43}$/)
        assert.notStrictEqual(value, secret)
        assert.strictEqual(fs.statSync(file).mode & 0o7777, 0o600)
      })
    )
  }

  it.scoped("is neither read nor made when the token comes from the environment", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const options = { token: Redacted.make("from the environment"), tokenFile: join(directory, "auth_token") }
      const store = yield* Effect.provide(TokenStore, storeOf(options))
      assert.strictEqual(Redacted.value(yield* store.main), "from the environment")
      assert.isTrue(Option.isNone(store.location))
      assert.strictEqual((yield* Effect.flip(store.rotate))._tag, "TokenFromEnvironment")
      assert.deepStrictEqual(fs.readdirSync(directory), [])
    })
  )
})

describe("further tokens", () => {
  const some = { role: "read", expires: Option.none() } as const

  it.scoped("are added, listed and revoked; only their hashes are stored", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const file = join(directory, "auth_token")
      const store = yield* storeAt(file)
      yield* TestClock.setTime(Date.UTC(2026, 0, 1))
      const one = yield* store.add({ name: "one", role: "operate", expires: Option.some(Duration.days(30)) })
      const two = yield* store.add({ ...some, name: "two-2" })
      assert.deepStrictEqual(
        (yield* store.list).map(({ expires_at, name, role }) => [name, role, expires_at?.pipe(DateTime.formatIso)]),
        [
          ["one", "operate", "2026-01-31T00:00:00.000Z"],
          ["two-2", "read", undefined]
        ]
      )
      const stored = JSON.stringify(picture(directory))
      for (const value of [one, two]) assert.notInclude(stored, Redacted.value(value))
      assert.deepStrictEqual(
        [`${file}.named`, join(`${file}.named`, "one.json")].map((path) => fs.statSync(path).mode & 0o7777),
        [0o700, 0o600]
      )

      const taken = yield* Effect.flip(store.add({ ...some, name: "one" }))
      assert.match(taken.message, /token revoke one/)
      yield* store.revoke("one")
      assert.strictEqual((yield* Effect.flip(store.revoke("one")))._tag, "TokenNotFound")
      assert.deepStrictEqual(
        (yield* store.list).map(({ name }) => name),
        ["two-2"]
      )
    })
  )

  it.scoped("lose nothing when many are added and revoked at once", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryDirectory, "auth_token")
      const names = Array.from({ length: 40 }, (_, index) => `t${index}`)
      const stores = yield* Effect.forEach(names, () => storeAt(file))
      yield* Effect.forEach(
        names,
        (name, index) => stores[index]?.add({ ...some, name }).pipe(Effect.zipLeft(Effect.yieldNow())) ?? Effect.void,
        { concurrency: 40 }
      )
      yield* Effect.forEach(names.slice(0, 20), (name, index) => stores[index]?.revoke(name) ?? Effect.void, {
        concurrency: 20
      })
      assert.deepStrictEqual(
        (yield* (yield* storeAt(file)).list).map(({ name }) => name),
        names.slice(20).toSorted()
      )
    })
  )

  it.scoped("have names of a strict form, an expiry within limits, and a number", () =>
    Effect.gen(function* () {
      const store = yield* storeAt(join(yield* temporaryDirectory, "auth_token"))
      for (const name of ["", "main", "A", "a_b", "-a", "a-", "../a", "a/b", "a\n", "ä", "x".repeat(33), secret]) {
        const error = yield* Effect.flip(store.add({ ...some, name }))
        assert.strictEqual(error._tag, "InvalidTokenName")
        assert.notInclude(error.message, secret)
        assert.strictEqual((yield* Effect.flip(store.revoke(name)))._tag, "InvalidTokenName")
      }
      for (const life of [Duration.zero, Duration.days(3651), Duration.infinity]) {
        const error = yield* Effect.flip(store.add({ ...some, name: "a", expires: Option.some(life) }))
        assert.strictEqual(error._tag, "InvalidExpiry")
      }
      for (let count = 0; count < limits.named; count++) yield* store.add({ ...some, name: `t${count}` })
      assert.strictEqual((yield* Effect.flip(store.add({ ...some, name: "more" })))._tag, "TooManyTokens")
    })
  )

  const hash = "0".repeat(64)
  const good = { name: "one", role: "read", hash, created_at: "2026-01-01T00:00:00Z", expires_at: null }
  for (const [what, change] of [
    ["of another name", { name: "two" }],
    ["with another role", { role: "admin" }],
    ["without a hash", { hash: "" }],
    ["with a bad expiry", { expires_at: "soon" }],
    ["without an expiry", { expires_at: undefined }]
  ] as const) {
    it.scoped(`are refused, and can be revoked: a file ${what}`, () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const file = join(directory, "auth_token")
        fs.mkdirSync(`${file}.named`, { mode: 0o700 })
        write(join(`${file}.named`, "one.json"), JSON.stringify({ ...good, ...change }))
        const before = picture(directory)
        const store = yield* storeAt(file)
        assert.match((yield* Effect.flip(store.list)).message, /token revoke one/)
        assert.deepStrictEqual(picture(directory), before)
        yield* store.revoke("one")
        assert.deepStrictEqual(yield* store.list, [])
      })
    )
  }

  it.scoped("are refused from a directory or a file that others may change", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryDirectory, "auth_token")
      const store = yield* storeAt(file)
      yield* store.add({ ...some, name: "one" })
      fs.chmodSync(`${file}.named`, 0o770)
      assert.strictEqual((yield* Effect.flip(store.list)).reason, "directory")
      fs.chmodSync(`${file}.named`, 0o700)
      fs.chmodSync(join(`${file}.named`, "one.json"), 0o644)
      assert.strictEqual((yield* Effect.flip(store.list)).reason, "mode")
    })
  )
})
