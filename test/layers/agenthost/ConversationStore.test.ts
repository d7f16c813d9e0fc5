import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { ConversationStore } from "../../../src/layers/agenthost/ConversationStore.ts"
import { Limits } from "../../../src/layers/config/Limits.ts"

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

  it.effect("numbers messages, and changes only the last one", () =>
    Effect.gen(function* () {
      const conversation = yield* (yield* ConversationStore).open("numbers")
      yield* conversation.append("agent", "")
      yield* conversation.append("user", "go")
      yield* conversation.append("agent", "")
      const before = yield* conversation.messages
      yield* conversation.extend("one")
      yield* conversation.extend(" two")
      yield* conversation.close("[end]")
      expect(before[2]?.content).toBe("")
      expect((yield* conversation.messages).map(({ id, content }) => [id, content])).toEqual([
        [0, ""],
        [1, "go"],
        [2, "one two\n[end]"]
      ])
    })
  )

  it.effect("records prompts and last lines when it is full", () =>
    Effect.gen(function* () {
      const conversation = yield* (yield* ConversationStore).open("full")
      yield* conversation.append("agent", "")
      for (let index = 0; index < 200; index++) yield* conversation.extend(`${"x".repeat(60_000)}\n`)
      yield* conversation.close("[exit code 0]")
      const [first] = yield* conversation.messages
      expect(first?.content.endsWith("[cut: a conversation holds at most 8 MiB]\n[exit code 0]")).toBe(true)
      expect(first?.content.length).toBeLessThan(Limits.conversation + 100)

      yield* conversation.append("user", "one more")
      yield* conversation.append("agent", "")
      yield* conversation.extend("not recorded")
      yield* conversation.close("[exit code 1]")
      expect((yield* conversation.messages).slice(1).map(({ content }) => content)).toEqual([
        "one more",
        "[exit code 1]"
      ])
    })
  )

  it.effect("begins a new line with each message", () =>
    Effect.gen(function* () {
      const conversation = yield* (yield* ConversationStore).open("lines")
      yield* conversation.append("agent", "")
      yield* conversation.extend("x".repeat(Limits.outputLine + 1))
      yield* conversation.append("agent", "")
      yield* conversation.extend("y")
      expect((yield* conversation.messages)[1]?.content).toBe("y")
    })
  )
})
