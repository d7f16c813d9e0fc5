import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber, Layer, Option, TestClock } from "effect"
import { TaskService } from "../../../src/layers/services/TaskService.ts"
import { WaitService, type WaitAnswer, type WaitRequest } from "../../../src/layers/services/WaitService.ts"
import { WatchLimits } from "../../../src/layers/services/wait/Watcher.ts"
import { WaitTime } from "../../../src/layers/services/wait/WaitTime.ts"
import { waitForAgents } from "../../../src/tools/WaitForAgents.ts"
import type { ModelWorkspace } from "../../support/CoderModel.ts"
import { begin, failure, inFleet, makeFleet, settle, type TestFleet } from "../../support/fleet.ts"
import { answer, delayed, hangBefore, json, refused } from "../../support/ScriptedCoder.ts"

// Waits for agents of which a look tells nothing: AgentAPI is slow, more agents are to be asked than one look asks, the
// list does not show them, Coder is down, or the clock is set.

const patience = { usual: Duration.minutes(10), most: Duration.minutes(10) }

const wait = (request: Partial<WaitRequest> = {}) =>
  Effect.flatMap(WaitService, (waits) => waits.wait({ until: "idle", mode: "any", ...request })).pipe(
    Effect.provideService(WaitTime, patience)
  )

const waiting = (request: Partial<WaitRequest> = {}) => Effect.fork(wait(request))

const isOver = (fiber: Fiber.RuntimeFiber<unknown, unknown>) => Effect.map(Fiber.poll(fiber), Option.isSome)

const after = (fiber: Fiber.RuntimeFiber<WaitAnswer, unknown>, time: Duration.DurationInput) =>
  Effect.gen(function* () {
    yield* TestClock.adjust(time)
    return yield* yield* yield* Fiber.poll(fiber)
  })

const now = Clock.currentTimeMillis

const report = (row: ModelWorkspace, state: string, at: number) => row.reports.push({ state, message: state, at })

const many = (fleet: TestFleet, count: number) => Array.from({ length: count }, (_, at) => fleet.coder.add(`bot-${at}`))

const works = (row: ModelWorkspace | undefined) => {
  if (row !== undefined) row.agent.runningUntil = Infinity
}

const ends = (row: ModelWorkspace | undefined) =>
  Effect.map(now, (at) => {
    if (row !== undefined) row.agent.runningUntil = at
  })

const namesOf = ({ agents }: WaitAnswer) => agents.map(({ name }) => name)

describe.concurrent("an agent of which nothing was seen", () => {
  for (const names of [undefined, ["one"]]) {
    it.effect(`is there all the same, ${names === undefined ? "for who waits for all" : "where it is named"}`, () => {
      const fleet = makeFleet()
      fleet.coder.add("one")
      fleet.proxy.on(/^GET \/@/, hangBefore)
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const told = yield* settle(wait({ names, seconds: 10 }))
          assert.deepStrictEqual([told.done, told.isEmpty, told.note], [false, false, "Not seen yet: one."])
        })
      )
    })
  }

  it.effect("is asked although 19 others would be asked before it, where only it is waited for", () => {
    const fleet = makeFleet()
    many(fleet, 20)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const told = yield* settle(wait({ names: ["bot-16"] }))
        assert.deepStrictEqual([namesOf(told), told.waited], [["bot-16"], 0])
        assert.isEmpty(fleet.proxy.asked(/^GET \/@(?!.*\/bot-16\/)/))
      })
    )
  })

  it.effect("is waited for by who waits for all", () => {
    const fleet = makeFleet()
    const rows = many(fleet, 40)
    for (const row of rows.slice(16)) works(row)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const fiber = yield* waiting({ mode: "all" })
        yield* TestClock.adjust("20 seconds")
        assert.isFalse(yield* isOver(fiber))
        yield* Effect.forEach(rows, ends)
        const told = yield* after(fiber, "12 seconds")
        assert.deepStrictEqual([told.done, told.agents.length + told.more], [true, 40])
      })
    )
  })

  it.effect("in this wait, but before, is named where others are told", () => {
    const fleet = makeFleet()
    many(fleet, 40)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        yield* settle(wait({ mode: "all" }))
        const told = yield* settle(wait())
        assert.lengthOf(told.agents, 16)
        const [, named = ""] = /^Not seen in the newest look, and not told: (.*)\.$/.exec(told.note) ?? []
        assert.lengthOf(new Set([...namesOf(told), ...named.split(", ")]), 40)
      })
    )
  })

  it.effect("has not changed when it is seen", () => {
    const fleet = makeFleet()
    const rows = many(fleet, 40)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const fiber = yield* waiting({ until: "changed" })
        yield* TestClock.adjust("20 seconds")
        assert.isFalse(yield* isOver(fiber))
        works(rows[30])
        assert.deepStrictEqual(namesOf(yield* after(fiber, "12 seconds")), ["bot-30"])
      })
    )
  })

  it.effect("that the list does not show is told as last seen, and Coder is seldom asked for it", () => {
    const fleet = makeFleet()
    const row = fleet.coder.add("one")
    works(row)
    works(fleet.coder.add("two"))
    return inFleet(
      fleet,
      Effect.gen(function* () {
        yield* settle(wait({ seconds: 5 }))
        row.owner = { id: "other", username: "other" }
        const told = yield* after(yield* waiting({ seconds: 300 }), "5 minutes")
        assert.deepStrictEqual([told.done, told.standing], [false, [["busy", 2]]])
        assert.include(told.note, "told as last seen: one")
        assert.isAtMost(fleet.proxy.asked(/^GET \/api\/v2\/workspaces\/./).length, 11)
      })
    )
  })
})

describe.concurrent("an agent that was given a task", () => {
  it.effect("is not told idle by what it reported before", () => {
    const fleet = makeFleet()
    report(fleet.coder.add("bot"), "idle", begin - 1000)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        yield* settle(Effect.flatMap(TaskService, (tasks) => tasks.start("bot", "work")))
        const fiber = yield* waiting({ names: ["bot"] })
        fleet.proxy.on(/^GET \/@.*status$/, delayed("1600 millis"), 1)
        yield* TestClock.adjust("30 seconds")
        assert.isFalse(yield* isOver(fiber))
        assert.isTrue((yield* after(fiber, "40 seconds")).done)
      })
    )
  })

  it.effect("is not told idle by an answer that it gave before the wait began", () => {
    const fleet = makeFleet()
    const row = fleet.coder.add("bot")
    report(row, "idle", begin - 1000)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        fleet.proxy.on(/^GET \/@.*messages$/, delayed("1 second"), 1)
        yield* waiting({ until: "waiting" })
        yield* TestClock.adjust("500 millis")
        works(row)
        const fiber = yield* waiting({ names: ["bot"] })
        yield* TestClock.adjust("30 seconds")
        assert.isFalse(yield* isOver(fiber))
      })
    )
  })

  it.effect("is not told idle for the end of the turn before, seen by a look under way", () => {
    const fleet = makeFleet()
    const row = fleet.coder.add("bot")
    works(row)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        yield* waiting({ until: "waiting" })
        yield* TestClock.adjust("3 seconds")
        yield* ends(row)
        fleet.proxy.on(/^GET \/@.*messages$/, delayed("1 second"), 1)
        yield* TestClock.adjust("1500 millis")
        works(row)
        const fiber = yield* waiting({ names: ["bot"] })
        yield* TestClock.adjust("30 seconds")
        assert.isFalse(yield* isOver(fiber))
        yield* ends(row)
        assert.isTrue((yield* after(fiber, "5 seconds")).done)
      })
    )
  })
})

describe.concurrent("who waits for all", () => {
  it.effect("of more agents than one look asks is told when all are seen, each time anew", () => {
    const fleet = makeFleet()
    many(fleet, 40)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        for (let time = 0; time < 2; time++) {
          const fiber = yield* waiting({ mode: "all" })
          const told = yield* after(fiber, "15 seconds")
          assert.deepStrictEqual([told.done, told.agents.length + told.more], [true, 40])
        }
      })
    )
  })

  for (const remembered of [5000, 10]) {
    it.effect(`is told of each once, over the answers it takes, where ${remembered} changes are remembered`, () => {
      const fleet = makeFleet()
      const rows = many(fleet, 40)
      for (const row of rows) report(row, "idle", begin - 1000)
      const limits = Layer.succeed(WatchLimits, { pace: Duration.seconds(4), remembered })
      return inFleet(
        { ...fleet, layer: Layer.provide(fleet.layer, limits) },
        Effect.gen(function* () {
          const told: Array<string> = []
          let cursor: string | undefined
          for (let more = 1; more > 0;) {
            const answer: WaitAnswer = yield* settle(wait({ mode: "all", cursor }))
            assert.deepStrictEqual([answer.done, answer.note], [true, ""])
            told.push(...namesOf(answer))
            ;({ cursor, more } = answer)
          }
          assert.sameMembers(
            told,
            rows.map(({ name }) => name)
          )
          assert.lengthOf(told, 40)
          const again = yield* settle(wait({ mode: "all", cursor }))
          assert.deepStrictEqual([again.done, namesOf(again)], [true, []])
          const [row] = rows
          works(row)
          const fiber = yield* waiting({ mode: "all", cursor: again.cursor })
          if (row !== undefined) report(row, "working", begin + 60_000)
          yield* TestClock.adjust("10 seconds")
          assert.isFalse(yield* isOver(fiber))
          yield* ends(row)
          if (row !== undefined) report(row, "idle", begin + 70_000)
          assert.deepStrictEqual(namesOf(yield* after(fiber, "5 seconds")), ["bot-0"])
        })
      )
    })
  }

  it.effect("to change is not told at once by a cursor, with nothing changed", () => {
    const fleet = makeFleet()
    const rows = many(fleet, 2)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const first = yield* settle(wait({ until: "changed", mode: "all", seconds: 5 }))
        const fiber = yield* waiting({ until: "changed", mode: "all", cursor: first.cursor })
        for (const row of rows) {
          yield* TestClock.adjust("10 seconds")
          assert.isFalse(yield* isOver(fiber))
          works(row)
        }
        assert.lengthOf((yield* after(fiber, "5 seconds")).agents, 2)
      })
    )
  })

  it.effect("is told for how many it has come", () => {
    const fleet = makeFleet()
    const [, row] = many(fleet, 2)
    works(row)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { text } = yield* settle(waitForAgents.call({ mode: "all", timeout_seconds: 5 }))
        assert.include(text, "but for 1 of 2 agents")
      })
    )
  })
})

describe.concurrent("what is asked of Coder", () => {
  it.effect("for one of 100 agents without reports is one list a look, and that one, which is seen within 5 s", () => {
    const fleet = makeFleet()
    const rows = many(fleet, 100)
    for (const row of rows) works(row)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const fiber = yield* waiting({ names: ["bot-99"] })
        yield* TestClock.adjust("5 seconds")
        const before = fleet.proxy.received.length
        yield* TestClock.adjust("2 minutes")
        assert.isAtMost((fleet.proxy.received.length - before) / 2, 3 * 15)
        assert.isEmpty(fleet.proxy.asked(/^GET \/@(?!.*\/bot-99\/)/))
        yield* ends(rows[99])
        assert.isTrue((yield* after(fiber, "5 seconds")).done)
      })
    )
  })

  it.effect("for 250 agents that report is at most 20 requests a minute", () => {
    const fleet = makeFleet()
    for (const row of many(fleet, 250)) {
      works(row)
      report(row, "working", begin - 1000)
    }
    return inFleet(
      fleet,
      Effect.gen(function* () {
        yield* waiting()
        yield* TestClock.adjust("5 seconds")
        const before = fleet.proxy.received.length
        yield* TestClock.adjust("5 minutes")
        assert.isAtMost((fleet.proxy.received.length - before) / 5, 20)
      })
    )
  })

  it.effect("rests as long as Coder says, where there were too many requests", () => {
    const fleet = makeFleet()
    works(fleet.coder.add("one"))
    return inFleet(
      fleet,
      Effect.gen(function* () {
        yield* waiting()
        yield* TestClock.adjust("3 seconds")
        fleet.proxy.on(/workspaces$/, answer(json(429, { message: "slow" }, { "retry-after": "60" })), 1)
        yield* TestClock.adjust("2 seconds")
        const before = fleet.proxy.received.length
        yield* TestClock.adjust("58 seconds")
        assert.strictEqual(fleet.proxy.received.length, before)
        yield* TestClock.adjust("4 seconds")
        assert.isAbove(fleet.proxy.received.length, before)
      })
    )
  })
})

describe.concurrent("a look that goes wrong", () => {
  it.effect("by a fault of fleet-mcp is over, and it is said that nothing was seen", () => {
    const fleet = makeFleet()
    works(fleet.coder.add("one"))
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const first = yield* settle(wait({ seconds: 5 }))
        fleet.proxy.on(/workspaces$/, () => Effect.die("a fault"))
        const told = yield* settle(wait({ seconds: 20, cursor: first.cursor }))
        assert.isFalse(told.done)
        assert.match(told.note, /could not be seen: .*fault of fleet-mcp/)
      })
    )
  })

  it.effect("because Coder is down does not say that there is no agent", () => {
    const fleet = makeFleet()
    fleet.proxy.on(/./, refused)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { text } = yield* settle(waitForAgents.call({ timeout_seconds: 20 }))
        assert.notInclude(text, "create_agent")
        assert.include(text, "not seen in time")
      })
    )
  })

  it.effect("because the token is not accepted any more ends the wait for a named agent", () => {
    const fleet = makeFleet()
    works(fleet.coder.add("one"))
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(failure(wait({ names: ["one"] })))
        yield* TestClock.adjust("10 seconds")
        fleet.proxy.on(/./, answer(json(401, { message: "no" })))
        yield* TestClock.adjust("10 seconds")
        const error = yield* yield* yield* Fiber.poll(fiber)
        assert.strictEqual(error._tag, "CoderUnauthorized")
      })
    )
  })
})

it.effect("a clock that is set back a day stops no looks, and lengthens no wait", () => {
  const fleet = makeFleet()
  const row = fleet.coder.add("one")
  works(row)
  let back = 0
  return Effect.gen(function* () {
    const clock = yield* TestClock.testClock()
    // The time that is set is not the one by which intervals are measured.
    const shifted: TestClock.TestClock = Object.assign(Object.create(clock) as TestClock.TestClock, {
      currentTimeMillis: Effect.map(clock.currentTimeMillis, (at) => at - back),
      unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis() - back
    })
    return yield* inFleet(
      fleet,
      Effect.gen(function* () {
        const [any, short] = yield* Effect.all([waiting(), waiting({ until: "waiting", seconds: 30 })])
        yield* TestClock.adjust("5 seconds")
        back = Duration.toMillis("1 day")
        yield* TestClock.adjust("10 seconds")
        yield* ends(row)
        row.agent.runningUntil -= back
        assert.isTrue((yield* after(any, "5 seconds")).done)
        assert.strictEqual((yield* after(short, "11 seconds")).waited, 30)
      })
    ).pipe(Effect.withClock(shifted))
  })
})

describe.concurrent("what has ended", () => {
  it.effect("has not ended again where its app was not healthy for a while", () => {
    const fleet = makeFleet()
    fleet.coder.add("one")
    let isHealthy = true
    fleet.coder.patch = (workspace) =>
      isHealthy
        ? workspace
        : (JSON.parse(JSON.stringify(workspace).replaceAll('"healthy"', '"unhealthy"')) as Record<string, unknown>)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { cursor } = yield* settle(wait())
        const [idle, changed] = yield* Effect.all([waiting({ cursor }), waiting({ until: "changed" })])
        yield* TestClock.adjust("10 seconds")
        isHealthy = false
        assert.strictEqual((yield* after(changed, "10 seconds")).agents[0]?.status, "degraded")
        isHealthy = true
        yield* TestClock.adjust("10 seconds")
        assert.isFalse(yield* isOver(idle))
      })
    )
  })

  it.effect("and is deleted may still be named with the cursor", () => {
    const fleet = makeFleet()
    const [one, two] = many(fleet, 2)
    works(one)
    works(two)
    const names = ["bot-0", "bot-1"]
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const fiber = yield* waiting({ names })
        yield* TestClock.adjust("10 seconds")
        if (one !== undefined) fleet.coder.build(one, "delete", yield* now)
        const first = yield* after(fiber, "12 seconds")
        assert.deepStrictEqual(namesOf(first), ["bot-0"])
        const next = yield* waiting({ names, cursor: first.cursor })
        yield* TestClock.adjust("10 seconds")
        assert.isFalse(yield* isOver(next))
        yield* ends(two)
        const second = yield* after(next, "5 seconds")
        assert.deepStrictEqual(namesOf(second), ["bot-1"])
        if (two !== undefined) fleet.coder.build(two, "delete", yield* now)
        const third = yield* settle(wait({ names, cursor: second.cursor }))
        assert.deepStrictEqual(namesOf(third), ["bot-1"])
        const last = yield* settle(wait({ names, cursor: third.cursor }))
        assert.deepStrictEqual([last.done, last.note], [false, "All of them are deleted."])
      })
    )
  })
})
