import { describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck } from "effect"
import { HostLimits } from "../../../src/layers/agenthost/HostLimits.ts"
import { makeTranscript, type StoredTranscript, type Transcript } from "../../../src/layers/agenthost/Transcript.ts"
import { jsonBytes } from "../../../src/layers/agenthost/JsonSize.ts"
import { byteLength } from "../../../src/schemas/Text.ts"

type Limits = HostLimits["Type"]

/** A transcript whose steps are written as one says them. */
const transcribing = (limits: Limits, before?: StoredTranscript) => {
  const transcript = makeTranscript(limits, before)
  return {
    ...transcript,
    append: (role: "agent" | "user", content: string) => transcript.draft("t", [{ role, content }]).accept()
  }
}

const conversing = Effect.map(HostLimits, transcribing)
const smallOf = (limits: Limits): Limits => ({ ...limits, outputLine: 200, message: 600, conversation: 3000, part: 50 })
const small = Effect.map(HostLimits, smallOf)

/** The body in which AgentAPI answers. */
const bodySize = ({ messages }: Pick<Transcript, "messages">) => byteLength(JSON.stringify({ messages: messages() }))

const turn = (conversation: ReturnType<typeof transcribing>, prompt: string, output: string) => {
  conversation.append("user", prompt)
  conversation.append("agent", "")
  conversation.extend(output)
  conversation.close("[exit code 0]")
}

describe("a transcript", () => {
  it.effect("numbers messages, and changes only the last one", () =>
    Effect.gen(function* () {
      const conversation = yield* conversing
      expect(conversation.messages()).toEqual([])
      conversation.append("agent", "")
      conversation.append("user", "go")
      conversation.append("agent", "")
      const before = conversation.messages()
      conversation.extend("one")
      conversation.extend(" two")
      conversation.close("[end]")
      expect(before[2]?.content).toBe("")
      expect(conversation.messages().map(({ id, content }) => [id, content])).toEqual([
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
      conversation.append("agent", "")
      conversation.extend("x".repeat(outputLine + 1))
      conversation.append("agent", "")
      conversation.extend("y")
      expect(conversation.messages()[1]?.content).toBe("y")
    })
  )

  it.effect("has room for the next turn, however much one has said", () =>
    Effect.gen(function* () {
      const conversation = yield* conversing
      conversation.append("agent", "Hello.")
      for (const answer of ["first", "second"]) {
        conversation.append("user", answer)
        conversation.append("agent", "")
        for (let index = 0; index < 200; index++) conversation.extend(`${"x".repeat(60_000)}\n`)
        conversation.extend(`${answer}\n`)
        conversation.close("[exit code 0]")
      }
      turn(conversation, "test", "the tests FAILED\n")
      const messages = conversation.messages()
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
      conversation.append("agent", "Hello.")
      turn(conversation, "\u0000".repeat(9_000_000), `${"\u0000".repeat(10_000)}\n`.repeat(300))
      expect(bodySize(conversation)).toBeGreaterThan(4_000_000)
      for (let index = 0; index < 3; index++) turn(conversation, "\u0000".repeat(500_000), '"'.repeat(1_500_000))
      const { conversation: limit } = yield* HostLimits
      expect(bodySize(conversation)).toBeLessThanOrEqual(limit)
    })
  )

  it.effect("keeps the largest task whole", () =>
    Effect.gen(function* () {
      const conversation = yield* conversing
      const task = "\u001b".repeat(256 * 1024)
      conversation.append("user", task)
      expect(conversation.messages()[0]?.content).toBe(task)
    })
  )

  it.effect("that grew too large loses its oldest messages, says so, and keeps its ids", () =>
    Effect.gen(function* () {
      const conversation = transcribing(yield* small)
      conversation.append("agent", "Hello.")
      for (let index = 1; index <= 50; index++) turn(conversation, `prompt ${index}`, `answer ${index}`)
      const [first, ...others] = conversation.messages()
      expect(first).toMatchObject({
        id: 101 - others.length - 1,
        role: "agent",
        content: `[the ${101 - others.length} oldest messages are left out; a conversation holds at most 3000 bytes]`
      })
      // No more than needed: one more of about 120 bytes, and the mark's own place.
      const size = bodySize(conversation)
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

  type Step = { readonly does: string; readonly role: "user" | "agent"; readonly text: string }
  const perform = (transcript: ReturnType<typeof transcribing>, { does, role, text }: Step) => {
    if (does === "append") transcript.append(role, text)
    else if (does === "extend") transcript.extend(text)
    else transcript.close(text)
  }

  it.effect.prop(
    "is the end of the same conversation without a limit",
    [FastCheck.array(step, { maxLength: 60 })],
    ([steps]) =>
      Effect.gen(function* () {
        const limits = yield* small
        const bounded = transcribing(limits)
        const whole = transcribing({ ...limits, conversation: Infinity })
        for (const { does, role, text } of steps) {
          for (const each of [bounded, whole]) {
            perform(each, { does, role, text })
          }
          const all = whole.messages()
          const kept = bounded.messages()
          const size = bodySize(bounded)
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

  it.effect.prop(
    "is the same from what was stored of it, in any pieces and after any failures, which takes a bounded place",
    [
      FastCheck.array(
        FastCheck.tuple(step, FastCheck.constantFrom("go on", "store", "fail to store", "continue from the store")),
        { maxLength: 60 }
      )
    ],
    ([steps]) =>
      Effect.gen(function* () {
        const limits = yield* small
        const whole = transcribing(limits)
        const messages = new Map<number, StoredTranscript["messages"][number]>()
        const parts = new Map<number, StoredTranscript["parts"][number]>()
        let leftOut: StoredTranscript["leftOut"] = null
        let kept = transcribing(limits)
        const store = () => {
          const change = kept.pending()
          if (change === undefined) return
          for (const id of change.removedMessages) {
            messages.delete(id)
            for (const part of parts.values()) if (part.message === id) parts.delete(part.id)
          }
          for (const id of change.removedParts) parts.delete(id)
          for (const message of change.messages) messages.set(message.id, message)
          for (const part of change.parts) {
            // One that is there only grows.
            expect(part.text.startsWith(parts.get(part.id)?.text ?? "")).toBe(true)
            expect(part.message).toBe(parts.get(part.id)?.message ?? part.message)
            parts.set(part.id, part)
          }
          leftOut = change.leftOut
          kept.stored(change)
          expect(kept.pending()).toBeUndefined()
          expect(kept.isStored()).toBe(true)
        }
        let isClosed = false
        // Each of them can end a part before it is full.
        let seams = 0
        for (const [each, then] of steps) {
          // A message of an agent that is gone gets no more output, but a last line.
          if (each.does === "extend" && isClosed) continue
          perform(whole, each)
          perform(kept, each)
          if (each.does === "append") isClosed = false
          if (then === "store") store()
          if (then !== "go on" && then !== "store") seams++
          if (then === "fail to store") {
            kept.pending()
            kept.draft("t", [{ role: "user", content: "never taken" }])
          }
          if (then === "continue from the store") {
            store()
            const before: StoredTranscript = { messages: [...messages.values()], parts: [...parts.values()], leftOut }
            kept = transcribing(limits, JSON.parse(JSON.stringify(before)))
            isClosed = true
          }
          expect(kept.messages()).toEqual(whole.messages())
        }
        store()
        const text = [...parts.values()].map((part) => part.text).join("")
        // Two parts that follow each other are more than one may hold; a message has a beginning, an end, and one between them.
        expect(parts.size).toBeLessThanOrEqual((2 * jsonBytes(text)) / (limits.part - 6) + 3 * messages.size + seams)
        expect(jsonBytes(text)).toBeLessThanOrEqual(
          Math.max(limits.conversation, 2 * limits.message) + 100 * messages.size
        )
        expect(messages.size).toBe(kept.messages().length - (leftOut === null ? 0 : 1))
      })
  )

  it.effect.prop(
    "that comes in short pieces is stored in few parts, each of them stored at once or when it can be",
    [
      FastCheck.array(
        FastCheck.tuple(
          FastCheck.string({ unit: FastCheck.constantFrom("a", "\n", "€"), minLength: 1, maxLength: 6 }),
          FastCheck.boolean()
        ),
        { minLength: 40, maxLength: 120 }
      )
    ],
    ([pieces]) =>
      Effect.gen(function* () {
        const limits = { ...(yield* HostLimits), part: 200, smallPart: 60 }
        const transcript = transcribing(limits)
        transcript.append("agent", "")
        const parts = new Map<number, string>()
        let failures = 0
        for (const [piece, isStored] of pieces) {
          transcript.extend(piece)
          const change = transcript.pending()
          if (!isStored || change === undefined) {
            failures++
            continue
          }
          for (const { id, text: said } of change.parts) parts.set(id, said)
          transcript.stored(change)
        }
        const change = transcript.pending()
        for (const { id, text: said } of change?.parts ?? []) parts.set(id, said)
        const said = [...parts.values()].join("")
        expect(said).toBe(pieces.map(([piece]) => piece).join(""))
        // Two that follow each other are more than a small one, unless what became of the first was not known.
        expect(parts.size).toBeLessThanOrEqual((2 * jsonBytes(said)) / limits.smallPart + 1 + failures)
      })
  )
})
