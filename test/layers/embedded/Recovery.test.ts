import { assert, describe, it } from "@effect/vitest"
import { DatabaseSync } from "@photostructure/sqlite"
import { Deferred, Duration, Effect, Layer } from "effect"
import { copyFileSync, existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as FleetMcp from "../../../src/layers/FleetMcp.ts"
import { RecoveryLimits } from "../../../src/layers/embedded/engine/Recovery.ts"
import { StoreFailed } from "../../../src/layers/embedded/store/StoreFailed.ts"
import { RowStore } from "../../../src/layers/embedded/store/RowStore.ts"
import { AgentService } from "../../../src/layers/services/AgentService.ts"
import { interruptKey } from "../../../src/schemas/agentapi/AgentApi.ts"
import { layerStoredConversations } from "../../../src/layers/embedded/store/StoredConversations.ts"
import { layerSqlite } from "../../../src/layers/embedded/store/sqlite/SqliteRowStore.ts"
import { appAndClient, makeRepository, sessionToken } from "../../support/EmbeddedFixture.ts"
import { type EmbeddedFaults, embeddedFaults } from "../../support/EmbeddedFaults.ts"
import { environment, isAlive, pidIn, stubbornChild, temporaryDirectory } from "../agenthost/support.ts"
import {
  agentOf,
  build,
  built,
  byId,
  create,
  createReady,
  get,
  idle,
  logOf,
  messagesOf,
  ready,
  send
} from "./Requests.ts"
import { startBuild, until } from "./Requests.ts"

interface LifeOptions {
  /** What is above the file. */
  readonly rows?: (rows: Layer.Layer<RowStore>) => Layer.Layer<RowStore>
  /** Changes the file before it is opened. */
  readonly tamper?: (file: string) => void
}

/** Lives of one embedded Coder, each over what the one before had stored when it was killed. */
const fleet = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  const repository = makeRepository(join(directory, "sample"))
  const options = {
    stateDirectory: join(directory, "state"),
    workingDirectory: repository,
    environment,
    allowShell: true,
    sessionToken
  }
  let lives = 0
  const fileOf = (life: number) => join(directory, `${life}.db`)
  /** A life goes on while the next one begins, from a copy of its file: it is as if it had been killed at that moment. */
  const life = (faults: EmbeddedFaults = {}, { rows: over = (rows) => rows, tamper }: LifeOptions = {}) =>
    Layer.build(
      Layer.unwrapEffect(
        Effect.sync(() => {
          const [before, now] = [fileOf(lives), fileOf(++lives)]
          for (const end of ["", "-wal"]) if (existsSync(before + end)) copyFileSync(before + end, now + end)
          tamper?.(now)
          const rows = Layer.provideMerge(layerStoredConversations, over(Layer.orDie(layerSqlite(now))))
          return Layer.provideMerge(appAndClient(options), rows).pipe(Layer.provide(embeddedFaults(faults)))
        })
      )
    )
  const worktreeOf = (id: string) => join(options.stateDirectory, "worktrees", id)
  return { life, worktreeOf }
})

const lastLine = (id: string) =>
  Effect.flatMap(RowStore, (store) =>
    store.read("last line", (rows) => rows.messages.select("workspace", id, { last: 1 })[0]?.last_line)
  )

const turnsOf = (id: string) =>
  Effect.flatMap(RowStore, (store) =>
    store.read("turns", (rows) => rows.turns.select("workspace", id).map(({ ended, task }) => [task, ended?.state]))
  )

const say = (name: string, content: string) =>
  send("POST", `/@local/${name}/apps/ccw/message`, { body: { content, type: "user" } })

const services = Layer.provide(FleetMcp.layer, FleetMcp.layerFleetConfig())

describe("after a crash", () => {
  it.scopedLive("a turn that was cut is told, its processes are gone, and it is not run again", () =>
    Effect.gen(function* () {
      const { life, worktreeOf } = yield* fleet
      const first = yield* life()
      const { id, pids } = yield* Effect.gen(function* () {
        const made = yield* create(
          "cut",
          `echo run >> ../runs; setsid ${stubbornChild("stray")} echo $$ > leader; echo at work; sleep 1000`
        )
        const directory = worktreeOf(made.body.id)
        const found = [yield* pidIn(directory, "leader"), yield* pidIn(directory, "stray")]
        yield* until(messagesOf("cut"), (messages) => messages.at(-1)?.content.includes("at work") === true)
        yield* until(
          Effect.flatMap(RowStore, (store) =>
            Effect.orDie(store.read("parts", (rows) => rows.parts.select("workspace", made.body.id)))
          ),
          (parts) => parts.some(({ text }) => text === "at work\n")
        )
        return { id: made.body.id, pids: found }
      }).pipe(Effect.provide(first))
      const runs = () => readFileSync(join(worktreeOf(id), "..", "runs"), "utf8")

      yield* Effect.gen(function* () {
        assert.deepStrictEqual(pids.map(isAlive), [false, false])
        const workspace = yield* byId(id)
        assert.strictEqual(workspace.latest_build.status, "running")
        assert.deepInclude(agentOf(workspace), { status: "disconnected", lifecycle_state: "off" })
        assert.deepInclude(workspace.latest_app_status ?? undefined, { state: "working" })
        assert.include(String(yield* lastLine(id)), "[interrupted: fleet-mcp ended while this ran")
        assert.strictEqual((yield* turnsOf(id))[0]?.[1], "interrupted")
        assert.strictEqual((yield* send("GET", "/@local/cut/apps/ccw/messages")).status, 502)
        assert.strictEqual(runs(), "run\n")
      }).pipe(Effect.provide(yield* life()))

      // Another crash changes nothing; then a person starts it again.
      yield* Effect.gen(function* () {
        assert.deepInclude(agentOf(yield* byId(id)), { status: "disconnected", lifecycle_state: "off" })
        assert.lengthOf(yield* turnsOf(id), 1)
        yield* build(id, "start")
        yield* ready(id)
        const messages = yield* idle("cut")
        assert.match(messages.at(-1)?.content ?? "", /^at work\n\[interrupted: /)
        yield* say("cut", "echo again")
        assert.strictEqual((yield* idle("cut")).at(-1)?.content, "again\n[exit code 0]")
        assert.strictEqual(runs(), "run\n")
      }).pipe(Effect.provide(yield* life()))
    })
  )

  it.scopedLive(
    "a turn that a graceful end has cut is interrupted, and not taken for one that its user interrupted",
    () =>
      Effect.gen(function* () {
        const { life } = yield* fleet
        const ids = yield* Effect.gen(function* () {
          const [ended, stopped] = [yield* createReady("ended"), yield* createReady("stopped")]
          for (const name of ["ended", "stopped"]) {
            yield* say(name, "echo at work; sleep 1000")
            yield* until(messagesOf(name), (messages) => messages.at(-1)?.content.includes("at work") === true)
          }
          yield* send("POST", "/@local/stopped/apps/ccw/message", { body: { content: interruptKey, type: "raw" } })
          yield* idle("stopped")
          return [ended.id, stopped.id] as const
        }).pipe((all) => Effect.flatMap(life(), (context) => Effect.provide(all, context)), Effect.scoped)

        yield* Effect.gen(function* () {
          const [ended, stopped] = yield* Effect.all([byId(ids[0]), byId(ids[1])])
          assert.deepStrictEqual(
            (yield* Effect.forEach(ids, turnsOf)).map((turns) => turns.at(-1)?.[1]),
            ["interrupted", "interrupted"]
          )
          assert.deepInclude(agentOf(ended), { status: "disconnected", lifecycle_state: "off" })
          assert.deepInclude(ended.latest_app_status ?? undefined, {
            state: "working",
            message: "echo at work; sleep 1000"
          })
          assert.deepInclude(agentOf(stopped), { status: "connected", lifecycle_state: "ready" })
          const agents = yield* AgentService
          assert.strictEqual((yield* agents.show("ended")).status, "interrupted")
          assert.strictEqual((yield* agents.show("stopped")).status, "idle")
        }).pipe(Effect.provide(Layer.provideMerge(services, Layer.succeedContext(yield* life()))))
      })
  )

  it.scopedLive("an agent that was idle comes up again, with its conversation, and runs nothing", () =>
    Effect.gen(function* () {
      const { life } = yield* fleet
      const before = yield* Effect.gen(function* () {
        yield* createReady("calm", "echo run >> ../runs; echo one")
        return yield* idle("calm")
      }).pipe(Effect.provide(yield* life()))
      assert.strictEqual(before.at(-1)?.content, "one\n[exit code 0]")
      yield* Effect.gen(function* () {
        const workspace = yield* get<{ readonly id: string }>("/api/v2/users/me/workspace/calm")
        assert.deepInclude(agentOf(yield* ready(workspace.id)), { status: "connected", lifecycle_state: "ready" })
        assert.deepStrictEqual(yield* idle("calm"), before)
        yield* say("calm", "cat ../runs; echo two")
        assert.strictEqual((yield* idle("calm")).at(-1)?.content, "run\ntwo\n[exit code 0]")
      }).pipe(Effect.provide(yield* life()))
    })
  )

  it.scopedLive(
    "an agent that was idle takes no place until it is asked for, by however many at once, or stopped",
    () =>
      Effect.gen(function* () {
        const { life } = yield* fleet
        const [asked, stopped] = yield* Effect.gen(function* () {
          for (const name of ["asked", "stopped"]) {
            yield* createReady(name, "echo one")
            yield* idle(name)
          }
          return yield* Effect.all([
            get<{ readonly id: string }>("/api/v2/users/me/workspace/asked"),
            get<{ readonly id: string }>("/api/v2/users/me/workspace/stopped")
          ])
        }).pipe(Effect.provide(yield* life()))
        let opened = 0
        const rows = (below: Layer.Layer<RowStore>) =>
          Layer.provide(
            Layer.effect(
              RowStore,
              Effect.map(RowStore, (store) =>
                RowStore.of({
                  ...store,
                  read: (operation, query) => {
                    if (operation === "openConversation") opened++
                    return store.read(operation, query)
                  }
                })
              )
            ),
            below
          )
        yield* Effect.gen(function* () {
          for (const { id } of [asked, stopped]) {
            assert.deepInclude(agentOf(yield* ready(id)), { status: "connected", lifecycle_state: "ready" })
          }
          yield* build(stopped.id, "stop")
          assert.strictEqual((yield* send("GET", "/@local/stopped/apps/ccw/status")).status, 400)
          assert.strictEqual(opened, 0)
          const all = yield* Effect.all(
            Array.from({ length: 5 }, () => messagesOf("asked")),
            { concurrency: "unbounded" }
          )
          for (const messages of all) assert.strictEqual(messages.at(-1)?.content, "one\n[exit code 0]")
          assert.strictEqual(opened, 1)
          yield* say("asked", "echo two")
          assert.strictEqual((yield* idle("asked")).at(-1)?.content, "two\n[exit code 0]")
          yield* build(stopped.id, "start")
          yield* ready(stopped.id)
          assert.strictEqual((yield* idle("stopped")).at(-1)?.content, "one\n[exit code 0]")
        }).pipe(Effect.provide(yield* life({}, { rows })))
      })
  )

  it.scopedLive("an agent that was idle and has lost its worktree is told as off, with the reason", () =>
    Effect.gen(function* () {
      const { life, worktreeOf } = yield* fleet
      const { id } = yield* createReady("bare").pipe(Effect.provide(yield* life()))
      rmSync(worktreeOf(id), { recursive: true })
      yield* Effect.gen(function* () {
        const agent = agentOf(yield* byId(id))
        assert.deepInclude(agent, { status: "disconnected", lifecycle_state: "off" })
        const logs = yield* get<ReadonlyArray<{ readonly output: string }>>(`/api/v2/workspaceagents/${agent?.id}/logs`)
        assert.include(logs.at(-1)?.output, "worktree")
        assert.include(logs.at(-1)?.output, "is gone")
      }).pipe(Effect.provide(yield* life()))
    })
  )

  it.scopedLive("a start or a stop that was at work has failed, says so, and can be repeated", () =>
    Effect.gen(function* () {
      const { life } = yield* fleet
      const ids = yield* Effect.gen(function* () {
        const started = yield* create("hung")
        const stopped = yield* createReady("calm")
        return { started: started.body.id, stopped: stopped.id }
      }).pipe(Effect.provide(yield* life({ hangBuilds: ["hung"] })))
      yield* Effect.gen(function* () {
        const { job } = (yield* byId(ids.started)).latest_build
        assert.strictEqual(job.status, "failed")
        assert.include(job.error, "Call restart_agent")
        yield* build(ids.started, "start")
        yield* ready(ids.started)
        yield* startBuild(ids.stopped, "stop")
      }).pipe(Effect.provide(yield* life({ hangBuilds: ["calm"] })))
      yield* Effect.gen(function* () {
        const { job } = (yield* byId(ids.stopped)).latest_build
        assert.strictEqual(job.status, "failed")
        assert.include(job.error, "nothing of the agent runs any more")
        yield* build(ids.stopped, "start")
        yield* ready(ids.stopped)
      }).pipe(Effect.provide(yield* life()))
    })
  )

  it.scopedLive("what could not be settled at first is left alone where its user has gone on with it", () =>
    Effect.gen(function* () {
      const { life } = yield* fleet
      const id = yield* Effect.gen(function* () {
        const made = yield* createReady("busy")
        yield* say("busy", "sleep 1000")
        assert.lengthOf(yield* turnsOf(made.id), 1)
        return made.id
      }).pipe(Effect.provide(yield* life()))
      const goesOn = yield* Deferred.make<void>()
      let [looks, changes] = [0, 0]
      /** The first change fails; the second try waits until the user has gone on. */
      const rows = (below: Layer.Layer<RowStore>) =>
        Layer.provide(
          Layer.effect(
            RowStore,
            Effect.map(RowStore, (store) =>
              RowStore.of({
                ...store,
                read: (operation, query) =>
                  Effect.zipRight(
                    operation === "recover" && ++looks === 3 ? Deferred.await(goesOn) : Effect.void,
                    store.read(operation, query)
                  ),
                transaction: (operation, step) =>
                  operation === "updateAgent" && ++changes === 1
                    ? new StoreFailed({ operation, reason: "disk full" })
                    : store.transaction(operation, step)
              })
            )
          ),
          below
        )
      const soon = yield* RecoveryLimits
      const next = yield* life({}, { rows }).pipe(
        Effect.provideService(RecoveryLimits, { ...soon, wait: Duration.millis(50), retry: Duration.seconds(1) })
      )
      yield* Effect.gen(function* () {
        yield* build(id, "start")
        yield* ready(id)
        yield* say("busy", "echo new; sleep 1000")
        yield* Deferred.succeed(goesOn, undefined)
        yield* until(
          Effect.sync(() => looks),
          (count) => count === 3
        )
        yield* until(messagesOf("busy"), (messages) => messages.at(-1)?.content === "new\n")
        assert.deepStrictEqual(yield* turnsOf(id), [
          ["sleep 1000", "interrupted"],
          ["echo new; sleep 1000", undefined]
        ])
      }).pipe(Effect.provide(next))
    })
  )

  it.scopedLive("an agent whose conversation cannot be read: its build is settled, and it can be deleted", () =>
    Effect.gen(function* () {
      const { life } = yield* fleet
      const until = { transition: "stop", until: Effect.never } as const
      const id = yield* Effect.gen(function* () {
        const made = yield* createReady("torn")
        yield* say("torn", "sleep 1000")
        yield* startBuild(made.id, "stop")
        return made.id
      }).pipe(Effect.provide(yield* life({ holdBuilds: [{ workspace: "torn", ...until }] })))
      const tamper = (file: string) => {
        const database = new DatabaseSync(file)
        database.exec("UPDATE parts SET row = '{'")
        database.close()
      }
      yield* Effect.gen(function* () {
        assert.strictEqual((yield* byId(id)).latest_build.job.status, "failed")
        assert.strictEqual((yield* build(id, "delete")).status, "deleted")
        yield* createReady("torn")
      }).pipe(Effect.provide(yield* life({}, { tamper })))
    })
  )

  it.scopedLive("a delete that was at work is carried on to its end", () =>
    Effect.gen(function* () {
      const { life, worktreeOf } = yield* fleet
      const { id } = yield* Effect.gen(function* () {
        const made = yield* createReady("gone", "echo one")
        yield* idle("gone")
        return made
      }).pipe(Effect.provide(yield* life()))
      yield* startBuild(id, "delete").pipe(Effect.provide(yield* life({ hangBuilds: ["gone"] })))
      assert.isTrue(existsSync(worktreeOf(id)))
      yield* Effect.gen(function* () {
        const { latest_build } = yield* built(id)
        assert.strictEqual(latest_build.status, "deleted")
        assert.isFalse(existsSync(worktreeOf(id)))
        assert.include((yield* logOf(latest_build.id)).join("\n"), "removed")
        yield* createReady("gone")
      }).pipe(Effect.provide(yield* life()))
    })
  )
})
