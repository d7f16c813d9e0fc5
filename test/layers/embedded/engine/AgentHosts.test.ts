import { assert, it } from "@effect/vitest"
import { Effect, Layer, Option, Ref, TestClock } from "effect"
import { AgentApiServer } from "../../../../src/layers/agenthost/AgentApiServer.ts"
import type { CodingAgent } from "../../../../src/layers/agenthost/AgentHost.ts"
import { ConversationStore } from "../../../../src/layers/agenthost/ConversationStore.ts"
import { type EmbeddedFaults, embeddedFaults } from "../../../support/EmbeddedFaults.ts"
import { faultyRowStore, type StoreFaults } from "../../../support/FaultyRowStore.ts"
import { AgentHosts } from "../../../../src/layers/embedded/engine/AgentHosts.ts"
import { layerStoredConversations } from "../../../../src/layers/embedded/store/StoredConversations.ts"
import { RowStore } from "../../../../src/layers/embedded/store/RowStore.ts"
import { WorkspaceStore } from "../../../../src/layers/embedded/store/WorkspaceStore.ts"

const layers = (faults: EmbeddedFaults = {}, rows: Layer.Layer<RowStore> = RowStore.layerMemory) =>
  AgentHosts.layer.pipe(
    Layer.provideMerge(
      Layer.mergeAll(AgentApiServer.layer, layerStoredConversations, WorkspaceStore.layer, embeddedFaults(faults)).pipe(
        Layer.provide(rows)
      )
    )
  )

/** Remembers its prompts; each takes a minute. */
const sleeper = () => {
  const prompts: Array<string> = []
  const agent: CodingAgent = {
    agentType: "sleeper",
    turn: (prompt) =>
      Effect.sync(() => prompts.push(prompt)).pipe(
        Effect.zipRight(Effect.sleep("1 minute")),
        Effect.as({ state: "complete", message: "slept" })
      )
  }
  return { prompts, agent }
}

/** A workspace as it is when its first start has got so far that its agent is to come up. */
const workspaceWithAgent = (name: string) =>
  Effect.gen(function* () {
    const store = yield* WorkspaceStore
    const { build, workspace } = yield* store.insertWorkspace(
      { name, template_id: "t" },
      {
        transition: "start",
        reason: "initiator",
        template_version_id: "v",
        template_version_preset_id: null,
        parameters: []
      }
    )
    const agent = yield* store.insertAgent(build.id, { slug: "ccw", display_name: "sleeper" })
    const now = Effect.map(store.workspace(workspace.id), (state) => Option.getOrThrow(state))
    return { workspace, agent, now }
  })

it.effect("an agent that never connects is given up after two minutes", () =>
  Effect.gen(function* () {
    const hosts = yield* AgentHosts
    const { agent, now, workspace } = yield* workspaceWithAgent("silent")
    yield* hosts.start({ workspace, agent, codingAgent: sleeper().agent, prompt: "" })
    yield* TestClock.adjust("119 seconds")
    assert.strictEqual((yield* now).agent?.status, "connecting")
    yield* TestClock.adjust("1 seconds")
    assert.strictEqual((yield* now).agent?.status, "timeout")
    assert.isTrue(Option.isNone(yield* hosts.app(workspace.id)))
    yield* hosts.stop(workspace.id)
  }).pipe(Effect.provide(layers({ agents: [{ workspace: "silent", fault: "never_connects" }] })))
)

it.effect("an agent comes up at work on its first task; the next one in the workspace does not get it", () =>
  Effect.gen(function* () {
    const hosts = yield* AgentHosts
    const { agent, now, workspace } = yield* workspaceWithAgent("worker")
    const { agent: codingAgent, prompts } = sleeper()
    yield* hosts.start({ workspace, agent, codingAgent, prompt: "count sheep" })
    yield* TestClock.adjust("1 seconds")
    const up = yield* now
    assert.deepInclude(up.agent ?? undefined, { status: "connected", lifecycle_state: "ready" })
    assert.strictEqual(up.agent?.app?.health, "healthy")
    assert.deepStrictEqual(
      up.statuses.map(({ message, state }) => [state, message]),
      [["working", "count sheep"]]
    )
    yield* hosts.stop(workspace.id)
    assert.isTrue(Option.isNone(yield* hosts.app(workspace.id)))
    yield* hosts.start({ workspace, agent, codingAgent, prompt: "count sheep" })
    yield* TestClock.adjust("1 hour")
    assert.deepStrictEqual(prompts, ["count sheep"])
  }).pipe(Effect.provide(layers()))
)

it.effect("an agent that breaks while it comes up shows a start error", () =>
  Effect.gen(function* () {
    const hosts = yield* AgentHosts
    const { agent, now, workspace } = yield* workspaceWithAgent("broken")
    const codingAgent: CodingAgent = {
      ...sleeper().agent,
      get greeting(): string {
        throw new Error("no greeting")
      }
    }
    yield* hosts.start({ workspace, agent, codingAgent, prompt: "" })
    yield* TestClock.adjust("1 seconds")
    assert.strictEqual((yield* now).agent?.lifecycle_state, "start_error")
    assert.strictEqual((yield* now).agent?.app?.health, "unhealthy")
  }).pipe(Effect.provide(layers()))
)

it.effect(
  "a first task that was given and not taken is left to the next start; one that stands in the conversation is done",
  () =>
    Effect.gen(function* () {
      const hosts = yield* AgentHosts
      const store = yield* WorkspaceStore
      const conversations = yield* ConversationStore
      const { agent: codingAgent, prompts } = sleeper()

      const cut = yield* workspaceWithAgent("cut")
      yield* store.setFirstPrompt(cut.workspace.id, "given")
      yield* hosts.start({ ...cut, codingAgent, prompt: "count sheep" })
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(prompts, ["count sheep"])
      assert.strictEqual(yield* store.firstPrompt(cut.workspace.id), "done")

      const heard = yield* workspaceWithAgent("heard")
      yield* store.setFirstPrompt(heard.workspace.id, "given")
      const conversation = yield* conversations.open(heard.workspace.id)
      yield* conversation.greet("")
      yield* conversation.beginTurn("count goats")
      yield* hosts.start({ ...heard, codingAgent, prompt: "count goats" })
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(prompts, ["count sheep"])
      assert.strictEqual(yield* store.firstPrompt(heard.workspace.id), "done")
    }).pipe(Effect.provide(layers()))
)

it.effect("a stop at any moment of a start loses no first task, and none runs twice", () =>
  Effect.gen(function* () {
    const hosts = yield* AgentHosts
    const store = yield* WorkspaceStore
    for (let yields = 0; yields < 40; yields++) {
      const { agent: codingAgent, prompts } = sleeper()
      const made = yield* workspaceWithAgent(`stopped-${yields}`)
      const request = { ...made, codingAgent, prompt: "count sheep" }
      yield* hosts.start(request)
      yield* Effect.repeatN(Effect.yieldNow(), yields)
      yield* hosts.stop(made.workspace.id)
      yield* hosts.start(request)
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(prompts, ["count sheep"], `after ${yields}`)
      assert.strictEqual(yield* store.firstPrompt(made.workspace.id), "done")
    }
  }).pipe(Effect.provide(layers()))
)

it.effect("an agent whose changes cannot be stored comes up, does its first task and takes others", () =>
  Effect.gen(function* () {
    const faults = yield* Ref.make<StoreFaults>({})
    const store = Layer.provide(faultyRowStore(faults), RowStore.layerMemory)
    yield* Effect.gen(function* () {
      const hosts = yield* AgentHosts
      const { agent, workspace } = yield* workspaceWithAgent("unstored")
      const { agent: sleepy, prompts } = sleeper()
      const ended = yield* Ref.make(0)
      const codingAgent: CodingAgent = {
        ...sleepy,
        turn: (...args) =>
          Effect.zipLeft(
            sleepy.turn(...args),
            Ref.update(ended, (count) => count + 1)
          )
      }
      yield* Ref.set(faults, { operations: ["updateAgent", "appendAgentLog", "addAppStatus"] })
      yield* hosts.start({ workspace, agent, codingAgent, prompt: "count sheep" })
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(prompts, ["count sheep"])
      assert.isTrue(Option.isSome(yield* hosts.app(workspace.id)))
      assert.strictEqual(yield* Ref.get(ended), 1)
      yield* hosts.stop(workspace.id)
    }).pipe(Effect.provide(layers({}, store)))
  })
)

it.effect("a first task whose giving cannot be stored is tried again, and runs once", () =>
  Effect.gen(function* () {
    const faults = yield* Ref.make<StoreFaults>({})
    const rows = Layer.provide(faultyRowStore(faults), RowStore.layerMemory)
    yield* Effect.gen(function* () {
      const hosts = yield* AgentHosts
      const store = yield* WorkspaceStore
      const { agent, workspace } = yield* workspaceWithAgent("later")
      const { agent: codingAgent, prompts } = sleeper()
      yield* Ref.set(faults, { operations: ["setFirstPrompt"] })
      yield* hosts.start({ workspace, agent, codingAgent, prompt: "count sheep" })
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(prompts, [])
      yield* Ref.set(faults, {})
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(prompts, ["count sheep"])
      assert.strictEqual(yield* store.firstPrompt(workspace.id), "done")
    }).pipe(Effect.provide(layers({}, rows)))
  })
)
