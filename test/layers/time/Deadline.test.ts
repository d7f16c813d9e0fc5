import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Option, TestClock } from "effect"
import { lastLook, lookUntil, mutation, remaining, within, TimeLimits } from "../../../src/layers/time/Deadline.ts"
import { CoderHttpLimits } from "../../../src/layers/clients/CoderHttp.ts"
import { ReadRetry } from "../../../src/layers/clients/RetryPolicy.ts"
import { elapse } from "../../support/fleet.ts"
import { LookLimits } from "../../../src/layers/repositories/AgentLook.ts"
import { ListLimits } from "../../../src/layers/repositories/AgentRepository.ts"
import { TaskLimits } from "../../../src/layers/services/TaskLimits.ts"
import { longestMessage } from "../../../src/layers/transports/stdio/StdioTransport.ts"
const tasks = TaskLimits.defaultValue()
const looks = LookLimits.defaultValue()

const times = TimeLimits.defaultValue()
const http = CoderHttpLimits.defaultValue()
const retry = ReadRetry.defaultValue()

const seconds = Duration.seconds
const late = () => "late" as const

describe("remaining", () => {
  it.effect("is infinite outside of a call", () =>
    Effect.map(remaining, (left) => assert.isFalse(Duration.isFinite(left)))
  )

  it.effect("shrinks with the time, to nothing", () =>
    Effect.gen(function* () {
      const left = Effect.map(remaining, Duration.toMillis)
      const inside = Effect.gen(function* () {
        const first = yield* left
        yield* Effect.sleep("3 seconds")
        return [first, yield* left]
      })
      const { exit } = yield* elapse(inside.pipe(within(seconds(10), late)))
      assert.deepStrictEqual(yield* exit, [10_000, 7000])
    })
  )
})

describe("within", () => {
  it.effect("ends at its time, and interrupts what is beneath", () => {
    let interrupted = false
    const hanging = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (interrupted = true)))
    return Effect.gen(function* () {
      const { exit, took } = yield* elapse(hanging.pipe(within(seconds(5), late), Effect.flip))
      assert.strictEqual(yield* exit, "late")
      assert.strictEqual(took, 5000)
      assert.isTrue(interrupted)
    })
  })

  it.effect("the nearer of two deadlines is in force", () =>
    Effect.gen(function* () {
      const inner = remaining.pipe(within(seconds(60), late), within(seconds(2), late))
      assert.strictEqual(Duration.toMillis(yield* inner), 2000)
      const outer = remaining.pipe(within(seconds(2), late), within(seconds(60), late))
      assert.strictEqual(Duration.toMillis(yield* outer), 2000)
      const { took } = yield* elapse(
        Effect.exit(Effect.never.pipe(within(seconds(60), late), within(seconds(2), late)))
      )
      assert.strictEqual(took, 2000)
    })
  )
})

describe("mutation", () => {
  const interruptedAfter = <A, E>(effect: Effect.Effect<A, E>, time: Duration.DurationInput) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(effect)
      yield* TestClock.adjust(time)
      const interrupting = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* TestClock.adjust(0)
      return interrupting
    })

  it.effect("is not interrupted by its caller, however deep in timeouts it stands", () => {
    let done = false
    const work = Effect.zipRight(
      Effect.sleep("5 seconds"),
      Effect.sync(() => (done = true))
    )
    return Effect.gen(function* () {
      const call = work.pipe(
        within(seconds(20), late),
        mutation(seconds(30), late),
        Effect.zipRight(Effect.die("an interruption takes effect afterwards")),
        within(seconds(45), late),
        within(seconds(50), late)
      )
      const interrupting = yield* interruptedAfter(call, "1 second")
      assert.isTrue(Option.isNone(yield* Fiber.poll(interrupting)))
      yield* TestClock.adjust("5 seconds")
      const exit = yield* Fiber.join(interrupting)
      assert.isTrue(done)
      assert.isTrue(Exit.isInterrupted(exit))
    })
  })

  it.effect("ends with its own time, and with the deadline around it", () =>
    Effect.gen(function* () {
      const own = yield* elapse(Effect.flip(Effect.never.pipe(mutation(seconds(3), late))))
      assert.deepStrictEqual([yield* own.exit, own.took], ["late", 3000])
      const outer = yield* elapse(
        Effect.flip(
          Effect.never.pipe(
            mutation(seconds(30), late),
            within(seconds(2), () => "outer" as const)
          )
        )
      )
      assert.strictEqual(outer.took, 2000)
    })
  )

  it.effect("gives its result, its failure and its defects", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Effect.succeed(7).pipe(mutation(seconds(1), late)), 7)
      assert.strictEqual(yield* Effect.flip(Effect.fail("no").pipe(mutation(seconds(1), late))), "no")
      const exit = yield* Effect.exit(Effect.die("bug").pipe(mutation(seconds(1), late)))
      assert.isTrue(Exit.isFailure(exit) && exit.cause._tag === "Die")
    })
  )
})

describe("lookUntil", () => {
  it.effect("looks at once, then at every interval, until it sees", () => {
    let looks = 0
    const look = Effect.sync(() => (++looks === 5 ? Option.some(looks) : Option.none()))
    return Effect.gen(function* () {
      const { exit, took } = yield* elapse(lookUntil(seconds(10), look))
      assert.deepStrictEqual([yield* exit, took], [Option.some(5), 4 * Duration.toMillis(times.poll)])
    })
  })

  it.effect("ends at its time, in the middle of a look too", () =>
    Effect.gen(function* () {
      for (const look of [Effect.succeedNone, Effect.never]) {
        const { exit, took } = yield* elapse(lookUntil(seconds(3), look))
        assert.deepStrictEqual([yield* exit, took], [Option.none(), 3000])
      }
    })
  )

  it.effect("fails as a look fails", () =>
    Effect.map(Effect.flip(lookUntil(seconds(3), Effect.fail("no"))), (error) => assert.strictEqual(error, "no"))
  )
})

describe("lastLook", () => {
  it.effect("neither fails nor hangs", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Effect.succeed(1).pipe(lastLook(() => 2)), 1)
      assert.strictEqual(yield* Effect.fail("no").pipe(lastLook(() => 2)), 2)
      const hanging = yield* elapse(Effect.never.pipe(lastLook(() => 2)))
      assert.deepStrictEqual([yield* hanging.exit, hanging.took], [2, Duration.toMillis(times.settle)])
      const near = yield* elapse(
        Effect.never.pipe(
          lastLook(() => 2),
          within(seconds(2), late)
        )
      )
      assert.deepStrictEqual([yield* near.exit, near.took], [2, 1000])
    })
  )
})

describe("Limits", () => {
  const millis = (duration: Duration.Duration) => Duration.toMillis(duration)

  it("are those that the design names", () => {
    assert.strictEqual(millis(times.read), 30_000)
    assert.strictEqual(millis(times.change), 45_000)
    assert.strictEqual(retry.attempts, 3)
    assert.deepStrictEqual(http.answerSize, { one: 2 * 1024 * 1024, many: 16 * 1024 * 1024 })
    assert.strictEqual(ListLimits.defaultValue().pageSize, 100)
    assert.strictEqual(looks.listConcurrency, 16)
    assert.strictEqual(millis(looks.listAll), 1500)
    assert.strictEqual(millis(tasks.cancel), 10_000)
  })

  it("fit into each other", () => {
    assert.isAtMost(millis(times.change), 45_000)
    for (const wait of [tasks.cancel, http.answerTime.terminal]) {
      assert.isAtMost(millis(wait) + millis(times.settle), millis(times.change))
    }
    assert.isBelow(millis(http.answerTime.server), millis(times.read))
    assert.isBelow(millis(looks.listAll), millis(http.answerTime.server))
    assert.isBelow(millis(retry.firstPause), millis(retry.longestPause))
    assert.isBelow(millis(times.poll), millis(times.settle))
    // The largest task, escaped six bytes a byte, still fits a line on stdin and a body.
    assert.isBelow(tasks.bytes * 6, longestMessage)
    assert.isBelow(tasks.bytes * 6, http.answerSize.one)
  })
})
