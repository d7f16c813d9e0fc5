import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, type Scope } from "effect"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { FleetConfig } from "../../../src/layers/config/FleetConfig.ts"
import * as FleetMcp from "../../../src/layers/FleetMcp.ts"
import { AgentService } from "../../../src/layers/services/AgentService.ts"
import { TaskService } from "../../../src/layers/services/TaskService.ts"
import { WatchLimits } from "../../../src/layers/services/wait/Watcher.ts"
import { WaitService } from "../../../src/layers/services/WaitService.ts"
import { embedded, EmbeddedFixture } from "../../support/EmbeddedFixture.ts"
import { eventually } from "../agenthost/support.ts"

// The queue of an agent on this machine, through all tiers: real git, real processes.

const fleet = FleetMcp.layer.pipe(
  Layer.provideMerge(Layer.merge(embedded({ allowShell: true }), FleetConfig.layer())),
  Layer.provide(Layer.succeed(WatchLimits, { pace: Duration.millis(50), remembered: 100 }))
)

/** One agent, whose tasks write into a file, each when it is let. */
const scene = Effect.gen(function* () {
  const agents = yield* AgentService
  const tasks = yield* TaskService
  const { stateDirectory } = yield* EmbeddedFixture
  const order = join(stateDirectory, "order")
  const ran = () => (existsSync(order) ? readFileSync(order, "utf8").trim().split("\n") : [])
  const gate = (name: string) => join(stateDirectory, `gate-${name}`)
  /** Notes that it runs, then waits until it is let go on, and ends with that exit code. */
  const held = (name: string, code = 0) =>
    `echo ${name} >> ${order}; until [ -e ${gate(name)} ]; do sleep 0.02; done; exit ${code}`
  const free = (name: string) => `echo ${name} >> ${order}`
  yield* agents.create({ name: "worker", project: "sample", role: "shell", task: "true", wait_ready: true })
  yield* untilIdle
  return {
    agents,
    tasks,
    ran,
    held,
    free,
    letGo: (name: string) => Effect.sync(() => writeFileSync(gate(name), "")),
    runs: (name: string) => eventually(`${name} runs`, () => ran().includes(name)),
    queue: (task: string) => tasks.give("worker", task, { whenBusy: "queue" }),
    waiting: Effect.map(agents.show("worker"), ({ queue }) => queue?.tasks.map(({ task_id }) => task_id) ?? [])
  }
})

/** However slow the machine is: the test has a limit of its own. */
const untilIdle = Effect.flatMap(WaitService, ({ wait }) =>
  Effect.repeat(wait({ names: ["worker"], until: "idle", mode: "all", seconds: 40 }), { until: ({ done }) => done })
)

const inFleet = <A, E>(effect: Effect.Effect<A, E, FleetMcp.FleetServices | EmbeddedFixture | Scope.Scope>) =>
  Effect.provide(effect, fleet)

describe("tasks that wait", () => {
  it.scopedLive("run in order, and the agent is idle only when all of them have", () =>
    inFleet(
      Effect.gen(function* () {
        const { free, held, letGo, queue, ran, runs, tasks, waiting, agents } = yield* scene
        yield* tasks.start("worker", held("a"))
        yield* runs("a")
        const second = yield* queue(held("b"))
        assert.deepInclude(second, { outcome: "applied", task_id: 1 })
        const third = yield* queue(free("c"))
        assert.deepInclude(third, { outcome: "applied", task_id: 2 })
        assert.include(third.message, "1 waits before it")
        const shown = yield* agents.show("worker")
        assert.deepInclude(shown, { status: "busy" })
        assert.include(shown.evidence.detail, "2 queued tasks wait")
        assert.deepStrictEqual(
          shown.queue?.tasks.map(({ task, task_id }) => [task_id, task.slice(0, 6)]),
          [
            [1, "echo b"],
            [2, "echo c"]
          ]
        )
        yield* letGo("a")
        yield* runs("b")
        assert.deepStrictEqual(yield* waiting, [2])
        yield* letGo("b")
        yield* untilIdle
        assert.deepStrictEqual(ran(), ["a", "b", "c"])
        assert.isUndefined((yield* agents.show("worker")).queue)
      })
    )
  )

  it.scopedLive("are held by a cancel, and go on after a task of when_busy interrupt, but not after another", () =>
    inFleet(
      Effect.gen(function* () {
        const { agents, free, held, queue, ran, runs, tasks, waiting } = yield* scene
        yield* tasks.start("worker", held("a"))
        yield* runs("a")
        yield* queue(free("b"))
        yield* queue(free("c"))
        const canceled = yield* tasks.cancel("worker")
        assert.deepInclude(canceled, { outcome: "applied", next: ["let_queue_go_on"] })
        assert.include(canceled.message, "The 2 tasks that wait are kept, and do not begin by themselves.")
        const shown = yield* agents.show("worker")
        assert.deepInclude(shown, { status: "idle" })
        assert.include(shown.evidence.detail, "2 queued tasks are held: the task before them was interrupted")
        assert.strictEqual(shown.queue?.held, "the task before them was interrupted")

        const alone = yield* tasks.start("worker", free("alone"))
        assert.include(alone.message, "2 queued tasks stay held")
        yield* untilIdle
        assert.deepStrictEqual(yield* waiting, [1, 2])

        yield* tasks.give("worker", free("first"), { whenBusy: "interrupt" })
        yield* untilIdle
        assert.deepStrictEqual(ran(), ["a", "alone", "first", "b", "c"])
      })
    )
  )

  it.scopedLive("are held by a task that fails, and go on before a task of when_busy queue", () =>
    inFleet(
      Effect.gen(function* () {
        const { agents, free, held, letGo, queue, ran, runs, tasks, waiting } = yield* scene
        yield* tasks.start("worker", held("a", 3))
        yield* runs("a")
        yield* queue(free("b"))
        yield* letGo("a")
        yield* untilIdle
        assert.strictEqual((yield* agents.show("worker")).queue?.held, "the task before them failed")
        yield* queue(free("c"))
        yield* untilIdle
        assert.deepStrictEqual(ran(), ["a", "b", "c"])
        assert.deepStrictEqual(yield* waiting, [])
      })
    )
  )

  it.scopedLive("interrupt cancels what is at work, starts its task, and what waits follows", () =>
    inFleet(
      Effect.gen(function* () {
        const { free, held, queue, ran, runs, tasks } = yield* scene
        yield* tasks.start("worker", held("a"))
        yield* runs("a")
        yield* queue(free("b"))
        const given = yield* tasks.give("worker", free("urgent"), { whenBusy: "interrupt" })
        assert.deepInclude(given, { outcome: "applied" })
        assert.include(given.message, "was interrupted")
        yield* untilIdle
        assert.deepStrictEqual(ran(), ["a", "urgent", "b"])
      })
    )
  )

  it.scopedLive("can be taken out, each by its id, and then do not begin", () =>
    inFleet(
      Effect.gen(function* () {
        const { free, held, letGo, queue, ran, runs, tasks } = yield* scene
        yield* tasks.start("worker", held("a"))
        yield* runs("a")
        yield* queue(free("b"))
        yield* queue(free("c"))
        const taken = yield* tasks.cancel("worker", 1)
        assert.deepInclude(taken, { outcome: "applied" })
        assert.include(taken.message, "1 wait")
        assert.deepInclude(yield* Effect.flip(tasks.cancel("worker", 1)), { _tag: "TaskNotQueued", task_id: 1 })
        yield* letGo("a")
        yield* untilIdle
        assert.deepStrictEqual(ran(), ["a", "c"])
      })
    )
  )

  it.scopedLive("are at most 20; one more is refused, and nothing is lost", () =>
    inFleet(
      Effect.gen(function* () {
        const { free, held, letGo, queue, ran, runs, tasks } = yield* scene
        yield* tasks.start("worker", held("a"))
        yield* runs("a")
        // Several at once: each waits once, none is lost.
        const given = yield* Effect.all(
          Array.from({ length: 22 }, (_, index) => Effect.either(queue(free(`t${index}`)))),
          { concurrency: "unbounded" }
        )
        assert.lengthOf(
          given.filter(({ _tag }) => _tag === "Right"),
          20
        )
        for (const each of given) {
          if (each._tag === "Left") assert.strictEqual(each.left._tag, "QueueFull")
        }
        yield* letGo("a")
        yield* untilIdle
        assert.lengthOf(ran(), 21)
        assert.lengthOf([...new Set(ran())], 21)
      })
    )
  )

  it.scopedLive(
    "are kept by a stop and told in its answer, held after the restart, and told when they are deleted",
    () =>
      inFleet(
        Effect.gen(function* () {
          const { agents, free, held, queue, ran, runs, tasks, waiting } = yield* scene
          yield* tasks.start("worker", held("a"))
          yield* runs("a")
          yield* queue(free("b"))
          const stopped = yield* agents.stop("worker")
          assert.include(
            stopped.build_log.join("\n"),
            "Queued tasks are kept (1), and none begins by itself: [1] echo b"
          )
          assert.strictEqual(stopped.agent.status, "stopped")
          assert.deepStrictEqual(
            stopped.agent.queue?.tasks.map(({ task_id }) => task_id),
            [1]
          )
          assert.deepInclude(yield* Effect.flip(queue(free("c"))), { _tag: "AgentNotIdle", status: "stopped" })
          yield* agents.restart("worker")
          yield* untilIdle
          assert.deepStrictEqual(yield* waiting, [1])
          assert.isNotNull((yield* agents.show("worker")).queue?.held ?? null)
          assert.deepStrictEqual(ran(), ["a"])
          const deleted = yield* agents.delete("worker")
          assert.include(deleted.build_log.join("\n"), "Queued tasks are lost (1), none of them had begun: [1] echo b")
        })
      )
  )
})
