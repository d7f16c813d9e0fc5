import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { build } from "esbuild"
import { execFileSync, spawn } from "node:child_process"
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { discard } from "../../support/Secrets.ts"

let scratch: string
let program: string

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "fleet-first-start-"))
  program = join(scratch, "FirstStart.mjs")
  await build({
    entryPoints: [fileURLToPath(new URL("FirstStart.ts", import.meta.url))],
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: program
  })
})
afterAll(() => discard(scratch))

/** A process that is ready to start, and what it answers once told to. */
const prepare = async (file: string, { action = "main", env = {} }: Options = {}) => {
  const child = spawn(process.execPath, [program, file, action], {
    env: { ...env },
    stdio: ["pipe", "pipe", "inherit"]
  })
  child.stdin.on("error", () => undefined)
  let said = ""
  const ready = new Promise<void>((resolve) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text
      if (said.includes("\n")) resolve()
    })
  })
  const end = new Promise<{ readonly said: string; readonly signal: string | null }>((resolve) => {
    child.once("close", (_, signal) => resolve({ said: said.slice(said.indexOf("\n") + 1), signal }))
  })
  await Promise.race([ready, end])
  return () => {
    child.stdin.write("go\n")
    return end
  }
}

interface Options {
  readonly action?: "main" | "rotate"
  readonly env?: Readonly<Record<string, string>>
}

const start = async (file: string, options: Options = {}) => (await prepare(file, options))()

const valueIn = (file: string): string => (JSON.parse(readFileSync(file, "utf8")) as { readonly value: string }).value

const modeOf = (path: string) => statSync(path).mode & 0o7777

describe("the first start", () => {
  it.each(["000", "022", "077", "177", "777"])("makes 0600 in 0700 under umask %s", async (UMASK) => {
    const directory = join(scratch, `umask-${UMASK}`)
    const file = join(directory, "auth_token")
    expect((await start(file, { env: { UMASK } })).said).toBe(valueIn(file))
    expect([modeOf(file), modeOf(directory)]).toEqual([0o600, 0o700])
    expect(readdirSync(directory)).toEqual(["auth_token"])
  })

  it("writes what `jq -r .value` reads", async () => {
    const file = join(scratch, "jq", "auth_token")
    const { said } = await start(file)
    expect(said).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(Object.keys(JSON.parse(readFileSync(file, "utf8")) as object)).toEqual(["value", "created_at"])
    let read = `${valueIn(file)}\n`
    try {
      read = execFileSync("/bin/sh", ["-c", 'jq -r .value "$0"', file], { encoding: "utf8", stdio: "pipe" })
    } catch (error) {
      if ((error as { readonly status: number }).status !== 127) throw error
    }
    expect(read).toBe(`${said}\n`)
  })

  it("makes one token when 32 processes start at once", async () => {
    // More by hand: ROUNDS=50.
    for (let round = 0; round < Number(process.env["ROUNDS"] ?? "1"); round++) {
      const file = join(scratch, `together-${round}`, "deep", "auth_token")
      const prepared: Array<Awaited<ReturnType<typeof prepare>>> = []
      for (let group = 0; group < 8; group++) {
        prepared.push(...(await Promise.all(Array.from({ length: 4 }, () => prepare(file)))))
      }
      const ends = await Promise.all(prepared.map((go) => go()))
      expect(new Set(ends.map(({ said }) => said))).toEqual(new Set([valueIn(file)]))
      expect(readdirSync(join(file, ".."))).toEqual(["auth_token"])
      expect(statSync(file).nlink).toBe(1)
    }
  }, 600_000)

  it("leaves a whole file or none wherever it is killed, and the next start works", async () => {
    const states = new Set<string>()
    let killed = 0
    for (let KILL_AT = 1; ; KILL_AT++) {
      const file = join(scratch, `killed-${KILL_AT}`, "auth_token")
      const { signal } = await start(file, { env: { KILL_AT: `${KILL_AT}` } })
      if (signal === null) break
      killed++
      const before = existsSync(file) ? valueIn(file) : undefined
      states.add(before === undefined ? "none" : `whole, ${statSync(file).nlink} names`)
      const { said } = await start(file)
      expect(said).toBe(valueIn(file))
      expect(said).toBe(before ?? said)
      expect(statSync(file).nlink).toBe(1)
    }
    expect(killed).toBeGreaterThan(15)
    expect(states).toEqual(new Set(["none", "whole, 2 names", "whole, 1 names"]))
  }, 90_000)

  it("leaves the old token or the new one when a rotation is killed", async () => {
    const states = new Set<string>()
    for (let KILL_AT = 1; ; KILL_AT++) {
      const directory = mkdtempSync(join(scratch, "rotation-"))
      const file = join(directory, "auth_token")
      const old = "x".repeat(43)
      writeFileSync(file, JSON.stringify({ value: old, created_at: "2026-01-01T00:00:00Z" }))
      chmodSync(file, 0o600)
      const { signal } = await start(file, { action: "rotate", env: { KILL_AT: `${KILL_AT}` } })
      const value = valueIn(file)
      states.add(value === old ? "old" : "new")
      expect(value).toMatch(/^[A-Za-z0-9_-]{43}$/)
      expect((await start(file)).said).toBe(value)
      if (signal === null) break
    }
    expect(states).toEqual(new Set(["old", "new"]))
  }, 90_000)
})
