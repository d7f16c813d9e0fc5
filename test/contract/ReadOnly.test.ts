import type { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { ErrorCode, McpError } from "@modelcontextprotocol/sdk/types.js"
import { assert, it, layer } from "@effect/vitest"
import { Effect, FastCheck, Layer, Redacted } from "effect"
import { CoderConfig } from "../../src/layers/config/CoderConfig.ts"
import * as FleetMcp from "../../src/layers/FleetMcp.ts"
import * as HttpTransport from "../../src/layers/transports/http/HttpTransport.ts"
import { AgentStatus } from "../../src/schemas/Agent.ts"
import { fleetTools } from "../../src/tools/FleetTools.ts"
import { build, createReady, idle, messagesOf, until } from "../layers/embedded/Requests.ts"
import { connectClient, startServer, tokens } from "../layers/transports/http/HttpFixture.ts"
import { coderRecord, settled } from "../support/CoderRecord.ts"
import { embeddedOverPort, ReceivedRequests } from "../support/EmbeddedFixture.ts"
import { connectProgram, type StartOptions } from "../support/Program.ts"
import { anything, sensible, type Sense } from "../support/ToolArguments.ts"

// Who may only look changes nothing, whatever tool is called with whatever arguments: by what reached an embedded
// Coder, and by what it remembers.

/** Generated calls of a tool, in each way to be read-only; a wait takes its time. */
const callsOf = ({ hints, name }: (typeof fleetTools)[number]): number => {
  if (!hints.readOnlyHint) return 100
  return name === "wait_for_agents" ? 10 : 50
}

const changing = fleetTools.filter(({ hints }) => !hints.readOnlyHint)
const reading = fleetTools.filter(({ hints }) => hints.readOnlyHint)

const sense: Sense = {
  agent_name: FastCheck.constantFrom("idler", "spare", "stopped", "worker", "IDLER"),
  agent_names: FastCheck.constant(["idler"]),
  until: FastCheck.constant("idle"),
  when_busy: FastCheck.constant("reject"),
  idempotency_key: FastCheck.uuid(),
  // None waits.
  task_id: FastCheck.constant(null),
  mode: FastCheck.constantFrom("any", "all"),
  timeout_seconds: FastCheck.constant(1),
  cursor: FastCheck.constantFrom("", "1f2e3d4c.7.5a6b7c8d"),
  name: FastCheck.stringMatching(/^bot-[a-z]{1,8}$/),
  project: FastCheck.constantFrom("sample", "Sample"),
  project_filter: FastCheck.constant("sample"),
  role: FastCheck.constant("shell"),
  status_filter: FastCheck.constantFrom(...AgentStatus.literals),
  task: FastCheck.constantFrom("touch made-at-first", "sleep 1000"),
  task_description: FastCheck.constantFrom("touch made-later", "sleep 1000"),
  limit: FastCheck.integer({ min: 1, max: 10 }),
  offset: FastCheck.constantFrom(0, 1, 500),
  message_id: FastCheck.integer({ min: 0, max: 2 }),
  page: FastCheck.constant(1),
  page_size: FastCheck.integer({ min: 1, max: 100 })
}

const about = (agent: string): Sense => ({
  ...sense,
  agent_name: FastCheck.constant(agent),
  agent_names: FastCheck.constant([agent]),
  name: FastCheck.constant(agent)
})

/** An embedded Coder with agents on which every tool has an effect. */
const world = Layer.provideMerge(
  Layer.effectDiscard(
    Effect.gen(function* () {
      yield* createReady("idler", "touch made && echo done")
      yield* createReady("spare")
      yield* createReady("worker", "echo at work; exec sleep 1000")
      const { id } = yield* createReady("stopped")
      yield* build(id, "stop")
      yield* idle("idler")
      yield* until(messagesOf("worker"), (messages) => messages.at(-1)?.content.startsWith("at work") === true)
    })
  ),
  embeddedOverPort({ allowShell: true })
)

const overHttp = ({ readOnly, token }: { readonly readOnly?: "server"; readonly token?: string }) =>
  Effect.gen(function* () {
    const services = yield* Layer.build(FleetMcp.layerCoder(yield* CoderConfig))
    const connect = yield* HttpTransport.sessions({
      place: "in this test.",
      tools: Effect.succeed(fleetTools),
      services: Effect.succeed(services),
      readOnly,
      waitSeconds: 1
    })
    const { url } = yield* startServer({ connect })
    const { client } = yield* connectClient(url, token)
    return client
  })

const overStdio = ({ args, env }: Pick<StartOptions, "args" | "env">) =>
  Effect.gen(function* () {
    const { sessionToken, url } = yield* CoderConfig
    const coder = { CODER_URL: url.toString(), CODER_SESSION_TOKEN: Redacted.value(sessionToken) }
    return yield* connectProgram({ args: args ?? [], env: { ...coder, FLEET_MCP_WAIT_SECONDS: "1", ...env } })
  })

const invalidParams: number = ErrorCode.InvalidParams

/** The answer of a call; none where the protocol refuses the arguments, since they are no object. */
const call = (client: Client, name: string, args: unknown) =>
  client.callTool({ name, arguments: args as Record<string, unknown> }).then(
    ({ content, isError }) => ({
      isError: isError === true,
      text: (content as ReadonlyArray<{ readonly text: string }>).map(({ text }) => text).join("\n")
    }),
    (error: unknown) => {
      if (error instanceof McpError && error.code === invalidParams) return undefined
      throw error
    }
  )

const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value)

/** The requests that may change something, one a line. */
const mutations = (requests: ReadonlyArray<string>) =>
  requests.filter((request) => !/^(GET|HEAD) /.test(request)).join("\n")

const named = (tools: ReadonlyArray<{ readonly name: string }>) => tools.map(({ name }) => name)

layer(world, { excludeTestServices: true })("read-only", (it) => {
  it.scoped.each([
    { way: "over HTTP, on a server that is so", connect: overHttp({ readOnly: "server" }) },
    { way: "over HTTP, with a token of role read", connect: overHttp({ token: tokens.read }) },
    { way: "over stdio, with --read-only", connect: overStdio({ args: ["--read-only"] }) },
    { way: "over stdio, started by an agent", connect: overStdio({ env: { FLEET_MCP_AGENT: "idler" } }) }
  ])("$way: only reading tools are listed, and no call of any tool changes anything", ({ connect }) =>
    Effect.gen(function* () {
      const before = yield* coderRecord
      const requests = yield* ReceivedRequests
      const begin = requests.length
      const client = yield* connect

      const { tools } = yield* Effect.promise(() => client.listTools())
      assert.deepStrictEqual(named(tools), named(reading))

      for (const tool of fleetTools) {
        const { readOnlyHint } = tool.hints
        const property = FastCheck.asyncProperty(
          FastCheck.constant(tool.name),
          anything(tool, sense),
          async (name, args) => {
            const start = requests.length
            const answer = await call(client, name, args)
            assert.strictEqual(mutations(requests.slice(start)), "")
            assert.strictEqual(answer !== undefined, isObject(args) || args === null)
            if (answer === undefined) return
            assert.notInclude(answer.text, "InternalError")
            if (readOnlyHint) return
            assert.isTrue(answer.isError)
            assert.match(answer.text, /^ReadOnlyServer: .*\noutcome: not_applied$/s)
          }
        )
        yield* Effect.promise(() => FastCheck.assert(property, { numRuns: callsOf(tool) }))
      }
      for (const tool of reading) {
        const [args] = FastCheck.sample(sensible(tool, about("idler")), 1)
        const answer = yield* Effect.promise(() => call(client, tool.name, args))
        assert.isFalse(answer?.isError, `${tool.name} ${JSON.stringify(args)}: ${answer?.text}`)
      }
      assert.strictEqual(mutations(requests.slice(begin)), "")
      assert.deepStrictEqual(yield* coderRecord, before)
    })
  )
})

/** Each changing tool, an agent on which it has an effect, and where in the record that shows besides that agent. */
const effects = [
  { tool: "start_agent_task", agent: "idler", changes: [] },
  { tool: "cancel_agent_task", agent: "worker", changes: ["processes"] },
  { tool: "stop_agent", agent: "worker", changes: [] },
  { tool: "restart_agent", agent: "stopped", changes: ["starts"] },
  { tool: "delete_agent", agent: "spare", changes: ["refs", "worktrees"] },
  { tool: "create_agent", agent: "newcomer", changes: ["starts", "refs", "worktrees"] }
] as const

it.scopedLive.each([
  { way: "over HTTP", connect: overHttp({ token: tokens.operate }) },
  { way: "over stdio", connect: overStdio({}) }
])("not read-only, $way: a call of each changing tool is seen in what reached Coder and in its record", ({ connect }) =>
  Effect.gen(function* () {
    const client = yield* connect
    assert.sameMembers(
      effects.map(({ tool }) => tool),
      named(changing)
    )
    for (const { agent, changes, tool: name } of effects) {
      const tool = changing.find((each) => each.name === name)
      assert(tool !== undefined)
      const [args] = FastCheck.sample(sensible(tool, about(agent)), 1)
      const before = yield* coderRecord
      const requests = yield* ReceivedRequests
      const start = requests.length
      const answer = yield* Effect.promise(() => call(client, name, args))
      assert.isFalse(answer?.isError, `${name} ${JSON.stringify(args)}: ${answer?.text}`)
      assert.notStrictEqual(mutations(requests.slice(start)), "")
      yield* settled
      const after = yield* coderRecord
      assert.notDeepEqual(after.agents.get(agent), before.agents.get(agent))
      for (const part of changes) assert.notDeepEqual(after[part], before[part], `${name}: ${part}`)
    }
  }).pipe(Effect.provide(world))
)
