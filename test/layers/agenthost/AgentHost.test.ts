import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { AgentHost, type CodingAgent } from "../../../src/layers/agenthost/AgentHost.ts"
import type { Conversation } from "../../../src/layers/agenthost/Conversation.ts"
import { NotStored } from "../../../src/layers/agenthost/NotStored.ts"
import type { StatusReporter } from "../../../src/layers/agenthost/StatusReporter.ts"
import { fakeAgent, hosting } from "./agents.ts"

const start = Effect.gen(function* () {
  const cleanUp = yield* Deferred.make<void>()
  const fake = yield* fakeAgent(Deferred.await(cleanUp))
  const { conversation, reporter, reports } = yield* hosting
  const host = yield* AgentHost.make({ agent: fake.agent, conversation, reporter })
  const said = Effect.map(host.messages, (messages) => messages.map(({ role, content }) => `${role}: ${content}`))
  const until = (status: "running" | "stable") =>
    Effect.yieldNow().pipe(Effect.zipRight(host.status), Effect.repeat({ until: (now) => now === status, times: 1000 }))
  yield* Effect.addFinalizer(() => Deferred.succeed(cleanUp, undefined))
  return { ...fake, cleanUp: Deferred.succeed(cleanUp, undefined), conversation, reporter, reports, host, said, until }
})

describe("AgentHost", () => {
  it.scoped("begins stable, with a message of the agent", () =>
    Effect.gen(function* () {
      const { host } = yield* start
      expect(yield* host.status).toBe("stable")
      expect(yield* host.messages).toEqual([
        { id: 0, role: "agent", content: "Hello.", time: "1970-01-01T00:00:00.000Z" }
      ])
    })
  )

  it.scoped("runs a turn, and reports it", () =>
    Effect.gen(function* () {
      const { end, host, prompts, reports, said, until } = yield* start
      yield* host.prompt("  fix the login\nand the tests \n")
      expect(yield* host.status).toBe("running")
      expect(yield* said).toEqual(["agent: Hello.", "user: fix the login\nand the tests", "agent: working on it"])
      expect(yield* reports).toEqual([{ state: "working", message: "fix the login" }])

      yield* end({ state: "failure", message: "exit code 2", lastLine: "[exit code 2]" })
      expect(yield* until("stable")).toBe("stable")
      expect(yield* prompts).toEqual(["fix the login\nand the tests"])
      expect((yield* said).at(-1)).toBe("agent: working on it\n[exit code 2]")
      expect((yield* host.messages).map(({ id }) => id)).toEqual([0, 1, 2])
      expect((yield* reports).at(-1)).toEqual({ state: "failure", message: "exit code 2" })
    })
  )

  it.scoped("takes one prompt of many at once", () =>
    Effect.gen(function* () {
      const { host, prompts } = yield* start
      const all = Array.from({ length: 10 }, (_, index) => Effect.either(host.prompt(`prompt ${index}`)))
      const answers = yield* Effect.all(all, { concurrency: "unbounded" })
      expect(answers.filter(({ _tag }) => _tag === "Right")).toHaveLength(1)
      expect(yield* prompts).toHaveLength(1)
      expect(yield* host.messages).toHaveLength(3)
    })
  )

  it.scoped("refuses an empty prompt, also with control characters around nothing", () =>
    Effect.gen(function* () {
      const { host } = yield* start
      for (const text of ["", "  \n\t"]) {
        expect(yield* Effect.flip(host.prompt(text))).toMatchObject({ _tag: "PromptRefused", reason: "empty" })
      }
      expect(yield* host.messages).toHaveLength(1)
    })
  )

  it.scoped("is running after an interrupt until the turn has cleaned up", () =>
    Effect.gen(function* () {
      const { cleanUp, host, reports, said, until } = yield* start
      yield* host.interrupt
      yield* host.prompt("go")
      yield* host.interrupt
      yield* host.interrupt
      expect(yield* until("stable")).toBe("running")
      expect(yield* Effect.flip(host.prompt("more"))).toMatchObject({ reason: "busy" })
      yield* cleanUp
      expect(yield* until("stable")).toBe("stable")
      expect((yield* said).at(-1)).toBe("agent: working on it\n[interrupted]")
      expect((yield* reports).map(({ state }) => state)).toEqual(["working", "idle"])
      yield* host.prompt("more")
      expect(yield* host.status).toBe("running")
    })
  )

  it.scoped("stops: waits for the turn, reports nothing more, takes no prompt", () =>
    Effect.gen(function* () {
      const { cleanUp, host, reports, said } = yield* start
      yield* host.prompt("go")
      yield* cleanUp
      yield* host.stop
      expect(yield* host.status).toBe("stable")
      expect((yield* said).at(-1)).toContain("[interrupted]")
      expect((yield* reports).map(({ state }) => state)).toEqual(["working"])
      expect(yield* Effect.flip(host.prompt("more"))).toMatchObject({ reason: "stopped" })
    })
  )

  it.scoped("ends the turn with its scope, and continues the conversation in another", () =>
    Effect.gen(function* () {
      const fake = yield* fakeAgent()
      const { conversation, reporter } = yield* hosting
      const scope = yield* Scope.make()
      const first = yield* Scope.extend(AgentHost.make({ agent: fake.agent, conversation, reporter }), scope)
      yield* first.prompt("go")
      yield* Scope.close(scope, Exit.void)
      expect(yield* first.status).toBe("stable")
      const second = yield* AgentHost.make({ agent: fake.agent, conversation, reporter })
      yield* second.prompt("again")
      expect((yield* second.messages).map(({ id, role }) => `${id} ${role}`)).toEqual([
        "0 agent",
        "1 user",
        "2 agent",
        "3 user",
        "4 agent"
      ])
    })
  )

  it.scoped("survives an agent that breaks", () =>
    Effect.gen(function* () {
      const { conversation, reporter, reports } = yield* hosting
      const agent: CodingAgent = { agentType: "claude", turn: () => Effect.dieMessage("a bug") }
      const host = yield* AgentHost.make({ agent, conversation, reporter })
      yield* host.prompt("go")
      expect((yield* reports).at(-1)).toEqual({ state: "failure", message: "internal error" })
      expect((yield* host.messages).at(-1)?.content).toBe("[internal error]")
      expect(yield* host.status).toBe("stable")
    })
  )

  /** A host whose reporter waits, at the report of its number `at`, until it is let go. */
  const heldAt = Effect.fn(function* (at: number) {
    const reporting = yield* Deferred.make<void>()
    const mayReport = yield* Deferred.make<void>()
    const { conversation, reporter, reports } = yield* hosting
    const fake = yield* fakeAgent()
    const report: StatusReporter["report"] = (each) =>
      Effect.gen(function* () {
        yield* reporter.report(each)
        if ((yield* reports).length < at) return
        yield* Deferred.succeed(reporting, undefined)
        yield* Deferred.await(mayReport)
      })
    const scope = yield* Scope.make()
    const host = yield* Scope.extend(AgentHost.make({ agent: fake.agent, conversation, reporter: { report } }), scope)
    return {
      ...fake,
      conversation,
      host,
      reports,
      closing: Scope.close(scope, Exit.void),
      reporting: Deferred.await(reporting),
      letGo: Deferred.succeed(mayReport, undefined)
    }
  })

  it.scoped("is never stable while a prompt is recorded whose turn has not ended and been recorded", () =>
    Effect.gen(function* () {
      const seen = new Set<string>()
      const { conversation, reporter, reports } = yield* hosting
      const { agent, end } = yield* fakeAgent()
      const host = yield* Deferred.make<AgentHost>()
      // Asked by a fiber of its own, as a reader over HTTP is.
      const look = Effect.gen(function* () {
        if (!(yield* Deferred.isDone(host))) return
        const reader = yield* Effect.fork(
          Effect.flatMap(Deferred.await(host), ({ messages, status }) => Effect.all([messages, status]))
        )
        const [messages, status] = yield* Fiber.join(reader)
        const isOver = messages.length % 2 === 1 && messages.at(-1)?.content !== "" && (yield* reports).length % 2 === 0
        seen.add(`${messages.length} ${isOver ? "over" : "not over"} ${status}`)
        if (messages.length > 1 && !isOver) expect(status).toBe("running")
      })
      const looked = <A, E>(effect: Effect.Effect<A, E>) => look.pipe(Effect.zipRight(effect), Effect.zipLeft(look))
      const made = yield* AgentHost.make({
        agent,
        conversation: {
          messages: conversation.messages,
          isEmpty: conversation.isEmpty,
          greet: (text) => looked(conversation.greet(text)),
          beginTurn: (prompt, more) => looked(conversation.beginTurn(prompt, more)),
          beginNext: looked(conversation.beginNext),
          queue: conversation.queue,
          extend: (output) => looked(conversation.extend(output)),
          endTurn: (state, lastLine) => looked(conversation.endTurn(state, lastLine)),
          close: conversation.close
        },
        reporter: { report: (report) => looked(reporter.report(report)) }
      })
      yield* Deferred.succeed(host, made)
      yield* made.prompt("go")
      yield* end({ state: "complete", message: "exit code 0", lastLine: "[exit code 0]" })
      yield* Effect.yieldNow().pipe(Effect.zipRight(made.status), Effect.repeat({ until: (now) => now === "stable" }))
      expect([...seen]).toEqual(["1 over running", "3 not over running", "3 over running"])
    })
  )

  it.scoped("takes one of two prompts, also while the first is still being reported", () =>
    Effect.gen(function* () {
      const { host, letGo, prompts, reporting } = yield* heldAt(1)
      const first = yield* Effect.fork(host.prompt("first"))
      yield* reporting
      expect(yield* host.status).toBe("running")
      const second = yield* Effect.fork(Effect.flip(host.prompt("second")))
      yield* letGo
      yield* Fiber.join(first)
      expect(yield* Fiber.join(second)).toMatchObject({ reason: "busy" })
      expect(yield* prompts).toEqual(["first"])
    })
  )

  for (const how of ["stop", "interrupt", "closing"] as const) {
    it.scoped(`ends a turn that has not begun, and records that: ${how}`, () =>
      Effect.gen(function* () {
        const held = yield* heldAt(1)
        const { host, letGo, prompts, reporting } = held
        const caller = yield* Effect.fork(host.prompt("go"))
        yield* reporting
        const ending = yield* Effect.fork(how === "closing" ? held.closing : host[how])
        yield* Effect.repeatN(Effect.yieldNow(), 20)
        expect(yield* host.status).toBe("running")
        yield* letGo
        yield* Fiber.join(caller)
        yield* Fiber.join(ending)
        yield* Effect.repeatN(Effect.yieldNow(), 20)
        expect(yield* host.status).toBe("stable")
        expect(yield* prompts).toEqual([])
        expect((yield* held.conversation.messages).map(({ content }) => content)).toEqual([
          "Hello.",
          "go",
          "[interrupted]"
        ])
        expect((yield* held.reports).map(({ state }) => state)).toEqual(
          how === "interrupt" ? ["working", "idle"] : ["working"]
        )
      })
    )
  }

  it.scoped("is running until the end of a turn is reported", () =>
    Effect.gen(function* () {
      const { end, host, letGo, reporting } = yield* heldAt(2)
      yield* host.prompt("go")
      yield* end({ state: "complete", message: "done" })
      yield* reporting
      expect(yield* host.status).toBe("running")
      expect(yield* Effect.flip(host.prompt("more"))).toMatchObject({ reason: "busy" })
      yield* letGo
      yield* Effect.yieldNow().pipe(Effect.zipRight(host.status), Effect.repeat({ until: (now) => now === "stable" }))
      yield* host.prompt("more")
    })
  )

  it.scoped("refuses a prompt that cannot be stored, with the reason, and takes prompts again when it can", () =>
    Effect.gen(function* () {
      const { conversation, reporter, reports } = yield* hosting
      const { agent, prompts } = yield* fakeAgent()
      let isFull = false
      const beginTurn: Conversation["beginTurn"] = (prompt) =>
        isFull ? new NotStored({ reason: "disk full" }) : conversation.beginTurn(prompt)
      const host = yield* AgentHost.make({ agent, conversation: { ...conversation, beginTurn }, reporter })
      isFull = true
      const refused = yield* Effect.flip(host.prompt("one"))
      expect(refused).toMatchObject({ reason: "not_stored", message: "disk full" })
      expect(yield* reports).toEqual([])
      yield* Effect.repeatN(Effect.yieldNow(), 20)
      expect(yield* host.status).toBe("stable")
      isFull = false
      yield* host.prompt("two")
      expect(yield* prompts).toEqual(["two"])
      expect((yield* host.messages).map(({ content }) => content)).toEqual(["Hello.", "two", "working on it"])
    })
  )

  it.scoped("finishes taking a prompt whose caller has gone", () =>
    Effect.gen(function* () {
      const reporting = yield* Deferred.make<void>()
      const mayReport = yield* Deferred.make<void>()
      const { conversation } = yield* hosting
      const { agent, prompts } = yield* fakeAgent()
      const report = () => Effect.zipRight(Deferred.succeed(reporting, undefined), Deferred.await(mayReport))
      const host = yield* AgentHost.make({ agent, conversation, reporter: { report } })
      const caller = yield* Effect.fork(host.prompt("go"))
      yield* Deferred.await(reporting)
      yield* Fiber.interruptFork(caller)
      yield* Deferred.succeed(mayReport, undefined)
      yield* Fiber.await(caller)
      expect(yield* prompts).toEqual(["go"])
      expect(yield* host.status).toBe("running")
    })
  )
})
