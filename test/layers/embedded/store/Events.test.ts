import { assert, it } from "@effect/vitest"
import { Chunk, Effect, Layer, Option, Schema, Stream, TestClock } from "effect"
import { ConversationStore } from "../../../../src/layers/agenthost/ConversationStore.ts"
import { eventsOf } from "../../../../src/layers/embedded/store/Events.ts"
import { RowStore } from "../../../../src/layers/embedded/store/RowStore.ts"
import { layerStoredConversations } from "../../../../src/layers/embedded/store/StoredConversations.ts"
import { WorkspaceStore } from "../../../../src/layers/embedded/store/WorkspaceStore.ts"
import { Event } from "../../../../src/schemas/Event.ts"

const layer = Layer.merge(layerStoredConversations, WorkspaceStore.layer).pipe(Layer.provideMerge(RowStore.layerMemory))

it.effect("the journal tells the life of an agent, each thing once, in order", () =>
  Effect.gen(function* () {
    const rows = yield* RowStore
    const store = yield* WorkspaceStore
    const conversations = yield* ConversationStore
    const startBuild = {
      transition: "start",
      reason: "initiator",
      template_version_id: "v",
      template_version_preset_id: null,
      parameters: []
    } as const
    const { build, workspace } = yield* store.insertWorkspace({ name: "bot", template_id: "t" }, startBuild)
    yield* store.updateJob(build.id, { status: "running" })
    yield* store.appendBuildLog(build.id, { log_source: "p", log_level: "info", stage: "s", output: "a line" })
    const agent = yield* store.insertAgent(build.id, { slug: "ccw", display_name: "shell" })
    yield* store.updateJob(build.id, { status: "succeeded" })
    yield* store.updateAgent(agent.id, { status: "connected", lifecycle_state: "ready", health: "healthy" })
    yield* store.updateAgent(agent.id, { status: "connected" })
    const conversation = yield* conversations.open(workspace.id)
    yield* conversation.beginTurn("fix the login")
    yield* store.addAppStatus(agent.id, { app_slug: "ccw", state: "working", message: "fix the login", uri: "" })
    for (let second = 0; second < 40; second++) {
      yield* conversation.extend("a line\n")
      yield* TestClock.adjust("1 second")
    }
    yield* conversation.endTurn("failure", "[exit code 1]")
    const end = yield* store.insertBuild(workspace.id, { ...startBuild, build_number: 2, transition: "delete" })
    yield* store.updateJob(end.build.id, { status: "succeeded" })

    const position = yield* rows.read("position", (all) => all.position)
    const commits = Chunk.toReadonlyArray(yield* Stream.runCollect(Stream.take(rows.changes(0), position)))
    const events = commits.flatMap((commit) => eventsOf(commit, () => Option.some("bot")))
    assert.deepStrictEqual(Schema.decodeUnknownSync(Schema.Array(Event))(JSON.parse(JSON.stringify(events))), events)
    assert.deepStrictEqual(
      events.map((event) => {
        switch (event.kind) {
          case "build":
            return [event.kind, event.transition, event.status]
          case "agent":
            return [event.kind, event.status, event.health]
          case "output":
            return [event.kind, event.bytes]
          case "turn_begun":
            return [event.kind, event.task]
          case "turn_ended":
          case "report":
            return [event.kind, event.state]
          case "deleted":
            return [event.kind]
        }
      }),
      [
        ["build", "start", "pending"],
        ["build", "start", "running"],
        ["agent", "connecting", "initializing"],
        ["build", "start", "succeeded"],
        ["agent", "connected", "healthy"],
        ["turn_begun", "fix the login"],
        ["report", "working"],
        ["output", 7 * 31],
        ["turn_ended", "failure"],
        ["build", "delete", "pending"],
        ["build", "delete", "succeeded"],
        ["deleted"]
      ]
    )
    assert.deepStrictEqual(
      events.map(({ agent_id, agent_name }) => `${agent_id} ${agent_name}`),
      events.map(() => `${workspace.id} bot`)
    )
    assert.deepStrictEqual(
      events.map((event) => event.position),
      events.map((event) => event.position).toSorted((a, b) => a - b)
    )
    assert.deepStrictEqual(
      commits.flatMap((commit) => eventsOf(commit, () => Option.none())),
      []
    )
  }).pipe(Effect.provide(layer))
)
