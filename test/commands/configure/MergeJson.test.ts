import { describe, expect, it } from "@effect/vitest"
import { Either, FastCheck as fc } from "effect"
import { parse } from "jsonc-parser"
import { clients } from "../../../src/commands/configure/Clients.ts"
import { mergeJson } from "../../../src/commands/configure/MergeJson.ts"

const entry = clients["claude-code"].entry({
  command: "/usr/bin/node",
  args: ["/opt/fleet-mcp.js", "--allow-shell"],
  variables: ["CODER_URL"]
})
const wanted = {
  type: "stdio",
  command: "/usr/bin/node",
  args: ["/opt/fleet-mcp.js", "--allow-shell"],
  env: { CODER_URL: "${CODER_URL:-}" }
}

const merge = (text: string) => mergeJson(text, ["mcpServers"], entry)
const merged = (text: string) => Either.getOrThrow(merge(text))
const refused = (text: string) => Either.getOrThrow(Either.flip(merge(text))).problem
const strip = (text: string) => text.replace(/^\uFEFF/, "")

describe("mergeJson", () => {
  it("adds the entry behind the others, in the file's own style, and touches nothing else", () => {
    const text =
      '{\r\n\t// mine\r\n\t"mcpServers" : {\r\n\t\t"a":{"command":"x"} // why\r\n\t},\r\n\t"z": [1,\r\n2],\r\n}\r\n'
    expect(merged(`\uFEFF${text}`)).toBe(
      "\uFEFF" +
        '{\r\n\t// mine\r\n\t"mcpServers" : {\r\n\t\t"a":{"command":"x"}, // why\r\n\t\t"fleet": {\r\n\t\t\t"type": "stdio",\r\n' +
        '\t\t\t"command": "/usr/bin/node",\r\n\t\t\t"args": [\r\n\t\t\t\t"/opt/fleet-mcp.js",\r\n\t\t\t\t"--allow-shell"\r\n\t\t\t],\r\n' +
        '\t\t\t"env": {\r\n\t\t\t\t"CODER_URL": "${CODER_URL:-}"\r\n\t\t\t}\r\n\t\t}\r\n\t},\r\n\t"z": [1,\r\n2],\r\n}\r\n'
    )
  })

  it.each([
    ["an empty file", ""],
    ["an empty object", "{}"],
    ["an object with a comment", "{ /* nothing */ }\n"],
    ["no servers yet", '{\n    "a": 1\n}'],
    ["no server yet", '{"a":1,"mcpServers":{}}'],
    ["one line", '{"mcpServers":{"b":{"command":"x"}},"c":"}"}'],
    ["a trailing comma and a comment behind it", '{\n  "mcpServers": {\n    "b": {}, // last\n  },\n}\n'],
    ["a comment that looks like code", '{ "x": "// no", /* "mcpServers": {} */ "mcpServers": { } }']
  ])("merges into %s, and only once", (_, text) => {
    const once = merged(text)
    expect(parse(strip(once))).toEqual({ ...parse(text), mcpServers: { ...parse(text)?.mcpServers, fleet: wanted } })
    expect(merged(once)).toBe(once)
  })

  it("brings an entry up to date in our keys, and leaves the user's", () => {
    const text =
      '{ "mcpServers": { "fleet": { "timeout": 5, /* old */ "command": "npx", "args": ["-y", "fleet-mcp"], "env": {"A":"b", "CODER_URL": "https://c"} } } }'
    const after = merged(text)
    expect(parse(after)).toEqual({
      mcpServers: { fleet: { ...wanted, timeout: 5, env: { A: "b", CODER_URL: "https://c" } } }
    })
    expect(after).toContain('{ "timeout": 5, /* old */ "command": "/usr/bin/node"')
    expect(after).toContain('"env": {"A":"b", "CODER_URL": "https://c"}')
    expect(merged(after)).toBe(after)
  })

  it.each([
    ['{"a": 1', /is no JSON: CloseBraceExpected in line 1/],
    ['{\n"a": tru }', /is no JSON: .* in line 2/],
    ["[]", /no JSON object/],
    ['{"mcpServers": []}', /"mcpServers", which is no object/],
    ['{"mcpServers": null}', /"mcpServers", which is no object/],
    ['{"mcpServers": {}, "mcpServers": {}}', /"mcpServers" twice/],
    ['{"mcpServers": {"fleet": {"url": "https://a"}}}', /mcpServers\.fleet that does not start fleet-mcp/],
    ['{"mcpServers": {"fleet": {"command": "fleetctl"}}}', /does not start fleet-mcp/],
    ['{"mcpServers": {"fleet": "x"}}', /does not start fleet-mcp/]
  ])("refuses %j", (text, problem) => {
    expect(refused(text)).toMatch(problem)
  })

  // Any JSON, in any layout: space and comments wherever they may stand, trailing commas, either end of line.
  const space = fc
    .array(fc.constantFrom("", " ", "\n", "\r\n", "\t", "/* { */", "// }\n"), { maxLength: 3 })
    .map((parts) => parts.join(""))
  const { value: json } = fc.letrec<{ value: string; object: string }>((tie) => ({
    object: fc
      .tuple(
        fc.uniqueArray(fc.tuple(fc.string(), tie("value"), space, space), { maxLength: 4, selector: ([key]) => key }),
        fc.boolean(),
        space
      )
      .map(([properties, comma, end]) => {
        const inner = properties.map(([key, value, a, b]) => `${a}${JSON.stringify(key)}${b}:${value}`)
        return `{${inner.join(",")}${comma && inner.length > 0 ? "," : ""}${end}}`
      }),
    value: fc.oneof({ maxDepth: 3 }, fc.json({ maxDepth: 1 }), tie("object"))
  }))
  const file = fc
    .tuple(space, fc.array(json, { maxLength: 2 }), fc.option(fc.array(json, { maxLength: 2 })), fc.boolean(), space)
    .map(([a, before, servers, comma, b]) => {
      const others = before.map((value, index) => `"k${index}":${a}${value}`)
      const inner = servers?.map((value, index) => `${b}"s${index}":${value}`)
      const properties = [...others, ...(inner === undefined ? [] : [`"mcpServers":${a}{${inner.join(",")}${b}}`])]
      return `${a}{${properties.join(`${b},`)}${comma && properties.length > 0 ? "," : ""}${b}}${a}`
    })

  it("keeps every byte outside of the entry, whatever the file", () => {
    fc.assert(
      fc.property(file, (text) => {
        const after = merged(text)
        expect(merged(after)).toBe(after)
        expect(parse(after)).toEqual({ ...parse(text), mcpServers: { ...parse(text).mcpServers, fleet: wanted } })
        // Of what was there nothing is gone: it stands before, between and behind at most two insertions, a comma and the entry.
        const start = commonPrefix(text, after)
        const end = commonSuffix(text.slice(start), after.slice(start))
        const between = text.slice(start, text.length - end)
        const inserted = after.slice(start, after.length - end)
        expect(between === "" || inserted.startsWith(`,${between}`)).toBe(true)
      }),
      { numRuns: 500 }
    )
  })
})

const commonPrefix = (a: string, b: string): number => {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return length
}

const commonSuffix = (a: string, b: string): number => {
  let length = 0
  while (length < a.length && a.at(-1 - length) === b.at(-1 - length)) length++
  return length
}
