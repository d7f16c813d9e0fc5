import { HttpClient } from "@effect/platform"
import { Context, DateTime, Duration, Effect, Either, Layer, type Scope } from "effect"
import { CoderConfig } from "../../src/layers/config/CoderConfig.ts"
import { FleetConfig } from "../../src/layers/config/FleetConfig.ts"
import type { ConversationStore } from "../../src/layers/agenthost/ConversationStore.ts"
import { layerStoredConversations } from "../../src/layers/embedded/store/StoredConversations.ts"
import { RowStore } from "../../src/layers/embedded/store/RowStore.ts"
import { StoreLimits } from "../../src/layers/embedded/store/StoreLimits.ts"
import type { Rows } from "../../src/layers/embedded/store/Tables.ts"
import * as FleetMcp from "../../src/layers/FleetMcp.ts"
import { WatchLimits } from "../../src/layers/services/wait/Watcher.ts"
import { buildRow, workspaceRow } from "../layers/embedded/store/RowStoreSuite.ts"
import { appAndClient, sessionToken } from "./EmbeddedFixture.ts"
import { Proxy } from "./ScriptedCoder.ts"

/** An embedded Coder whose agents are written into its store: they live as fast as a test wants. */
export interface JournalFleet {
  readonly rows: RowStore["Type"]
  /** Before all front ends. */
  readonly proxy: Proxy
  /** A front end of its own, as a process of its own would be; it ends with the scope. */
  readonly frontEnd: Effect.Effect<Context.Context<FleetMcp.FleetServices>, never, Scope.Scope>
  /** An idle agent that has done nothing yet. */
  readonly create: (name: string) => Effect.Effect<void>
  readonly begins: (name: string) => Effect.Effect<void>
  readonly ends: (name: string) => Effect.Effect<void>
  /** It begins and ends a turn. */
  readonly turn: (name: string) => Effect.Effect<void>
  /** How an agent is lost while it is at work. */
  readonly isCut: (name: string) => Effect.Effect<void>
  readonly stop: (name: string) => Effect.Effect<void>
  readonly remove: (name: string) => Effect.Effect<void>
}

const iso = Effect.map(DateTime.now, DateTime.formatIso)

export const makeJournalFleet = Effect.gen(function* () {
  const rows = yield* RowStore
  const wire = yield* HttpClient.HttpClient
  const config = yield* CoderConfig
  const proxy = new Proxy()
  let messages = 0

  const write = (step: (all: Rows, at: string) => void) =>
    Effect.flatMap(iso, (at) => rows.transaction("test", (all) => Either.right(step(all, at)))).pipe(Effect.orDie)

  const build = (all: Rows, name: string, number: number, more: Partial<ReturnType<typeof buildRow>>) => {
    const row = { ...buildRow(`${name}-${number}`, name), build_number: number, ...more }
    all.builds.put({ ...row, job: { ...row.job, status: "succeeded" } })
  }

  const agentOf = (name: string) =>
    ({
      id: `agent-${name}`,
      workspace_id: name,
      build_id: `${name}-1`,
      token: `token-${name}`,
      status: "connected",
      lifecycle_state: "ready",
      app: { id: `app-${name}`, slug: "ccw", display_name: "shell", health: "healthy" }
    }) as const

  const newest = (all: Rows, name: string) => all.turns.select("workspace", name, { last: 1 })[0]

  const report = (all: Rows, name: string, state: string, at: string) =>
    all.statuses.put({
      id: crypto.randomUUID(),
      created_at: at,
      workspace_id: name,
      agent_id: `agent-${name}`,
      app_id: `app-${name}`,
      state,
      message: "work",
      uri: ""
    })

  const endsAs = (name: string, state: "complete" | "interrupted") =>
    write((all, at) => {
      const turn = newest(all, name)
      if (turn !== undefined) all.turns.put({ ...turn, ended: { at, state } })
    })

  const begins = (name: string) =>
    Effect.zipRight(
      write((all, at) =>
        all.turns.put({
          workspace_id: name,
          message_id: ++messages,
          task: "work",
          begun_at: at,
          output: { bytes: 0, at },
          ended: null
        })
      ),
      write((all, at) => report(all, name, "working", at))
    )

  const ends = (name: string) =>
    Effect.zipRight(
      endsAs(name, "complete"),
      write((all, at) => report(all, name, "complete", at))
    )

  const fleet: JournalFleet = {
    rows,
    proxy,
    frontEnd: Layer.build(
      Layer.fresh(
        FleetMcp.layer.pipe(
          Layer.provide([
            Layer.succeed(HttpClient.HttpClient, proxy.inFrontOf(wire)),
            Layer.succeed(CoderConfig, config),
            FleetConfig.layer({})
          ])
        )
      )
    ).pipe(
      Effect.provideServiceEffect(
        WatchLimits,
        Effect.map(WatchLimits, (limits) => ({ ...limits, pace: Duration.millis(50) }))
      )
    ),
    create: (name) =>
      Effect.gen(function* () {
        yield* write((all, at) => {
          all.workspaces.put(workspaceRow(name, { created_at: at, updated_at: at, first_prompt: "done" }))
          all.builds.put(buildRow(`${name}-1`, name))
        })
        yield* write((all) => {
          build(all, name, 1, {})
          all.agents.put({ ...agentOf(name), status: "connecting", lifecycle_state: "created" })
        })
        yield* write((all) => all.agents.put(agentOf(name)))
      }),
    begins,
    ends,
    turn: (name) => Effect.zipRight(begins(name), ends(name)),
    isCut: (name) =>
      Effect.zipRight(
        write((all) => all.agents.put({ ...agentOf(name), status: "disconnected", lifecycle_state: "off" })),
        endsAs(name, "interrupted")
      ),
    stop: (name) => write((all, at) => build(all, name, 2, { transition: "stop", created_at: at })),
    remove: (name) =>
      write((all, at) => {
        build(all, name, 3, { transition: "delete", created_at: at })
        const row = workspaceRow(name, { deleted: true, updated_at: at, first_prompt: "done" })
        all.workspaces.put(row)
      })
  }
  return fleet
})

/** The stores of a test, with fewer of something. */
export const storesWith = (few: Partial<StoreLimits["Type"]> = {}): Layer.Layer<ConversationStore | RowStore> =>
  Layer.provideMerge(layerStoredConversations, RowStore.layerMemory).pipe(
    Layer.provide(
      Layer.effect(
        StoreLimits,
        Effect.map(StoreLimits, (limits) => ({ ...limits, ...few }))
      )
    )
  )

/** Runs a test with an embedded Coder of its own. */
export const withJournalFleet = <A, E>(
  use: (fleet: JournalFleet) => Effect.Effect<A, E, Scope.Scope>,
  stores = storesWith()
): Effect.Effect<A, E> =>
  Effect.flatMap(makeJournalFleet, use).pipe(
    Effect.scoped,
    Effect.provide(
      Layer.provideMerge(
        appAndClient({
          stateDirectory: "/nonexistent/fleet-mcp-test",
          workingDirectory: "/",
          registered: true,
          environment: {},
          sessionToken
        }),
        stores
      )
    )
  )
