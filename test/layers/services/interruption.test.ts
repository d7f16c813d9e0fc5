import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, TestClock } from "effect"
import { AgentService } from "../../../src/layers/services/AgentService.ts"
import { TaskService } from "../../../src/layers/services/TaskService.ts"
import type { FleetServices } from "../../../src/layers/FleetMcp.ts"
import { begin, inFleet, makeFleet, type TestFleet } from "../../support/fleet.ts"
import { delayed, hangAfter } from "../../support/ScriptedCoder.ts"

// A caller that goes away: before anything was sent, nothing is sent; afterwards, what was sent is settled.

interface Mutation {
  readonly name: string
  readonly effect: Effect.Effect<unknown, unknown, FleetServices>
  readonly arrange: (fleet: TestFleet) => void
  /** Its first request that changes something. */
  readonly post: RegExp
  /** What makes the truth of one that was carried out. */
  readonly done: (fleet: TestFleet) => number
  /** A read that settles it, and looks before it. */
  readonly looks: RegExp
}

const mutations: ReadonlyArray<Mutation> = [
  {
    name: "create",
    effect: Effect.flatMap(AgentService, (agents) =>
      agents.create({ name: "bot-1", project: "claude-code", task: "x" })
    ),
    arrange: () => undefined,
    post: /^POST .*\/workspaces$/,
    done: ({ coder }) => coder.workspaces.length,
    looks: /workspace\/bot-1$/
  },
  {
    name: "delete",
    effect: Effect.flatMap(AgentService, (agents) => agents.delete("bot-1")),
    arrange: ({ coder }) => coder.add("bot-1"),
    post: /^POST .*\/builds$/,
    done: ({ coder }) => coder.transitions("bot-1").filter((one) => one === "delete").length,
    looks: /^GET .*workspaces\/workspace-1$/
  },
  {
    name: "start task",
    effect: Effect.flatMap(TaskService, (tasks) => tasks.start("bot-1", "x")),
    arrange: ({ coder }) => coder.add("bot-1"),
    post: /^POST .*\/message$/,
    done: ({ coder }) => coder.prompts("bot-1").length,
    looks: /^GET .*messages$/
  },
  {
    name: "cancel",
    effect: Effect.flatMap(TaskService, (tasks) => tasks.cancel("bot-1")),
    arrange: ({ coder }) => {
      coder.add("bot-1").agent.runningUntil = Infinity
    },
    post: /^POST .*\/message$/,
    done: ({ coder }) => coder.get("bot-1").agent.keys.length,
    looks: /^GET .*status$/
  },
  {
    name: "stop",
    effect: Effect.flatMap(AgentService, (agents) => agents.stop("bot-1")),
    arrange: ({ coder }) => coder.add("bot-1"),
    post: /^POST .*\/builds$/,
    done: ({ coder }) => coder.transitions("bot-1").length - 1,
    looks: /^GET .*workspaces\/workspace-1$/
  },
  {
    name: "restart",
    effect: Effect.flatMap(AgentService, (agents) => agents.restart("bot-1")),
    arrange: ({ coder }) => coder.add("bot-1"),
    post: /^POST .*\/builds$/,
    done: ({ coder }) => coder.transitions("bot-1").length - 1,
    looks: /^GET .*workspaces\/workspace-1$/
  }
]

/** Runs a mutation against a Coder that takes a second for each read, and interrupts it at a moment. */
const interruptedAt = (fleet: TestFleet, effect: Mutation["effect"], millis: number) =>
  Effect.gen(function* () {
    fleet.proxy.on(/^GET/, delayed("1 second"))
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust(millis)
    const interrupting = yield* Effect.fork(Fiber.interrupt(fiber))
    yield* TestClock.adjust(0)
    const sentBefore = fleet.proxy.mutations.length
    yield* TestClock.adjust("60 seconds")
    return { sentBefore, exit: yield* Fiber.join(interrupting) }
  })

describe.concurrent("interruption", () => {
  for (const { arrange, effect, name, post } of mutations) {
    it.effect(`${name}: cancelled at any moment before it was sent, it sends nothing`, () =>
      Effect.gen(function* () {
        let latest = 0
        for (let millis = 0; millis <= 6000; millis += 250) {
          const fleet = makeFleet()
          arrange(fleet)
          const { exit, sentBefore } = yield* inFleet(fleet, interruptedAt(fleet, effect, millis))
          if (sentBefore > 0) break
          latest = millis
          assert.deepStrictEqual(fleet.proxy.asked(post), [], `interrupted after ${millis} ms`)
          assert.isTrue(Exit.isInterrupted(exit))
        }
        assert.isAbove(latest, 500)
      })
    )
  }

  for (const { arrange, done, effect, name, post } of mutations) {
    it.effect(`${name}: cancelled after it was sent, it is settled: one POST for each step, and carried out`, () => {
      const fleet = makeFleet()
      arrange(fleet)
      let sentAt = Infinity
      fleet.proxy.on(post, (forward) => Effect.delay(forward, "2 seconds"))
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const fiber = yield* Effect.fork(effect)
          while (fleet.proxy.asked(post).length === 0) yield* TestClock.adjust(10)
          sentAt = fleet.proxy.received.length
          const interrupting = yield* Effect.fork(Fiber.interrupt(fiber))
          yield* TestClock.adjust("1 second")
          assert.isTrue(Option.isNone(yield* Fiber.poll(interrupting)), "it must not end before it is settled")
          yield* TestClock.adjust("60 seconds")
          yield* Fiber.join(interrupting)
          const steps = name === "restart" ? 2 : 1
          assert.strictEqual(done(fleet), steps)
          assert.strictEqual(fleet.proxy.asked(post).length, steps)
          if (name !== "create") assert.isAbove(fleet.proxy.received.length, sentAt)
        })
      )
    })
  }

  for (const { arrange, done, effect, looks, name, post } of mutations) {
    it.effect(`${name}: cancelled while its answer is lost, it is still looked up`, () => {
      const fleet = makeFleet()
      arrange(fleet)
      fleet.proxy.on(post, hangAfter, 1)
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const fiber = yield* Effect.fork(effect)
          while (fleet.proxy.asked(post).length === 0) yield* TestClock.adjust(10)
          const before = fleet.proxy.asked(looks).length
          const interrupting = yield* Effect.fork(Fiber.interrupt(fiber))
          yield* TestClock.adjust("60 seconds")
          yield* Fiber.join(interrupting)
          assert.isAtLeast(done(fleet), 1)
          assert.isAbove(fleet.proxy.asked(looks).length, before)
        })
      )
    })
  }

  it.effect("restart: cancelled while it waits for somebody's stop, it starts nothing", () => {
    const fleet = makeFleet()
    const row = fleet.coder.add("bot-1")
    fleet.coder.build(row, "stop", begin, { millis: 10_000 })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(Effect.flatMap(AgentService, (agents) => agents.restart("bot-1")))
        yield* TestClock.adjust("5 seconds")
        const interrupting = yield* Effect.fork(Fiber.interrupt(fiber))
        yield* TestClock.adjust(0)
        assert.isTrue(Option.isSome(yield* Fiber.poll(interrupting)))
        yield* TestClock.adjust("60 seconds")
        assert.deepStrictEqual(fleet.coder.transitions("bot-1"), ["start", "stop"])
      })
    )
  })

  it.effect("a list: ends at once, and its requests with it", () => {
    const fleet = makeFleet()
    let ended = 0
    fleet.proxy.on(/^GET/, () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => (ended += 1))))
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(Effect.flatMap(AgentService, (agents) => agents.list({})))
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(ended, 1)
      })
    )
  })
})
