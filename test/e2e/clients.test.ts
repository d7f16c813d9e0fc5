import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Duration } from "effect"
import { once } from "node:events"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { CoderHttpLimits } from "../../src/layers/clients/CoderHttp.ts"
import { bearer, message, send, usual } from "../layers/transports/http/HttpFixture.ts"
import { makeRepository } from "../support/EmbeddedFixture.ts"
import { startHttp, type HttpProgram } from "../support/HttpProgram.ts"
import { httpClients, stdioClients, type McpClient } from "../support/McpClients.ts"
import { program } from "../support/Program.ts"
import { discard } from "../support/Secrets.ts"
import { SupervisedState } from "../support/SupervisedState.ts"
import { SilentCoder } from "../support/SilentCoder.ts"

// The same expectations of each client that people have, against the built program.

const revision = "2025-11-25"

let scratch: string
let repository: string
let fleet: HttpProgram

const start = (name: string, port = 0) =>
  startHttp({ cwd: repository, state: join(scratch, name), port, args: ["--local"] })

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "fleet-clients-"))
  repository = makeRepository(join(scratch, "sample"))
  fleet = await start("fleet")
})
afterAll(async () => {
  await fleet[Symbol.asyncDispose]()
  discard(scratch)
})

const expectTheFleet = async (client: McpClient) => {
  expect(client.serverName()).toBe("fleet-mcp")
  expect(await client.listTools()).toHaveLength(13)
  expect(await client.callTool("list_agents")).toMatchObject({ isError: false, keys: { agents: [], total_count: 0 } })
  const { isError, keys, text } = await client.callTool("show_agent", { agent_name: "nobody" })
  expect({ isError, keys }).toEqual({ isError: true, keys: undefined })
  expect(text).toMatch(/^AgentNotFound: .*"nobody".*list_agents/)
  await expect(client.callTool("nonesuch")).rejects.toMatchObject({
    code: -32602,
    message: expect.stringContaining("Unknown tool: nonesuch. Tools: list_agents, ")
  })
}

describe.each(httpClients)("the client $kind over HTTP", ({ connect, unauthorized }) => {
  it("finds the fleet, and has the stream of the server's own messages", async () => {
    await using client = await connect(fleet.url, fleet.token)
    expect(client.protocolVersion()).toBe(revision)
    await expectTheFleet(client)
    const stream = await client.stream
    expect(stream.status).toBe(200)
    expect(stream.headers.get("content-type")).toBe("text/event-stream")
  })

  // Coder's request that nobody interrupts lasts this long, and the test is red by then.
  const timeout = Duration.toMillis(CoderHttpLimits.defaultValue().answerTime.server)
  it("hears that a long call is alive, and cancels it", { timeout }, async () => {
    await using coder = await SilentCoder.start()
    await using slow = await startHttp({ cwd: repository, state: join(scratch, "slow"), env: coder.env })
    await using client = await connect(slow.url, slow.token)
    const abandon = new AbortController()
    const left = once(coder, "left")
    const heard: Array<unknown> = []
    const calling = client.callTool(
      "list_agents",
      {},
      {
        signal: abandon.signal,
        onprogress: ({ message, progress }) => {
          heard.push({ message, progress })
          abandon.abort("enough")
        }
      }
    )
    await expect(calling).rejects.toThrow("enough")
    await left
    expect(heard).toEqual([{ message: "list_agents: 2 s", progress: 2 }])
    expect(await client.listTools()).toHaveLength(13)
  })

  it("says what is wrong with a wrong token", async () => {
    await expect(connect(fleet.url, "wrong")).rejects.toThrow(unauthorized)
  })

  it("ends its session", async () => {
    await using client = await connect(fleet.url, fleet.token)
    const headers = [bearer(fleet.token), ...usual.slice(1), ["Mcp-Session-Id", client.sessionId() ?? ""] as const]
    expect((await send(fleet.url, { headers, body: message("ping") })).status).toBe(200)
    await client.terminate()
    expect(client.sessionId()).toBeUndefined()
    expect((await send(fleet.url, { headers, body: message("ping") })).status).toBe(404)
  })

  it("is told when a restart has ended its session, and begins a new one", async () => {
    await using first = await start("restarted")
    await using client = await connect(first.url, first.token)
    await client.stream
    first.started.child.kill("SIGTERM")
    await first.started.exit
    await using second = await start("restarted", Number(first.url.port))
    await expect(client.callTool("list_agents")).rejects.toThrow("Session not found: begin a new one with initialize.")
    await using renewed = await connect(second.url, first.token)
    await expectTheFleet(renewed)
  })
})

describe.each(stdioClients)("the client $kind over stdio", ({ connect }) => {
  it("finds the fleet", async () => {
    await using state = new SupervisedState()
    const env = { PATH: process.env["PATH"] ?? "", ...state.env }
    await using client = await connect({ args: [program, "--local"], cwd: repository, env })
    await expectTheFleet(client)
  })
})
