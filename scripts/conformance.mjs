// Runs the official conformance suite: all that 2025-11-25 requires against the HTTP app with the suite's own fixtures,
// then the scenarios that need no fixture against the program itself.
import { spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { bundle } from "./bundle.mjs"
import { root, runNode } from "./run.mjs"

const suite = join(root, "node_modules/@modelcontextprotocol/conformance/dist/index.js")
const hook = join(root, "scripts/conformance-register.mjs")
const version = "2025-11-25"

/** They ask for nothing by name; where a capability is missing, the suite says so. */
const nameFree = [
  "server-initialize",
  "server-session-lifecycle",
  "ping",
  "tools-list",
  "server-sse-multiple-streams",
  "dns-rebinding-protection"
]

const scratch = mkdtempSync(join(tmpdir(), "fleet-conformance-"))
const outfile = join(root, "node_modules/.cache/fleet-mcp-conformance/server.mjs")

const freePort = () =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })

const whenHealthy = async (port) => {
  for (let tries = 0; tries < 200; tries++) {
    const answer = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined)
    if (answer?.ok) return
    await sleep(50)
  }
  throw new Error("the server did not start")
}

/** Starts a server on a port of its own, runs the suite against it, and answers how often that failed. */
const against = async (command, args, env, runs) => {
  const port = await freePort()
  const server = spawn(process.execPath, [...command, ...args(port)], {
    cwd: root,
    env: { PATH: process.env.PATH, HOME: scratch, LOG_LEVEL: "ERROR", ...env },
    stdio: ["ignore", "inherit", "inherit"]
  })
  try {
    await whenHealthy(port)
    return runs.filter((run) => {
      const to = ["server", "--url", `http://localhost:${port}/mcp`, "-o", join(scratch, "results"), ...run]
      const { status } = spawnSync(process.execPath, ["--import", hook, suite, ...to], { cwd: root, stdio: "inherit" })
      return status !== 0
    }).length
  } finally {
    server.kill("SIGTERM")
  }
}

runNode("scripts/ensure-built.mjs")
await bundle(["test/conformance/server.ts"], { outfile })

let failed = 0
try {
  failed += await against([outfile], (port) => [`${port}`], {}, [["--requirements", version]])
  failed += await against(
    ["dist/bin/fleet-mcp.js", "http", "--local"],
    (port) => ["--port", `${port}`, "--allow-origin", `http://localhost:${port}`],
    { FLEET_MCP_AUTH_ENABLED: "false", FLEET_MCP_STATE_DIR: join(scratch, "state"), FLEET_MCP_SUPERVISOR: "false" },
    nameFree.map((scenario) => ["--scenario", scenario, "--spec-version", version])
  )
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
console.log(failed === 0 ? "conformance: passed" : `conformance: ${failed} runs failed`)
process.exitCode = failed === 0 ? 0 : 1
