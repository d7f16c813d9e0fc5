import { describe, expect, it } from "@effect/vitest"
import { Either, FastCheck } from "effect"
import { parseEnvFile } from "../../src/commands/EnvFile.ts"

describe("parseEnvFile", () => {
  it.each<readonly [string, string, Record<string, string>]>([
    ["nothing", "", {}],
    ["comments and empty lines", "# one\n\n   # two\n", {}],
    ["plain values", "A=1\nB_2=two words\n", { A: "1", B_2: "two words" }],
    ["an empty value", "A=\nB=''", { A: "", B: "" }],
    ["spaces around", "  A =  1  ", { A: "1" }],
    ["export", "export A=1\nexport\tB=2", { A: "1", B: "2" }],
    ["an equals sign in the value", "A=b=c==", { A: "b=c==" }],
    ["a comment behind a value", "A=1 # one\nB=#x\nC=a#b", { A: "1", B: "", C: "a#b" }],
    ["single quotes, as they are", "A='x # \\n \"y\"'", { A: 'x # \\n "y"' }],
    ["double quotes with escapes", 'A="x\\ny \\"z\\" \\\\ #" # c', { A: 'x\ny "z" \\ #' }],
    ["the last of two", "A=1\nA=2", { A: "2" }],
    ["no substitution", "A=$HOME`id`", { A: "$HOME`id`" }],
    ["CRLF and a byte order mark", "\uFEFFA=1\r\nB=2\r\n", { A: "1", B: "2" }]
  ])("reads %s", (_, text, expected) => {
    expect(parseEnvFile(text)).toEqual(Either.right(expected))
  })

  it.each([
    ["hunter2", 1],
    ["A=1\n=hunter2", 2],
    ["A=1\n\n1A=hunter2", 3],
    ["A-B=hunter2", 1]
  ])("refuses %j by its line", (text, line) => {
    expect(parseEnvFile(text)).toEqual(Either.left(`line ${line} is not KEY=VALUE`))
  })

  const key = FastCheck.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/)
  const value = FastCheck.string({ unit: "binary" }).map((text) => text.replaceAll(/[\r\n']/g, ""))

  it.prop("reads back what was quoted", [FastCheck.dictionary(key, value)], ([entries]) => {
    const text = Object.entries(entries).map(([name, text]) => `${name}='${text}'`)
    expect(parseEnvFile(text.join("\n"))).toEqual(Either.right({ ...entries }))
  })
})
