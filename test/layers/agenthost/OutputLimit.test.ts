import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { jsonBytes, splitAtMost, withoutFirst } from "../../../src/layers/agenthost/JsonSize.ts"
import { makeBoundedText, type TextPart, type TextSize } from "../../../src/layers/agenthost/BoundedText.ts"
import { makeLineLimit } from "../../../src/layers/agenthost/OutputLimit.ts"
import { statusMessage } from "../../../src/layers/agenthost/StatusReporter.ts"
import { byteLength } from "../../../src/schemas/Text.ts"

const KiB = 1024

// All widths that a character can have within JSON, and many line ends.
const character = FastCheck.constantFrom("a", "b", "\n", "\n", '"', "\\", "\u0000", "\u001b", "\u007f", "é", "€", "😀")
const piece = FastCheck.array(character, { maxLength: 30 }).map((characters) => characters.join(""))
const pieces = FastCheck.array(piece, { maxLength: 20 })

/** The slow and obvious way: character by character. */
const longestBeginning = (text: string, limit: number): string => {
  let kept = ""
  for (const each of text) {
    if (jsonBytes(kept + each) > limit) return kept
    kept += each
  }
  return kept
}
const longestEnd = (text: string, limit: number): string => {
  const backwards = Array.from(text).toReversed().join("")
  return Array.from(longestBeginning(backwards, limit)).toReversed().join("")
}

describe("sizes as JSON", () => {
  it("are what JSON.stringify makes of a text, also of half a character", () => {
    const texts = FastCheck.oneof(
      FastCheck.string({ unit: "binary" }),
      FastCheck.constantFrom("\ud800", "a\udc00\ud83d")
    )
    FastCheck.assert(
      FastCheck.property(texts, FastCheck.nat(60), (text, limit) => {
        const [beginning, rest] = splitAtMost(text, limit)
        expect(beginning + rest).toBe(text)
        expect(beginning).toBe(longestBeginning(text, limit))
        const left = withoutFirst(text, limit)
        expect(text.endsWith(left)).toBe(true)
        expect(jsonBytes(text.slice(0, text.length - left.length))).toBeGreaterThanOrEqual(
          Math.min(limit, jsonBytes(text))
        )
      })
    )
  })
})

describe("a limit of lines", () => {
  const record = (limit: number, ...chunks: ReadonlyArray<string>) => chunks.map(makeLineLimit(limit)).join("")
  const mark = " [cut: a line holds at most 64 KiB]"
  const limit = 64 * KiB

  it("changes nothing below the limit", () => {
    expect(record(limit, "a\n\nb", "c\r\n", "€")).toBe("a\n\nbc\r\n€")
    expect(record(limit, "x".repeat(limit), "\n")).toBe(`${"x".repeat(limit)}\n`)
  })

  it("cuts a long line once, however it arrives", () => {
    const expected = `${"x".repeat(limit)}${mark}\nnext`
    expect(record(limit, `${"x".repeat(100_000)}\nnext`)).toBe(expected)
    expect(record(limit, "x".repeat(60_000), "x".repeat(40_000), "xxx", "x\nne", "xt")).toBe(expected)
    expect(record(limit, "x".repeat(limit - 1), "😀", "y\n")).toBe(`${"x".repeat(limit - 1)}${mark}\n`)
  })

  it("does the same as cutting each line of the whole", () => {
    FastCheck.assert(
      FastCheck.property(pieces, FastCheck.integer({ min: 1, max: 40 }), (chunks, size) => {
        const whole = chunks.join("").split("\n")
        const expected = whole.map((line) =>
          jsonBytes(line) <= size ? line : `${longestBeginning(line, size)} [cut: a line holds at most ${size} bytes]`
        )
        expect(record(size, ...chunks)).toBe(expected.join("\n"))
      })
    )
  })
})

const boundedSlowly = (whole: string, limit: number): string => {
  if (jsonBytes(whole) <= limit) return whole
  const head = longestBeginning(whole, Math.floor(limit / 2))
  const tail = longestEnd(whole, Math.floor(limit / 2))
  const left = byteLength(whole) - byteLength(head) - byteLength(tail)
  const newLine = head === "" || head.endsWith("\n") ? "" : "\n"
  const mark = `[cut: ${left} of ${byteLength(whole)} bytes are left out here; a message holds at most ${limit} bytes]`
  return `${head}${newLine}${mark}\n${tail}`
}

/** A text that is stored now and then, and may be continued from what was stored. */
const storing = (limit: number, part: number, smallPart = part) => {
  const rows = new Map<number, string>()
  let ids = 0
  const make = (before?: { parts: ReadonlyArray<TextPart>; leftOut: TextSize }) =>
    makeBoundedText({ limit, part, smallPart, nextId: () => ids++, ...(before === undefined ? {} : { before }) })
  let text = make()
  const store = () => {
    const [added, removed] = [text.unstored(), text.surplus()]
    for (const id of removed) rows.delete(id)
    for (const { id, text: said } of added) {
      // One that is there only grows.
      const before = rows.get(id) ?? ""
      expect(said.startsWith(before) && said !== before).toBe(true)
      rows.set(id, said)
    }
    text.stored(added.at(-1)?.id ?? -1, removed)
    expect(text.isStored()).toBe(true)
    expect(text.unstored()).toEqual([])
  }
  return {
    rows,
    text: () => text,
    store,
    continued: () => {
      store()
      text = make({ parts: Array.from(rows, ([id, said]) => ({ id, text: said })), leftOut: text.leftOut() })
    }
  }
}

describe("a bounded text", () => {
  it("keeps beginning and end of what is too long, and says how much is missing, however it arrives", () => {
    FastCheck.assert(
      FastCheck.property(pieces, FastCheck.integer({ min: 2, max: 300 }), (chunks, limit) => {
        const bounded = storing(limit, limit).text()
        let whole = ""
        for (const chunk of chunks) {
          bounded.add(chunk)
          whole += chunk
          const kept = bounded.text()
          expect(kept).toBe(boundedSlowly(whole, limit))
          expect(bounded.size()).toBeGreaterThanOrEqual(jsonBytes(kept))
        }
      })
    )
  })

  const acts = FastCheck.array(
    FastCheck.tuple(piece, FastCheck.constantFrom("go on", "store", "continue from what is stored")),
    { maxLength: 40 }
  )

  it("is the same from what was stored of it, of which no part is cut, and which takes a bounded place", () => {
    FastCheck.assert(
      FastCheck.property(
        acts,
        FastCheck.integer({ min: 2, max: 200 }),
        FastCheck.integer({ min: 1, max: 30 }),
        FastCheck.integer({ min: 0, max: 40 }),
        (steps, limit, part, smallPart) => {
          const bounded = storing(limit, part, smallPart)
          let whole = ""
          for (const [chunk, then] of steps) {
            bounded.text().add(chunk)
            whole += chunk
            if (then === "store") bounded.store()
            if (then === "continue from what is stored") bounded.continued()
            expect(bounded.text().text()).toBe(boundedSlowly(whole, limit))
          }
          bounded.store()
          const kept = jsonBytes([...bounded.rows.values()].join(""))
          // Half at the beginning and half at the end, and what of a part is beyond; one character is up to 6 bytes.
          expect(kept).toBeLessThanOrEqual(limit + 2 * Math.max(6, part))
        }
      )
    )
  })

  it("holds no more than its limit of a long one, in large and in small pieces", () => {
    const limit = 32 * KiB
    for (const [text, times] of [
      ["x".repeat(10_000_000), 3],
      ["line\n", 200_000],
      ["\u0000", 200_000]
    ] as const) {
      const bounded = storing(limit, 4 * KiB).text()
      for (let time = 0; time < times; time++) bounded.add(text)
      expect(jsonBytes(bounded.text())).toBeLessThanOrEqual(bounded.size())
      expect(bounded.size()).toBeLessThan(limit + 200)
      expect(jsonBytes(bounded.text())).toBeGreaterThan(limit - 20)
      expect(bounded.text()).toContain(` of ${text.length * times} bytes are left out here`)
    }
  })
})

describe("statusMessage", () => {
  it("is the first line that says something, without control characters", () => {
    expect(statusMessage("\n \u0007\n fix\u001b[1m the\tlogin \r\nmore")).toBe("fix the login")
    expect(statusMessage("\u0000")).toBe("")
  })

  it("has at most 160 bytes, and whole characters", () => {
    expect(statusMessage("x".repeat(200))).toBe("x".repeat(160))
    expect(statusMessage("€".repeat(100))).toBe("€".repeat(53))
    expect(byteLength(statusMessage(`a${"😀".repeat(60)}`))).toBe(157)
  })
})
