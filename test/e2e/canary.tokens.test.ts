import { expect, it } from "@effect/vitest"
import { chmodSync, mkdirSync, readFileSync } from "node:fs"
import { canaryValue } from "../support/Canary.ts"
import { Scene } from "./Scene.ts"

const valueIn = (file: string) => (JSON.parse(readFileSync(file, "utf8")) as { readonly value: string }).value

/** Waits until a server lets a token in, or no longer does. */
const untilAnswered = async (scene: Scene, url: URL, token: string, status: number) => {
  for (;;) {
    const headers = [["Authorization", `Bearer ${token}`] as const]
    // Beyond the gate such a request is refused as well, by its method.
    const answer = await scene.send(url, { method: "DELETE", headers })
    if ((answer.status === 401 ? 401 : 200) === status) return
  }
}

it("of the tokens for HTTP, nothing but their files and the one answer that shows a new one holds any", async () => {
  await using scene = new Scene()
  const file = scene.path("state/auth_token")
  const env = { FLEET_MCP_STATE_DIR: scene.path("state") }

  expect(await scene.run(["token"], env)).toBe(0)
  const first = scene.plant("first main token", valueIn(file))
  const { program, url } = await scene.http({ args: ["--local"], env })
  const { call } = await scene.session(url, first)
  expect(await call("list_agents")).toContain('"agents":[]')

  const added = scene.plant("added token", await scene.ask(["token", "add", "--role", "read", "board"], env))
  await untilAnswered(scene, url, added, 200)
  const board = await scene.session(url, added)
  expect(await board.call("delete_agent", { agent_name: "x" })).toContain("ReadOnlyServer")

  expect(await scene.run(["token", "rotate"], env)).toBe(0)
  const second = scene.plant("second main token", valueIn(file), file)
  await untilAnswered(scene, url, second, 200)
  await untilAnswered(scene, url, first, 401)
  await scene.session(url, second)

  for (const args of [["list"], [], ["add", "--role", "read", "board"], ["revoke", "board"], ["revoke", "board"]]) {
    await scene.run(["token", ...args], env)
  }
  await untilAnswered(scene, url, added, 401)
  scene.look(program)
  // What a person types by mistake is not said again.
  for (const args of [
    ["revoke", second],
    ["add", "--role", "read", second],
    ["add", "--role", second, "x"]
  ]) {
    expect(await scene.run(["token", ...args], env)).not.toBe(0)
  }
  program.child.kill("SIGTERM")
  expect(await program.exit).toEqual({ code: 0, signal: null })
  expect(scene.stderr).toContain("a token is no longer valid")
  expect(await scene.findings()).toEqual([])
})

it("a start that fails says what is wrong without the value that is", async () => {
  await using scene = new Scene()
  const [broken, open] = [scene.path("broken/auth_token"), scene.path("open/auth_token")]
  const envFile = scene.path("settings.env")
  const coderToken = scene.plant("Coder token", canaryValue(), envFile)
  const mainToken = scene.plant("main token", canaryValue("m/", '+="&%\\~'), broken, open)
  const password = scene.plant("password")
  const address = `https://ada:${password}@coder.test/?token=${coderToken}`
  const coder = { CODER_URL: "https://coder.test", CODER_SESSION_TOKEN: coderToken }
  const state = { FLEET_MCP_STATE_DIR: scene.path("state") }

  scene.file("broken/auth_token", `{"value":"${mainToken}"`)
  scene.file("open/auth_token", JSON.stringify({ value: mainToken }))
  chmodSync(open, 0o644)
  mkdirSync(scene.path("directory/auth_token"), { recursive: true })
  scene.file("settings.env", `CODER_URL=https://coder.test\n${coderToken}\n`)

  const starts: ReadonlyArray<readonly [ReadonlyArray<string>, Readonly<Record<string, string>>]> = [
    [["http"], { ...coder, CODER_URL: address }],
    [["http"], { ...coder, CODER_URL: coderToken }],
    [["http"], { CODER_SESSION_TOKEN: coderToken }],
    [["http"], { ...coder, CODER_SESSION_TOKEN: `${coderToken} x` }],
    [["http"], { ...coder, FLEET_MCP_BACKEND: coderToken }],
    [["http", "--coder-url", address], coder],
    [["http", "--env-file", envFile], {}],
    [["http", "--local", "--host", "0.0.0.0"], { FLEET_MCP_AUTH_TOKEN: mainToken }],
    [["http", "--local"], { FLEET_MCP_AUTH_TOKEN: `${mainToken} x` }],
    [["http", "--local"], { FLEET_MCP_AUTH_ENABLED: mainToken }],
    [["http", "--local"], { FLEET_MCP_STATE_DIR: scene.path("broken") }],
    [["http", "--local"], { FLEET_MCP_STATE_DIR: scene.path("open") }],
    [["http", "--local"], { FLEET_MCP_STATE_DIR: scene.path("directory") }],
    [["http", "--local", "--port", "70000"], { FLEET_MCP_AUTH_TOKEN: mainToken }]
  ]
  for (const [args, env] of starts) {
    expect({ args, code: await scene.run(args, { ...state, ...env }) }).not.toEqual({ args, code: 0 })
  }

  // On stdio it is every call's answer.
  for (const env of [
    { ...coder, CODER_URL: address },
    { CODER_SESSION_TOKEN: coderToken },
    { LOG_LEVEL: coderToken }
  ]) {
    const stdio = scene.start({ env: { ...state, ...env } })
    await stdio.initialize()
    await stdio.call("list_agents")
    stdio.child.stdin.end()
    await stdio.exit
  }
  expect(await scene.findings()).toEqual([])
})
