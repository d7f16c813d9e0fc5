import { describe, expect, it } from "@effect/vitest"
import { limitOutput } from "../../../src/layers/agenthost/OutputLimit.ts"
import { statusMessage } from "../../../src/layers/agenthost/StatusReporter.ts"
import { Limits } from "../../../src/layers/config/Limits.ts"
import { byteLength } from "../../../src/schemas/Text.ts"

const record = (...chunks: ReadonlyArray<string>) => {
  let state = { line: 0, total: 0 }
  let recorded = ""
  for (const chunk of chunks) {
    const [text, after] = limitOutput(state, chunk)
    recorded += text
    state = after
  }
  return recorded
}

const lineMark = " [cut: a line holds at most 64 KiB]"

describe("limitOutput", () => {
  it("changes nothing below the limits", () => {
    expect(record("a\n\nb", "c\r\n", "€")).toBe("a\n\nbc\r\n€")
    expect(record("x".repeat(Limits.outputLine), "\n")).toBe(`${"x".repeat(Limits.outputLine)}\n`)
  })

  it("cuts a long line once, however it arrives", () => {
    const expected = `${"x".repeat(Limits.outputLine)}${lineMark}\nnext`
    expect(record(`${"x".repeat(100_000)}\nnext`)).toBe(expected)
    expect(record("x".repeat(60_000), "x".repeat(40_000), "xxx", "x\nne", "xt")).toBe(expected)
  })

  it("cuts between characters", () => {
    const recorded = record(`a${"€".repeat(30_000)}\n`)
    expect(recorded.endsWith(`€${lineMark}\n`)).toBe(true)
    expect(byteLength(recorded) - byteLength(`${lineMark}\n`)).toBe(Limits.outputLine)
    expect(record("x".repeat(Limits.outputLine - 1), "😀", "y\n")).toBe(
      `${"x".repeat(Limits.outputLine - 1)}${lineMark}\n`
    )
  })

  it("cuts the whole once", () => {
    const chunk = `${"x".repeat(9_999)}\n`
    const recorded = record(...Array.from({ length: 1000 }, () => chunk))
    const mark = "\n[cut: a conversation holds at most 8 MiB]\n"
    expect(recorded.endsWith(mark)).toBe(true)
    expect(recorded.split("[cut").length).toBe(2)
    expect(byteLength(recorded)).toBe(Limits.conversation + byteLength(mark))
  })
})

describe("statusMessage", () => {
  it("is the first line that says something, without control characters", () => {
    expect(statusMessage("\n \u0007\n fix\u001b[1m the\tlogin \r\nmore")).toBe("fix[1m the login")
    expect(statusMessage("\u0000")).toBe("")
  })

  it("has at most 160 bytes, and whole characters", () => {
    expect(statusMessage("x".repeat(200))).toBe("x".repeat(160))
    expect(statusMessage("€".repeat(100))).toBe("€".repeat(53))
    expect(byteLength(statusMessage(`a${"😀".repeat(60)}`))).toBe(157)
  })
})
