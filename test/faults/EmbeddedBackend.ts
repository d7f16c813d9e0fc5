import { HttpClient } from "@effect/platform"
import { Context, Duration, Effect, Fiber, Layer, Ref } from "effect"
import { CoderHttpLimits } from "../../src/layers/clients/CoderHttp.ts"
import { ReadRetry } from "../../src/layers/clients/RetryPolicy.ts"
import { RowStore } from "../../src/layers/embedded/store/RowStore.ts"
import { CatalogLimits } from "../../src/layers/embedded/engine/Catalog.ts"
import { StoreLimits } from "../../src/layers/embedded/store/StoreLimits.ts"
import { LookLimits } from "../../src/layers/repositories/AgentLook.ts"
import { LifeLimits } from "../../src/layers/services/AgentService.ts"
import { TaskLimits } from "../../src/layers/services/TaskLimits.ts"
import { TimeLimits } from "../../src/layers/time/Deadline.ts"
import { clientInProcess, embeddedApp, sessionToken } from "../support/EmbeddedFixture.ts"
import { faultyRowStore, type StoreFaults } from "../support/FaultyRowStore.ts"
import { fleetOver } from "../support/fleet.ts"
import { Proxy } from "../support/ScriptedCoder.ts"
import type { Backend } from "./Backend.ts"
import type { EmbeddedOperation } from "./EmbeddedOperation.ts"
import { readRecord, rememberingConversations, watchRequests, type Conversations } from "./EmbeddedRecord.ts"
import { arrange, interfere, noFaults, type Scene } from "./EmbeddedScene.ts"
import { makeGates } from "./Gates.ts"
import { isWithoutPrompt } from "./Operation.ts"
import { faultsAt } from "./WireFaults.ts"

const project = "sample"
const task = "echo hello, number 7"

/** All waits but one are a tenth of the usual: a clock that cannot be advanced passes them. */
const limitsOf = (seconds: number) =>
  Layer.mergeAll(
    Layer.succeed(TimeLimits, {
      read: Duration.seconds(3),
      change: Duration.seconds(seconds / 10),
      settle: Duration.seconds(Math.min(0.8, seconds / 40)),
      // Longer than all looks together: one that is followed by another was taken in, however busy the machine is.
      look: Duration.seconds(10),
      poll: Duration.millis(25)
    }),
    Layer.effect(
      LookLimits,
      Effect.map(LookLimits, (limits) => ({ ...limits, one: Duration.millis(500) }))
    ),
    Layer.succeed(LifeLimits, { deletion: Duration.seconds(1) }),
    Layer.effect(
      TaskLimits,
      Effect.map(TaskLimits, (limits) => ({ ...limits, cancel: Duration.seconds(2) }))
    ),
    Layer.effect(
      CoderHttpLimits,
      Effect.map(CoderHttpLimits, (limits) => ({
        ...limits,
        answerTime: { ...limits.answerTime, server: Duration.seconds(2.5), terminal: Duration.seconds(3) }
      }))
    ),
    Layer.succeed(ReadRetry, { attempts: 3, firstPause: Duration.millis(10), longestPause: Duration.millis(500) })
  )

/** The store gives up soon; a folder is waited for however busy the machine is, since no fault is one of it. */
const serverLimits = Layer.merge(
  Layer.effect(
    StoreLimits,
    Effect.map(StoreLimits, (limits) => ({ ...limits, retries: 3, retryDelay: Duration.millis(1) }))
  ),
  Layer.effect(
    CatalogLimits,
    Effect.map(CatalogLimits, (limits) => ({ ...limits, time: Duration.minutes(2) }))
  )
)

/**
 * An embedded Coder with a repository of its own, for one operation after another: real worktrees and real processes.
 * Each operation is about another agent.
 */
export const makeEmbedded = Effect.gen(function* () {
  const conversations: Conversations = new Map()
  const rows = Context.get(yield* Layer.build(RowStore.layerMemory), RowStore)
  const storeFaults = yield* Ref.make<StoreFaults>({})
  const faults = noFaults()
  const stores = Layer.provideMerge(
    rememberingConversations(conversations),
    Layer.provide(faultyRowStore(storeFaults), Layer.succeed(RowStore, rows))
  )
  const coder = yield* Layer.build(Layer.provide(embeddedApp({ allowShell: true, faults }, stores), serverLimits))
  let count = 0

  return (op: EmbeddedOperation): Effect.Effect<Backend> =>
    Effect.gen(function* () {
      count += 1
      const agent = `bot-${count}`
      const gates = makeGates()
      const proxy = new Proxy()
      const watched = watchRequests()
      const client = yield* clientInProcess(watched.watch)
      const detached: Array<Fiber.RuntimeFiber<void>> = []
      const scene: Scene = { op, agent, rows, faults, gates, storeFaults }
      const limits = limitsOf(op.time)
      const backend: Backend = {
        agent,
        project,
        task,
        fleet: fleetOver(
          HttpClient.tapRequest(proxy.inFrontOf(client), () => gates.request),
          isWithoutPrompt(op) ? { promptParameter: "First task", projects: [project] } : {},
          sessionToken
        ).pipe(Layer.provide(limits)),
        limits: () => limits,
        proxy,
        faults: faultsAt({
          slow: Effect.sleep("400 millis"),
          slower: Effect.sleep("1100 millis"),
          soon: gates.after(2),
          late: gates.after(Infinity),
          retryAfter: 1,
          detached: (work) => Effect.map(Effect.forkDaemon(work), (fiber) => void detached.push(fiber))
        }),
        arrange: Effect.provide(arrange(scene), coder),
        interfere: (act) => Effect.provide(interfere(scene, act), coder),
        noted: readRecord(rows, conversations, { name: agent, task, keys: watched.keys }),
        call: (effect) => Effect.map(Effect.exit(effect), (exit) => ({ exit, millis: null })),
        quiet: Ref.set(storeFaults, {}).pipe(
          Effect.zipRight(gates.open),
          Effect.zipRight(Effect.suspend(() => Fiber.awaitAll(detached))),
          Effect.zipRight(watched.done)
        )
      }
      return backend
    }).pipe(Effect.provide(coder))
})
