import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { pathToFileURL } from "node:url"
import { CoderModel, token } from "../support/CoderModel.ts"
import { answering, html, json, serve, type Answer, type Handler } from "../support/ScriptedCoder.ts"
import { canaryValue } from "../support/Canary.ts"
import type { Program } from "../support/Program.ts"
import { Scene } from "./Scene.ts"

// A Coder that wants the token, and says it wherever it can: no client, log or file may have it from there.

const echo = { message: `Bad token ${token}.`, detail: token, validations: [{ field: token, detail: token }] }
const headers = { "x-coder-request-id": token, "x-token": token, "set-cookie": `coder_session_token=${token}` }

/** What this server says instead of an answer. */
const disguises: Readonly<Record<string, Answer>> = {
  "400": json(400, echo, headers),
  "401": json(401, echo, headers),
  "403": json(403, echo, headers),
  "404": json(404, echo, headers),
  "409": json(409, echo, headers),
  "429": json(429, echo, { ...headers, "retry-after": token }),
  "500": json(500, echo, headers),
  "a redirect": html(302, { ...headers, location: `https://coder.test/?token=${token}` }),
  "a page": { ...html(200, { "content-type": `text/html; token=${token}` }), text: `<p>${token}</p>` },
  "an error page": { ...html(502, headers), text: `<p>${token}</p>` },
  "broken JSON": { status: 200, text: `{"${token}":"${token}` },
  "another shape": json(200, { [token]: token, id: { token }, workspaces: token, count: token }),
  "a list of other things": json(200, [{ id: token, name: { token } }]),
  "a problem": json(500, { title: token, status: 500, detail: token, errors: [{ message: token }] })
}

/** A Coder in which all that people and agents may write has the token in it. */
const makeModel = () => {
  const coder = new CoderModel({
    buildMillis: { start: 0, stop: 0, delete: 0 },
    workMillis: 3_600_000,
    escMillis: 0,
    version: {
      parameters: ["AI Prompt", token],
      presets: [{ ID: "preset-1", Name: `role ${token}`, Default: true, Parameters: [{ Name: token, Value: token }] }]
    }
  })
  coder.templates.push({
    id: "template-2",
    name: "other",
    display_name: `Other ${token}`,
    description: `For ${encodeURIComponent(token)}`,
    version: "version-1"
  })
  for (const name of ["fixer", "helper", "spare"]) {
    const row = coder.add(name)
    row.reports.push({ state: "idle", message: `I know ${token}`, at: Date.now() })
    row.agent.messages.push({ id: 1, role: "agent", content: `My token is ${token}`, time: new Date().toISOString() })
  }
  coder.build(coder.add("failing"), "start", 0, { result: "failed", error: `cannot apply: ${token}` })
  coder.patch = (workspace) => ({
    ...workspace,
    template_icon: token,
    outdated: false,
    health: { healthy: false, failing_agents: [token] },
    metadata: [{ key: token, value: token }]
  })
  return coder
}

const agent = { agent_name: "fixer" }
const everyTool: ReadonlyArray<readonly [string, object]> = [
  ["list_agents", {}],
  ["list_agents", { limit: 0 }],
  ["list_agent_projects", {}],
  ["list_agent_roles", { project: "claude-code" }],
  ["list_agent_roles", { project: "none" }],
  ["create_agent", { name: "fresh", project: "claude-code", task: "Work." }],
  ["create_agent", { name: "fixer", project: "claude-code", task: "Work." }],
  ["show_agent", agent],
  ["show_agent", { agent_name: "failing" }],
  ["show_agent_log", { ...agent, page_size: 10 }],
  ["show_agent_task_history", agent],
  ["start_agent_task", { agent_name: "helper", task_description: "Work." }],
  ["cancel_agent_task", { agent_name: "spare" }],
  ["restart_agent", { agent_name: "spare" }],
  ["stop_agent", { agent_name: "helper" }],
  ["wait_for_agents", { until: "changed", timeout_seconds: 1 }],
  ["delete_agent", { agent_name: "nobody" }]
]

/** All at once. */
const callAll = (program: Program) => Promise.all(everyTool.map(([name, args]) => program.call(name, args)))

/** A fault of the program itself: nothing can be decoded that says so, and the error quotes it. */
const fault = "this breaks the program"
const faulty = `
  const { decode } = TextDecoder.prototype
  TextDecoder.prototype.decode = function (...args) {
    const text = decode.apply(this, args)
    if (text.includes("${fault}")) throw new Error("cannot decode " + text)
    return text
  }`

it.scopedLive(
  "a Coder that says the token is not quoted with it",
  () =>
    Effect.gen(function* () {
      const scene = yield* Effect.acquireRelease(
        Effect.sync(() => new Scene()),
        (scene) => Effect.promise(() => scene[Symbol.asyncDispose]())
      )
      scene.plant("Coder token", token)
      const mainToken = scene.plant("main token", canaryValue("m/", '+="&%'))
      const coder = makeModel()
      let instead: (request: Parameters<Handler>[0]) => Answer | undefined = () => undefined
      const server = yield* serve(answering((request) => instead(request) ?? coder.handler(request)))
      const env = {
        CODER_URL: server.url.origin,
        CODER_SESSION_TOKEN: token,
        FLEET_MCP_AUTH_TOKEN: mainToken,
        NODE_OPTIONS: `--import=${pathToFileURL(scene.file("faulty.mjs", faulty)).href}`
      }

      yield* Effect.promise(async () => {
        const stdio = scene.start({ env })
        await stdio.initialize()
        const answers = await callAll(stdio)
        for (const answer of Object.values(disguises)) {
          instead = () => answer
          await callAll(stdio)
        }
        for (const status of [400, 401, 403, 404]) {
          instead = ({ method }) => (method === "GET" ? undefined : json(status, echo, headers))
          await callAll(stdio)
        }
        instead = () => json(403, { ...echo, message: `${fault}: ${token}` })
        const broken = await stdio.call("show_agent", agent)
        instead = () => undefined
        scene.look(stdio)
        stdio.child.stdin.end()
        await stdio.exit

        const { program, url } = await scene.http({ env })
        const { call } = await scene.session(url, mainToken)
        for (const [name, args] of everyTool) await call(name, args)
        instead = () => json(401, echo, headers)
        for (const [name, args] of everyTool) await call(name, args)
        scene.look(program)
        program.child.kill("SIGTERM")
        await program.exit
        assert.deepStrictEqual(await scene.findings(), [])
        assert.isAbove(answers.filter(({ text }) => text.includes("<redacted>")).length, 4)
        assert.include(broken.text, "failed by a fault of fleet-mcp")
        assert.include(scene.stderr, `${fault}: <redacted>`)
      })
      assert.isTrue(server.received.some((request) => request.headers["coder-session-token"] === token))
      assert.isTrue(server.received.some((request) => request.headers["cookie"] === `coder_session_token=${token}`))
    }),
  60_000
)
