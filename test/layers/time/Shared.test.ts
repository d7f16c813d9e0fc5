import { assert, describe, it } from "@effect/vitest"
import { Data, Deferred, Duration, Effect, Exit, FastCheck, Fiber, Option, TestClock } from "effect"
import { remaining, within } from "../../../src/layers/time/Deadline.ts"
import { once, shared } from "../../../src/layers/time/Shared.ts"

class Failed extends Data.TaggedError("Failed")<{ readonly run: string }> {}
class Late extends Data.TaggedError("Late")<{ readonly key: number }> {}
class Over extends Data.TaggedError("Over") {}

type Ending = "success" | "failure" | "defect"

type Step =
  | { readonly _: "call"; readonly key: number; readonly within: number | null }
  | { readonly _: "cancel"; readonly caller: number }
  | { readonly _: "end"; readonly key: number; readonly ending: Ending }
  | { readonly _: "pass"; readonly time: number }

const key = FastCheck.nat(2)
const step: FastCheck.Arbitrary<Step> = FastCheck.oneof(
  {
    arbitrary: FastCheck.record({
      _: FastCheck.constant("call" as const),
      key,
      // Never at the same moment as the end of a lookup.
      within: FastCheck.option(FastCheck.nat(15).map((time) => time * 100 + 50))
    }),
    weight: 3
  },
  { arbitrary: FastCheck.record({ _: FastCheck.constant("cancel" as const), caller: FastCheck.nat(9) }), weight: 2 },
  {
    arbitrary: FastCheck.record({
      _: FastCheck.constant("end" as const),
      key,
      ending: FastCheck.constantFrom<Ending>("success", "failure", "defect")
    }),
    weight: 2
  },
  {
    arbitrary: FastCheck.record({
      _: FastCheck.constant("pass" as const),
      time: FastCheck.nat(6).map((time) => time * 100)
    }),
    weight: 1
  }
)

const own = 1000
const capacity = 2

/** What each caller should come to, and which lookups should run, by the same steps and no concurrency at all. */
class Expected {
  readonly outcomes: Array<string | undefined> = []
  readonly runs: Array<string> = []
  #now = 0
  readonly #waiting = new Map<number, { readonly key: number; readonly until: number }>()
  readonly #running = new Map<number, { readonly run: string; readonly until: number }>()
  #kept: ReadonlyArray<readonly [key: number, run: string]> = []

  call(wanted: number, time: number | null) {
    const caller = this.outcomes.push(undefined) - 1
    const kept = this.#kept.find(([one]) => one === wanted)
    if (kept !== undefined) {
      this.#keep(wanted, kept[1])
      this.outcomes[caller] = `success ${kept[1]}`
      return
    }
    if (!this.#running.has(wanted)) {
      const run = `${wanted}/${this.runs.length}`
      this.runs.push(run)
      this.#running.set(wanted, { run, until: this.#now + own })
    }
    this.#waiting.set(caller, { key: wanted, until: this.#now + (time ?? Infinity) })
  }

  cancel(caller: number) {
    if (this.#waiting.delete(caller)) this.outcomes[caller] = "interrupted"
  }

  end(of: number, ending: Ending | "late") {
    const running = this.#running.get(of)
    if (running === undefined) return
    this.#running.delete(of)
    if (ending === "success") this.#keep(of, running.run)
    for (const [caller, { key: wanted }] of this.#waiting) {
      if (wanted === of) this.#ends(caller, ending === "late" ? `late ${of}` : `${ending} ${running.run}`)
    }
  }

  pass(time: number) {
    for (const end = this.#now + time; this.#now < end; this.#now += 50) {
      const at = this.#now + 50
      for (const [caller, { until }] of this.#waiting) if (until === at) this.#ends(caller, "deadline")
      for (const [of, { until }] of this.#running) if (until === at) this.end(of, "late")
    }
  }

  #ends(caller: number, outcome: string) {
    this.#waiting.delete(caller)
    this.outcomes[caller] = outcome
  }

  #keep(wanted: number, run: string) {
    this.#kept = [...this.#kept.filter(([one]) => one !== wanted), [wanted, run] as const].slice(-capacity)
  }
}

const outcomeOf = (exit: Exit.Exit<string, Failed | Late | Over>): string =>
  Exit.match(exit, {
    onSuccess: (run) => `success ${run}`,
    onFailure: (cause) => {
      if (cause._tag === "Die") return `defect ${String(cause.defect)}`
      if (cause._tag !== "Fail") return "interrupted"
      const { error } = cause
      switch (error._tag) {
        case "Failed":
          return `failure ${error.run}`
        case "Late":
          return `late ${error.key}`
        case "Over":
          return "deadline"
      }
    }
  })

/** Runs the steps, and compares after each. */
const follow = (steps: ReadonlyArray<Step>) =>
  Effect.gen(function* () {
    const expected = new Expected()
    const runs: Array<string> = []
    const running = new Map<number, { readonly run: string; readonly end: Deferred.Deferred<string, Failed> }>()
    const get = yield* shared({
      capacity,
      time: Duration.millis(own),
      onTimeout: (of) => new Late({ key: of }),
      lookup: (of: number): Effect.Effect<string, Failed | Late> =>
        Effect.gen(function* () {
          assert.strictEqual(Duration.toMillis(yield* remaining), own)
          assert.isFalse(running.has(of))
          const run = `${of}/${runs.length}`
          runs.push(run)
          const end = yield* Deferred.make<string, Failed>()
          running.set(of, { run, end })
          return yield* Effect.ensuring(
            Deferred.await(end),
            Effect.sync(() => running.delete(of))
          )
        })
    })
    const callers: Array<Fiber.RuntimeFiber<string, Failed | Late | Over>> = []

    for (const one of steps) {
      switch (one._) {
        case "call": {
          expected.call(one.key, one.within)
          const call = get(one.key)
          callers.push(
            yield* Effect.fork(one.within === null ? call : within(Duration.millis(one.within), () => new Over())(call))
          )
          break
        }
        case "cancel": {
          const caller = callers[one.caller]
          expected.cancel(one.caller)
          if (caller !== undefined) yield* Fiber.interrupt(caller)
          break
        }
        case "end": {
          expected.end(one.key, one.ending)
          const found = running.get(one.key)
          if (found === undefined) break
          const { end, run } = found
          if (one.ending === "success") yield* Deferred.succeed(end, run)
          else yield* one.ending === "failure" ? Deferred.fail(end, new Failed({ run })) : Deferred.die(end, run)
          break
        }
        case "pass":
          expected.pass(one.time)
          yield* TestClock.adjust(one.time)
      }
      // Everything that can go on without the clock does.
      yield* TestClock.adjust(0)
      const ends = yield* Effect.forEach(callers, Fiber.poll)
      assert.deepStrictEqual(
        ends.map((end) => Option.getOrUndefined(Option.map(end, outcomeOf))),
        expected.outcomes
      )
      assert.deepStrictEqual(runs, expected.runs)
    }
  }).pipe(Effect.scoped)

describe("shared work", () => {
  it.effect.prop(
    "gives each caller its own outcome, whoever else comes, goes or fails; one run a key at a time",
    [FastCheck.array(step, { maxLength: 30 })],
    ([steps]) => follow(steps),
    { fastCheck: { numRuns: 100 } }
  )

  it.effect("goes on for the others when the first caller is cancelled", () =>
    follow([
      { _: "call", key: 0, within: null },
      { _: "call", key: 0, within: null },
      { _: "cancel", caller: 0 },
      { _: "end", key: 0, ending: "success" },
      { _: "call", key: 0, within: 50 }
    ])
  )

  it.effect("is not bounded by the first caller's deadline", () =>
    follow([
      { _: "call", key: 0, within: 50 },
      { _: "call", key: 0, within: null },
      { _: "pass", time: 600 },
      { _: "end", key: 0, ending: "success" }
    ])
  )

  it.effect("runs to its end when all callers are gone", () =>
    follow([
      { _: "call", key: 0, within: null },
      { _: "cancel", caller: 0 },
      { _: "end", key: 0, ending: "success" },
      { _: "call", key: 0, within: null }
    ])
  )

  it.effect("ends with its scope", () =>
    Effect.gen(function* () {
      let interrupted = false
      const hanging = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (interrupted = true)))
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Effect.fork(yield* once(hanging))
          yield* TestClock.adjust(0)
        })
      )
      assert.isTrue(interrupted)
    })
  )
})

describe("what is done once", () => {
  it.effect("is done when it is first wanted, and again where it failed", () =>
    Effect.gen(function* () {
      let runs = 0
      const get = yield* once(
        Effect.suspend(() => ((runs += 1) === 1 ? Effect.fail(new Failed({ run: "1" })) : Effect.succeed(runs)))
      )
      assert.strictEqual(runs, 0)
      assert.deepStrictEqual(yield* Effect.flip(get), new Failed({ run: "1" }))
      assert.deepStrictEqual(yield* Effect.all([get, get], { concurrency: 2 }), [2, 2])
      assert.strictEqual(yield* get, 2)
    }).pipe(Effect.scoped)
  )
})
