import { ErrorCode, type JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { describe, expect, it } from "@effect/vitest"
import { Context, Deferred, Duration, Effect, Fiber, Layer, Logger, Queue, Ref, TestClock } from "effect"
import { instructions } from "../../../../src/layers/transports/session/Instructions.ts"
import { McpSession } from "../../../../src/layers/transports/session/McpSession.ts"
import { BackendNotConfigured } from "../../../../src/schemas/errors/Coder.ts"
import type { FleetServices } from "../../../../src/layers/services/FleetServices.ts"
import { fleetTools } from "../../../../src/tools/FleetTools.ts"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { fakes } from "../../../tools/Fakes.ts"
import { call, connect, makeStage, nothing, stageTools } from "./Session.ts"
import { CallLimits } from "../../../../src/layers/transports/session/CallLimits.ts"
import { quotedLength } from "../../../../src/schemas/Text.ts"
const callLimits = CallLimits.defaultValue()

const staged = (options: { readonly readOnly?: "agent" } = {}) =>
  Effect.gen(function* () {
    const stage = yield* makeStage
    const connected = yield* connect({ tools: Effect.succeed(stageTools(stage)), services: nothing, ...options })
    return { ...stage, ...connected }
  })

const recordedLog = () => {
  const lines: Array<string> = []
  const logger = Logger.replace(
    Logger.defaultLogger,
    Logger.map(Logger.logfmtLogger, (line) => void lines.push(line))
  )
  return { lines, logger }
}

const rejection = (promise: () => Promise<unknown>) =>
  Effect.flip(Effect.tryPromise({ try: promise, catch: (error) => error as Error & { readonly code?: number } }))

describe("a session", () => {
  it.scoped("introduces itself, with nothing but tools", () =>
    Effect.gen(function* () {
      const { client } = yield* staged()
      expect(client.getServerVersion()).toMatchObject({ name: "fleet-mcp", title: "Fleet MCP" })
      expect(client.getServerCapabilities()).toEqual({ tools: {} })
      expect(client.getInstructions()).toContain("Agents run in this test.")
    })
  )

  it.each(["agent", "server", "token", undefined] as const)(
    "gives instructions of at most 1,500 characters",
    (readOnly) => {
      expect(instructions("x".repeat(290), readOnly).length).toBeLessThanOrEqual(1500)
    }
  )

  it.scoped("tools that do not load in time are told, and loaded again at the next call", () =>
    Effect.gen(function* () {
      const stage = yield* makeStage
      const asked = yield* Queue.unbounded<void>()
      let loads = 0
      const tools = Effect.suspend(() => {
        loads += 1
        return Effect.zipRight(
          Queue.offer(asked, undefined),
          loads === 1 ? Effect.never : Effect.succeed(stageTools(stage))
        )
      })
      const { client } = yield* connect({ tools, services: nothing })
      const listing = yield* Effect.fork(rejection(() => client.listTools()))
      yield* Queue.take(asked)
      yield* TestClock.adjust("30 seconds")
      const error = yield* Fiber.join(listing)
      expect(error).toMatchObject({ code: ErrorCode.InternalError })
      expect(error.message).toContain("could not be loaded in time")
      expect((yield* Effect.promise(() => client.listTools())).tools.length).toBeGreaterThan(0)
    })
  )

  it.scoped("loads tools and services when they are first wanted, once", () =>
    Effect.gen(function* () {
      const stage = yield* makeStage
      const loads: Array<string> = []
      const load = <A>(what: string, value: A) =>
        Effect.as(
          Effect.sync(() => loads.push(what)),
          value
        )
      const { client } = yield* connect({
        tools: load("tools", stageTools(stage)),
        services: load("services", Context.empty())
      })
      expect(loads).toEqual([])
      yield* Effect.promise(() => client.listTools())
      yield* Effect.promise(() => client.listTools())
      expect(loads).toEqual(["tools"])
      yield* Effect.all([call(client, "echo"), call(client, "echo")], { concurrency: "unbounded" })
      yield* call(client, "echo")
      expect(loads).toEqual(["tools", "services"])
    })
  )

  it.scoped("answers with keys and text, which a client that listed the tools checks", () =>
    Effect.gen(function* () {
      const { client } = yield* staged()
      yield* Effect.promise(() => client.listTools())
      expect(yield* call(client, "echo", { text: "hé\n🚢" })).toEqual({
        text: "said: hé\n🚢",
        isError: false,
        structured: { said: "hé\n🚢" }
      })
      const { isError, structured } = yield* call(client, "refuse_read")
      expect([isError, structured]).toEqual([true, undefined])
    })
  )
})

describe("the fleet's tools", () => {
  it.scoped("pass the client's check of their output, with every key", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(fakes())
      const { client } = yield* connect({ tools: Effect.succeed(fleetTools), services: Effect.succeed(context) })
      const { tools } = yield* Effect.promise(() => client.listTools())
      expect(tools).toHaveLength(13)
      const calls: Record<string, Record<string, unknown>> = {
        list_agent_roles: { project: "web" },
        create_agent: { name: "a", project: "web", task: "t" },
        start_agent_task: { agent_name: "fix-login", task_description: "t" },
        cancel_agent_task: { agent_name: "docs" }
      }
      for (const { inputSchema, name, outputSchema } of tools) {
        const required = inputSchema.required ?? []
        const answer = yield* call(
          client,
          name,
          calls[name] ?? (required.length > 0 ? { agent_name: "fix-login" } : {})
        )
        expect(answer.isError).toBe(false)
        expect(Object.keys(answer.structured as object)).toEqual(expect.arrayContaining(outputSchema?.required ?? []))
      }
    })
  )

  it.effect("are served by the layer, for programs that have the services", () =>
    Effect.gen(function* () {
      const [ours, theirs] = InMemoryTransport.createLinkedPair()
      const client = new Client({ name: "test", version: "1" })
      const session = McpSession.layer(ours, { place: "elsewhere." }).pipe(Layer.provide(fakes()))
      yield* Effect.gen(function* () {
        const { closed } = yield* McpSession
        yield* Effect.promise(() => client.connect(theirs))
        expect((yield* call(client, "list_agents")).text).toContain("fix-login")
        yield* Effect.promise(() => client.close())
        yield* closed
      }).pipe(Effect.provide(session))
    })
  )
})

describe("errors", () => {
  it.scoped("of the domain are answers with tag, message and, for changes, the outcome", () =>
    Effect.gen(function* () {
      const { client } = yield* staged()
      const refused = "PageOutOfRange: There is no page 9: pages run from 1 to 3."
      expect(yield* call(client, "refuse_read")).toMatchObject({ isError: true, text: refused })
      expect((yield* call(client, "refuse")).text).toBe(`${refused}\noutcome: not_applied`)
      expect((yield* call(client, "echo", { txt: "x" })).text).toBe(
        "InvalidArguments: echo was not called.\ntxt: is no argument of this tool; text is. Pass that instead."
      )
    })
  )

  it.scoped("that are faults show an id, and the log has the rest", () =>
    Effect.gen(function* () {
      const { lines, logger } = recordedLog()
      const { client } = yield* Effect.provide(staged(), logger)
      for (const name of ["crash", "crash_change", "give_up"]) {
        lines.length = 0
        const { isError, text } = yield* call(client, name)
        expect(isError).toBe(true)
        expect(text).not.toContain("secret-of-the-crash")
        expect(text.includes("outcome: unknown")).toBe(name === "crash_change")
        const id = /\(id ([0-9a-f]{8})\)/.exec(text)?.[1]
        expect(lines.join("\n")).toContain(`id=${id}`)
        if (name !== "give_up") expect(lines.join("\n")).toContain("secret-of-the-crash")
      }
      expect((yield* call(client, "echo")).isError).toBe(false)
    })
  )

  it.scoped("of messages that are not served are logged without what these hold", () =>
    Effect.gen(function* () {
      const { lines, logger } = recordedLog()
      const { client, transport } = yield* Effect.provide(staged(), logger)
      const secret = "of-the-client"
      const unwanted: ReadonlyArray<JSONRPCMessage> = [
        { jsonrpc: "2.0", id: 99, result: { secret } },
        { jsonrpc: "2.0", id: 99, error: { code: 1, message: secret } },
        {
          jsonrpc: "2.0",
          method: "notifications/progress",
          params: { progressToken: 9, progress: 1, message: secret }
        },
        { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: { secret }, reason: secret } }
      ]
      for (const message of unwanted) yield* Effect.promise(() => transport.send(message))
      yield* Effect.promise(() => client.ping())
      expect(lines.length).toBeGreaterThanOrEqual(unwanted.length - 1)
      expect(lines.join("\n")).toContain("Received a response for an unknown message ID")
      expect(lines.join("\n")).not.toContain(secret)
    })
  )

  it.scoped("of the protocol have its codes", () =>
    Effect.gen(function* () {
      const { client } = yield* staged()
      const unknown = yield* rejection(() => client.callTool({ name: "nope", arguments: {} }))
      expect(unknown.code).toBe(ErrorCode.InvalidParams)
      expect(unknown.message).toContain("Unknown tool: nope. Tools: echo, wait,")
      expect(unknown.message.match(/-32602/g)).toHaveLength(1)
      const long = yield* rejection(() => client.callTool({ name: "n".repeat(100_000), arguments: {} }))
      expect(long.message.length).toBeLessThan(2 * quotedLength)
    })
  )

  it.scoped("of a malformed call are -32602, and others are served on", () =>
    Effect.gen(function* () {
      const stage = yield* makeStage
      const [ours, theirs] = InMemoryTransport.createLinkedPair()
      yield* McpSession.make(ours, { place: "x", tools: Effect.succeed(stageTools(stage)), services: nothing })
      const answers: Array<JSONRPCMessage> = []
      const all = yield* Deferred.make<void>()
      theirs.onmessage = (message) => {
        answers.push(message)
        if (answers.length === 4) Deferred.unsafeDone(all, Effect.void)
      }
      const send = (id: number, params: unknown) =>
        Effect.promise(() => theirs.send({ jsonrpc: "2.0", id, method: "tools/call", params } as JSONRPCMessage))
      yield* send(0, { arguments: {} })
      yield* send(1, { name: 7 })
      yield* send(2, { name: "echo", arguments: [1] })
      yield* send(3, { name: "echo" })
      yield* Deferred.await(all)
      const byId = new Map(answers.map((answer) => ["id" in answer ? answer.id : undefined, answer]))
      for (const id of [0, 1, 2]) expect(byId.get(id)).toMatchObject({ error: { code: -32602 } })
      expect(byId.get(3)).toMatchObject({ result: { structuredContent: { said: "hello" } } })
    })
  )

  it.scoped("of half a configuration are every tool's answer; listing works", () =>
    Effect.gen(function* () {
      const missing = new BackendNotConfigured({ problem: "CODER_URL is not set.", remedy: "Set it." })
      const { client } = yield* connect<FleetServices>({ tools: Effect.succeed(fleetTools), services: missing })
      expect((yield* Effect.promise(() => client.listTools())).tools).toHaveLength(13)
      for (const name of ["list_agents", "list_agent_projects"]) {
        expect(yield* call(client, name)).toMatchObject({
          isError: true,
          text: "BackendNotConfigured: CODER_URL is not set. Set it."
        })
      }
      expect((yield* call(client, "delete_agent", { agent_name: "a" })).text).toMatch(/\noutcome: not_applied$/)
    })
  )
})

describe("a read-only session", () => {
  it.scoped("lists and serves only what changes nothing", () =>
    Effect.gen(function* () {
      const { client, entered } = yield* staged({ readOnly: "agent" })
      const { tools } = yield* Effect.promise(() => client.listTools())
      expect(tools.map(({ name }) => name)).toEqual([
        "echo",
        "wait",
        "wait_long",
        "time_to_read",
        "refuse_read",
        "crash",
        "give_up"
      ])
      const { isError, text } = yield* call(client, "change")
      expect(isError).toBe(true)
      expect(text).toMatch(/^ReadOnlyServer: .*change was not called.*\noutcome: not_applied$/s)
      expect(yield* Ref.get(entered)).toBe(0)
      expect((yield* call(client, "echo")).isError).toBe(false)
      expect(client.getInstructions()).toContain("only shows the fleet")
    })
  )
})

describe("cancelling", () => {
  it.scoped("a read interrupts it", () =>
    Effect.gen(function* () {
      const { begun, client, interrupted } = yield* staged()
      const controller = new AbortController()
      const waiting = yield* Effect.fork(
        rejection(() => client.callTool({ name: "wait", arguments: {} }, undefined, { signal: controller.signal }))
      )
      yield* Deferred.await(begun)
      controller.abort("enough")
      yield* Deferred.await(interrupted)
      expect((yield* Fiber.join(waiting)).message).toContain("enough")
      expect((yield* call(client, "echo")).isError).toBe(false)
    })
  )

  it.scoped("a change lets it come to its end", () =>
    Effect.gen(function* () {
      const { begun, client, finished, release } = yield* staged()
      const controller = new AbortController()
      const changing = yield* Effect.fork(
        rejection(() => client.callTool({ name: "change", arguments: {} }, undefined, { signal: controller.signal }))
      )
      yield* Deferred.await(begun)
      controller.abort()
      yield* Fiber.join(changing)
      // The notification has been served when a later request has.
      expect((yield* call(client, "echo")).isError).toBe(false)
      expect(yield* Deferred.isDone(finished)).toBe(false)
      yield* Deferred.succeed(release, undefined)
      yield* Deferred.await(finished)
    })
  )

  it.scoped.each(["tools", "services"] as const)("the first call does not stop the %s from loading", (what) =>
    Effect.gen(function* () {
      const stage = yield* makeStage
      const go = yield* Deferred.make<void>()
      const asked = yield* Deferred.make<void>()
      let starts = 0
      const slow = <A>(value: A) =>
        Effect.gen(function* () {
          starts++
          yield* Deferred.succeed(asked, undefined)
          // Races of forked fibers must work in here.
          yield* Effect.raceFirst(Deferred.await(go), Effect.never)
          return value
        })
      const tools = stageTools(stage)
      const { client } = yield* connect({
        tools: what === "tools" ? slow(tools) : Effect.succeed(tools),
        services: what === "services" ? slow(Context.empty()) : nothing
      })
      const controller = new AbortController()
      const first = yield* Effect.fork(
        rejection(() => client.callTool({ name: "echo", arguments: {} }, undefined, { signal: controller.signal }))
      )
      yield* Deferred.await(asked)
      controller.abort()
      yield* Fiber.join(first)
      const second = yield* Effect.fork(call(client, "echo"))
      yield* Deferred.succeed(go, undefined)
      expect((yield* Fiber.join(second)).isError).toBe(false)
      expect(starts).toBe(1)
    })
  )
})

describe("closing", () => {
  it.effect("interrupts the calls at work and waits for what they do not leave undone", () =>
    Effect.gen(function* () {
      const stage = yield* makeStage
      const order: Array<string> = []
      const note = (what: string) => Effect.sync(() => void order.push(what))
      yield* Effect.gen(function* () {
        const { client } = yield* connect({ tools: Effect.succeed(stageTools(stage)), services: nothing })
        yield* Effect.fork(rejection(() => client.callTool({ name: "change", arguments: {} })))
        yield* Deferred.await(stage.begun)
        yield* Effect.forkDaemon(
          Effect.zipRight(
            Effect.yieldNow(),
            Effect.zipRight(note("released"), Deferred.succeed(stage.release, undefined))
          )
        )
      }).pipe(Effect.scoped, Effect.zipRight(note("closed")))
      expect(yield* Deferred.isDone(stage.finished)).toBe(true)
      expect(order).toEqual(["released", "closed"])
    })
  )

  it.scoped("by the client is told, and interrupts its calls", () =>
    Effect.gen(function* () {
      const { begun, client, interrupted, session } = yield* staged()
      yield* Effect.fork(rejection(() => client.callTool({ name: "wait", arguments: {} })))
      yield* Deferred.await(begun)
      yield* Effect.promise(() => client.close())
      yield* session.closed
      yield* Deferred.await(interrupted)
    })
  )
})

describe("many calls", () => {
  it.scoped("run as many at once as allowed; the others wait their turn", () =>
    Effect.gen(function* () {
      const { client, entered, release } = yield* staged()
      const calls = yield* Effect.fork(
        Effect.all(
          Array.from({ length: callLimits.concurrent + 5 }, () => call(client, "wait")),
          {
            concurrency: "unbounded"
          }
        )
      )
      yield* Effect.repeat(Ref.get(entered), { until: (count) => count >= callLimits.concurrent })
      // Listing needs no place, and comes after all the calls.
      yield* Effect.promise(() => client.listTools())
      expect(yield* Ref.get(entered)).toBe(callLimits.concurrent)
      yield* Deferred.succeed(release, undefined)
      const answers = yield* Fiber.join(calls)
      expect(answers.filter(({ isError }) => !isError)).toHaveLength(callLimits.concurrent + 5)
    })
  )
})

describe("the time of a call", () => {
  const queued = (name: string, wait: Duration.DurationInput) =>
    Effect.gen(function* () {
      const { client, entered, release } = yield* staged()
      const before = yield* Effect.fork(
        Effect.all(
          Array.from({ length: callLimits.concurrent }, () => call(client, "wait")),
          { concurrency: "unbounded" }
        )
      )
      yield* Effect.repeat(Ref.get(entered), { until: (count) => count >= callLimits.concurrent })
      const late = yield* Effect.fork(call(client, name))
      yield* Effect.yieldNow()
      // Comes after the calls.
      yield* Effect.promise(() => client.listTools())
      yield* TestClock.adjust(wait)
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(before)
      return yield* Fiber.join(late)
    })

  it.scoped.each([
    ["time_to_change", 0, "45 s left"],
    ["time_to_change", 30, "15 s left"],
    ["time_to_read", 15, "15 s left"]
  ] as const)("begins when it arrives: %s after a wait of %i s has %s", ([name, seconds, left]) =>
    Effect.map(queued(name, Duration.seconds(seconds)), ({ isError, text }) => {
      expect(isError).toBe(false)
      expect(text).toContain(left)
    })
  )

  it.scoped("a change that spent its time in the queue is busy: nothing sent, and what to do next", () =>
    Effect.map(queued("change", "36 seconds"), ({ isError, text }) => {
      expect(isError).toBe(true)
      expect(text).toContain("Busy: change was not called: it waited 36 s for its turn")
      expect(text).toContain("call it again")
      expect(text).toContain("outcome: not_applied")
    })
  )

  it.scoped("so is a read", () =>
    Effect.map(queued("time_to_read", "21 seconds"), ({ isError, text }) => {
      expect(isError).toBe(true)
      expect(text).toContain("Busy: time_to_read was not called")
    })
  )
})

describe("waits", () => {
  it.scoped("last as long as their client bears, have no deadline, and are told of at once", () =>
    Effect.gen(function* () {
      const stage = yield* makeStage
      yield* Deferred.succeed(stage.release, undefined)
      const options = { tools: Effect.succeed(stageTools(stage)), services: nothing }
      const said = (client: Client) =>
        Effect.promise(async () => {
          const heard: Array<unknown> = []
          const onprogress = ({ message, progress }: { message?: string | undefined; progress: number }) =>
            void heard.push([progress, message])
          const { structuredContent } = await client.callTool({ name: "wait_long", arguments: {} }, undefined, {
            onprogress
          })
          return [structuredContent, heard]
        })
      const terminal = yield* connect({ ...options, terminal: true }, "claude-code")
      expect(yield* said(terminal.client)).toEqual([
        { said: "1800 s, at most 7200 s; false" },
        [[0, "wait_long: 2 busy"]]
      ])
      const codex = yield* connect(options, "codex-mcp-client")
      expect((yield* said(codex.client))[0]).toEqual({ said: "240 s, at most 240 s; false" })
      const set = yield* connect({ ...options, waitSeconds: 90 }, "codex-mcp-client")
      expect((yield* said(set.client))[0]).toEqual({ said: "90 s, at most 90 s; false" })
    })
  )

  it.scoped("take no turn of other calls, and have a bound of their own", () =>
    Effect.gen(function* () {
      const stage = yield* makeStage
      const { client } = yield* connect({ tools: Effect.succeed(stageTools(stage)), services: nothing })
      const many = Array.from({ length: callLimits.waits }, () => client.callTool({ name: "wait_long", arguments: {} }))
      expect((yield* call(client, "echo")).isError).toBe(false)
      expect(yield* Ref.get(stage.entered)).toBe(callLimits.waits)
      const more = yield* call(client, "wait_long")
      expect([more.isError, more.text]).toEqual([true, expect.stringMatching(/^Busy: .*32 waits of this client/)])
      yield* Deferred.succeed(stage.release, undefined)
      yield* Effect.promise(() => Promise.all(many))
      expect((yield* call(client, "wait_long")).isError).toBe(false)
    })
  )
})

describe("progress", () => {
  it.scoped.each([0, 7, "token"])("goes to token %j, in growing steps, while the call lasts", (progressToken) =>
    Effect.gen(function* () {
      const stage = yield* makeStage
      const [ours, theirs] = InMemoryTransport.createLinkedPair()
      yield* McpSession.make(ours, { place: "x", tools: Effect.succeed(stageTools(stage)), services: nothing })
      const messages: Array<Record<string, unknown>> = []
      const answered = yield* Deferred.make<void>()
      theirs.onmessage = (message) => {
        messages.push(message)
        if ("id" in message) Deferred.unsafeDone(answered, Effect.void)
      }
      const params = { name: "wait", arguments: {}, _meta: { progressToken } }
      yield* Effect.promise(() => theirs.send({ jsonrpc: "2.0", id: 1, method: "tools/call", params }))
      yield* Deferred.await(stage.begun)
      yield* TestClock.adjust(callLimits.progress)
      yield* TestClock.adjust(callLimits.progress)
      yield* TestClock.adjust(callLimits.progress)
      yield* Deferred.succeed(stage.release, undefined)
      yield* Deferred.await(answered)
      yield* TestClock.adjust(callLimits.progress)
      expect(messages.slice(0, -1)).toEqual(
        [2, 4, 6].map((progress) => ({
          jsonrpc: "2.0",
          method: "notifications/progress",
          params: { progressToken, progress, message: `wait: ${progress} s` }
        }))
      )
      expect(messages.at(-1)).toMatchObject({ id: 1, result: { structuredContent: { said: "released" } } })
    })
  )

  it.scoped("is not sent unasked", () =>
    Effect.gen(function* () {
      const stage = yield* makeStage
      const [ours, theirs] = InMemoryTransport.createLinkedPair()
      yield* McpSession.make(ours, { place: "x", tools: Effect.succeed(stageTools(stage)), services: nothing })
      const messages: Array<JSONRPCMessage> = []
      const answered = yield* Deferred.make<void>()
      theirs.onmessage = (message) => {
        messages.push(message)
        Deferred.unsafeDone(answered, Effect.void)
      }
      const params = { name: "wait", arguments: {} }
      yield* Effect.promise(() => theirs.send({ jsonrpc: "2.0", id: 1, method: "tools/call", params }))
      yield* Deferred.await(stage.begun)
      yield* TestClock.adjust("1 minute")
      yield* Deferred.succeed(stage.release, undefined)
      yield* Deferred.await(answered)
      expect(messages).toHaveLength(1)
    })
  )
})
