import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Scope } from "effect"
import { WaitService, type WaitAnswer, type WaitRequest } from "../../../src/layers/services/WaitService.ts"
import { WaitTime } from "../../../src/layers/services/wait/WaitTime.ts"
import { storesWith, withJournalFleet, type JournalFleet } from "../../support/JournalFleet.ts"
import { answer, dropAfter, dropBefore, json } from "../../support/ScriptedCoder.ts"

// Waits that are told by the journal of an embedded Coder. Time is real here: each test waits for what happens.

const patience = { usual: Duration.seconds(60), most: Duration.seconds(60) }

type Request = Partial<WaitRequest>

const waitIn = (services: Context.Context<WaitService>, request: Request = {}) =>
  Context.get(services, WaitService)
    .wait({ until: "idle", mode: "any", ...request })
    .pipe(Effect.provideService(WaitTime, patience))

/** A wait of a process that ends with it. */
const waitOnce = ({ frontEnd }: JournalFleet, request: Request = {}) =>
  Effect.scoped(Effect.flatMap(frontEnd, (services) => waitIn(services, request)))

const namesOf = ({ agents }: WaitAnswer) => agents.map(({ name }) => name).toSorted()
const events = /^GET \/api\/v2\/fleet\/events$/

/** Until a front end waits for what comes. */
const untilWaiting = ({ proxy }: JournalFleet, before = 0) =>
  Effect.iterate(0, {
    while: () => !proxy.received.slice(before).some(({ query }) => Number(query.get("wait") ?? 0) > 0),
    body: () => Effect.as(Effect.yieldNow(), 0)
  })

describe("who waits, where there is a journal", () => {
  it.live("is told at once of an agent that ends, without a question in between", () =>
    withJournalFleet((fleet) =>
      Effect.gen(function* () {
        yield* fleet.create("bot")
        yield* fleet.begins("bot")
        const services = yield* fleet.frontEnd
        const fiber = yield* Effect.fork(waitIn(services, { names: ["Bot"] }))
        yield* untilWaiting(fleet)
        yield* fleet.ends("bot")
        const { agents, done, note } = yield* Fiber.join(fiber)
        // How all stand, what came since, the end, and perhaps the report that follows it.
        assert.isAtMost(fleet.proxy.asked(events).length, 4)
        assert.deepStrictEqual([done, note, agents.length], [true, "", 1])
        assert.deepStrictEqual(
          [agents[0]?.name, agents[0]?.status, agents[0]?.now, agents[0]?.evidence.source],
          ["bot", "idle", null, "journal"]
        )
        assert.strictEqual(agents[0]?.evidence.detail, "its turn ended: work")
      })
    )
  )

  it.live("is told of how agents stand, of turns between two waits, and of nothing twice", () =>
    withJournalFleet((fleet) =>
      Effect.gen(function* () {
        yield* fleet.create("one")
        yield* fleet.create("two")
        yield* fleet.begins("two")
        const services = yield* fleet.frontEnd
        const first = yield* waitIn(services)
        assert.deepStrictEqual(namesOf(first), ["one"])
        yield* fleet.turn("one")
        yield* fleet.turn("one")
        yield* fleet.ends("two")
        const second = yield* waitIn(services, { cursor: first.cursor })
        assert.deepStrictEqual([namesOf(second), second.note], [["one", "two"], ""])
        const third = yield* waitIn(services, { cursor: second.cursor, seconds: 1 })
        assert.deepStrictEqual([third.done, third.standing], [false, [["idle", 2]]])
        // The older cursor is nobody else's: it tells the same again.
        assert.deepStrictEqual(namesOf(yield* waitIn(services, { cursor: first.cursor })), ["one", "two"])
      })
    )
  )

  it.live("of a client that was away is told by a process that knows nothing of the one before", () =>
    withJournalFleet((fleet) =>
      Effect.gen(function* () {
        for (const name of ["one", "two", "three"]) {
          yield* fleet.create(name)
          yield* fleet.begins(name)
        }
        yield* fleet.ends("one")
        const first = yield* waitOnce(fleet)
        assert.deepStrictEqual(namesOf(first), ["one"])
        yield* fleet.ends("two")
        yield* fleet.isCut("three")
        const second = yield* waitOnce(fleet, { cursor: first.cursor })
        assert.deepStrictEqual(
          [namesOf(second), second.note, second.agents.find(({ name }) => name === "three")?.status],
          [["three", "two"], "", "interrupted"]
        )
        assert.isFalse((yield* waitOnce(fleet, { cursor: second.cursor, seconds: 1 })).done)
      })
    )
  )

  it.live("right after a task was given is not told that the agent is idle", () =>
    withJournalFleet((fleet) =>
      Effect.gen(function* () {
        yield* fleet.create("bot")
        const services = yield* fleet.frontEnd
        yield* waitIn(services)
        // A process that has its own view, from before the task.
        yield* fleet.begins("bot")
        const fiber = yield* Effect.fork(waitIn(services, { names: ["bot"] }))
        yield* untilWaiting(fleet, fleet.proxy.received.length)
        yield* fleet.ends("bot")
        const { agents, done } = yield* Fiber.join(fiber)
        assert.deepStrictEqual([done, agents[0]?.evidence.detail], [true, "its turn ended: work"])
      })
    )
  )

  it.live("for any change is told of the next one alone, and not of a report", () =>
    withJournalFleet((fleet) =>
      Effect.gen(function* () {
        yield* fleet.create("bot")
        yield* fleet.begins("bot")
        const services = yield* fleet.frontEnd
        const begun = yield* waitIn(services, { until: "changed", seconds: 1 })
        assert.isFalse(begun.done)
        const fiber = yield* Effect.fork(waitIn(services, { until: "changed", cursor: begun.cursor }))
        yield* untilWaiting(fleet, fleet.proxy.received.length)
        yield* fleet.ends("bot")
        const first = yield* Fiber.join(fiber)
        assert.deepStrictEqual(
          first.agents.map(({ status }) => status),
          ["idle"]
        )
        // The report of the end comes after it.
        assert.isFalse((yield* waitIn(services, { until: "changed", cursor: first.cursor, seconds: 1 })).done)
        yield* fleet.stop("bot")
        const second = yield* waitIn(services, { until: "changed", cursor: first.cursor })
        assert.deepStrictEqual(
          second.agents.map(({ status }) => status),
          ["stopped"]
        )
      })
    )
  )

  it.live("is told once that an agent is deleted; who begins afterwards, that there is none", () =>
    withJournalFleet((fleet) =>
      Effect.gen(function* () {
        yield* fleet.create("bot")
        yield* fleet.begins("bot")
        const services = yield* fleet.frontEnd
        const before = yield* waitIn(services, { seconds: 1 })
        const fiber = yield* Effect.fork(waitIn(services, { names: ["bot"] }))
        yield* untilWaiting(fleet, fleet.proxy.received.length)
        yield* fleet.remove("bot")
        for (const told of [yield* Fiber.join(fiber), yield* waitOnce(fleet, { cursor: before.cursor })]) {
          assert.deepStrictEqual(
            told.agents.map(({ name, status }) => [name, status]),
            [["bot", "deleted"]]
          )
        }
        for (const ask of [waitIn(services, { names: ["bot"] }), waitOnce(fleet, { names: ["bot"] })]) {
          assert.strictEqual((yield* Effect.flip(ask))._tag, "AgentNotFound")
        }
        // The name is given away again.
        yield* fleet.create("bot2")
        assert.deepStrictEqual(namesOf(yield* waitOnce(fleet)), ["bot2"])
      })
    )
  )

  it.live("of more agents than have room goes on, in whatever process, and nothing is told twice", () =>
    withJournalFleet((fleet) =>
      Effect.gen(function* () {
        const names = Array.from({ length: 40 }, (_, index) => `bot-${index}`)
        yield* Effect.forEach(names, (name) => Effect.zipRight(fleet.create(name), fleet.begins(name)))
        const begun = yield* waitOnce(fleet, { seconds: 1 })
        yield* Effect.forEach(names, (name) => (name === "bot-3" ? fleet.isCut(name) : fleet.ends(name)))
        const services = yield* fleet.frontEnd
        for (const how of ["away", "there"]) {
          const told: Array<string> = []
          let cursor = how === "away" ? begun.cursor : undefined
          for (let next = true; next;) {
            const request = { cursor, seconds: 1 }
            const one: WaitAnswer = yield* how === "away" ? waitOnce(fleet, request) : waitIn(services, request)
            assert.isAtMost(one.agents.length, 16)
            if (one.done) told.push(...namesOf(one))
            next = one.done
            cursor = one.cursor
          }
          assert.deepStrictEqual(told.toSorted(), names.toSorted(), how)
        }
      })
    )
  )
})

describe("a cursor, where there is a journal", () => {
  it.live("of another journal is answered by how agents stand, and that is said", () =>
    withJournalFleet((fleet) =>
      Effect.gen(function* () {
        yield* fleet.create("one")
        const { cursor } = yield* waitOnce(fleet)
        const other = `${cursor.startsWith("0") ? "1" : "0"}${cursor.slice(1)}`
        const never = cursor.replace(/\.\d+\./, (place) => `.${Number(place.slice(1, -1)) + 1_000_000}.`)
        for (const wrong of [other, never, "what?"]) {
          const told = yield* waitOnce(fleet, { cursor: wrong })
          assert.deepStrictEqual([told.done, namesOf(told)], [true, ["one"]])
          assert.include(told.note, "looked at anew")
        }
      })
    )
  )

  it.live("from before what is kept is answered likewise; who was there all the time misses nothing", () =>
    withJournalFleet(
      (fleet) =>
        Effect.gen(function* () {
          yield* fleet.create("one")
          yield* fleet.create("two")
          yield* fleet.begins("two")
          const { cursor } = yield* waitOnce(fleet)
          yield* fleet.ends("two")
          for (let count = 0; count < 30; count++) yield* fleet.turn("one")
          yield* fleet.begins("one")
          const told = yield* waitOnce(fleet, { cursor })
          assert.deepStrictEqual(namesOf(told), ["two"])
          assert.include(told.note, "looked at anew")
        }),
      storesWith({ events: 20 })
    )
  )

  it.live("a follower that fell behind what is kept says so, and tells how agents stand", () =>
    withJournalFleet(
      (fleet) =>
        Effect.gen(function* () {
          yield* fleet.create("one")
          yield* fleet.begins("one")
          const services = yield* fleet.frontEnd
          const fiber = yield* Effect.fork(waitIn(services))
          yield* untilWaiting(fleet)
          fleet.proxy.on(events, dropBefore)
          yield* fleet.ends("one")
          yield* fleet.create("two")
          for (let count = 0; count < 30; count++) yield* fleet.turn("two")
          fleet.proxy.on(events, (forward) => forward)
          const { agents, done, note } = yield* Fiber.join(fiber)
          assert.deepStrictEqual([done, agents.map(({ name }) => name).toSorted()], [true, ["one", "two"]])
          assert.include(note, "More happened meanwhile than is kept")
        }),
      storesWith({ events: 20 })
    )
  )
})

describe("a journal that cannot be reached", () => {
  for (const [what, fault] of [
    ["before the request", dropBefore],
    ["after it", dropAfter],
    ["by an answer 503", answer(json(503, { message: "no" }))]
  ] as const) {
    it.live(`for a while, ${what}: what ended meanwhile is told, once`, () =>
      withJournalFleet((fleet) =>
        Effect.gen(function* () {
          for (const name of ["one", "two"]) {
            yield* fleet.create(name)
            yield* fleet.begins(name)
          }
          const services = yield* fleet.frontEnd
          const fiber = yield* Effect.fork(waitIn(services))
          yield* untilWaiting(fleet)
          fleet.proxy.on(events, fault, 12)
          yield* fleet.turn("one")
          const first = yield* Fiber.join(fiber)
          assert.deepStrictEqual(namesOf(first), ["one"])
          fleet.proxy.on(events, fault, 12)
          yield* fleet.ends("two")
          const second = yield* waitIn(services, { cursor: first.cursor })
          assert.deepStrictEqual([namesOf(second), second.note], [["two"], ""])
        })
      )
    )
  }

  it.live("from the beginning is told as such, and the cursor stays good", () =>
    withJournalFleet((fleet) =>
      Effect.gen(function* () {
        yield* fleet.create("one")
        yield* fleet.begins("one")
        const { cursor } = yield* waitOnce(fleet, { seconds: 1 })
        fleet.proxy.on(/./, dropBefore)
        const told = yield* waitOnce(fleet, { cursor, seconds: 1 })
        assert.deepStrictEqual([told.done, told.cursor], [false, cursor])
        assert.match(told.note, /not seen in time.*could not be seen/)
      })
    )
  )

  it.live("with a token that is not accepted fails at once", () =>
    withJournalFleet((fleet) => {
      fleet.proxy.on(/./, answer(json(401, { message: "no" })))
      return Effect.map(Effect.flip(waitOnce(fleet)), ({ _tag }) => assert.strictEqual(_tag, "CoderUnauthorized"))
    })
  )
})

it.live("nobody is asked any more when nobody waits", () =>
  withJournalFleet((fleet) =>
    Effect.gen(function* () {
      yield* fleet.create("one")
      yield* fleet.begins("one")
      const services = yield* fleet.frontEnd
      const scope = yield* Scope.make()
      const fibers = yield* Effect.forEach([1, 2, 3], () => Effect.forkIn(waitIn(services), scope))
      yield* untilWaiting(fleet)
      yield* Effect.forEach(fibers, Fiber.interrupt)
      const asked = fleet.proxy.received.length
      yield* fleet.turn("one")
      yield* Effect.sleep("100 millis")
      assert.lengthOf(fleet.proxy.received, asked)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(fleet.proxy.mutations, [])
    })
  )
)
