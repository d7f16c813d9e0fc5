import { describe, expect, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { clients, type Client } from "../../src/commands/configure/Clients.ts"
import { replacedWord } from "../../src/commands/configure/Entry.ts"
import { newJson } from "../../src/commands/configure/MergeJson.ts"
import { newToml } from "../../src/commands/configure/MergeToml.ts"

const golden = (file: string) =>
  readFileSync(fileURLToPath(new URL(`../fixtures/configure/${file}`, import.meta.url)), "utf8")

const server = {
  command: "/usr/bin/node",
  args: ["/opt/fleet-mcp/dist/bin/fleet-mcp.js", "--project", "/home/ann/my project", "--allow-shell"],
  variables: ["CODER_URL", "CODER_SESSION_TOKEN"]
}

const all: ReadonlyArray<[string, Client]> = Object.entries(clients)

describe("the entry of", () => {
  it.each(all)("%s is as its documentation has it", (name, { entry, format, path }) => {
    const print = format === "json" ? newJson : newToml
    expect(print(path, entry(server))).toBe(golden(`${name}.${format}`))
  })
})

describe("the file of", () => {
  const linux = { home: "/home/ann", environment: {}, platform: "linux" } as const

  it.each([
    ["claude-code", [".claude.json"]],
    ["claude-desktop", [".config/Claude/claude_desktop_config.json"]],
    ["cursor", [".cursor/mcp.json"]],
    ["vscode", [".config/Code/User/mcp.json"]],
    ["codex", [".codex/config.toml"]],
    ["gemini", [".gemini/settings.json"]],
    ["copilot", [".copilot/mcp-config.json"]],
    ["opencode", [".config/opencode/opencode.jsonc", ".config/opencode/opencode.json"]]
  ] as const)("%s is in its usual place", (name, files) => {
    expect(clients[name].files(linux)).toEqual(files.map((file) => `/home/ann/${file}`))
  })

  it.each([
    ["claude-code", "CLAUDE_CONFIG_DIR", "/c/.claude.json"],
    ["vscode", "XDG_CONFIG_HOME", "/c/Code/User/mcp.json"],
    ["codex", "CODEX_HOME", "/c/config.toml"],
    ["gemini", "GEMINI_CLI_HOME", "/c/.gemini/settings.json"],
    ["copilot", "COPILOT_HOME", "/c/mcp-config.json"],
    ["opencode", "XDG_CONFIG_HOME", "/c/opencode/opencode.jsonc"]
  ] as const)("%s follows %s, if that is an absolute path", (name, variable, file) => {
    expect(clients[name].files({ ...linux, environment: { [variable]: "/c" } })[0]).toBe(file)
    for (const value of ["", "c"]) {
      const user = { ...linux, environment: { [variable]: value } }
      expect(clients[name].files(user)).toEqual(clients[name].files(linux))
    }
  })

  it.each([
    ["claude-desktop", "Claude/claude_desktop_config.json"],
    ["vscode", "Code/User/mcp.json"]
  ] as const)("%s is below Library on macOS", (name, file) => {
    expect(clients[name].files({ ...linux, platform: "darwin" })).toEqual([
      `/home/ann/Library/Application Support/${file}`
    ])
  })
})

describe("a path that a client would change", () => {
  it.each([
    ["claude-code", "/a/${b}"],
    ["gemini", "/a/$b"],
    ["opencode", "/a/{env:B}"]
  ] as const)("is found for %s", (name, word) => {
    expect(replacedWord(clients[name], { ...server, args: ["/x", word] })).toBe(word)
    expect(replacedWord(clients[name], server)).toBeUndefined()
    expect(replacedWord(clients.codex, { ...server, args: [word] })).toBeUndefined()
  })
})
