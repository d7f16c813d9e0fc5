import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Scope, TestClock } from "effect"
import { served } from "../../src/commands/Serving.ts"
import { starting, StartLimit } from "../../src/commands/Starting.ts"
import { Backend } from "../../src/layers/config/Backend.ts"
import { once } from "../../src/layers/time/Shared.ts"

const held = (log: Array<string>, name: string) =>
  Effect.acquireRelease(
    Effect.sync(() => void log.push(`${name} made`)),
    () => Effect.sync(() => void log.push(`${name} released`))
  )

describe("the start of a fleet", () => {
  it.scoped("one that fails releases what it had, before its error is told; one that succeeds keeps it", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const fleet = yield* Scope.make()
      let attempt = 0
      const start = starting(
        Effect.gen(function* () {
          attempt += 1
          yield* held(log, `${attempt}`)
          if (attempt === 1) return yield* Effect.fail("no")
          return attempt
        })
      )
      const ready = yield* once(Scope.extend(start, fleet))
      assert.strictEqual(yield* Effect.flip(ready), "no")
      assert.deepStrictEqual(log, ["1 made", "1 released"])
      assert.deepStrictEqual([yield* ready, yield* ready], [2, 2])
      assert.deepStrictEqual(log, ["1 made", "1 released", "2 made"])
      yield* Scope.close(fleet, Exit.void)
      assert.deepStrictEqual(log, ["1 made", "1 released", "2 made", "2 released"])
    })
  )

  it.scoped("one that hangs ends with its limit, even in an acquisition, which is released once it is done", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const hanging = yield* Deferred.make<void>()
      const released = yield* Deferred.make<void>()
      const late = Effect.acquireRelease(Deferred.await(hanging), () => Deferred.succeed(released, undefined))
      const start = yield* Effect.fork(starting(Effect.zipRight(held(log, "first"), late)))
      yield* TestClock.adjust(Duration.seconds(19))
      assert.isTrue((yield* Fiber.poll(start))._tag === "None")
      yield* TestClock.adjust(Duration.seconds(1))
      const error = yield* Effect.flip(Fiber.join(start))
      assert.include(error.message, "did not start within 20 s")
      assert.deepStrictEqual(log, ["first made", "first released"])
      yield* Deferred.succeed(hanging, undefined)
      yield* Deferred.await(released)
    })
  )

  it.scoped("the services of a server start within it", () =>
    Effect.gen(function* () {
      const servicesOf = (backend: Backend) =>
        served({ backend, readOnly: undefined, supervised: false, waitSeconds: undefined }, {}).services
      const none = yield* Effect.flip(servicesOf(Backend.Incomplete({ problem: "none.", remedy: "Set it." })))
      assert.strictEqual(none.message, "none. Set it.")
      const local = servicesOf(Backend.Local({ byDefault: false }))
      const start = yield* Effect.fork(Effect.provideService(local, StartLimit, Duration.zero))
      yield* TestClock.adjust(Duration.zero)
      assert.include((yield* Effect.flip(Fiber.join(start))).message, "did not start within 0 s")
    })
  )
})
