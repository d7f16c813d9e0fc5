// Runs vitest; the last line printed is `N passed, N failed`. Whatever went wrong outside a test counts as failed.
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

runNode("scripts/ensure-built.mjs")
const { filter, options } = parseCLI(["vitest", "run", ...process.argv.slice(2)])
const vitest = await startVitest("test", filter, { ...options, watch: false })
add(vitest)
await vitest.close()
process.exit()
