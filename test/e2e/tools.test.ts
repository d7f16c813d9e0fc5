import { describe, expect, it, onTestFinished } from "@effect/vitest"
import { existsSync, mkdtempSync, readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isAlive } from "../layers/agenthost/support.ts"
import { makeRepository } from "../support/EmbeddedFixture.ts"
import { Program } from "../support/Program.ts"
import { discard } from "../support/Secrets.ts"
import { onThisMachine, toolsSuite } from "./ToolsSuite.ts"

toolsSuite(onThisMachine(false))

describe("the server's own end", () => {
  it.each([
    ["SIGKILL", { code: null, signal: "SIGKILL" }],
    ["SIGTERM", { code: 0, signal: null }],
    ["end of input", { code: 0, signal: null }]
  ] as const)("by %s leaves no process of an agent", async (how, expected) => {
    const scratch = mkdtempSync(join(tmpdir(), "fleet-end-"))
    onTestFinished(() => discard(scratch))
    const cwd = makeRepository(join(scratch, "shop"))
    const env = { HOME: scratch, FLEET_MCP_STATE_DIR: join(scratch, "state") }
    await using server = new Program({ args: ["--local", "--allow-shell"], cwd, env })
    await server.initialize()
    const file = join(scratch, `${how}.pid`)
    const task = `trap '' TERM; sleep 1000 & echo $$ $! > '${file}'; wait; wait`
    const created = await server.call("create_agent", { name: "stubborn", project: "shop", task, wait_ready: true })
    expect(created.isError).toBe(false)
    while (!existsSync(file) || readFileSync(file, "utf8") === "") {
      await server.call("show_agent", { agent_name: "stubborn" })
    }
    const pids = readFileSync(file, "utf8").trim().split(" ").map(Number)
    expect(pids.map(isAlive)).toEqual([true, true])

    const start = performance.now()
    if (how === "end of input") server.child.stdin.end()
    else server.child.kill(how)
    expect(await server.exit).toEqual(expected)
    expect(performance.now() - start).toBeLessThan(1500)
    while (pids.some(isAlive)) await new Promise((resolve) => setTimeout(resolve, 10))
  })
})
