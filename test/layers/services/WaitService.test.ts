import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Fiber, Option, TestClock } from "effect"
import { WaitService, type WaitAnswer, type WaitRequest } from "../../../src/layers/services/WaitService.ts"
import { WaitProgress, WaitTime } from "../../../src/layers/services/wait/WaitTime.ts"
import type { ModelWorkspace } from "../../support/CoderModel.ts"
import { begin, failure, inFleet, makeFleet, settle, type TestFleet } from "../../support/fleet.ts"
import { answer, dropBefore, hangBefore, html, json } from "../../support/ScriptedCoder.ts"

const patient = (seconds: number) =>
  Effect.provideService(WaitTime, { usual: Duration.seconds(seconds), most: Duration.seconds(seconds) })

const wait = (request: Partial<WaitRequest> = {}, patience = 600) =>
  Effect.flatMap(WaitService, (waits) => waits.wait({ until: "idle", mode: "any", ...request })).pipe(patient(patience))

/** A wait in the background, at whose end can be looked. */
const waiting = (request: Partial<WaitRequest> = {}, patience = 600) => Effect.fork(wait(request, patience))

const isOver = (fiber: Fiber.RuntimeFiber<unknown, unknown>) => Effect.map(Fiber.poll(fiber), Option.isSome)

const after = (fiber: Fiber.RuntimeFiber<WaitAnswer, unknown>, time: Duration.DurationInput) =>
  Effect.gen(function* () {
    yield* TestClock.adjust(time)
    const exit = yield* Fiber.poll(fiber)
    return yield* yield* exit
  })

const now = Clock.currentTimeMillis

const report = (row: ModelWorkspace, state: string, at: number) => row.reports.push({ state, message: state, at })

/** Agents at work; `reporting` says so in a report. */
const busy = (fleet: TestFleet, names: ReadonlyArray<string>, reporting = false) =>
  names.map((name) => {
    const row = fleet.coder.add(name)
    row.agent.runningUntil = Infinity
    if (reporting) report(row, "working", begin - 1000)
    return row
  })

const ends = (row: ModelWorkspace) => Effect.map(now, (at) => (row.agent.runningUntil = at))

const namesOf = ({ agents }: WaitAnswer) => agents.map(({ name }) => name)

describe.concurrent("who waits", () => {
  it.effect("is told at once of an agent that is idle already, with its last message", () => {
    const fleet = makeFleet()
    const row = fleet.coder.add("bot")
    const content = `● ${"long ".repeat(400)}end`
    row.agent.messages.push(
      { id: 1, role: "user", content: "x", time: "" },
      { id: 2, role: "agent", content, time: "" }
    )
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { agents, done, waited } = yield* settle(wait())
        assert.deepStrictEqual([done, waited, agents.length], [true, 0, 1])
        assert.deepStrictEqual(
          [agents[0]?.name, agents[0]?.status, agents[0]?.evidence.source],
          ["bot", "idle", "agentapi"]
        )
        assert.isAtMost(agents[0]?.last_message?.length ?? 0, 500)
        assert.match(agents[0]?.last_message ?? "", /^● long[^]*end$/)
      })
    )
  })

  it.effect("is told within 5 s of the end, and so is everybody else, by the same looks", () => {
    const fleet = makeFleet()
    const [one] = busy(fleet, ["one", "two"])
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const [first, second] = yield* Effect.all([waiting({ names: ["One"] }), waiting()])
        yield* TestClock.adjust("61 seconds")
        assert.isFalse(yield* isOver(first))
        if (one !== undefined) yield* ends(one)
        const answers = yield* Effect.all([after(first, "5 seconds"), after(second, 0)])
        assert.deepStrictEqual(answers.map(namesOf), [["one"], ["one"]])
        assert.isAtMost(fleet.proxy.asked(/^GET .*\/workspaces$/).length, 18)
      })
    )
  })

  it.effect("for all is told when the last one has ended", () => {
    const fleet = makeFleet()
    const rows = busy(fleet, ["one", "two"])
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const fiber = yield* waiting({ mode: "all" })
        for (const row of rows) {
          yield* TestClock.adjust("20 seconds")
          assert.isFalse(yield* isOver(fiber))
          yield* ends(row)
        }
        const { agents, done } = yield* after(fiber, "5 seconds")
        assert.deepStrictEqual([done, agents.length], [true, 2])
      })
    )
  })

  for (const [what, change, status] of [
    [
      "waits for a person",
      ({ agent }: ModelWorkspace) =>
        (agent.messages[0] = {
          id: 0,
          role: "agent",
          content: "Do you want to proceed?\n❯ 1. Yes\n  2. No\n\nEsc to cancel",
          time: ""
        }),
      "waiting"
    ],
    ["is stopped", (row: ModelWorkspace, { coder }: TestFleet, at: number) => coder.build(row, "stop", at), "stopped"],
    [
      "fails",
      (row: ModelWorkspace, { coder }: TestFleet, at: number) => coder.build(row, "start", at, { result: "failed" }),
      "failed"
    ],
    ["is deleted", (row: ModelWorkspace, { coder }: TestFleet, at: number) => coder.build(row, "delete", at), "deleted"]
  ] as const) {
    it.effect(`is told of an agent that ${what}`, () => {
      const fleet = makeFleet()
      const [row] = busy(fleet, ["bot"])
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const fiber = yield* waiting({ names: ["bot"] })
          yield* TestClock.adjust("10 seconds")
          assert.isFalse(yield* isOver(fiber))
          if (row !== undefined) {
            if (status === "waiting") row.agent.runningUntil = 0
            change(row, fleet, yield* now)
          }
          const { agents, done } = yield* after(fiber, "12 seconds")
          assert.deepStrictEqual([done, agents.map((each) => each.status)], [true, [status]])
          assert.isAbove(agents[0]?.evidence.detail.length ?? 0, 10)
        })
      )
    })
  }

  it.effect("for a person is not told of an agent that is idle", () => {
    const fleet = makeFleet()
    fleet.coder.add("bot")
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const answer = yield* settle(wait({ until: "waiting", seconds: 20 }))
        assert.deepStrictEqual([answer.done, answer.standing], [false, [["idle", 1]]])
      })
    )
  })

  it.effect("for any change is told of the next one, not of how agents stand", () => {
    const fleet = makeFleet()
    const row = fleet.coder.add("bot")
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const fiber = yield* waiting({ until: "changed" })
        yield* TestClock.adjust("20 seconds")
        assert.isFalse(yield* isOver(fiber))
        row.agent.runningUntil = Infinity
        const { agents } = yield* after(fiber, "5 seconds")
        assert.deepStrictEqual(
          agents.map(({ status }) => status),
          ["busy"]
        )
      })
    )
  })

  it.effect("for an agent that nobody has is told which, and for one that was deleted before", () => {
    const fleet = makeFleet()
    fleet.coder.add("bot")
    fleet.coder.build(fleet.coder.add("gone"), "delete", begin - 5000)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const error = yield* failure(wait({ names: ["bot", "gone", "nobody"] }))
        assert.deepStrictEqual([error._tag, error.message], ["AgentNotFound", 'There is no agent "gone, nobody".'])
      })
    )
  })

  it.effect("is told of a task given right before, not of the report from before it", () => {
    const fleet = makeFleet()
    const row = fleet.coder.add("bot")
    report(row, "idle", begin - 1000)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        assert.isTrue((yield* settle(wait({ names: ["bot"] }))).done)
        row.agent.runningUntil = Infinity
        const fiber = yield* waiting({ names: ["bot"] })
        yield* TestClock.adjust("30 seconds")
        assert.isFalse(yield* isOver(fiber), "the old report says idle")
        yield* ends(row)
        assert.isTrue((yield* after(fiber, "5 seconds")).done)
      })
    )
  })
})

describe.concurrent("a cursor", () => {
  it.effect("tells what happened between two waits, once, and quick turns too", () => {
    const fleet = makeFleet()
    const [one, two] = busy(fleet, ["one", "two"], true)
    const turn = (row: ModelWorkspace | undefined) =>
      Effect.map(now, (at) => {
        if (row === undefined) return
        report(row, "idle", at)
        row.agent.runningUntil = at
        const id = row.agent.messages.length
        row.agent.messages.push(
          { id, role: "user", content: "x", time: "" },
          { id: id + 1, role: "agent", content: "● y", time: "" }
        )
      })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const fiber = yield* waiting()
        yield* TestClock.adjust("10 seconds")
        yield* turn(one)
        const first = yield* after(fiber, "5 seconds")
        assert.deepStrictEqual(namesOf(first), ["one"])
        yield* TestClock.adjust("1 minute")
        yield* turn(two)
        yield* turn(one)
        yield* TestClock.adjust("1 minute")
        const again = yield* settle(wait({ cursor: first.cursor, mode: "any" }))
        assert.sameMembers([...namesOf(again)], ["one", "two"])
        assert.isFalse((yield* settle(wait({ cursor: again.cursor, seconds: 20 }))).done)
        // The older cursor is nobody else's: it tells the same again.
        assert.sameMembers([...namesOf(yield* settle(wait({ cursor: first.cursor })))], ["one", "two"])
      })
    )
  })

  it.effect("of another process, of other agents, or of nothing is answered by a fresh look, and it is said", () => {
    const fleet = makeFleet()
    fleet.coder.add("one")
    busy(fleet, ["two"])
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { cursor } = yield* settle(wait({ names: ["one"] }))
        for (const other of [
          "0badcafe.3.00000000",
          cursor,
          "what?",
          `${cursor.slice(0, 9)}999999${cursor.slice(10)}`
        ]) {
          const answer = yield* settle(wait({ cursor: other }))
          assert.deepStrictEqual([answer.done, namesOf(answer)], [true, ["one"]])
          assert.include(answer.note, "looked at anew")
        }
      })
    )
  })

  it.effect("goes on where an answer had no room for all", () => {
    const fleet = makeFleet()
    const names = Array.from({ length: 40 }, (_, index) => `bot-${index}`)
    for (const name of names) report(fleet.coder.add(name), "idle", begin - 1000)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const told: Array<string> = []
        let cursor: string | undefined
        for (let next = true; next;) {
          const answer: WaitAnswer = yield* settle(wait({ cursor, seconds: 30 }))
          assert.isAtMost(answer.agents.length, 16)
          told.push(...namesOf(answer))
          cursor = answer.cursor
          next = answer.done
          if (!answer.done) told.splice(-answer.agents.length)
        }
        assert.sameMembers(told, names)
        assert.lengthOf(told, 40)
      })
    )
  })
})

describe.concurrent("a wait", () => {
  it.effect("ends at the limit of its caller, whatever it asks for, and says how the agents stand", () => {
    const fleet = makeFleet()
    busy(fleet, ["one", "two"])
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const fiber = yield* waiting({ seconds: 3600 }, 45)
        yield* TestClock.adjust("44 seconds")
        assert.isFalse(yield* isOver(fiber))
        const answer = yield* after(fiber, "1 second")
        assert.deepStrictEqual(
          [answer.done, answer.limit, answer.waited, answer.standing],
          [false, 45, 45, [["busy", 2]]]
        )
        const short = yield* settle(wait({ seconds: 3, cursor: answer.cursor }))
        assert.deepStrictEqual([short.done, short.waited, short.note], [false, 3, "The agents were not seen in time."])
      })
    )
  })

  it.effect("gives a sign of life at once and every 15 s", () => {
    const fleet = makeFleet()
    busy(fleet, ["one", "two"])
    const said: Array<string> = []
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const tell = (message: string) => Effect.sync(() => void said.push(message))
        yield* Effect.fork(Effect.provideService(wait(), WaitProgress, { tell }))
        yield* TestClock.adjust(0)
        assert.lengthOf(said, 1)
        yield* TestClock.adjust("45 seconds")
        assert.deepStrictEqual(said.slice(1), Array(3).fill("2 busy"))
      })
    )
  })

  it.effect("that is cancelled touches no agent, and nobody is looked at any more", () => {
    const fleet = makeFleet()
    busy(fleet, ["one"])
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const [fiber, other] = yield* Effect.all([waiting(), waiting()])
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.interrupt(fiber)
        const asked = fleet.proxy.received.length
        yield* TestClock.adjust("10 seconds")
        assert.isAbove(fleet.proxy.received.length, asked, "the other one goes on")
        yield* Fiber.interrupt(other)
        yield* TestClock.adjust("5 seconds")
        const ended = fleet.proxy.received.length
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual(fleet.proxy.received.length, ended)
        assert.deepStrictEqual(fleet.proxy.mutations, [])
      })
    )
  })

  it.effect("outlasts a Coder that fails for a while", () => {
    const fleet = makeFleet()
    const [row] = busy(fleet, ["one"])
    let broken = false
    fleet.proxy.on(/./, (forward, request) => (broken ? answer(html(502))(forward, request) : forward))
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const fiber = yield* waiting()
        yield* TestClock.adjust("10 seconds")
        broken = true
        if (row !== undefined) yield* ends(row)
        yield* TestClock.adjust("2 minutes")
        assert.isFalse(yield* isOver(fiber))
        broken = false
        assert.deepStrictEqual(namesOf(yield* after(fiber, "40 seconds")), ["one"])
      })
    )
  })

  for (const [what, fault] of [
    ["drops", dropBefore],
    ["hangs", hangBefore],
    ["answers 503", answer(json(503, { message: "busy" }))]
  ] as const) {
    it.effect(`never says idle where Coder ${what}: it says what was not seen`, () => {
      const fleet = makeFleet()
      busy(fleet, ["one"])
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const first = yield* settle(wait({ seconds: 5 }))
          fleet.proxy.on(/./, fault)
          const answers = [
            yield* settle(wait({ seconds: 100, cursor: first.cursor })),
            yield* settle(wait({ seconds: 100, names: ["one"] }))
          ]
          for (const { done, note, standing } of answers) {
            assert.deepStrictEqual([done, standing], [false, [["busy", 1]]])
            assert.match(note, /could not be seen|not seen in time/)
          }
        })
      )
    })
  }

  it.effect("with a token that is not accepted fails at once", () => {
    const fleet = makeFleet()
    fleet.proxy.on(/./, answer(json(401, { message: "no" })))
    return inFleet(
      fleet,
      Effect.map(failure(wait()), ({ _tag }) => assert.strictEqual(_tag, "CoderUnauthorized"))
    )
  })

  it.effect("of a fleet without agents says so at once", () => {
    const fleet = makeFleet()
    return inFleet(
      fleet,
      Effect.map(settle(wait()), ({ done, note, waited }) => {
        assert.deepStrictEqual([done, waited, note], [false, 0, "There is no agent."])
      })
    )
  })

  it.effect("tells nothing of an agent whose AgentAPI does not answer, but that", () => {
    const fleet = makeFleet()
    busy(fleet, ["one"])
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const fiber = yield* waiting({ seconds: 60 })
        yield* TestClock.adjust("10 seconds")
        fleet.proxy.on(/^GET \/@/, hangBefore)
        const answer = yield* after(fiber, "60 seconds")
        assert.isFalse(answer.done)
        assert.include(answer.note, "told as last seen: one")
      })
    )
  })
})

it.effect("100 agents that report, 20 who wait: at most 20 requests a minute", () => {
  const fleet = makeFleet()
  busy(
    fleet,
    Array.from({ length: 100 }, (_, index) => `bot-${index}`),
    true
  )
  return inFleet(
    fleet,
    Effect.gen(function* () {
      yield* Effect.forEach(Array.from({ length: 20 }), (_, index) =>
        waiting(index % 2 === 0 ? {} : { names: [`bot-${index}`] })
      )
      yield* TestClock.adjust("5 seconds")
      const before = fleet.proxy.received.length
      yield* TestClock.adjust("5 minutes")
      assert.isAtMost((fleet.proxy.received.length - before) / 5, 20)
      assert.isAtLeast(fleet.proxy.asked(/^GET .*\/workspaces$/).length, 70)
    })
  )
})

it.effect("an agent that reports itself at work for ever is seen idle all the same", () => {
  const fleet = makeFleet()
  const [row] = busy(fleet, ["one"], true)
  return inFleet(
    fleet,
    Effect.gen(function* () {
      const fiber = yield* waiting()
      yield* TestClock.adjust("10 seconds")
      if (row !== undefined) yield* ends(row)
      const exit = yield* Effect.exit(after(fiber, "35 seconds"))
      assert.isTrue(Exit.isSuccess(exit))
    })
  )
})
