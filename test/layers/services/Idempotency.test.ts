import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, type Scope, TestClock } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { FleetConfig } from "../../../src/layers/config/FleetConfig.ts"
import * as FleetMcp from "../../../src/layers/FleetMcp.ts"
import { AgentService } from "../../../src/layers/services/AgentService.ts"
import type { CreateRequest } from "../../../src/layers/services/CreateAgent.ts"
import { TaskService } from "../../../src/layers/services/TaskService.ts"
import type { GiveOptions } from "../../../src/layers/services/StartTask.ts"
import { TimeLimits } from "../../../src/layers/time/Deadline.ts"
import { embedded, EmbeddedFixture } from "../../support/EmbeddedFixture.ts"
import { elapse, inFleet, makeFleet } from "../../support/fleet.ts"
import { answer, dropAfter, json } from "../../support/ScriptedCoder.ts"
import { eventually } from "../agenthost/support.ts"

/** Digests are made in real time, however slow the machine is: no deadline of virtual time comes in between. */
const settle = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(TimeLimits, (limits) =>
    elapse(Effect.provideService(effect, TimeLimits, { ...limits, change: Duration.hours(24) }), "20 hours")
  ).pipe(Effect.flatMap(({ exit }) => exit))
const failure = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.flip(settle(effect))

const create = (request: Partial<CreateRequest> = {}) =>
  Effect.flatMap(AgentService, (agents) =>
    agents.create({ name: "worker", project: "sample", role: "shell", task: "true", idempotency_key: "k", ...request })
  )

const restart = (key?: string) => Effect.flatMap(AgentService, (agents) => agents.restart("worker", key))

const give = (task: string, options: GiveOptions) =>
  Effect.flatMap(TaskService, (tasks) => tasks.give("worker", task, options))

describe("an idempotency key on this machine", () => {
  const onThisMachine = <A, E>(effect: Effect.Effect<A, E, FleetMcp.FleetServices | EmbeddedFixture | Scope.Scope>) =>
    Effect.provide(
      effect,
      FleetMcp.layer.pipe(Layer.provideMerge(Layer.merge(embedded({ allowShell: true }), FleetConfig.layer())))
    )

  it.scopedLive("creates one agent, whoever asks how often and at once; other arguments are refused", () =>
    onThisMachine(
      Effect.gen(function* () {
        const agents = yield* AgentService
        const all = yield* Effect.all(
          Array.from({ length: 4 }, () => create({ wait_ready: true })),
          { concurrency: "unbounded" }
        )
        assert.lengthOf([...new Set(all.map(({ agent }) => agent?.workspace_id))], 1)
        assert.deepStrictEqual([...new Set(all.map(({ outcome }) => outcome))], ["applied"])
        assert.lengthOf(
          all.filter(({ message }) => message.includes("nothing was done now")),
          3
        )
        assert.strictEqual((yield* agents.list({})).total_count, 1)
        for (const other of [{ task: "echo" }, { name: "other" }] satisfies ReadonlyArray<Partial<CreateRequest>>) {
          assert.deepInclude(yield* Effect.flip(create(other)), {
            _tag: "IdempotencyKeyReused",
            outcome: "not_applied"
          })
        }
        // Of another act, too.
        assert.strictEqual((yield* Effect.flip(restart("k")))._tag, "IdempotencyKeyReused")
        assert.strictEqual((yield* Effect.flip(create({ idempotency_key: "l" })))._tag, "AgentNameTaken")
        yield* agents.delete("worker")
        const after = yield* create()
        assert.deepStrictEqual([after.outcome, after.agent?.status], ["applied", "deleted"])
        assert.strictEqual((yield* agents.list({})).total_count, 0)
      })
    )
  )

  it.scopedLive("restarts once", () =>
    onThisMachine(
      Effect.gen(function* () {
        const agents = yield* AgentService
        yield* create({ wait_ready: true })
        const first = yield* restart("r")
        assert.include(first.message, "build 3")
        const both = yield* Effect.all([restart("r"), restart("r")], { concurrency: 2 })
        for (const { message, outcome } of both) {
          assert.strictEqual(outcome, "applied")
          assert.match(message, /restarted \(build 3 is running\)\. That was done at .*nothing was done now/)
        }
        // A stopped one is only started.
        yield* agents.stop("worker")
        assert.include((yield* restart("s")).message, "started (build 5")
        assert.include((yield* restart("s")).message, "build 5")
        assert.include((yield* restart("t")).message, "build 7")
      })
    )
  )

  it.scopedLive("starts a task once: also while that is at work, while it waits, and by calls at once", () =>
    onThisMachine(
      Effect.gen(function* () {
        yield* create({ wait_ready: true })
        const { stateDirectory } = yield* EmbeddedFixture
        const order = join(stateDirectory, "order")
        const ran = () => (existsSync(order) ? readFileSync(order, "utf8").trim().split("\n") : [])
        const tasks = yield* TaskService
        const work = `echo a >> ${order}; sleep 1000`
        const first = yield* give(work, { idempotencyKey: "a" })
        assert.deepInclude(first, { outcome: "applied", message: "The agent has begun the task." })
        yield* eventually("it runs", () => ran().includes("a"))
        for (const again of yield* Effect.all(
          [give(work, { idempotencyKey: "a" }), give(work, { idempotencyKey: "a" })],
          {
            concurrency: 2
          }
        )) {
          assert.deepInclude(again, { outcome: "applied", next: ["look_at_agent"] })
          assert.match(again.message, /begun the task\. That was done at .*nothing was done now/)
        }
        assert.strictEqual((yield* Effect.flip(give("other", { idempotencyKey: "a" })))._tag, "IdempotencyKeyReused")

        const queued = yield* Effect.all(
          Array.from({ length: 3 }, () => give(`echo b >> ${order}`, { whenBusy: "queue", idempotencyKey: "b" })),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          queued.map(({ task_id }) => task_id),
          [1, 1, 1]
        )
        yield* tasks.cancel("worker")
        const interrupted = yield* give(work, { idempotencyKey: "a" })
        assert.include(interrupted.message, "nothing was done now")
        yield* give(`echo c >> ${order}`, { whenBusy: "interrupt", idempotencyKey: "c" })
        yield* eventually("both have run", () => ran().length === 3)
        yield* give(`echo c >> ${order}`, { whenBusy: "interrupt", idempotencyKey: "c" })
        assert.deepStrictEqual(ran(), ["a", "c", "b"])
      })
    )
  )
})

describe("an idempotency key on Coder", () => {
  const onCoder = { name: "worker", project: "Claude Code", role: undefined } as const

  it.effect("creates one agent, which is known by its name and its task for 24 hours", () => {
    const fleet = makeFleet()
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const first = yield* settle(create(onCoder))
        const again = yield* settle(create(onCoder))
        assert.strictEqual(again.agent?.workspace_id, first.agent?.workspace_id)
        assert.include(again.message, "nothing was done now")
        assert.lengthOf(fleet.proxy.mutations, 1)
        // Nothing of ours is sent to Coder.
        const post = fleet.proxy.received.find(({ method }) => method === "POST")
        assert.notProperty(post?.body, "idempotency")
        assert.strictEqual((yield* failure(create({ ...onCoder, task: "other" })))._tag, "AgentNameTaken")
        yield* TestClock.adjust("25 hours")
        assert.strictEqual((yield* failure(create(onCoder)))._tag, "AgentNameTaken")
      })
    )
  })

  it.effect("is not supported where nothing would tell: nothing is sent", () => {
    const fleet = makeFleet({ version: { parameters: ["branch"], presets: null } }, { projects: ["claude-code"] })
    fleet.coder.add("worker")
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const attempts = [
          failure(create({ ...onCoder, name: "other" })),
          failure(restart("r")),
          failure(give("Fix it", { idempotencyKey: "a" })),
          failure(give("Fix it", { idempotencyKey: "b", whenBusy: "interrupt" }))
        ]
        for (const attempt of attempts) {
          const { _tag, outcome } = yield* attempt
          assert.deepStrictEqual([_tag, outcome], ["IdempotencyNotSupported", "not_applied"])
        }
        assert.deepStrictEqual(fleet.proxy.mutations, [])
      })
    )
  })

  it.effect("does nothing where it cannot be looked up", () => {
    const fleet = makeFleet()
    fleet.proxy.on(/idempotency-keys/, answer(json(500, { message: "An internal server error occurred." })))
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const refused = yield* failure(create(onCoder))
        assert.deepInclude(refused, { _tag: "CoderUnavailable", outcome: "not_applied" })
        assert.deepStrictEqual(fleet.proxy.mutations, [])
      })
    )
  })

  it.effect("a create whose answer is lost is settled as ever, and told again", () => {
    const fleet = makeFleet()
    fleet.proxy.on(/^POST .*\/workspaces$/, dropAfter)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        assert.strictEqual((yield* settle(create(onCoder))).outcome, "applied")
        assert.strictEqual((yield* settle(create(onCoder))).outcome, "applied")
        assert.lengthOf(fleet.proxy.mutations, 1)
      })
    )
  })
})

describe("the queue of an agent that is none of ours", () => {
  it.effect("is refused with that reason; interrupt works there", () => {
    const fleet = makeFleet()
    const row = fleet.coder.add("worker")
    return inFleet(
      fleet,
      Effect.gen(function* () {
        row.agent.runningUntil = Infinity
        assert.deepInclude(yield* failure(give("Fix it", { whenBusy: "queue" })), {
          _tag: "QueueNotSupported",
          outcome: "not_applied"
        })
        assert.deepStrictEqual(fleet.proxy.mutations, [])
        const given = yield* settle(give("Fix it", { whenBusy: "interrupt" }))
        assert.strictEqual(given.outcome, "applied")
        assert.match(given.message, /^What it was at work on was interrupted\. The task was seen/)
        assert.deepStrictEqual(fleet.coder.prompts("worker"), ["Fix it"])
      })
    )
  })
})
