import { describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck } from "effect"
import { bounded } from "../../../../src/layers/transports/session/CallResult.ts"
import { AnswerLimits } from "../../../../src/tools/AnswerLimits.ts"

const anyText = FastCheck.array(
  FastCheck.oneof(FastCheck.string({ unit: "binary" }), FastCheck.constantFrom("\ud83d", "\u001b[31m", "x".repeat(300)))
).map((parts) => parts.join(""))

const limits = { text: 500, structured: 2000 }

describe("the exit of answers", () => {
  it.effect.prop(
    "lets nothing out that is too large, not well-formed or holds controls, and keeps the shape",
    [anyText, FastCheck.array(anyText), FastCheck.boolean()],
    ([text, list, isError]) =>
      Effect.gen(function* () {
        const structuredContent = { text, list, deep: { text, number: 1, none: null } }
        const result = yield* bounded({ isError, content: [{ type: "text", text }], structuredContent })
        const json = JSON.stringify(result)
        expect(json).not.toMatch(/\\u(?!2028|2029)[0-9a-f]{4}/)
        expect(json).not.toMatch(/[\p{Surrogate}\u007f-\u009f]/u)
        expect(JSON.stringify(result.content).length).toBeLessThan(limits.text * 2 + 100)
        expect(result.content).toMatchObject([{ type: "text", text: expect.any(String) }])
        expect(Buffer.byteLength(JSON.stringify(result.structuredContent))).toBeLessThanOrEqual(limits.structured)
        expect(result.structuredContent).toMatchObject({
          text: expect.any(String),
          list: expect.any(Array),
          deep: { text: expect.any(String), number: 1, none: null }
        })
      }).pipe(Effect.provideService(AnswerLimits, limits))
  )

  it.effect("keeps the end of an error, which says what to do", () =>
    Effect.map(
      bounded({ isError: true, content: [{ type: "text", text: `${"x".repeat(9000)}\noutcome: unknown` }] }),
      (result) => {
        const [part] = result.content
        const text = part?.type === "text" ? part.text : ""
        expect(text.length).toBeLessThanOrEqual(8000)
        expect(text).toMatch(/^x+\n\[\d+ characters left out\]\nx+\noutcome: unknown$/)
      }
    )
  )
})
