// Runs vitest; the last line printed is `N passed, N failed`. Whatever went wrong outside a test counts as failed, and so
// does each secret of the tests that is found in what they left: files, and all that programs, spans, logs, answers and
// this output say (test/support/Secrets.ts).
import { randomBytes } from "node:crypto"
import { appendFileSync, mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseCLI, startVitest } from "vitest/node"
import { runNode } from "./run.mjs"

const count = { passed: 0, failed: 0 }

const add = (vitest) => {
  count.failed += vitest.state.getUnhandledErrors().length
  for (const module of vitest.state.getTestModules()) {
    for (const suite of [module, ...module.children.allSuites()]) if (suite.errors().length > 0) count.failed++
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state === "passed") count.passed++
      else if (state !== "skipped") count.failed++
    }
  }
}

// On exit, for vitest ends the process by itself when a worker dies.
process.on("exit", (code) => {
  const failed = count.failed === 0 && (code !== 0 || count.passed === 0) ? 1 : count.failed
  console.log(`${count.passed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
})

/** Has all that is printed from now on written to a file, too. */
const keepOutput = (file) => {
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream)
    stream.write = (chunk, ...rest) => {
      appendFileSync(file, chunk)
      return write(chunk, ...rest)
    }
  }
}

const scan = async (vitest, run) => {
  const { findSecrets } = await vitest.import("./test/support/Secrets.ts")
  const findings = findSecrets(run)
  for (const finding of findings) console.error(`a secret was found: ${finding}`)
  count.failed += findings.length
}

runNode("scripts/ensure-built.mjs")
const run = realpathSync(mkdtempSync(join(tmpdir(), "run-")))
process.on("exit", () => rmSync(run, { recursive: true, force: true }))
Object.assign(process.env, {
  FLEET_MCP_TEST_RUN: run,
  FLEET_MCP_TEST_SEED: randomBytes(16).toString("hex"),
  TMPDIR: run
})
keepOutput(join(run, "output.log"))

const { filter, options } = parseCLI(["vitest", "run", ...process.argv.slice(2)])
const vitest = await startVitest("test", filter, { ...options, watch: false })
add(vitest)
await scan(vitest, run)
await vitest.close()
process.exit()
