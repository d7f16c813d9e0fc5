import { describe, expect, it } from "@effect/vitest"
import { Either, FastCheck as fc } from "effect"
import { parseTOML } from "toml-eslint-parser"
import { clients } from "../../../src/commands/configure/Clients.ts"
import { mergeToml } from "../../../src/commands/configure/MergeToml.ts"

const entry = clients.codex.entry({ command: "/usr/bin/node", args: ["/opt/fleet-mcp.js"], variables: ["CODER_URL"] })
const block = '[mcp_servers.fleet]\ncommand = "/usr/bin/node"\nargs = ["/opt/fleet-mcp.js"]\nenv_vars = ["CODER_URL"]\n'

const merge = (text: string) => mergeToml(text, ["mcp_servers"], entry)
const merged = (text: string) => Either.getOrThrow(merge(text))
const refused = (text: string) => Either.getOrThrow(Either.flip(merge(text))).problem

describe("mergeToml", () => {
  it.each([
    ["an empty file", "", ""],
    ["comments and odd formatting", "# mine\n  model='x' # why\n[ mcp_servers . a ]\ncommand=\"b\"\n", "\n"],
    ["no newline at the end", 'model = "x"', "\n\n"],
    ["something that looks like our table", 'text = """\n[mcp_servers.fleet]\ncommand = "x"\n"""\n', "\n"]
  ])("appends to %s, and only once", (_, text, between) => {
    expect(merged(text)).toBe(text + between + block)
    expect(merged(merged(text))).toBe(merged(text))
  })

  it("keeps a byte order mark and CRLF", () => {
    expect(merged("\uFEFFa = 1\r\n")).toBe(`\uFEFFa = 1\r\n\r\n${block.replaceAll("\n", "\r\n")}`)
  })

  it("brings a table up to date in our keys, and leaves the user's", () => {
    const text = (command: string, args: string, more: string) =>
      `a = 1\n[mcp_servers.fleet] # mine\n"command"   = ${command} # old\nargs = ${args}\nstartup_timeout_sec = 20 # slow${more}\n\n[mcp_servers.fleet.tools.x]\napproval_mode = "prompt"\n[z]\n`
    const after = text('"/usr/bin/node"', '["/opt/fleet-mcp.js"]', '\nenv_vars = ["CODER_URL"]')
    expect(merged(text('"npx"', '[\n  "-y", # yes\n  "fleet-mcp@0.0.1",\n]', ""))).toBe(after)
    expect(merged(after)).toBe(after)
  })

  it.each([
    ["a = ", /is no TOML/],
    ["a = 1\na = 2\n", /is no TOML: .* in line 2/],
    ["mcp_servers = 1\n", /mcp_servers, which is no table/],
    ['mcp_servers = { a = { command = "x" } }\n', /in a form that a table cannot be added to/],
    ['[mcp_servers]\nfleet = { command = "/a/fleet-mcp.js" }\n', /in another form than a table/],
    ['mcp_servers.fleet.command = "/a/fleet-mcp.js"\n', /in another form than a table/],
    ['[mcp_servers.fleet]\nurl = "https://a"\n', /does not start fleet-mcp/]
  ])("refuses %j", (text, problem) => {
    expect(refused(text)).toMatch(problem)
  })

  const line = fc.constantFrom(
    "# [mcp_servers.fleet]",
    "",
    "  ",
    "[a] # x",
    "[mcp_servers.other]",
    "[[list]]",
    's = "]["'
  )
  const file = fc.tuple(fc.array(line, { maxLength: 8 }), fc.constantFrom("\n", "\r\n"), fc.boolean())

  it("only appends, whatever the file", () => {
    fc.assert(
      fc.property(file, ([lines, newline, open]) => {
        const text = lines.join(newline) + (open ? "" : newline)
        const result = merge(text)
        const readable = Either.isRight(Either.try(() => parseTOML(text)))
        expect(Either.isRight(result)).toBe(readable)
        const after = Either.getOrElse(result, () => `${text}\n${block}`)
        expect(after.startsWith(text)).toBe(true)
        expect(after.slice(text.length).trim().replaceAll("\r", "")).toBe(block.trim())
      }),
      { numRuns: 500 }
    )
  })
})
