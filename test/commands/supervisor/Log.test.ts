import { expect, it } from "@effect/vitest"
import { mkdtempSync, readFileSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { rotatingFile } from "../../../src/commands/supervisor/Log.ts"
import { discard } from "../../support/Secrets.ts"

it("a log keeps its newest lines, whole, in two files that have a size together, also over restarts", () => {
  const directory = mkdtempSync(join(tmpdir(), "fleet-log-"))
  try {
    const file = join(directory, "supervisor.log")
    const lines = Array.from({ length: 300 }, (_, number) => `line ${number} ${"x".repeat(20)}\n`)
    for (const part of [lines.slice(0, 150), lines.slice(150)]) {
      const log = rotatingFile(file, 2000)
      for (const line of part) log.write(line)
    }
    const sizes = [file, `${file}.1`].map((path) => statSync(path).size)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1000)
    const kept = readFileSync(`${file}.1`, "utf8") + readFileSync(file, "utf8")
    expect(lines.join("").endsWith(kept)).toBe(true)
    expect(kept.split("\n").length).toBeGreaterThan(30)
    expect(statSync(file).mode & 0o777).toBe(0o600)
  } finally {
    discard(directory)
  }
})
