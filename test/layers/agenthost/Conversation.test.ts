import { describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck } from "effect"
import { makeConversation, type Conversation } from "../../../src/layers/agenthost/Conversation.ts"
import { HostLimits } from "../../../src/layers/agenthost/HostLimits.ts"
import { byteLength } from "../../../src/schemas/Text.ts"

const conversing = Effect.map(HostLimits, makeConversation)
const small = Effect.map(HostLimits, (limits) => ({ ...limits, outputLine: 200, message: 600, conversation: 3000 }))

/** The body in which AgentAPI answers. */
const bodySize = (conversation: Conversation) =>
  Effect.map(conversation.messages, (messages) => byteLength(JSON.stringify({ messages })))

const turn = Effect.fn(function* (conversation: Conversation, prompt: string, output: string) {
  yield* conversation.append("user", prompt)
  yield* conversation.append("agent", "")
  yield* conversation.extend(output)
  yield* conversation.close("[exit code 0]")
})

describe("a conversation", () => {
  it.effect("numbers messages, and changes only the last one", () =>
    Effect.gen(function* () {
      const conversation = yield* conversing
      expect(yield* conversation.messages).toEqual([])
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

  it.effect("begins a new line, and a new count, with each message", () =>
    Effect.gen(function* () {
      const conversation = yield* conversing
      const { outputLine } = yield* HostLimits
      yield* conversation.append("agent", "")
      yield* conversation.extend("x".repeat(outputLine + 1))
      yield* conversation.append("agent", "")
      yield* conversation.extend("y")
      expect((yield* conversation.messages)[1]?.content).toBe("y")
    })
  )

  it.effect("has room for the next turn, however much one has said", () =>
    Effect.gen(function* () {
      const conversation = yield* conversing
      yield* conversation.append("agent", "Hello.")
      for (const answer of ["first", "second"]) {
        yield* conversation.append("user", answer)
        yield* conversation.append("agent", "")
        for (let index = 0; index < 200; index++) yield* conversation.extend(`${"x".repeat(60_000)}\n`)
        yield* conversation.extend(`${answer}\n`)
        yield* conversation.close("[exit code 0]")
      }
      yield* turn(conversation, "test", "the tests FAILED\n")
      const messages = yield* conversation.messages
      expect(messages.map(({ id }) => id)).toEqual([0, 1, 2, 3, 4, 5, 6])
      expect(messages[2]?.content).toMatch(/bytes are left out here; a message holds at most 2 MiB\]\n/)
      expect(messages[2]?.content).toMatch(/\nfirst\n\[exit code 0\]$/)
      expect(messages[4]?.content).toMatch(/\nsecond\n\[exit code 0\]$/)
      expect(messages[6]?.content).toBe("the tests FAILED\n[exit code 0]")
    })
  )

  it.effect("can be read whatever its messages are made of", () =>
    Effect.gen(function* () {
      const conversation = yield* conversing
      yield* conversation.append("agent", "Hello.")
      yield* turn(conversation, "\u0000".repeat(9_000_000), `${"\u0000".repeat(10_000)}\n`.repeat(300))
      expect(yield* bodySize(conversation)).toBeGreaterThan(4_000_000)
      for (let index = 0; index < 3; index++) yield* turn(conversation, "\u0000".repeat(500_000), '"'.repeat(1_500_000))
      const { conversation: limit } = yield* HostLimits
      expect(yield* bodySize(conversation)).toBeLessThanOrEqual(limit)
    })
  )

  it.effect("keeps the largest task whole", () =>
    Effect.gen(function* () {
      const conversation = yield* conversing
      const task = "\u001b".repeat(256 * 1024)
      yield* conversation.append("user", task)
      expect((yield* conversation.messages)[0]?.content).toBe(task)
    })
  )

  it.effect("that grew too large loses its oldest messages, says so, and keeps its ids", () =>
    Effect.gen(function* () {
      const conversation = makeConversation(yield* small)
      yield* conversation.append("agent", "Hello.")
      for (let index = 1; index <= 50; index++) yield* turn(conversation, `prompt ${index}`, `answer ${index}`)
      const [first, ...others] = yield* conversation.messages
      expect(first).toMatchObject({
        id: 101 - others.length - 1,
        role: "agent",
        content: `[the ${101 - others.length} oldest messages are left out; a conversation holds at most 3000 bytes]`
      })
      // No more than needed: one more of about 120 bytes, and the mark's own place.
      const size = yield* bodySize(conversation)
      expect([size > 3000 - 120 - 320, size <= 3000]).toEqual([true, true])
      for (const [index, { content, id, role }] of others.entries()) {
        expect(id).toBe(101 - others.length + index)
        const number = Math.ceil(id / 2)
        expect([role, content]).toEqual(
          id % 2 === 1 ? ["user", `prompt ${number}`] : ["agent", `answer ${number}\n[exit code 0]`]
        )
      }
    })
  )

  const text = FastCheck.string({ unit: FastCheck.constantFrom("a", "\n", "\u0000", "€", '"', "😀"), maxLength: 400 })
  const step = FastCheck.oneof(
    FastCheck.record({
      does: FastCheck.constantFrom("append"),
      role: FastCheck.constantFrom<"user" | "agent">("user", "agent"),
      text
    }),
    FastCheck.record({
      does: FastCheck.constantFrom("extend", "close"),
      role: FastCheck.constantFrom<"user" | "agent">("agent"),
      text
    })
  )

  it.effect.prop(
    "is the end of the same conversation without a limit",
    [FastCheck.array(step, { maxLength: 60 })],
    ([steps]) =>
      Effect.gen(function* () {
        const limits = yield* small
        const bounded = makeConversation(limits)
        const whole = makeConversation({ ...limits, conversation: Infinity })
        for (const { does, role, text } of steps) {
          for (const each of [bounded, whole]) {
            yield* does === "append"
              ? each.append(role, text)
              : does === "extend"
                ? each.extend(text)
                : each.close(text)
          }
          const all = yield* whole.messages
          const kept = yield* bounded.messages
          const size = yield* bodySize(bounded)
          const isLeftOut = kept.length > 0 && kept[0]?.content !== all[all.length - kept.length]?.content
          const messages = isLeftOut ? kept.slice(1) : kept
          expect(messages).toEqual(all.slice(all.length - messages.length))
          if (!isLeftOut) expect(kept).toHaveLength(all.length)
          else expect(kept[0]?.id).toBe(all.length - messages.length - 1)
          // The last two stay; of the others none goes without need.
          expect(messages.length).toBeGreaterThanOrEqual(Math.min(2, all.length))
          if (messages.length > 2) expect(size).toBeLessThanOrEqual(limits.conversation)
        }
      })
  )
})
