import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Either, Exit, TestClock } from "effect"
import { AgentService } from "../../../src/layers/services/AgentService.ts"
import { TimeLimits } from "../../../src/layers/time/Deadline.ts"
import type { FleetError } from "../../../src/schemas/errors/FleetError.ts"
import { answerScreen } from "../../support/CoderModel.ts"
import { begin, elapse, failure, inFleet, makeFleet, settle } from "../../support/fleet.ts"
import {
  answer,
  dropAfter,
  dropBefore,
  hangAfter,
  hangBefore,
  json,
  processedLate
} from "../../support/ScriptedCoder.ts"

const remove = Effect.flatMap(AgentService, (agents) => agents.delete("bot-1"))
const restart = Effect.flatMap(AgentService, (agents) => agents.restart("bot-1"))
const stop = Effect.flatMap(AgentService, (agents) => agents.stop("bot-1"))
const builds = /^POST .*\/builds$/

const fleetWith = (model: Parameters<typeof makeFleet>[0] = {}, options = {}) => {
  const fleet = makeFleet(model, options)
  fleet.coder.add("bot-1")
  return fleet
}

describe.concurrent("delete", () => {
  it.effect("waits for the build and quotes its last lines", () => {
    const fleet = fleetWith()
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { build_log, outcome } = yield* settle(remove)
        assert.strictEqual(outcome, "applied")
        assert.deepStrictEqual(build_log, ["Setting up", "doing delete"])
        assert.deepStrictEqual(fleet.coder.transitions("bot-1"), ["start", "delete"])
        assert.strictEqual(fleet.proxy.mutations.length, 1)
        assert.strictEqual((yield* failure(remove))._tag, "AgentNotFound")
      })
    )
  })

  it.effect("waits at most 10 s, and says how far it came", () => {
    const fleet = fleetWith({ buildMillis: { delete: 60_000 } })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { exit, took } = yield* elapse(remove)
        const { message, next, outcome } = yield* exit
        assert.isAtMost(took, 10_000)
        assert.strictEqual(outcome, "unknown")
        assert.include(message, "deleting")
        assert.deepStrictEqual(next, ["wait"])
      })
    )
  })

  it.effect("waits at most 10 s for a Coder that falls silent, too", () => {
    const fleet = fleetWith()
    fleet.proxy.on(builds, (forward) => {
      fleet.proxy.on(/^GET .*workspacebuilds/, hangBefore)
      return forward
    })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { exit, took } = yield* elapse(remove)
        assert.strictEqual((yield* exit).outcome, "unknown")
        assert.isAtMost(took, 18_000)
      })
    )
  })

  it.effect("says deleted where only the log is missing", () => {
    const fleet = fleetWith()
    fleet.proxy.on(/logs$/, hangBefore)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { build_log, outcome } = yield* settle(remove)
        assert.deepStrictEqual([outcome, build_log], ["applied", []])
      })
    )
  })

  for (const result of ["failed", "canceled"] as const) {
    it.effect(`a ${result} delete is an error with the build's reason and lines`, () => {
      const fleet = fleetWith({ results: { delete: result } })
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const error = yield* failure(remove)
          assert.strictEqual(error._tag, "BuildFailed")
          assert.strictEqual(error.outcome, "applied")
          assert.include(error.message, `delete build 2 of "bot-1" ended as ${result}`)
          if (result === "failed") assert.include(error.message, "Error: no capacity")
        })
      )
    })
  }

  it.effect("a build in the way is named", () => {
    const fleet = fleetWith()
    fleet.coder.build(fleet.coder.get("bot-1"), "stop", begin, { millis: Infinity })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const error = yield* failure(remove)
        assert.strictEqual(error._tag, "BuildInTheWay")
        assert.include(error.message, "Build 2")
        assert.include(error.message, "stop, stopping")
        assert.deepStrictEqual(fleet.coder.transitions("bot-1"), ["start", "stop"])
      })
    )
  })

  it.effect("a failed delete can be tried again", () => {
    const fleet = fleetWith()
    fleet.coder.build(fleet.coder.get("bot-1"), "delete", begin - 5000, { result: "failed" })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        assert.strictEqual((yield* settle(remove)).outcome, "applied")
        assert.deepStrictEqual(fleet.coder.transitions("bot-1"), ["start", "delete", "delete"])
      })
    )
  })

  it.effect("somebody else deletes it in between: deleted is deleted", () => {
    const fleet = fleetWith()
    fleet.proxy.on(builds, (forward) => {
      fleet.coder.build(fleet.coder.get("bot-1"), "delete", begin, { millis: 0 })
      return forward
    })
    return inFleet(
      fleet,
      Effect.map(settle(remove), ({ outcome }) => assert.strictEqual(outcome, "applied"))
    )
  })

  it.effect("refused by Coder: nothing changed", () => {
    const fleet = fleetWith()
    fleet.proxy.on(builds, answer(json(403, { message: "You do not have permission to delete this workspace." })))
    return inFleet(
      fleet,
      Effect.gen(function* () {
        assert.strictEqual((yield* failure(remove))._tag, "CoderForbidden")
        assert.deepStrictEqual(fleet.coder.transitions("bot-1"), ["start"])
      })
    )
  })
})

describe.concurrent("stop", () => {
  it.effect("waits for its one build, keeps the workspace, and a restart starts it again", () => {
    const fleet = fleetWith({ buildMillis: { stop: 20_000 } })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { agent, build_log, message, next, outcome } = yield* settle(stop)
        assert.deepStrictEqual([outcome, agent.status, next], ["applied", "stopped", ["restart_agent"]])
        assert.deepStrictEqual(build_log, ["Setting up", "doing stop"])
        assert.include(message, "build 2")
        assert.strictEqual(fleet.proxy.mutations.length, 1)
        const started = yield* settle(restart)
        assert.deepStrictEqual([started.outcome, started.agent.status], ["applied", "idle"])
        assert.strictEqual(started.agent.workspace_id, agent.workspace_id)
        assert.deepStrictEqual(fleet.coder.transitions("bot-1"), ["start", "stop", "start"])
      })
    )
  })

  it.effect("of a stopped agent sends nothing, and says so", () => {
    const fleet = fleetWith()
    fleet.coder.build(fleet.coder.get("bot-1"), "stop", begin - 5000)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const error = yield* failure(stop)
        assert.deepStrictEqual([error._tag, error.outcome], ["AgentNotRunning", "not_applied"])
        assert.include(error.message, "stopped already (build 2)")
        assert.deepStrictEqual(fleet.proxy.mutations, [])
      })
    )
  })

  it.effect("waits for somebody's stop at work, and sends another only where that failed", () => {
    const ends = (result: "succeeded" | "failed") => {
      const fleet = fleetWith()
      fleet.coder.build(fleet.coder.get("bot-1"), "stop", begin - 500, { millis: 5000, result })
      return inFleet(
        fleet,
        Effect.map(Effect.either(settle(stop)), (end) => ({ end, sent: fleet.proxy.mutations.length }))
      )
    }
    return Effect.gen(function* () {
      const succeeded = yield* ends("succeeded")
      assert.deepStrictEqual([Either.isLeft(succeeded.end), succeeded.sent], [true, 0])
      const failed = yield* ends("failed")
      assert.deepStrictEqual([Either.isRight(failed.end), failed.sent], [true, 1])
    })
  })

  it.effect("two at once: the other one waits for the stop, and is told that it is stopped", () => {
    const fleet = fleetWith({ buildMillis: { stop: 10_000 } })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const ended = yield* settle(Effect.all([Effect.either(stop), Effect.either(stop)], { concurrency: 2 }))
        assert.sameMembers(
          ended.map((one) => (Either.isLeft(one) ? one.left._tag : one.right.outcome)),
          ["applied", "AgentNotRunning"]
        )
        assert.deepStrictEqual(fleet.coder.transitions("bot-1"), ["start", "stop"])
      })
    )
  })

  for (const transition of ["start", "stop", "delete"] as const) {
    it.effect(`a ${transition} build that stays in the way: nothing sent`, () => {
      const fleet = fleetWith()
      fleet.coder.build(fleet.coder.get("bot-1"), transition, begin, { millis: Infinity })
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const error = yield* failure(stop)
          assert.deepStrictEqual([error._tag, error.outcome], ["BuildInTheWay", "not_applied"])
          assert.deepStrictEqual(fleet.proxy.mutations, [])
        })
      )
    })
  }

  for (const before of ["failed", "canceled"] as const) {
    it.effect(`after a ${before} start: stops what it left`, () => {
      const fleet = fleetWith()
      fleet.coder.build(fleet.coder.get("bot-1"), "start", begin - 5000, { result: before })
      return inFleet(
        fleet,
        Effect.map(settle(stop), ({ outcome }) => assert.strictEqual(outcome, "applied"))
      )
    })
    it.effect(`a ${before} stop is an error with the build's reason, and no stop`, () => {
      const fleet = fleetWith({ results: { stop: before } })
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const error = yield* failure(stop)
          assert.deepStrictEqual([error._tag, error.outcome], ["BuildFailed", "applied"])
          assert.include(error.message, `stop build 2 of "bot-1" ended as ${before}`)
        })
      )
    })
  }

  it.effect("that hangs is told as not over, within the deadline", () => {
    const fleet = fleetWith({ buildMillis: { stop: Infinity } })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { exit, took } = yield* elapse(stop)
        const { message, next, outcome } = yield* exit
        assert.isAtMost(took, 45_000)
        assert.deepStrictEqual([outcome, next], ["unknown", ["wait"]])
        assert.include(message, "still stopping")
      })
    )
  })

  it.effect("that is lost is unknown, and not sent again", () => {
    const fleet = fleetWith()
    fleet.proxy.on(builds, dropBefore)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { message, next, outcome } = yield* settle(stop)
        assert.deepStrictEqual([outcome, next], ["unknown", ["look_at_agent"]])
        assert.include(message, "whether the stop began")
        assert.lengthOf(fleet.proxy.asked(builds), 1)
      })
    )
  })
})

describe.concurrent("restart", () => {
  it.effect("stops, waits, starts and waits", () => {
    const fleet = fleetWith({ buildMillis: { stop: 3000, start: 4000 } })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { exit, took } = yield* elapse(restart)
        const { agent, message, outcome } = yield* exit
        assert.strictEqual(outcome, "applied")
        assert.include(message, "The agent was stopped and started (build 3 is running)")
        assert.strictEqual(agent.status, "idle")
        assert.deepStrictEqual(fleet.coder.transitions("bot-1"), ["start", "stop", "start"])
        assert.isAtLeast(took, 7000)
        assert.isAtMost(took, 9000)
        const [, stop, start] = fleet.coder.get("bot-1").builds
        assert.isAtLeast(start?.created ?? 0, (stop?.created ?? 0) + 3000)
      })
    )
  })

  it.effect("the first prompt is not sent again", () => {
    const fleet = fleetWith()
    return inFleet(
      fleet,
      Effect.gen(function* () {
        yield* settle(restart)
        assert.isTrue(
          fleet.proxy.received
            .filter(({ method }) => method === "POST")
            .every(({ body }) => JSON.stringify(Object.keys(body as object)) === '["transition"]')
        )
        assert.deepStrictEqual(fleet.coder.prompts("bot-1"), [])
      })
    )
  })

  it.effect("starts a stopped agent, without another stop", () => {
    const fleet = fleetWith()
    fleet.coder.build(fleet.coder.get("bot-1"), "stop", begin - 5000)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { message, outcome } = yield* settle(restart)
        assert.strictEqual(outcome, "applied")
        assert.include(message, "The agent was started (build 3")
        assert.deepStrictEqual(fleet.coder.transitions("bot-1"), ["start", "stop", "start"])
      })
    )
  })

  it.effect("goes on with a stop at work", () => {
    const fleet = fleetWith()
    fleet.coder.build(fleet.coder.get("bot-1"), "stop", begin - 500, { millis: 5000 })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        assert.strictEqual((yield* settle(restart)).outcome, "applied")
        assert.deepStrictEqual(fleet.coder.transitions("bot-1"), ["start", "stop", "start"])
      })
    )
  })

  for (const [what, transition, result] of [
    ["a failed start", "start", "failed"],
    ["a canceled start", "start", "canceled"],
    ["a failed stop", "stop", "failed"],
    ["a failed delete", "delete", "failed"]
  ] as const) {
    it.effect(`after ${what}: stops properly first`, () => {
      const fleet = fleetWith()
      fleet.coder.build(fleet.coder.get("bot-1"), transition, begin - 5000, { result })
      return inFleet(
        fleet,
        Effect.gen(function* () {
          assert.strictEqual((yield* settle(restart)).outcome, "applied")
          assert.deepStrictEqual(fleet.coder.transitions("bot-1"), ["start", transition, "stop", "start"])
        })
      )
    })
  }

  for (const result of ["failed", "canceled"] as const) {
    it.effect(`a ${result} stop is not a stop: no start`, () => {
      const fleet = fleetWith({ results: { stop: result } })
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const error = yield* failure(restart)
          assert.strictEqual(error._tag, "BuildFailed")
          assert.strictEqual(error.outcome, "applied")
          assert.include(error.message, "stop build")
          assert.deepStrictEqual(fleet.coder.transitions("bot-1"), ["start", "stop"])
        })
      )
    })
  }

  it.effect("a stop that hangs: no start, told within the deadline", () => {
    const fleet = fleetWith({ buildMillis: { stop: Infinity } })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { exit, took } = yield* elapse(restart)
        assert.isAtMost(took, 45_000)
        const error = yield* Effect.flip(exit)
        assert.strictEqual(error._tag, "RestartIncomplete")
        assert.strictEqual(error.outcome, "applied")
        assert.deepStrictEqual(fleet.coder.transitions("bot-1"), ["start", "stop"])
      })
    )
  })

  it.effect("a stop that takes nearly all the time, and a start: told within the deadline", () => {
    const fleet = fleetWith({ buildMillis: { stop: 36_000, start: 60_000 } })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { exit, took } = yield* elapse(restart)
        assert.isAtMost(took, 45_000)
        const { message, outcome } = yield* exit
        assert.strictEqual(outcome, "applied")
        assert.include(message, "starting")
        assert.deepStrictEqual(fleet.coder.transitions("bot-1"), ["start", "stop", "start"])
      })
    )
  })

  it.effect("a failed start is an error with the build's reason", () => {
    const fleet = fleetWith({ results: { start: "failed" } })
    fleet.coder.get("bot-1").builds.splice(0, 1)
    fleet.coder.build(fleet.coder.get("bot-1"), "start", begin - 60_000, { result: "succeeded", millis: 0 })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const error = yield* failure(restart)
        assert.strictEqual(error._tag, "BuildFailed")
        assert.strictEqual(error.outcome, "applied")
        assert.include(error.message, "start build")
        assert.include(error.message, "terraform apply: exit status 1")
      })
    )
  })

  for (const transition of ["start", "delete"] as const) {
    it.effect(`a ${transition} build in the way: nothing sent`, () => {
      const fleet = fleetWith()
      fleet.coder.build(fleet.coder.get("bot-1"), transition, begin, { millis: Infinity })
      return inFleet(
        fleet,
        Effect.gen(function* () {
          assert.strictEqual((yield* failure(restart))._tag, "BuildInTheWay")
          assert.deepStrictEqual(fleet.proxy.mutations, [])
        })
      )
    })
  }

  it.effect("somebody starts it in the gap: the start in the way is named", () => {
    const fleet = fleetWith()
    let posts = 0
    fleet.proxy.on(builds, (forward) => {
      posts += 1
      return posts === 1
        ? forward
        : Effect.zipRight(
            Effect.sync(() => fleet.coder.build(fleet.coder.get("bot-1"), "start", begin, { millis: Infinity })),
            forward
          )
    })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const error = yield* failure(restart)
        assert.strictEqual(error._tag, "RestartIncomplete")
        assert.strictEqual(error.outcome, "applied")
        assert.include(error.message, "its stop build 2 is stopped")
        assert.include(error.message, 'Build 3 of "bot-1" (start, starting) is in the way')
        assert.deepStrictEqual(fleet.coder.transitions("bot-1"), ["start", "stop", "start"])
      })
    )
  })

  it.effect("an agent known by nothing but its app, which a stopped workspace does not show", () => {
    const fleet = fleetWith({ version: { parameters: [], presets: null } })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { agent, outcome } = yield* settle(restart)
        assert.deepStrictEqual([outcome, agent.status], ["applied", "idle"])
        assert.deepStrictEqual(fleet.coder.transitions("bot-1"), ["start", "stop", "start"])
      })
    )
  })

  it.effect("says applied where Coder falls silent after it accepted the start", () => {
    const fleet = fleetWith()
    let posts = 0
    fleet.proxy.on(builds, (forward) => {
      posts += 1
      if (posts === 2) fleet.proxy.on(/^GET/, hangBefore)
      return forward
    })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { exit, took } = yield* elapse(restart)
        assert.isAtMost(took, 45_000)
        assert.isTrue(Exit.isSuccess(exit), String(exit))
        assert.strictEqual((yield* exit).outcome, "applied")
      })
    )
  })

  for (const [step, index] of [
    ["stop", 1],
    ["start", 2]
  ] as const) {
    const only = (fault: typeof dropAfter) => {
      let posts = 0
      return ((forward, request) => {
        posts += 1
        return posts === index ? fault(forward, request) : forward
      }) satisfies typeof dropAfter
    }
    for (const [what, fault] of [
      ["dropped", dropAfter],
      ["hanging", hangAfter]
    ] as const) {
      it.effect(`the ${step}'s answer ${what}: found by its build number, and goes on`, () => {
        const fleet = fleetWith()
        fleet.proxy.on(builds, only(fault))
        return inFleet(
          fleet,
          Effect.gen(function* () {
            const { exit, took } = yield* elapse(restart)
            assert.isAtMost(took, 45_000)
            assert.strictEqual((yield* exit).outcome, "applied")
            assert.deepStrictEqual(fleet.coder.transitions("bot-1"), ["start", "stop", "start"])
          })
        )
      })
    }
    it.effect(`the ${step} is lost: unknown, said so, and not sent again`, () => {
      const fleet = fleetWith()
      fleet.proxy.on(builds, only(dropBefore))
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const { message, outcome } = yield* settle(restart)
          assert.strictEqual(outcome, "unknown")
          assert.include(message, index === 1 ? "No start was sent" : "The agent is stopped")
          assert.strictEqual(fleet.proxy.asked(builds).length, index)
        })
      )
    })
  }
})

describe.concurrent("a deadline", () => {
  const inTenSeconds = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.flatMap(TimeLimits, (limits) =>
      Effect.provideService(effect, TimeLimits, { ...limits, change: Duration.seconds(10) })
    )

  for (const [what, call] of [
    ["delete", remove],
    ["restart", restart],
    ["stop", stop]
  ] as const) {
    it.effect(`before anything of a ${what} was sent: not applied`, () => {
      const fleet = fleetWith()
      fleet.proxy.on(/^GET/, hangBefore)
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const error = yield* failure(inTenSeconds<unknown, FleetError, AgentService>(call))
          assert.include(["CoderUnavailable", "DeadlineExceeded"], error._tag)
          assert.strictEqual(error.outcome, "not_applied")
          assert.deepStrictEqual(fleet.proxy.mutations, [])
        })
      )
    })
  }
})

describe.concurrent("a build that another client made while ours was lost", () => {
  it.effect("proves nothing: the request may still arrive, so it is unknown", () => {
    const fleet = fleetWith()
    fleet.proxy.on(builds, (forward, request) => {
      fleet.coder.build(fleet.coder.get("bot-1"), "stop", begin, { millis: 0 })
      return processedLate("60 seconds", dropBefore)(forward, request)
    })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        assert.strictEqual((yield* settle(remove)).outcome, "unknown")
        yield* TestClock.adjust("90 seconds")
        assert.deepStrictEqual(fleet.coder.transitions("bot-1"), ["start", "stop", "delete"])
      })
    )
  })
})

describe.concurrent("restart: what becomes of the conversation", () => {
  const prompted = (model: Parameters<typeof makeFleet>[0] = {}, options = {}) => {
    const fleet = fleetWith(model, options)
    const row = fleet.coder.get("bot-1")
    row.agent.messages.push(
      { id: 1, role: "user", content: "Say hello", time: "2025-12-31T01:00:00Z" },
      { id: 2, role: "agent", content: answerScreen, time: "2025-12-31T01:00:00Z" }
    )
    const parameters = model.version === undefined ? [{ name: "AI Prompt", value: "Say hello" }] : []
    row.builds.splice(0, 1, ...row.builds.map((one) => ({ ...one, parameters })))
    return fleet
  }
  const plain = { version: { parameters: [], presets: null } }

  it.effect("seen to run its first task again: told, with what is gone", () => {
    const fleet = prompted()
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { message, next } = yield* settle(restart)
        assert.include(message, "Its first task runs again")
        assert.include(message, "The conversation before had 3 messages, and is gone.")
        assert.deepStrictEqual(next, ["cancel_task"])
        assert.deepStrictEqual(fleet.coder.prompts("bot-1"), ["Say hello"])
      })
    )
  })

  it.effect("not seen yet: told what may come, where the template has a prompt", () => {
    const fleet = prompted({ startupMillis: 60_000 })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { message, next } = yield* settle(restart)
        assert.include(message, "The conversation before had 3 messages: where the template gives the first task")
        assert.deepStrictEqual(next, ["look_at_agent"])
      })
    )
  })

  it.effect("anew, with a first task that was not typed yet: it may run again", () => {
    const fleet = prompted({ firstTaskMillis: 60_000 })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { message, next } = yield* settle(restart)
        assert.include(message, "and is gone. Its first task may run again.")
        assert.deepStrictEqual(next, ["look_at_agent"])
      })
    )
  })

  it.effect("anew, of a template without prompt: only that it is gone", () => {
    const fleet = prompted(plain, { projects: ["claude-code"] })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { message, next } = yield* settle(restart)
        assert.include(message, "The conversation before had 3 messages, and is gone.")
        assert.notInclude(message, "first task")
        assert.deepStrictEqual(next, [])
      })
    )
  })

  it.effect("kept, or not known: nothing is claimed", () => {
    const kept = prompted()
    const messages = [...kept.coder.get("bot-1").agent.messages]
    kept.proxy.on(/^GET .*messages$/, answer(json(200, { messages })))
    const silent = prompted()
    silent.proxy.on(/\/@/, hangBefore)
    const claims = (fleet: typeof kept) =>
      inFleet(
        fleet,
        Effect.map(settle(restart), ({ message, next }) => {
          assert.notMatch(message, /conversation|first task/)
          assert.deepStrictEqual(next, [])
        })
      )
    return Effect.zipRight(claims(kept), claims(silent))
  })
})

describe.concurrent("delete: needs no status", () => {
  it.effect("and asks the agent for none", () => {
    const fleet = fleetWith()
    fleet.proxy.on(/\/@/, hangBefore)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        assert.strictEqual((yield* settle(remove)).outcome, "applied")
        assert.lengthOf(fleet.proxy.asked(/\/@/), 0)
      })
    )
  })
})
