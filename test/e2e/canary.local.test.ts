import { expect, it } from "@effect/vitest"
import { createHash } from "node:crypto"
import { once } from "node:events"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { AuthLimits } from "../../src/layers/auth/AuthLimits.ts"
import { HttpLimits } from "../../src/layers/transports/http/HttpLimits.ts"
import { bearer, message, raw, send } from "../layers/transports/http/HttpFixture.ts"
import { canaryValue } from "../support/Canary.ts"
import { makeRepository } from "../support/EmbeddedFixture.ts"
import type { Program } from "../support/Program.ts"
import { Scene } from "./Scene.ts"

// Secrets are planted and used; then they are looked for in all that programs said, answered, started and left behind.

type Call = (name: string, args?: object) => Promise<string>

/** A provider of models that tells who has its key. */
const startProvider = async (key: string) => {
  const asked: Array<boolean> = []
  const server = createServer(({ headers }, response) => {
    asked.push(headers["x-api-key"] === key)
    response.writeHead(headers["x-api-key"] === key ? 200 : 401, { Connection: "close" }).end()
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, asked, [Symbol.asyncDispose]: async () => void (await once(server.close(), "close")) }
}

/** What a coding agent does: it takes its key from the home, and speaks to its provider. */
const useKey = (url: string) => `
  import { createHash } from "node:crypto"
  import { readFileSync } from "node:fs"
  const key = readFileSync(process.env.HOME + "/.provider/key", "utf8")
  const { status } = await fetch("${url}", { headers: { "x-api-key": key } })
  console.log("provider", status, createHash("sha256").update(key).digest("hex"))`

const untilStatus = async (call: Call, agent_name: string, status: string) => {
  while (!(await call("show_agent", { agent_name })).includes(`"status":"${status}"`));
}

const create = { name: "writer", project: "shop", role: "shell", wait_ready: true }

const badCalls: ReadonlyArray<readonly [string, object]> = [
  ["list_agents", { limit: 0 }],
  ["list_agents", { status_filter: "sleepy" }],
  ["list_agent_projects", { much: true }],
  ["list_agent_roles", { project: "none" }],
  ["create_agent", { ...create, task: "true" }],
  ["create_agent", { ...create, name: "../admin", task: "true" }],
  ["show_agent", { agent_name: "nobody" }],
  ["show_agent_log", { agent_name: "writer", page: 99 }],
  ["show_agent_task_history", { agent_name: "writer", page_size: 101 }],
  ["start_agent_task", { agent_name: "writer", task_description: "" }],
  ["cancel_agent_task", { agent_name: "writer" }],
  ["restart_agent", { agent_name: "nobody" }],
  ["delete_agent", { agent_name: "nobody" }],
  ["wait_for_agents", { agent_names: ["nobody"], timeout_seconds: 1 }],
  ["no_such_tool", {}]
]

it.each([
  ["a private fleet", false],
  ["a supervisor", true]
])("on this machine, with %s, no secret leaves its place", async (_, supervised) => {
  await using scene = new Scene()
  const providerKey = scene.plant("provider key", canaryValue("sk-", '/+="&%'), join(scene.home, ".provider/key"))
  const coderToken = scene.plant("Coder token")
  const mainToken = scene.plant("main token", canaryValue("m/", '+="&%\\~'))
  const wrongToken = scene.plant("wrong token")
  scene.file("home/.provider/key", providerKey)
  await using provider = await startProvider(providerKey)
  scene.file("home/use-key.mjs", useKey(provider.url))
  const shop = makeRepository(scene.path("shop"))

  const env = {
    ANTHROPIC_API_KEY: providerKey,
    CODER_URL: "https://coder.test",
    CODER_SESSION_TOKEN: coderToken,
    FLEET_MCP_STATE_DIR: scene.path("state"),
    FLEET_MCP_SUPERVISOR: String(supervised)
  }
  const local = { cwd: shop, args: ["--local", "--allow-shell"], env }

  /** Every tool, with an agent that uses the key; its processes are looked at while they run. */
  const useEveryTool = async (call: Call, program: Program) => {
    await call("list_agent_projects")
    await call("list_agent_roles", { project: "shop" })
    const work = "env > environment.txt && git add . && git -c user.name=a -c user.email=a@b.c commit -qm work"
    const task = `'${process.execPath}' "$HOME/use-key.mjs" && ${work}`
    await call("create_agent", { ...create, task })
    await untilStatus(call, "writer", "idle")
    const digest = createHash("sha256").update(providerKey).digest("hex")
    const log = await call("show_agent_log", { agent_name: "writer", page_size: 10 })
    expect(log).toContain(`provider 200 ${digest}`)
    expect(log).toContain("exit code 0")
    for (const [name, args] of badCalls) await call(name, args)

    const pid = join(scene.path("tmp"), "at-work")
    await call("start_agent_task", { agent_name: "writer", task_description: `sleep 1000 & echo $! > '${pid}'; wait` })
    while (!existsSync(pid) || readFileSync(pid, "utf8") === "") await call("show_agent", { agent_name: "writer" })
    const looked = scene.look(program)
    expect(supervised ? scene.lookAtSupervisor(env.FLEET_MCP_STATE_DIR) : looked).toBeGreaterThan(2)
    await call("list_agents", { status_filter: "busy" })
    await call("cancel_agent_task", { agent_name: "writer" })
    await call("stop_agent", { agent_name: "writer" })
    await call("restart_agent", { agent_name: "writer" })
    await call("show_agent_task_history", { agent_name: "writer" })
  }

  const { program, url } = await scene.http({ ...local, env: { ...env, FLEET_MCP_AUTH_TOKEN: mainToken } })
  const { call, headers, id } = await scene.session(url, mainToken)
  await useEveryTool(call, program)
  expect(provider.asked).toEqual([true])

  await refusedRequests(scene, url, { mainToken, wrongToken, session: id })
  // What a client says itself may come back to it, but it is not logged.
  const echo = message("tools/call", { name: "list_agents", arguments: { status_filter: mainToken } })
  expect((await send(url, { headers: [...headers, ["Mcp-Session-Id", id]], body: echo })).status).toBe(200)
  await call("delete_agent", { agent_name: "writer" })
  program.child.kill("SIGTERM")
  expect(await program.exit).toEqual({ code: 0, signal: null })

  const stdio = scene.start(local)
  await stdio.initialize()
  stdio.write(`{"jsonrpc":"2.0","id":1,"method":"${wrongToken}\n`)
  stdio.send({ id: 1, method: "tools/call", params: [mainToken] })
  await stdio.call("list_agents")
  await stdio.call("show_agent", { agent_name: "nobody" })
  stdio.child.stdin.end()
  expect(await stdio.exit).toEqual({ code: 0, signal: null })

  expect(await scene.run(["stop", "--now"], env)).toBe(0)

  expect(scene.stderr).toContain("level=DEBUG")
  expect(scene.stderr).toContain("requests without a valid token were refused")
  expect(readdirSync(scene.spawned).length).toBeGreaterThan(10)
  expect(await scene.findings()).toEqual([])
})

/** Requests that carry tokens where they do not count, or wrong ones, in every way. */
const refusedRequests = async (
  scene: Scene,
  url: URL,
  {
    mainToken,
    session,
    wrongToken
  }: { readonly mainToken: string; readonly wrongToken: string; readonly session: string }
) => {
  const json = [
    ["Content-Type", "application/json"],
    ["Accept", "application/json, text/event-stream"]
  ] as const
  const own = [bearer(mainToken), ...json]
  const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
  const basic = Buffer.from(`ada:${mainToken}`).toString("base64")
  const requests: ReadonlyArray<Parameters<Scene["send"]>[1]> = [
    ...[
      bearer(wrongToken),
      bearer(`${mainToken}x`),
      ["Authorization", `Basic ${basic}`],
      ["Cookie", `t=${mainToken}`]
    ].map(([name = "", value = ""]) => ({ headers: [[name, value] as const, ...json], body: ping })),
    { headers: [bearer(mainToken), bearer(wrongToken), ...json], body: ping },
    {
      headers: [bearer(wrongToken.repeat(Math.ceil(AuthLimits.defaultValue().header / wrongToken.length))), ...json],
      body: ping
    },
    { headers: json, path: `/mcp?token=${encodeURIComponent(mainToken)}`, body: ping },
    { headers: own, path: `/mcp/${encodeURIComponent(mainToken)}`, body: ping },
    { headers: [["Host", wrongToken], ...own], body: ping },
    { headers: [["Origin", `http://${wrongToken}`], ...own], body: ping },
    { headers: [["Mcp-Session-Id", mainToken], ...own], body: ping },
    { headers: [bearer(mainToken), ["Content-Type", mainToken]], body: ping },
    { headers: own, method: "PUT", body: ping },
    { headers: own, body: `{"token":"${mainToken}` },
    { headers: own, body: JSON.stringify({ token: mainToken }) },
    { headers: own, body: `${"[".repeat(HttpLimits.defaultValue().jsonDepth + 1)}"${wrongToken}"` },
    { headers: [["Mcp-Session-Id", session], ...own], body: ping.replace("ping", wrongToken) },
    {
      headers: [["Mcp-Session-Id", session], ...own],
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: { wrongToken } })
    }
  ]
  for (const request of requests) await scene.send(url, request)
  const nonsense = [
    `GET /mcp?token=${wrongToken} HTTP/1.1\r\nAuthorization: Bearer ${mainToken}\r\nno header\r\n\r\n`,
    `${wrongToken} /mcp HTTP/9.9\r\n\r\n`,
    `POST /mcp HTTP/1.1\r\nHost: localhost\r\nX: ${wrongToken.repeat(1000)}\r\n\r\n`
  ]
  for (const bytes of nonsense) scene.sinks.add("HTTP answers", await raw(url, bytes))
}
