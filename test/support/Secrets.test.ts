import { expect, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { secrets } from "./Secrets.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

it(
  "a whole run finds each of its secrets wherever a test lets it out, and fails by that alone",
  { timeout: 240_000 },
  () => {
    const args = ["scripts/test.mjs", "--config", "test/support/leaks/vitest.config.ts"]
    const { status, stderr, stdout } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" })
    const found = stderr.split("\n").filter((line) => line.startsWith("a secret was found: "))
    expect(
      found.map((line) => line.slice(line.indexOf(":") + 2).replaceAll(/(leak-)\w+|\.\d+\.log/g, "$1")).toSorted()
    ).toEqual([
      "approveToken, raw, in http",
      "coderToken, raw, in in-process",
      "embeddedToken, raw, in in-process",
      "mainToken, raw, in leak-/left.txt",
      "operateToken, raw, in programs",
      "readToken, hex, in output.log"
    ])
    expect(stdout.trimEnd().split("\n").at(-1)).toBe("6 passed, 6 failed")
    expect(status).toBe(1)
    // Its secrets are its own.
    for (const value of Object.values(secrets)) expect(stdout + stderr).not.toContain(value)
  }
)
