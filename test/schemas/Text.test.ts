import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import {
  asPrompt,
  beginning,
  characterBoundary,
  cut,
  headAndTail,
  isCut,
  listed,
  printable,
  quoted,
  shownName,
  wellFormed,
  withoutControls
} from "../../src/schemas/Text.ts"

// oxlint-disable-next-line no-control-regex
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/
const loneSurrogate = /\p{Surrogate}/u

const pieces = ["a", "\r", "\n", "\t", "\u001b", "[", "]", "P", "\\", "\u0007", "\u009b", "\u009c", "31m", "é", "😀"]

// With what begins, continues and ends sequences, and with halves of pairs.
const anyText = FastCheck.array(
  FastCheck.oneof(
    FastCheck.string({ unit: "binary", maxLength: 8 }),
    FastCheck.constantFrom(...pieces, "\ud83d", "\udc00")
  ),
  { maxLength: 40 }
).map((parts) => parts.join(""))

describe("text of others", () => {
  it.prop("is well-formed and without controls, whatever it was, and stays so", [anyText], ([text]) => {
    for (const clean of [printable, withoutControls, asPrompt]) {
      const once = clean(text)
      expect(once).not.toMatch(controls)
      expect(once).not.toMatch(loneSurrogate)
      expect(clean(once)).toBe(once)
    }
  })

  it.prop("of characters alone is unchanged", [FastCheck.string({ unit: "grapheme" })], ([text]) => {
    const plain = text.replaceAll(/[\p{Cc}\p{Surrogate}]/gu, "")
    expect(withoutControls(plain)).toBe(plain)
    expect(asPrompt(plain)).toBe(plain)
  })

  it.each([
    ["colours", "\u001b[31mFAIL\u001b[0m", "FAIL"],
    ["colours of 8 bits", "\u009b1;31mFAIL\u009b0m", "FAIL"],
    ["a title, ended by BEL", "\u001b]0;title\u0007x", "x"],
    ["a title, ended by ST", "\u001b]0;title\u001b\\x", "x"],
    ["a link", "\u001b]8;;https://example.com\u001b\\here\u001b]8;;\u001b\\", "here"],
    ["a picture of two lines", "a\u001bPq#0;2\n~~\u001b\\b", "ab"],
    ["private messages", "a\u001b_Gf=100;AAAA\u001b\\b\u001b^x\u001b\\c\u001bXy\u009cd", "abcd"],
    ["a character set and a reset", "\u001b(Ba\u001bcb\u001b7c", "abc"],
    ["a paste's end", "a\u001b[201~b", "ab"],
    ["a sequence that the end of the text cuts", "done\u001b[3", "done"],
    ["a sequence in two pieces of an output", ["\u001b[3", "1mred\u001b", "[0m"].join(""), "red"],
    ["a title without its end", "\u001b]0;not a title\nmore", "0;not a title\nmore"],
    ["halves of a pair", "a\ud83db\ude00c", "a\ufffdb\ufffdc"],
    ["pairs", "a😀b", "a😀b"]
  ])("loses its sequences whole: %s", (_, text, clean) => {
    expect(withoutControls(text)).toBe(clean)
    expect(asPrompt(text)).toBe(clean)
  })

  it.each([
    ["a progress bar", "10%\r55%\r100%\n", "100%\n"],
    ["a shorter state after a longer one", "abc\rX", "X"],
    ["a line that was left at its beginning", "100%\r", "100%"],
    ["Windows' line ends", "a\r\nb\r\n", "a\nb\n"],
    ["several lines", "1\r2\n3\r4", "2\n4"]
  ])("keeps the last state of a line, when shown: %s", (_, text, clean) => expect(withoutControls(text)).toBe(clean))

  it("keeps every line of a prompt, whatever ends it", () => {
    expect(asPrompt("fix\r\nbuild\rcommit\npush")).toBe("fix\nbuild\ncommit\npush")
  })

  it("takes no longer for texts made to be slow", () => {
    const slow = ["\u0090a", "\u001b]a", "\u001b[1", "\u001b ", "a\r", "\ud83d"].map((part) => part.repeat(300_000))
    expect(slow.map((text) => withoutControls(text).length).every((length) => length <= 600_000)).toBe(true)
  })
})

describe("cuts", () => {
  const family = "👨‍👩‍👧‍👦"
  const text = FastCheck.array(FastCheck.constantFrom("a", "é", "e\u0301", "😀", family, "\r\n", "한"), {
    maxLength: 60
  }).map((parts) => parts.join(""))

  it.prop("fall between characters", [text, FastCheck.nat(200)], ([whole, limit]) => {
    const characters = Array.from(new Intl.Segmenter("en").segment(whole), ({ index }) => index)
    const at = characterBoundary(whole, limit)
    expect([...characters, whole.length]).toContain(at)
    expect(at).toBeLessThanOrEqual(limit)
    expect(beginning(whole, limit)).toBe(whole.slice(0, at))
  })

  it("fall between code points where a character is longer than any", () => {
    const long = `x${"\u0301".repeat(500)}`
    expect(characterBoundary(long, 300)).toBe(300)
    expect(characterBoundary("😀".repeat(2), 3)).toBe(2)
    expect(characterBoundary("a🇩🇪🇫🇷", 7)).toBe(5)
    expect(wellFormed(beginning("\u{1f3fb}".repeat(100), 151))).toBe("\u{1f3fb}".repeat(75))
  })

  it("are told, with how much is gone", () => {
    expect(cut("abc", 3)).toBe("abc")
    expect(cut("abcd", 3)).toBe("abc [cut: 1 more characters]")
    expect(cut("ab😀", 3)).toBe("ab [cut: 2 more characters]")
    expect(cut("abcd", 3, "show_agent_log")).toBe("abc [cut: 1 more characters: show_agent_log]")
    expect(["abcd", cut("abcd", 3), cut("abcd", 3, "show_agent_log")].map(isCut)).toEqual([false, true, true])
  })

  it.prop("leave head and tail, and say from where to where", [text, FastCheck.nat(200)], ([whole, limit]) => {
    const mark = (from: number, to: number) => `<${from}-${to}>`
    const short = headAndTail(whole, limit + 9, mark)
    expect(short.length).toBeLessThanOrEqual(limit + 9)
    expect(wellFormed(short)).toBe(short)
    if (whole.length <= limit + 9) {
      expect(short).toBe(whole)
      return
    }
    const [, head, from, to, tail] = /^(.*)<(\d+)-(\d+)>(.*)$/s.exec(short) ?? []
    expect(head).toBe(whole.slice(0, Number(from)))
    expect(tail).toBe(whole.slice(Number(to)))
  })
})

describe("a name", () => {
  it("stands in a line, and is not long", () => {
    expect(shownName("Web site")).toBe("Web site")
    expect(shownName("two\n\tlines\u001b[31m")).toBe("two lines")
    expect(shownName("😀".repeat(100))).toBe(`${"😀".repeat(49)}…`)
  })

  it.prop("is shown the same once more, so that it can be passed as it was shown", [anyText], ([name]) => {
    expect(shownName(shownName(name))).toBe(shownName(name))
    expect(shownName(name).length).toBeLessThanOrEqual(100)
  })

  it("that is quoted is not long", () => {
    expect(quoted('a "b"\n')).toBe(String.raw`"a \"b\"\n"`)
    expect(quoted("x".repeat(10_000))).toBe(`"${"x".repeat(199)}…"`)
  })

  it("has room in a sentence, or is counted", () => {
    const names = Array.from({ length: 300 }, (_, index) => `${index} ${"x".repeat(1000)}`)
    const [, shown = "", more] = /^(.*) and (\d+) more$/.exec(listed(names)) ?? []
    expect(shown.length).toBeLessThanOrEqual(4000)
    expect(shown.split(", ").length + Number(more)).toBe(300)
    expect(shown.startsWith(`0 ${"x".repeat(97)}…, 1 `)).toBe(true)
    expect(listed([])).toBe("none")
    expect(listed(["a", "b"])).toBe("a, b")
  })
})
