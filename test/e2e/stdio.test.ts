import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import type { Readable } from "node:stream"
import { join } from "node:path"
import { Program, program, type StartOptions } from "../support/Program.ts"
import { discard } from "../support/Secrets.ts"
import { SilentCoder } from "../support/SilentCoder.ts"
import { longestMessage } from "../../src/layers/transports/stdio/StdioTransport.ts"

let scratch: string
let silent: SilentCoder

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "fleet-stdio-"))
  silent = await SilentCoder.start()
})
beforeEach(() => {
  silent.asked.length = 0
})
afterAll(async () => {
  await silent[Symbol.asyncDispose]()
  discard(scratch)
})

const local = (options: StartOptions = {}) =>
  new Program({ cwd: scratch, ...options, env: { FLEET_MCP_STATE_DIR: join(scratch, "state"), ...options.env } })

const hanging = () => local({ env: silent.env })

/** Runs the program to its end, with nothing on stdin. */
const run = async (options: StartOptions) => {
  await using started = local(options)
  started.child.stdin.end()
  const { code } = await started.exit
  return { code, stdout: started.lines.join("\n"), stderr: started.stderr }
}

/** How long something takes, in milliseconds. */
const timed = async <A>(work: () => Promise<A>): Promise<readonly [A, number]> => {
  const start = performance.now()
  return [await work(), performance.now() - start]
}

const healthyEnd = { code: 0, signal: null }

describe("stdout", () => {
  it.each(["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "nonsense"])(
    "holds nothing but JSON-RPC under load, at LOG_LEVEL %s",
    async (LOG_LEVEL) => {
      await using started = local({ env: { LOG_LEVEL } })
      await started.initialize()
      const rounds = 100
      for (let round = 0; round < rounds; round++) {
        started.send({ id: `list-${round}`, method: "tools/list" })
        started.send({ id: `call-${round}`, method: "tools/call", params: { name: "list_agents", arguments: {} } })
        started.send({ id: `bad-${round}`, method: "tools/call", params: { name: "list_agents", arguments: { a: 1 } } })
        started.send({ id: `none-${round}`, method: "tools/call", params: { name: "nope" } })
        started.write("{not json\n")
      }
      const kinds = ["list", "call", "bad", "none"]
      await Promise.all(kinds.map((kind) => started.answer(`${kind}-${rounds - 1}`)))
      started.child.stdin.end()
      expect(await started.exit).toEqual(healthyEnd)

      const { messages } = started
      expect(messages.every(({ jsonrpc }) => jsonrpc === "2.0")).toBe(true)
      expect(messages.filter(({ error }) => error?.code === -32700)).toHaveLength(rounds)
      for (let round = 0; round < rounds; round++) {
        for (const kind of kinds) expect(messages.filter(({ id }) => id === `${kind}-${round}`)).toHaveLength(1)
      }
      expect(/level=DEBUG/.test(started.stderr)).toBe(LOG_LEVEL === "TRACE" || LOG_LEVEL === "DEBUG")
      expect(/level=WARN/.test(started.stderr)).toBe(LOG_LEVEL !== "ERROR")
      expect(/LOG_LEVEL is none of/.test(started.stderr)).toBe(LOG_LEVEL === "nonsense")
    }
  )
})

describe("starting", () => {
  it("does nothing to the world before the first tool call", async () => {
    const state = join(scratch, "untouched")
    await using started = hanging()
    await using embedded = local({ env: { FLEET_MCP_STATE_DIR: state }, args: ["--local", "--allow-shell"] })
    for (const each of [started, embedded]) {
      await each.initialize()
      expect((await each.request("tools/list")).result?.["tools"]).toHaveLength(13)
      await each.request("ping")
    }
    expect(silent.asked).toEqual([])
    expect(existsSync(state)).toBe(false)
    expect(started.stderr + embedded.stderr).toBe("")
  })

  it("says where agents run", async () => {
    await using coder = hanging()
    expect(JSON.stringify(await coder.initialize())).toContain(`Agents run in Coder workspaces of ${silent.url}.`)
    await using embedded = local()
    expect(JSON.stringify(await embedded.initialize())).toContain("Agents run on this machine")
  })

  it("answers what came before the end of its input", async () => {
    await using started = local()
    const id = { jsonrpc: "2.0", id: 1, method: "initialize" }
    const clientInfo = { name: "test", version: "1" }
    started.send({ ...id, params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo } })
    started.send({ id: 2, method: "ping" })
    started.child.stdin.end()
    expect(await started.exit).toEqual(healthyEnd)
    expect(started.messages.map((message) => message.id)).toEqual([1, 2])
  })
})

describe("input", () => {
  it("takes 4 MiB, refuses more once, and goes on", async () => {
    await using started = local()
    await started.initialize()
    const frame = (task: string) =>
      JSON.stringify({
        jsonrpc: "2.0",
        id: "big",
        method: "tools/call",
        params: { name: "create_agent", arguments: { task } }
      })
    const room = longestMessage - frame("").length
    started.write(`${frame("x".repeat(room))}\n`)
    expect(JSON.stringify((await started.answer("big")).result)).toContain("name: is missing")
    started.write(`${frame("x".repeat(room + 1))}\n`)
    started.write(`${frame("y".repeat(3 * longestMessage))}\n`)
    expect(await started.request("ping")).toMatchObject({ result: {} })
    const refusals = started.messages.filter(({ error }) => error !== undefined)
    expect(refusals.map(({ error, id }) => [id, error?.code])).toEqual([
      [null, -32600],
      [null, -32600]
    ])
  })

  it("is survived, whatever it is", async () => {
    await using started = local()
    await started.initialize()
    started.write(Buffer.from([0, 1, 2, 0xff, 0xfe, 0x0a]))
    started.write('[]\n""\n{}\n{"jsonrpc":"2.0","id":5}\n\r\n\n{"jsonrpc":"1.0","id":6,"method":"ping"}\n')
    expect(await started.request("no/such/method")).toMatchObject({ error: { code: -32601 } })
    expect(await started.request("ping")).toMatchObject({ result: {} })
    const codes = started.messages.flatMap(({ error, id }) => (error === undefined ? [] : [`${id} ${error.code}`]))
    expect(codes.slice(0, 6)).toEqual([
      "null -32700",
      "null -32600",
      "null -32600",
      "null -32600",
      "5 -32600",
      "6 -32600"
    ])
  })
})

describe("the end", () => {
  const busyWith = async (name: string, args: object) => {
    const started = hanging()
    await started.initialize()
    const request = once(silent, "asked")
    started.send({ id: 1, method: "tools/call", params: { name, arguments: args } })
    await request
    return started
  }
  const idle = async () => {
    const started = local({ env: { LOG_LEVEL: "INFO" } })
    await started.initialize()
    await started.call("list_agents")
    return started
  }
  const situations = [
    ["idle", idle, 0],
    ["with a read in flight", () => busyWith("list_agents", {}), 1],
    ["with a change in flight", () => busyWith("delete_agent", { agent_name: "a" }), 1]
  ] as const
  // Whose client is still there is answered.
  const ends = [
    ["the end of input", (started: Program) => void started.child.stdin.end(), false],
    ["a destroyed stdin", (started: Program) => void started.child.stdin.destroy(), false],
    ["SIGTERM", (started: Program) => void started.child.kill("SIGTERM"), true],
    ["SIGINT", (started: Program) => void started.child.kill("SIGINT"), true]
  ] as const

  for (const [situation, start, calls] of situations) {
    it.each(ends)(`comes within 1 s of %s, ${situation}, with exit code 0`, async (_, end, answered) => {
      await using started = await start()
      const before = started.lines.length
      const [exit, millis] = await timed(() => {
        end(started)
        return started.exit
      })
      expect(exit).toEqual(healthyEnd)
      expect(millis).toBeLessThan(1000)
      const brokenOff = { id: 1, error: { code: -32603, message: expect.stringContaining("was broken off") } }
      expect(started.messages.slice(before)).toMatchObject(
        Array.from({ length: answered ? calls : 0 }, () => brokenOff)
      )
      expect(started.stderr).toBe("")
    })
  }

  it("comes quietly when the client reads no more", async () => {
    await using started = await idle()
    started.child.stdout.destroy()
    const [exit, millis] = await timed(() => {
      started.send({ id: 1, method: "ping" })
      return started.exit
    })
    expect(exit).toEqual(healthyEnd)
    expect(millis).toBeLessThan(1000)
    expect(started.stderr).toBe("")
  })

  it("comes also when the client leaves its answers in the pipe", async () => {
    const child = spawn(process.execPath, [program, "--local"], { cwd: scratch, stdio: ["pipe", "pipe", "inherit"] })
    const request = `${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" })}\n`
    child.stdin.on("error", () => undefined).write(request.repeat(200))
    await once(child.stdout, "readable")
    const exited = once(child, "exit")
    const [exit, millis] = await timed(() => {
      child.kill("SIGTERM")
      return exited
    })
    expect(exit).toEqual([0, null])
    expect(millis).toBeLessThan(1000)
  })

  it("comes when the client is killed", async () => {
    const client = `
      const { spawn } = require("node:child_process")
      const server = spawn(process.execPath, [${JSON.stringify(program)}, "--local"], { stdio: ["pipe", "pipe", "inherit"] })
      server.stdout.once("data", () => process.send(server.pid))
      server.stdin.write(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }) + "\\n")
    `
    const child = spawn(process.execPath, ["-e", client], { cwd: scratch, stdio: ["ignore", "ignore", "pipe", "ipc"] })
    const stderr = child.stdio[2] as Readable
    const [pid] = (await once(child, "message")) as [number]
    expect(() => process.kill(pid, 0)).not.toThrow()
    // The server holds the other end of this pipe, too: its end is the server's.
    const gone = once(stderr.resume(), "end")
    const [, millis] = await timed(() => {
      child.kill("SIGKILL")
      return gone
    })
    expect(millis).toBeLessThan(1000)
  })
})

describe("the command line", () => {
  it("explains itself", async () => {
    const { code, stderr, stdout } = await run({ args: ["--help"] })
    expect([code, stderr]).toEqual([0, ""])
    for (const option of ["--env-file", "--local", "--coder-url", "--allow-shell", "--version"]) {
      expect(stdout).toContain(option)
    }
  })

  it("tells its version", async () => {
    expect(await run({ args: ["--version"] })).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+/)
    })
  })

  it.each([["--nonsense"], ["nonsense"], ["--coder-url"]])("refuses %s on stderr", async (...args) => {
    const { code, stderr, stdout } = await run({ args })
    expect([code, stdout]).toEqual([2, ""])
    expect(stderr).toContain("fleet-mcp --help")
  })

  it("refuses an env file that is not there", async () => {
    const { code, stderr, stdout } = await run({ args: ["--env-file", join(scratch, "absent.env")] })
    // Node reads the option too, and before us.
    expect([2, 9]).toContain(code)
    expect(stderr).toContain("absent.env")
    expect(stdout).toBe("")
  })

  it("refuses an env file by the number of its bad line, not by its content", async () => {
    const file = join(scratch, "bad.env")
    writeFileSync(file, "A=1\nhunter2 hunter2\n")
    const { code, stderr } = await run({ args: ["--env-file", file] })
    expect(code).toBe(2)
    expect(stderr).toContain("line 2 is not KEY=VALUE")
    expect(stderr).not.toContain("hunter2")
  })
})

describe("the configuration", () => {
  const say = async (options: StartOptions, tool = "list_agents") => {
    await using started = local(options)
    await started.initialize()
    return await started.call(tool, tool === "list_agents" ? {} : { agent_name: "a" })
  }

  it.each([
    ["no token", { CODER_URL: "https://coder.example.com" }, "CODER_SESSION_TOKEN is not set"],
    ["no URL", { CODER_SESSION_TOKEN: "hunter2" }, "CODER_URL is not"],
    ["a bad URL", { CODER_URL: "hunter2", CODER_SESSION_TOKEN: "hunter2" }, "CODER_URL (or --coder-url) is not a URL"],
    ["a bad token", { CODER_URL: "https://coder.example.com", CODER_SESSION_TOKEN: "hunter2\nX: y" }, "line breaks"]
  ])("with %s is every tool's answer, not a dead server", async (_, env, said) => {
    for (const tool of ["list_agents", "delete_agent"]) {
      const { isError, text } = await say({ env }, tool)
      expect(isError).toBe(true)
      expect(text).toMatch(/^BackendNotConfigured: /)
      expect(text).toContain(said)
      expect(text).not.toContain("hunter2")
    }
  })

  it("may come from an env file, which the environment overrides", async () => {
    const file = join(scratch, "good.env")
    writeFileSync(file, `# Coder\nexport CODER_URL='${silent.url}' # here\nCODER_SESSION_TOKEN="from-file"\n`)
    await using started = local({ args: ["--env-file", file] })
    expect(JSON.stringify(await started.initialize())).toContain(silent.url)
    await using overridden = local({ args: ["--env-file", file], env: { CODER_URL: "http://127.0.0.1:9" } })
    expect(JSON.stringify(await overridden.initialize())).toContain("workspaces of http://127.0.0.1:9.")
  })

  it("is not read from the working directory", async () => {
    const cwd = mkdtempSync(join(scratch, "repository-"))
    writeFileSync(join(cwd, ".env"), "CODER_URL=https://evil.example.com\nCODER_SESSION_TOKEN=x\n")
    await using started = local({ cwd })
    expect(JSON.stringify(await started.initialize())).toContain("Agents run on this machine")
  })

  it("names a server that cannot be reached", async () => {
    const closed = createServer().listen(0, "127.0.0.1")
    await once(closed, "listening")
    const { port } = closed.address() as AddressInfo
    closed.close()
    await once(closed, "close")
    const env = { CODER_URL: `http://127.0.0.1:${port}`, CODER_SESSION_TOKEN: "hunter2" }
    const { isError, text } = await say({ env })
    expect(isError).toBe(true)
    expect(text).toMatch(/^CoderUnavailable: /)
    expect(text).not.toContain("hunter2")
  })

  it.each([
    { of: "an agent", env: { FLEET_MCP_AGENT: "fix-login" }, args: ["--allow-shell"] },
    { of: "FLEET_MCP_READ_ONLY", env: { FLEET_MCP_READ_ONLY: "true" }, args: ["--allow-shell"] },
    { of: "--read-only", env: {}, args: ["--allow-shell", "--read-only"] }
  ])("of $of makes the server read-only", async ({ args, env }) => {
    await using started = local({ env, args })
    await started.initialize()
    const { result } = await started.request("tools/list")
    const tools = result?.["tools"] as ReadonlyArray<{ readonly name: string }>
    expect(tools.map(({ name }) => name)).toEqual([
      "list_agents",
      "show_agent",
      "list_agent_projects",
      "list_agent_roles",
      "wait_for_agents",
      "show_agent_task_history",
      "show_agent_log"
    ])
    const { isError, text } = await started.call("create_agent", { name: "a", project: "p", task: "t" })
    expect(isError).toBe(true)
    expect(text).toMatch(/^ReadOnlyServer: .*outcome: not_applied$/s)
    expect((await started.call("list_agents")).isError).toBe(false)
  })
})
