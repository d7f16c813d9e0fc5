import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, FastCheck, TestClock } from "effect"
import { WaitService } from "../../../src/layers/services/WaitService.ts"
import { WaitTime } from "../../../src/layers/services/wait/WaitTime.ts"
import { begin, inFleet, makeFleet, type TestFleet } from "../../support/fleet.ts"

// Random turns of agents, and clients that wait with the cursors they were given, with pauses. Held against what the
// agents did: no end is told that was none, none twice to one client, and none is missed. As many as WAIT_STORIES says.

interface Story {
  /** Of each agent: how long it is idle and how long it works, in turns (seconds). */
  readonly turns: ReadonlyArray<ReadonlyArray<readonly [idle: number, work: number]>>
  /** Of each client: how long it waits, and how long it is away until the next wait (seconds). */
  readonly clients: ReadonlyArray<ReadonlyArray<readonly [patience: number, away: number]>>
  readonly reporting: boolean
}

const pair = (most: number) =>
  FastCheck.tuple(FastCheck.integer({ min: 1, max: most }), FastCheck.integer({ min: 1, max: most }))

const story: FastCheck.Arbitrary<Story> = FastCheck.record({
  turns: FastCheck.array(FastCheck.array(pair(40), { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 }),
  clients: FastCheck.array(FastCheck.array(pair(30), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 }),
  reporting: FastCheck.boolean()
})

const name = (index: number) => `bot-${index}`

/** An agent lives: what it does goes into its conversation, and into reports. Answers when its turns began and ended. */
const live = ({ coder }: TestFleet, index: number, { reporting, turns }: Story) =>
  Effect.gen(function* () {
    const row = coder.get(name(index))
    const ends: Array<number> = []
    for (const [idle, work] of turns[index] ?? []) {
      yield* Effect.sleep(Duration.seconds(idle))
      const at = yield* Clock.currentTimeMillis
      const id = row.agent.messages.length
      row.agent.messages.push({ id, role: "user", content: "work", time: "" })
      row.agent.messages.push({ id: id + 1, role: "agent", content: "", time: "" })
      row.agent.runningUntil = Infinity
      if (reporting) row.reports.push({ state: "working", message: "work", at })
      yield* Effect.sleep(Duration.seconds(work))
      const end = yield* Clock.currentTimeMillis
      row.agent.runningUntil = end
      if (reporting) row.reports.push({ state: "idle", message: "done", at: end })
      ends.push(end)
    }
    return ends
  })

interface Told {
  readonly agent: string
  readonly at: number
}

const week = Duration.days(7)

/** A client waits and is away in turn, until all is quiet; answers what it was told. */
const follow = (client: Story["clients"][number], quietAt: number) =>
  Effect.gen(function* () {
    const { wait } = yield* WaitService
    const told: Array<Told> = []
    let cursor: string | undefined
    for (let number = 0; ; number++) {
      const [patience = 1, away = 1] = client[number % client.length] ?? []
      const began = yield* Clock.currentTimeMillis
      const answer = yield* wait({ until: "idle", mode: "any", cursor, seconds: Math.max(5, patience) })
      cursor = answer.cursor
      assert.strictEqual(answer.note, "")
      const at = yield* Clock.currentTimeMillis
      if (answer.done) told.push(...answer.agents.map(({ name: agent }) => ({ agent, at })))
      else if (began > quietAt) return told
      yield* Effect.sleep(Duration.seconds(away))
    }
  }).pipe(Effect.provideService(WaitTime, { usual: week, most: week }))

describe("waits over random lives of agents", () => {
  const stories = FastCheck.sample(story, { numRuns: Number(process.env["WAIT_STORIES"] ?? 8), seed: 20_261_128 })
  it.effect.each(stories.map((each, index) => [index, each] as const))(
    "%i: nothing missed, nothing told twice",
    ([, each]) => {
      const fleet = makeFleet()
      for (const index of each.turns.keys()) fleet.coder.add(name(index))
      const length = Math.max(...each.turns.map((turns) => turns.flat().reduce((a, b) => a + b, 0)))
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const quietAt = begin + (length + 20) * 1000
          const lives = yield* Effect.fork(
            Effect.all(
              each.turns.map((_, index) => live(fleet, index, each)),
              { concurrency: "unbounded" }
            )
          )
          const clients = yield* Effect.fork(
            Effect.all(
              each.clients.map((client) => follow(client, quietAt)),
              { concurrency: "unbounded" }
            )
          )
          for (let second = 0; second < length + 120; second += 2) yield* TestClock.adjust("2 seconds")
          const [ends, all] = yield* Effect.all([lives.await, clients.await])
          for (const told of yield* all) {
            for (const [index, endings] of (yield* ends).entries()) {
              const tellings = told.filter(({ agent }) => agent === name(index)).map(({ at }) => at)
              // The first one may tell that it is idle from the beginning.
              const times = [begin, ...endings]
              for (const [number, at] of tellings.entries()) {
                const since = tellings[number - 1] ?? -Infinity
                assert(
                  times.some((end) => end <= at && end > since - 8000),
                  `told of ${name(index)} at ${at} without an end since ${since}`
                )
              }
              assert.isAtMost(tellings.length, times.length, "told twice")
              assert(
                tellings.some((at) => at >= (endings.at(-1) ?? 0)),
                `the last end of ${name(index)} was missed`
              )
            }
          }
        })
      )
    },
    60_000
  )
})
