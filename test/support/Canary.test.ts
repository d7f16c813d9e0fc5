import { afterAll, assert, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck, Logger, LogLevel } from "effect"
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import type { ServerResponse } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { raw } from "../layers/transports/http/HttpFixture.ts"
import { canaryValue, describeFinding, makeScan, scanTree, type Canary, type Form } from "./Canary.ts"
import { makeRepository } from "./EmbeddedFixture.ts"
import { makeRecorder } from "./Recorder.ts"
import { serve } from "./ScriptedCoder.ts"
import { Sinks, processesFrom } from "./Sinks.ts"

const plain: Canary = { name: "plain", value: canaryValue() }
const special: Canary = { name: "special", value: canaryValue("a/b+", '="&%\\~') }
const scan = makeScan([plain, special])

const bytes = (value: string) => Buffer.from(value)
const percent = (value: string) =>
  [...value].map((one) => (/\w/.test(one) ? one : `%${one.charCodeAt(0).toString(16)}`)).join("")

type Encode = (value: Buffer) => Buffer

/** For those that change all bytes, the value lies among others. */
const among =
  (before: Uint8Array, after: Uint8Array, encode: Encode): Encode =>
  (value) =>
    encode(Buffer.concat([before, value, after]))

const forms: ReadonlyArray<readonly [string, Form, Encode]> = [
  ["raw", "raw", (value) => value],
  ["URL-encoded", "URL-encoded", (value) => bytes(encodeURIComponent(value.toString()))],
  ["URL-encoded in lower case", "URL-encoded", (value) => bytes(percent(value.toString()))],
  ["in a form", "URL-encoded", (value) => bytes(new URLSearchParams({ value: value.toString() }).toString())],
  ["in JSON", "JSON-escaped", (value) => bytes(JSON.stringify(value.toString()))],
  ["in JSON for HTML", "JSON-escaped", (value) => bytes(JSON.stringify(value.toString()).replace("&", "\\u0026"))],
  ["without its beginning", "in part", (value) => value.subarray(7)],
  ["without its end", "in part", (value) => value.subarray(0, -9)],
  ["in hex", "hex", (value) => bytes(value.toString("hex"))],
  ["in HEX", "hex", (value) => bytes(value.toString("hex").toUpperCase())],
  ["in base64", "base64", (value) => bytes(value.toString("base64"))],
  ["in base64url", "base64", (value) => bytes(value.toString("base64url"))]
]

const anything = FastCheck.uint8Array({ maxLength: 64 })

describe("a scan", () => {
  it.each(forms)("finds a value %s, whatever is around it", (_, form, encode) => {
    FastCheck.assert(
      FastCheck.property(anything, anything, anything, anything, (before, inside, within, after) => {
        const encoded = form === "base64" ? among(inside, within, encode) : encode
        const sink = Buffer.concat([before, encoded(bytes(special.value)), after])
        expect(scan("sink", sink)).toEqual([{ sink: "sink", canary: "special", form }])
      })
    )
  })

  it.each(forms)("does not find what is no more than similar, %s", (_, __, encode) => {
    FastCheck.assert(
      FastCheck.property(FastCheck.integer({ min: 8, max: 20 }), anything, (at, before) => {
        const similar = [...special.value].map((one, index) => (index % 20 === at % 20 ? "-" : one)).join("")
        expect(scan("sink", Buffer.concat([before, encode(bytes(similar))]))).toEqual([])
      })
    )
  })

  it("finds a value after the beginning of an escape, and in what only begins like a zipped file", () => {
    const encoded = encodeURIComponent(special.value)
    expect(scan("sink", bytes(`%0${encoded}`))).toEqual([{ sink: "sink", canary: "special", form: "URL-encoded" }])
    const raw = Buffer.concat([Buffer.from([0x1f, 0x8b]), bytes(special.value)])
    expect(scan("sink", raw)).toEqual([{ sink: "sink", canary: "special", form: "raw" }])
  })

  it("finds all of several values", () => {
    const found = scan("sink", bytes(`${plain.value}\n${special.value}`))
    expect(found.map(({ canary }) => canary)).toEqual(["plain", "special"])
  })

  it("looks into what is zipped", () => {
    const zipped = gzipSync(special.value)
    expect(scan("sink", zipped)).toEqual([{ sink: "sink, unzipped", canary: "special", form: "raw" }])
  })

  it("takes no value that is easily met by chance", () => {
    expect(() => makeScan([{ name: "short", value: "hunter2" }])).toThrow("short")
    expect(() => makeScan([{ name: "broken up", value: "a/".repeat(20) }])).toThrow("broken up")
  })
})

/** One leak of each kind: where it is put, and how it is reported. No report may show the value. */
describe("a planted leak", () => {
  const { value } = special
  let scratch: string
  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), "fleet-canary-"))
  })
  // Not kept: nothing of this is a leak.
  afterAll(() => rmSync(scratch, { recursive: true, force: true }))

  const reported = (sinks: Sinks) => sinks.findings(scan).map(describeFinding)

  const files: ReadonlyArray<readonly [string, (directory: string) => void, string]> = [
    ["a file", (at) => writeFileSync(join(at, "some.log"), `token ${value}`), "special, raw, in some.log"],
    ["a zipped file", (at) => writeFileSync(join(at, "a.gz"), gzipSync(value)), "special, raw, in a.gz, unzipped"],
    ["a name", (at) => mkdirSync(join(at, plain.value)), "plain, raw, in the name *"],
    ["a link", (at) => symlinkSync(`/none/${plain.value}`, join(at, "link")), "plain, raw, in link"],
    [
      "a commit that was taken back",
      (at) => {
        const git = (...args: ReadonlyArray<string>) =>
          execFileSync("git", ["-C", at, "-c", "user.name=T", "-c", "user.email=t@example.com", ...args])
        makeRepository(at)
        git("commit", "--quiet", "--allow-empty", "--message", value)
        git("reset", "--quiet", "--hard", "HEAD^")
        rmSync(join(at, ".git/logs"), { recursive: true })
        rmSync(join(at, ".git/COMMIT_EDITMSG"))
        git("gc", "--quiet")
      },
      "special, raw, in the git objects of .git"
    ]
  ]
  it.each(files)("is found in %s", (_, plant, report) => {
    const directory = mkdtempSync(join(scratch, "case-"))
    plant(directory)
    expect(scanTree(scan, directory).map(describeFinding)).toContain(report)
    expect(JSON.stringify(scanTree(scan, directory))).not.toContain(plain.value)
  })

  it("is not one in the secret's own file, and is one beside it", () => {
    const directory = mkdtempSync(join(scratch, "case-"))
    const own = join(directory, "auth_token")
    writeFileSync(own, value)
    writeFileSync(`${own}.bak`, value)
    const found = scanTree(scan, directory, { [own]: ["special"] })
    expect(found.map(describeFinding)).toEqual(["special, raw, in auth_token.bak"])
    expect(scanTree(scan, directory, { [own]: ["plain"] })).toHaveLength(2)
  })

  it("is found in stdout, stderr, arguments and environment of a process beneath another", async () => {
    const program = `
      const { LEAK } = process.env
      process.stdout.write(LEAK.slice(0, 9), () => process.stdout.write(LEAK.slice(9)))
      process.stderr.write(Buffer.from("xy" + LEAK).toString("base64"))
      process.stdin.resume()`
    // A compound command: the shell stays, with the program beneath it.
    const child = spawn("/bin/sh", ["-c", '"$@"; true', "sh", process.execPath, "-e", program, plain.value], {
      env: { LEAK: value }
    })
    const sinks = new Sinks()
    child.stdout.on("data", (chunk: Buffer) => sinks.add("stdout", chunk))
    child.stderr.on("data", (chunk: Buffer) => sinks.add("stderr", chunk))
    await Promise.all([once(child.stdout, "data"), once(child.stderr, "data")])
    const [shell, node, ...others] = processesFrom(child.pid ?? 0)
    expect([shell?.pid, others]).toEqual([child.pid, []])
    sinks.add("arguments", node?.argv ?? "")
    sinks.add("environment", node?.environment ?? "")
    child.stdin.end()
    await once(child, "close")
    expect(reported(sinks).toSorted()).toEqual(
      [
        "plain, raw, in arguments",
        ...(existsSync("/proc/self") ? ["special, raw, in environment"] : []),
        "special, base64, in stderr",
        "special, raw, in stdout"
      ].toSorted()
    )
  })

  const answers: ReadonlyArray<readonly [string, (response: ServerResponse) => void]> = [
    ["the status line", (response) => response.writeHead(401, `no ${value}`).end()],
    ["a header", (response) => response.writeHead(401, { "WWW-Authenticate": `Bearer realm="${value}"` }).end()],
    ["the body", (response) => response.writeHead(200, { "Content-Encoding": "identity" }).end(value)]
  ]
  it.scoped.each(answers)("is found in %s of an HTTP answer", ([, leak]) =>
    Effect.gen(function* () {
      const { url } = yield* serve((_, response) => leak(response))
      const sinks = new Sinks()
      const said = yield* Effect.promise(() => raw(url, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
      sinks.add("answer", said)
      assert.deepStrictEqual(reported(sinks), ["special, raw, in answer"])
    })
  )

  it("is found in a span and in a log, at every level", () => {
    const sinks = new Sinks()
    let where = ""
    const { logger, tracer } = makeRecorder((text) => sinks.add(where, text))
    const leaks: ReadonlyArray<readonly [string, Effect.Effect<unknown, unknown>]> = [
      ["a name", Effect.withSpan(Effect.void, value)],
      ["an attribute", Effect.withSpan(Effect.void, "span", { attributes: { deep: { in: [{ it: value }] } } })],
      ["an attribute of later", Effect.withSpan(Effect.annotateCurrentSpan("key", value), "span")],
      ["a failure", Effect.withSpan(Effect.fail({ error: new Error("x", { cause: { value } }) }), "span")],
      ["a defect", Effect.withSpan(Effect.die(new Error(value)), "span")],
      ["a trace", Effect.logTrace(value)],
      ["an annotation", Effect.annotateLogs(Effect.logDebug("x"), { value })],
      ["a cause", Effect.catchAllCause(Effect.fail({ value }), (cause) => Effect.logDebug("x", cause))],
      ["a log span", Effect.withLogSpan(Effect.logInfo("x"), value)]
    ]
    for (const [name, leak] of leaks) {
      where = name
      Effect.runSync(
        leak.pipe(
          Effect.exit,
          Effect.withTracer(tracer),
          Effect.provide([Logger.replace(Logger.defaultLogger, logger), Logger.minimumLogLevel(LogLevel.All)])
        )
      )
    }
    const found = new Set(sinks.findings(scan).map(({ canary, sink }) => `${canary} in ${sink}`))
    expect([...found]).toEqual(leaks.map(([name]) => `special in ${name}`))
  })
})
