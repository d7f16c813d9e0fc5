import { assert, describe, it } from "@effect/vitest"
import {
  Context,
  Duration,
  Effect,
  Exit,
  Fiber,
  Inspectable,
  Layer,
  Logger,
  Option,
  Redacted,
  Stream,
  TestClock
} from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { inspect } from "node:util"
import { BearerAuth } from "../../../src/layers/auth/BearerAuth.ts"
import { TokenStore } from "../../../src/layers/auth/TokenStore.ts"
import { digestOf, toHex } from "../../../src/layers/auth/TokenValues.ts"
import { AuthConfig } from "../../../src/layers/config/AuthConfig.ts"
import { AuthLimits } from "../../../src/layers/auth/AuthLimits.ts"
import { traces } from "../../support/clients.ts"
import { authOf, bearer, secret, storeAt, temporaryDirectory, tokenText } from "./support.ts"

const limits = AuthLimits.defaultValue()

const other = "x".repeat(43)
const inFile = Effect.map(temporaryDirectory, (directory) => {
  const file = join(directory, "auth_token")
  fs.writeFileSync(file, tokenText())
  fs.chmodSync(file, 0o600)
  return file
})

/** Lets the server look at its files. */
const look = TestClock.adjust(limits.watch)

const collectLogs = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ annotations, message }) => {
    lines.push(inspect([message, [...annotations]], { depth: 9 }))
  })
  return { lines, layer: Logger.replace(Logger.defaultLogger, logger) }
}

const forms: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
  ["none", []],
  ["empty", [""]],
  ["a space", [" "]],
  ["only the scheme", ["Bearer"]],
  ["the scheme and a space", ["Bearer "]],
  ["only the token", [secret]],
  ["a tab", [`Bearer\t${secret}`]],
  ["a space and a tab", [`Bearer \t${secret}`]],
  ["no space", [`Bearer${secret}`]],
  ["a colon", [`Bearer: ${secret}`]],
  ["an equals sign", [`Bearer=${secret}`]],
  ["a trailing space", [`Bearer ${secret} `]],
  ["a trailing tab", [`Bearer ${secret}\t`]],
  ["a trailing line feed", [`Bearer ${secret}\n`]],
  ["a trailing carriage return", [`Bearer ${secret}\r`]],
  ["a trailing null", [`Bearer ${secret}\0`]],
  ["a leading space", [` Bearer ${secret}`]],
  ["a leading line", [`x\nBearer ${secret}`]],
  ["a following line", [`Bearer ${secret}\nx`]],
  ["quotes", [`Bearer "${secret}"`]],
  ["padding", [`Bearer ${secret}=`]],
  ["a comma behind", [`Bearer ${secret},`]],
  ["twice in one header", [`Bearer ${secret}, Bearer ${secret}`]],
  ["two headers, both right", [`Bearer ${secret}`, `Bearer ${secret}`]],
  ["two headers, the first right", [`Bearer ${secret}`, `Bearer ${other}`]],
  ["two headers, the second right", [`Bearer ${other}`, `Bearer ${secret}`]],
  ["two headers, one empty", [`Bearer ${secret}`, ""]],
  ["Basic", [`Basic ${Buffer.from(`:${secret}`).toString("base64")}`]],
  ["Basic with the token", [`Basic ${secret}`]],
  ["Digest", [`Digest ${secret}`]],
  ["Token", [`Token ${secret}`]],
  ["another token", [`Bearer ${other}`]],
  ["the first character wrong", [`Bearer x${secret.slice(1)}`]],
  ["the last character wrong", [`Bearer ${secret.slice(0, -1)}x`]],
  ["the last character missing", [`Bearer ${secret.slice(0, -1)}`]],
  ["one character more", [`Bearer ${secret}x`]],
  ["the token in lower case", [`Bearer ${secret.toLowerCase()}`]],
  ["the token in upper case", [`Bearer ${secret.toUpperCase()}`]],
  ["the token percent-encoded", [`Bearer %43${secret.slice(1)}`]],
  ["the token in base64", [`Bearer ${Buffer.from(secret).toString("base64")}`]],
  ["a look-alike, not ASCII", [`Bearer С${secret.slice(1)}`]],
  ["not ASCII behind", [`Bearer ${secret}é`]],
  ["a zero-width space", [`Bearer ${secret}\u200b`]],
  ["a no-break space", [`Bearer\u00a0${secret}`]],
  ["half a surrogate pair", [`Bearer \ud800`]],
  ["100 KB", [`Bearer ${"x".repeat(100_000)}`]],
  ["100 KB that begin right", [`Bearer ${secret}${"x".repeat(100_000)}`]],
  ["1000 headers", Array.from({ length: 1000 }, () => `Bearer ${secret}`)],
  ["the word undefined", ["Bearer undefined"]],
  ["the word null", ["Bearer null"]]
]

describe("check", () => {
  it.scoped("lets in the exact token, as main", () =>
    Effect.gen(function* () {
      const auth = yield* authOf({ tokenFile: yield* inFile })
      assert.deepStrictEqual(yield* auth.check([`Bearer ${secret}`]), { credential: "main#1", role: "main" })
    })
  )

  for (const scheme of ["bearer ", "BEARER ", "bEaReR ", "Bearer  ", `bearer${" ".repeat(20)}`]) {
    it.scoped(`takes the scheme in any case, and any number of spaces: ${JSON.stringify(scheme)}`, () =>
      Effect.gen(function* () {
        const auth = yield* authOf({ tokenFile: yield* inFile })
        assert.strictEqual((yield* auth.check([scheme + secret])).role, "main")
      })
    )
  }

  for (const [form, headers] of forms) {
    it.scoped(`refuses, like all others: ${form}`, () =>
      Effect.gen(function* () {
        const auth = yield* authOf({ tokenFile: yield* inFile })
        const refused = yield* Effect.flip(auth.check(headers))
        assert.strictEqual(JSON.stringify(refused), '{"_tag":"Refused"}')
        assert.strictEqual(refused.message, "The request carries no valid token.")
      })
    )
  }

  it.scoped("does not let in a token whose digest only begins like that of the right one", () =>
    Effect.gen(function* () {
      const beginning = (value: string) => toHex(digestOf(Redacted.make(value))).slice(0, 4)
      let similar = 0
      while (beginning(`${similar}`) !== beginning(secret)) similar++
      const auth = yield* authOf({ tokenFile: yield* inFile })
      assert.strictEqual((yield* Effect.flip(auth.check([`Bearer ${similar}`])))._tag, "Refused")
    })
  )

  it.scoped("does not look at a header that is longer than allowed, whatever is in it", () =>
    Effect.gen(function* () {
      const tokenFile = join(yield* temporaryDirectory, "auth_token")
      const fits = limits.header - "Bearer ".length
      const check = (length: number) => {
        const token = Redacted.make("x".repeat(length))
        return Effect.flatMap(authOf({ token, tokenFile }), (auth) => auth.check(bearer(token)))
      }
      assert.strictEqual((yield* check(fits)).role, "main")
      assert.strictEqual((yield* Effect.flip(check(fits + 1)))._tag, "Refused")
    })
  )

  it.scoped("uses the token from the environment as it is", () =>
    Effect.gen(function* () {
      const tokenFile = join(yield* temporaryDirectory, "auth_token")
      const { layer, lines } = collectLogs()
      const auth = yield* Effect.provide(authOf({ token: Redacted.make("Short~!{token}"), tokenFile }), layer)
      assert.strictEqual((yield* auth.check(["Bearer Short~!{token}"])).role, "main")
      assert.isFalse(fs.existsSync(tokenFile))
      assert.include(lines.join("\n"), "FLEET_MCP_AUTH_TOKEN has fewer than 32 characters")
      assert.notInclude(lines.join("\n"), "Short")
    })
  )

  it.scoped("lets everybody in when it is off, and touches no file", () =>
    Effect.gen(function* () {
      const tokenFile = join(yield* temporaryDirectory, "auth_token")
      const auth = yield* authOf({ enabled: false, tokenFile })
      assert.deepStrictEqual(yield* auth.check([]), { credential: "none", role: "main" })
      assert.isFalse(fs.existsSync(tokenFile))
    })
  )

  it.scoped("knows further tokens by their roles", () =>
    Effect.gen(function* () {
      const tokenFile = yield* inFile
      const store = yield* storeAt(tokenFile)
      const roles = ["read", "operate", "approve"] as const
      const values = yield* Effect.forEach(roles, (role) => store.add({ name: role, role, expires: Option.none() }))
      const auth = yield* authOf({ tokenFile })
      const callers = yield* Effect.forEach(values, (value) => auth.check(bearer(value)))
      assert.deepStrictEqual(
        callers.map(({ role }) => role),
        [...roles]
      )
      assert.strictEqual(new Set(callers.map(({ credential }) => credential)).size, 3)
    })
  )

  it.scoped("does not start on a file that it refuses", () =>
    Effect.gen(function* () {
      const tokenFile = yield* inFile
      yield* (yield* storeAt(tokenFile)).add({ name: "one", role: "read", expires: Option.none() })
      fs.chmodSync(join(`${tokenFile}.named`, "one.json"), 0o666)
      assert.strictEqual((yield* Effect.flip(authOf({ tokenFile }))).reason, "mode")
      fs.chmodSync(tokenFile, 0o644)
      assert.strictEqual((yield* Effect.flip(authOf({ tokenFile }))).path, tokenFile)
    })
  )
})

describe("changes of the files", () => {
  const start = Effect.gen(function* () {
    const tokenFile = yield* inFile
    const store = yield* storeAt(tokenFile)
    return { tokenFile, store, auth: yield* authOf({ tokenFile }) }
  })

  it.scoped("a rotation counts within two seconds, and ends the old credential", () =>
    Effect.gen(function* () {
      const { auth, store } = yield* start
      const ended = yield* Effect.fork(Stream.runHead(auth.changes))
      yield* store.rotate
      assert.strictEqual((yield* auth.check([`Bearer ${secret}`])).credential, "main#1")
      yield* look
      assert.strictEqual((yield* Effect.flip(auth.check([`Bearer ${secret}`])))._tag, "Refused")
      assert.deepStrictEqual(yield* auth.check(bearer(yield* store.main)), { credential: "main#2", role: "main" })
      assert.deepStrictEqual(yield* Fiber.join(ended), Option.some("main#1"))
    })
  )

  it.scoped("a second rotation counts, too, when it comes too soon after the first to change the stamp", () =>
    Effect.gen(function* () {
      const tokenFile = yield* inFile
      const store = yield* storeAt(tokenFile)
      let stamp = "before"
      const coarse = Layer.succeed(TokenStore, { ...store, stamp: Effect.sync(() => stamp) })
      const layer = Layer.provide(BearerAuth.layer, [coarse, AuthConfig.layer({ tokenFile })])
      const auth = Context.get(yield* Layer.build(layer), BearerAuth)
      yield* look
      for (const next of ["after", "after"]) {
        yield* store.rotate
        stamp = next
        yield* look
        assert.strictEqual((yield* auth.check(bearer(yield* store.main))).role, "main")
      }
    })
  )

  it.scoped("who asks late hears of it, too", () =>
    Effect.gen(function* () {
      const { auth, store } = yield* start
      yield* store.rotate
      yield* look
      assert.deepStrictEqual(yield* Stream.runHead(auth.changes), Option.some("main#1"))
    })
  )

  it.scoped("an added token is let in, a revoked one is not, and comes back as another credential", () =>
    Effect.gen(function* () {
      const { auth, store } = yield* start
      const one = { name: "one", role: "operate", expires: Option.none() } as const
      const first = yield* store.add(one)
      yield* look
      const caller = yield* auth.check(bearer(first))
      const ended = yield* Effect.fork(Stream.runHead(auth.changes))
      yield* store.revoke("one")
      yield* look
      yield* Effect.flip(auth.check(bearer(first)))
      assert.deepStrictEqual(yield* Fiber.join(ended), Option.some(caller.credential))
      const second = yield* store.add(one)
      yield* look
      yield* Effect.flip(auth.check(bearer(first)))
      assert.notStrictEqual((yield* auth.check(bearer(second))).credential, caller.credential)
      assert.strictEqual((yield* auth.check([`Bearer ${secret}`])).credential, "main#1")
    })
  )

  it.scoped("an expired token is refused at the millisecond, and its credential ends", () =>
    Effect.gen(function* () {
      const { auth, store } = yield* start
      const value = yield* store.add({ name: "one", role: "read", expires: Option.some(Duration.millis(90_500)) })
      yield* look
      const ended = yield* Effect.fork(Stream.runHead(auth.changes))
      yield* TestClock.setTime(90_499)
      const { credential } = yield* auth.check(bearer(value))
      yield* TestClock.adjust(1)
      yield* Effect.flip(auth.check(bearer(value)))
      yield* look
      assert.deepStrictEqual(yield* Fiber.join(ended), Option.some(credential))
    })
  )

  for (const [what, change] of [
    ["removed", (file: string) => fs.unlinkSync(file)],
    ["broken", (file: string) => fs.writeFileSync(file, `${other}, half a file`)],
    ["opened to others", (file: string) => fs.chmodSync(file, 0o644)],
    [
      "replaced by a symbolic link",
      (file: string) => {
        fs.writeFileSync(`${file}.evil`, tokenText(other), { mode: 0o600 })
        fs.unlinkSync(file)
        fs.symlinkSync(`${file}.evil`, file)
      }
    ]
  ] as const) {
    it.scoped(`the last token stays when the file is ${what}, which is logged once, until there is a good one`, () =>
      Effect.gen(function* () {
        const { layer, lines } = collectLogs()
        yield* Effect.gen(function* () {
          const { auth, store, tokenFile } = yield* start
          change(tokenFile)
          for (let times = 0; times < 5; times++) yield* look
          assert.strictEqual((yield* auth.check([`Bearer ${secret}`])).credential, "main#1")
          yield* Effect.flip(auth.check([`Bearer ${other}`]))
          assert.strictEqual(lines.filter((line) => line.includes("main token:")).length, 1)
          yield* store.rotate
          yield* look
          yield* Effect.flip(auth.check([`Bearer ${secret}`]))
          assert.strictEqual((yield* auth.check(bearer(yield* store.main))).credential, "main#2")
        }).pipe(Effect.provide(layer))
        assert.notInclude(lines.join("\n"), secret)
        assert.notInclude(lines.join("\n"), other)
      })
    )
  }

  it.scoped("further tokens that cannot be read are not let in", () =>
    Effect.gen(function* () {
      const { auth, store, tokenFile } = yield* start
      const value = yield* store.add({ name: "one", role: "read", expires: Option.none() })
      yield* look
      yield* auth.check(bearer(value))
      fs.chmodSync(`${tokenFile}.named`, 0o770)
      yield* look
      yield* Effect.flip(auth.check(bearer(value)))
      fs.chmodSync(`${tokenFile}.named`, 0o700)
      yield* look
      yield* auth.check(bearer(value))
      yield* auth.check([`Bearer ${secret}`])
    })
  )
})

describe("what is logged", () => {
  it.scoped("a flood of refusals is a line every ten seconds, with their number and reasons", () =>
    Effect.gen(function* () {
      const { layer, lines } = collectLogs()
      yield* Effect.gen(function* () {
        const auth = yield* authOf({ tokenFile: yield* inFile })
        for (let second = 0; second < 20; second++) {
          for (let times = 0; times < 50; times++) {
            yield* Effect.flip(auth.check([`Bearer ${other}`]))
            yield* Effect.flip(auth.check([]))
          }
          yield* look
        }
        yield* TestClock.adjust(limits.refusalLog)
      }).pipe(Effect.provide(layer))
      assert.strictEqual(lines.length, 3)
      assert.include(lines[0] ?? "", "refusals: 1")
      const sum = lines.reduce((total, line) => total + Number(/refusals: (\d+)/.exec(line)?.[1]), 0)
      assert.strictEqual(sum, 2000)
      assert.match(lines[1] ?? "", /unknown \d+, missing \d+|missing \d+, unknown \d+/)
    })
  )

  it.scoped("refusals are logged on when the clock is set back", () =>
    Effect.gen(function* () {
      const { layer, lines } = collectLogs()
      yield* Effect.gen(function* () {
        const auth = yield* authOf({ tokenFile: yield* inFile })
        yield* TestClock.setTime(Duration.toMillis("1 minute"))
        yield* Effect.flip(auth.check([]))
        yield* TestClock.setTime(0)
        yield* Effect.flip(auth.check([]))
      }).pipe(Effect.provide(layer))
      assert.strictEqual(lines.length, 2)
    })
  )

  it.scoped("no value is in any log, span, error or text of a value", () =>
    Effect.gen(function* () {
      const tokenFile = yield* inFile
      const values: Array<string> = [secret, other]
      const { errors, exit, left } = yield* traces(
        Effect.scoped(
          Effect.gen(function* () {
            const store = yield* storeAt(tokenFile)
            const auth = yield* authOf({ tokenFile })
            const value = yield* store.add({ name: "one", role: "read", expires: Option.some(Duration.seconds(5)) })
            values.push(Redacted.value(value))
            const main = yield* store.main
            yield* Effect.log(
              "texts",
              JSON.stringify([value, main]),
              inspect([value, main, store, auth]),
              Inspectable.toStringUnknown(value)
            )
            yield* look
            yield* auth.check(bearer(value))
            yield* Effect.forEach(forms, ([, headers]) => Effect.ignore(auth.check(headers)))
            yield* store.rotate
            yield* TestClock.adjust("10 seconds")
            values.push(Redacted.value(yield* store.main))
            return yield* auth.check([`Bearer ${secret}`])
          })
        )
      )
      assert.isTrue(Exit.isFailure(exit))
      assert.include(left, "BearerAuth.check")
      for (const value of values) {
        for (const form of [
          value,
          Buffer.from(value).toString("base64").slice(0, -4),
          Buffer.from(value).toString("hex")
        ]) {
          assert.notInclude(errors + left, form)
        }
      }
    })
  )
})
