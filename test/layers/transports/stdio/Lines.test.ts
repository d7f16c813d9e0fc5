import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { makeLineReader } from "../../../../src/layers/transports/stdio/Lines.ts"

const limit = 20
const encode = (text: string) => new TextEncoder().encode(text)
const decode = (line: Uint8Array | "too_long") => (line === "too_long" ? line : new TextDecoder().decode(line))

const readAll = (chunks: ReadonlyArray<Uint8Array>) => {
  const read = makeLineReader(limit)
  return chunks.flatMap((chunk) => read(chunk)).map(decode)
}

const cutAt = (bytes: Uint8Array, cuts: ReadonlyArray<number>) => {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end))
}

const line = FastCheck.string({ unit: "grapheme", maxLength: 12 }).map((text) => text.replaceAll("\n", ""))

describe("Lines", () => {
  it.prop(
    "come out the same, however the bytes are cut",
    [FastCheck.array(line), FastCheck.array(FastCheck.nat())],
    ([lines, cuts]) => {
      const bytes = encode(lines.map((text) => `${text}\n`).join(""))
      const expected = lines
        .filter((text) => text !== "")
        .map((text) => (encode(text).length > limit ? "too_long" : text))
      expect(readAll(cutAt(bytes, cuts))).toEqual(expected)
    }
  )

  it("allow exactly the limit, and tell a longer line once, before its end", () => {
    const read = makeLineReader(limit)
    expect(read(encode(`${"x".repeat(limit)}\n`)).map(decode)).toEqual(["x".repeat(limit)])
    expect(read(encode("y".repeat(limit + 1)))).toEqual(["too_long"])
    expect(read(encode("y".repeat(100)))).toEqual([])
    expect(read(encode("y\nnext\n")).map(decode)).toEqual(["next"])
  })

  it("hold back what has no end yet", () => {
    expect(readAll([encode("abc")])).toEqual([])
  })

  it("take time in proportion to their length", () => {
    const read = makeLineReader(64 * 1024 * 1024)
    const chunk = new Uint8Array(16).fill(120)
    // With a copy for each chunk this would be 2 TB of copying.
    for (let index = 0; index < 500_000; index++) read(chunk)
    expect(read(encode("\n"))[0]).toHaveLength(8_000_000)
  })
})
