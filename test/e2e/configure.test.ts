import { afterEach, beforeEach, describe, expect, it } from "@effect/vitest"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { makeRepository } from "../support/EmbeddedFixture.ts"
import { program } from "../support/Program.ts"

// The built program, with a home directory of its own.

let home: string

beforeEach(() => {
  home = fs.mkdtempSync(join(fs.realpathSync(tmpdir()), "fleet-configure-"))
})
afterEach(() => fs.rmSync(home, { recursive: true, force: true }))

const token = "canary-of-configure"

const configure = (args: ReadonlyArray<string>, env: Record<string, string> = {}, cwd = home) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(
      process.execPath,
      [program, "configure", ...args],
      { cwd, env: { PATH: process.env["PATH"] ?? "", HOME: home, ...env } },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    )
  })

const names = ["claude-code", "claude-desktop", "cursor", "vscode", "codex", "gemini", "copilot", "opencode"]

describe("fleet-mcp configure", () => {
  it.each(names)("%s prints absolute paths and no secret, and writes the same, once", async (name) => {
    const env = { CODER_URL: "https://coder.example.com", CODER_SESSION_TOKEN: token }
    const printed = await configure([name], env)
    expect(printed.code).toBe(0)
    expect(printed.stdout).toContain(JSON.stringify(process.execPath))
    expect(printed.stdout).toContain(JSON.stringify(fs.realpathSync(program)))
    expect(printed.stdout + printed.stderr).toContain("CODER_SESSION_TOKEN")
    expect(printed.stdout + printed.stderr).not.toContain(token)

    const [, file = ""] = /belongs into (.*); --write/.exec(printed.stderr) ?? []
    expect((await configure([name, "--write"], env)).stdout).toBe(`Made ${file}. Restart ${titleIn(printed.stderr)}.\n`)
    expect(fs.readFileSync(file, "utf8")).toBe(printed.stdout)
    expect((await configure([name, "--write"], env)).stdout).toContain("nothing was changed")
    expect(fs.readFileSync(file, "utf8")).toBe(printed.stdout)
  })

  it("prints an entry that starts the fleet", async () => {
    const { args, command } = JSON.parse((await configure(["claude-code", "--local", "--allow-shell"])).stdout)
      .mcpServers.fleet
    const client = new Client({ name: "test", version: "1" })
    await client.connect(new StdioClientTransport({ command, args, env: { HOME: home } }))
    expect((await client.listTools()).tools).toHaveLength(13)
    await client.close()
  })

  it("names the repository only for a client that does not start in it", async () => {
    const repository = makeRepository(join(home, "sample"))
    const inside = join(repository, "inside")
    fs.mkdirSync(inside)
    const argsFor = async (client: string, cwd: string) =>
      JSON.parse((await configure([client, "--allow-shell"], {}, cwd)).stdout).mcpServers.fleet.args
    const real = fs.realpathSync(program)
    expect(await argsFor("claude-desktop", inside)).toEqual([real, "--project", repository, "--allow-shell"])
    expect(await argsFor("claude-code", inside)).toEqual([real, "--allow-shell"])
    const { stderr } = await configure(["claude-desktop"])
    expect(stderr).toContain("run this again with --project DIR")
  })

  it("leaves a broken file as it is, and says so", async () => {
    const file = join(home, ".claude.json")
    fs.writeFileSync(file, '{ "mcpServers": { // mine\n')
    const { code, stderr, stdout } = await configure(["claude-code", "--write"])
    expect([code, stdout]).toEqual([1, ""])
    expect(stderr).toMatch(/\.claude\.json is no JSON: .* in line \d\. It was left as it is\./)
    expect(fs.readFileSync(file, "utf8")).toBe('{ "mcpServers": { // mine\n')
    expect(fs.readdirSync(home)).toEqual([".claude.json"])
  })

  it("of eight at once corrupts nothing, and loses nothing that was there", async () => {
    const file = join(home, ".claude.json")
    const original = '{\n  // mine\n  "a": 1,\n  "mcpServers": { "b": { "command": "x" } },\n}\n'
    fs.writeFileSync(file, original)
    const projects = Array.from({ length: 8 }, (_, index) => join(home, `p${index}`))
    for (const project of projects) fs.mkdirSync(project)
    const results = await Promise.all(projects.map((dir) => configure(["claude-code", "--write", "--project", dir])))
    expect(results.map(({ code, stderr }) => [code, stderr])).toEqual(projects.map(() => [0, ""]))
    const text = fs.readFileSync(file, "utf8")
    expect(text).toMatch(
      /^\{\n {2}\/\/ mine\n {2}"a": 1,\n {2}"mcpServers": \{ "b": \{ "command": "x" \},\n {4}"fleet": \{\n/
    )
    expect(projects.filter((dir) => text.includes(JSON.stringify(dir)))).toHaveLength(1)
    const beside = fs.readdirSync(home).filter((name) => name.startsWith(".claude.json") || name.endsWith(".tmp"))
    const backups = beside.filter((name) => name !== ".claude.json")
    expect(backups.every((name) => name.startsWith(".claude.json.before-fleet-mcp"))).toBe(true)
    expect(backups.map((name) => fs.readFileSync(join(home, name), "utf8"))).toContain(original)
  })

  it.each([
    [["nonesuch"], /claude-code/],
    [["codex", "--project", "/nonesuch"], /--project \/nonesuch: there is no such directory/]
  ])("refuses %j as wrong usage", async (args, said) => {
    const { code, stderr, stdout } = await configure([...args, "--write"])
    expect(code).toBe(2)
    expect(stdout + stderr).toMatch(said)
    expect(fs.readdirSync(home)).toEqual([])
  })
})

const titleIn = (text: string): string => /^For (.*) this belongs into/m.exec(text)?.[1] ?? ""
