import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync } from "node:fs"
import { once } from "node:events"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { beginSession, message, send } from "../layers/transports/http/HttpFixture.ts"
import { makeRepository } from "../support/EmbeddedFixture.ts"
import { startHttp } from "../support/HttpProgram.ts"
import { Program, program, type StartOptions } from "../support/Program.ts"
import { discard } from "../support/Secrets.ts"
import { SilentCoder } from "../support/SilentCoder.ts"

let scratch: string
let repository: string
let silent: SilentCoder

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "fleet-http-"))
  repository = makeRepository(join(scratch, "sample"))
  silent = await SilentCoder.start()
})
afterAll(async () => {
  await silent[Symbol.asyncDispose]()
  discard(scratch)
})

let states = 0

/** A server of its own, with a state directory of its own. */
const start = (options: StartOptions = {}) =>
  startHttp({ cwd: repository, state: join(scratch, `state-${states++}`), ...options })

const connect = async (url: URL, token: string) => {
  const client = new Client({ name: "test", version: "1" })
  const transport = new StreamableHTTPClientTransport(url, {
    requestInit: { headers: { Authorization: `Bearer ${token}` } }
  })
  await client.connect(transport)
  return client
}

/** Runs the program to its end. */
const refusal = async (options: StartOptions) => {
  await using started = new Program({ cwd: repository, ...options })
  const { code } = await started.exit
  return { code, stdout: started.lines.join("\n"), stderr: started.stderr }
}

describe("fleet-mcp http", () => {
  it("serves the fleet's tools to the token of its file, and one fleet to all clients", async () => {
    await using server = await start({ args: ["--local", "--allow-shell"] })
    const one = await connect(server.url, server.token)
    const other = await connect(server.url, server.token)
    expect((await one.listTools()).tools).toHaveLength(13)
    const created = await one.callTool({
      name: "create_agent",
      arguments: { name: "shared", project: "sample", role: "shell", task: "true" }
    })
    expect(created.content).toEqual([expect.objectContaining({ text: expect.stringContaining("outcome: applied") })])
    const listed = await other.callTool({ name: "list_agents", arguments: {} })
    expect(JSON.stringify(listed.structuredContent)).toContain('"name":"shared"')
    await one.close()
    await other.close()
    expect(server.started.stderr).not.toContain(server.token)
    expect(server.started.lines).toEqual([])
  })

  it("touches nothing but its token before the first tool call", async () => {
    await using coder = await SilentCoder.start()
    await using server = await start({ env: coder.env })
    const client = await connect(server.url, server.token)
    await client.listTools()
    await client.ping()
    expect(coder.asked).toEqual([])
    await client.close()
  })

  it("is read-only when told so, by flag or by variable", async () => {
    for (const options of [
      { args: ["--local", "--read-only"] },
      { args: ["--local"], env: { FLEET_MCP_READ_ONLY: "true" } }
    ]) {
      await using server = await start(options)
      const client = await connect(server.url, server.token)
      expect((await client.listTools()).tools).toHaveLength(7)
      const answer = await client.callTool({ name: "delete_agent", arguments: { agent_name: "a" } })
      expect(JSON.stringify(answer.content)).toContain("--read-only")
      await client.close()
    }
  })

  it("picks up a rotated token, and ends the sessions of the old one", async () => {
    await using server = await start({ args: ["--local"] })
    const { headers } = await beginSession(server.url, server.token)
    const stream = send(server.url, { method: "GET", headers })
    execFileSync(process.execPath, [program, "token", "rotate"], {
      env: { PATH: process.env["PATH"], FLEET_MCP_STATE_DIR: server.state },
      stdio: "ignore"
    })
    expect((await stream).status).toBe(200)
    expect((await send(server.url, { headers, body: message("ping") })).status).toBe(401)
    const { value } = JSON.parse(readFileSync(join(server.state, "auth_token"), "utf8")) as { readonly value: string }
    await beginSession(server.url, value)
  })
})

describe("fleet-mcp http does not start", () => {
  const state = () => ({ FLEET_MCP_STATE_DIR: join(scratch, `state-${states++}`) })
  const cases = [
    { why: "nothing says where agents run", args: [], env: {}, says: "--local" },
    { why: "half of a Coder server", args: [], env: { CODER_URL: "https://coder.test" }, says: "CODER_SESSION_TOKEN" },
    { why: "from elsewhere without TLS", args: ["--local", "--host", "0.0.0.0"], env: {}, says: "--behind-tls" },
    {
      why: "from a name that only begins like that of this machine, without TLS",
      args: ["--local", "--host", "localhost.example.test"],
      env: {},
      says: "--behind-tls"
    },
    {
      why: "from elsewhere without authentication",
      args: ["--local", "--host", "::", "--behind-tls"],
      env: { FLEET_MCP_AUTH_ENABLED: "false" },
      says: "FLEET_MCP_AUTH_ENABLED"
    },
    {
      why: "neither with nor without",
      args: ["--local"],
      env: { FLEET_MCP_AUTH_ENABLED: "0" },
      says: "AUTH_ENABLED is"
    },
    ...[
      ["--port", "65536"],
      ["--allow-host", "https://fleet.example.com"],
      ["--allow-host", "*"],
      ["--allow-origin", "null"],
      ["--allow-origin", "app.example.com"],
      ["--trust-proxy", "localhost"]
    ].map(([option = "", value = ""]) => ({
      why: `${option} ${value}`,
      args: ["--local", option, value],
      env: {},
      says: `${option} ${value} is no`
    }))
  ]
  it.each(cases)("$why", async ({ args, env, says }) => {
    const directory = state()
    const { code, stderr, stdout } = await refusal({ args: ["http", ...args], env: { ...directory, ...env } })
    expect(code).toBe(2)
    expect(stderr).toContain("fleet-mcp http did not start: ")
    expect(stderr).toContain(says)
    expect(stdout).toBe("")
    expect(existsSync(directory.FLEET_MCP_STATE_DIR)).toBe(false)
  })

  it("on a port that is taken", async () => {
    const { code, stderr } = await refusal({
      args: ["http", "--local", "--port", new URL(silent.url).port],
      env: state()
    })
    expect(code).toBe(2)
    expect(stderr).toContain("--port")
  })
})

describe("SIGTERM", () => {
  const timed = async (work: () => Promise<unknown>) => {
    const begun = performance.now()
    await work()
    return performance.now() - begun
  }

  it("ends an idle server at once, whatever streams are open", async () => {
    await using server = await start({ args: ["--local"] })
    const { headers } = await beginSession(server.url, server.token)
    const stream = send(server.url, { method: "GET", headers }).catch(() => undefined)
    await send(server.url, { headers, body: message("ping") })
    const took = await timed(async () => {
      server.started.child.kill("SIGTERM")
      expect(await server.started.exit).toEqual({ code: 0, signal: null })
    })
    await stream
    expect(took).toBeLessThan(2000)
  })

  it("ends within 5 s with a call that hangs, which is told so; new calls are refused meanwhile", async () => {
    await using server = await start({ env: silent.env })
    const { headers } = await beginSession(server.url, server.token)
    const reached = once(silent, "asked")
    const body = message("tools/call", { name: "list_agents", arguments: {} }, "hanging")
    const hanging = send(server.url, { headers, body })
    await reached
    const took = await timed(async () => {
      server.started.child.kill("SIGTERM")
      for (;;) {
        const { status } = await send(server.url, { headers, body: message("ping") })
        if (status === 503) break
        expect(status).toBe(200)
      }
      expect(await server.started.exit).toEqual({ code: 0, signal: null })
    })
    expect((await hanging).body).toMatch(/"code":-32603,"message":"The call was broken off\./)
    expect(took).toBeLessThan(5000)
  })

  it("twice ends it at once", async () => {
    await using server = await start({ env: silent.env })
    const { headers } = await beginSession(server.url, server.token)
    const reached = once(silent, "asked")
    const body = message("tools/call", { name: "list_agents", arguments: {} }, "hanging")
    const hanging = send(server.url, { headers, body }).catch(() => undefined)
    await reached
    server.started.child.kill("SIGTERM")
    for (;;) if ((await send(server.url, { headers, body: message("ping") })).status === 503) break
    const took = await timed(async () => {
      server.started.child.kill("SIGTERM")
      await server.started.exit
    })
    await hanging
    expect(took).toBeLessThan(500)
  })
})
