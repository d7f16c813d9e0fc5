import { expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { ConversationStore } from "../../../src/layers/agenthost/ConversationStore.ts"
import { HostLimits } from "../../../src/layers/agenthost/HostLimits.ts"

it.layer(ConversationStore.layerMemory)("ConversationStore.layerMemory", (it) => {
  it.effect("has one conversation for each workspace", () =>
    Effect.gen(function* () {
      const store = yield* ConversationStore
      const one = yield* store.open("one")
      yield* one.append("agent", "hello")
      expect(yield* (yield* store.open("one")).messages).toHaveLength(1)
      expect(yield* (yield* store.open("two")).messages).toEqual([])
      yield* store.discard("one")
      expect(yield* (yield* store.open("one")).messages).toEqual([])
    })
  )
})

const tiny = Layer.effect(
  HostLimits,
  Effect.map(HostLimits, (limits) => ({ ...limits, message: 10 }))
)

it.layer(ConversationStore.layerMemory.pipe(Layer.provide(tiny)))("ConversationStore.layerMemory", (it) => {
  it.effect("keeps to the limits that it was made with", () =>
    Effect.gen(function* () {
      const conversation = yield* (yield* ConversationStore).open("one")
      yield* conversation.append("user", "0123456789ABC")
      expect((yield* conversation.messages)[0]?.content).toMatch(/^01234\n\[cut: 3 of 13 bytes .*\]\n89ABC$/)
    })
  )
})
