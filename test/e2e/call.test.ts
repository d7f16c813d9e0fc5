import { afterEach, beforeEach, describe, expect, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fleetTools } from "../../src/tools/FleetTools.ts"
import { makeRepository } from "../support/EmbeddedFixture.ts"
import { program } from "../support/Program.ts"

// The built program on a command line, with a home and a repository of its own.

let home: string
let repository: string

beforeEach(() => {
  home = fs.mkdtempSync(join(fs.realpathSync(tmpdir()), "fleet-call-"))
  repository = makeRepository(join(home, "shop"))
})
afterEach(() => fs.rmSync(home, { recursive: true, force: true }))

const run = (...args: ReadonlyArray<string>) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(
      process.execPath,
      [program, ...args],
      { cwd: repository, env: { PATH: process.env["PATH"] ?? "", HOME: home, FLEET_MCP_SUPERVISOR: "false" } },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    )
  })

describe("fleet-mcp call", () => {
  it("lists the tools, each with what it does", async () => {
    const { code, stdout } = await run("call")
    expect(code).toBe(0)
    for (const { name } of fleetTools) expect(stdout).toMatch(new RegExp(`^${name} +\\w`, "m"))
  })

  it.each(fleetTools.map((tool) => [tool.name, Object.keys(tool.definition().inputSchema.properties ?? {})] as const))(
    "%s --help tells its arguments",
    async (name, args) => {
      const { code, stdout } = await run("call", name, "--help")
      expect(code).toBe(0)
      for (const argument of args) expect(stdout).toContain(`--${argument}`)
    }
  )

  it("prints an answer as text, and with --json as its structured content", async () => {
    const text = await run("--local", "call", "list_agent_projects")
    expect(text.code).toBe(0)
    expect(text.stdout).toContain("shop")
    const json = await run("call", "list_agent_projects", "--json", "--local")
    expect(JSON.parse(json.stdout)).toMatchObject({ projects: [{ name: "shop" }] })
    const between = await run("call", "list_agent_roles", "--local", "--allow-shell", "--project", "shop")
    expect(between).toMatchObject({ code: 0, stdout: expect.stringContaining("shell") })
  })

  it.each([
    ["an agent that is not there", ["show_agent", "--agent_name", "nobody"], 1, "AgentNotFound"],
    ["an agent that is not there, said in one argument", ["show_agent", "--agent_name=nobody"], 1, "AgentNotFound"],
    ["an argument of the wrong kind", ["list_agents", "--limit", "many"], 2, "limit: Expected an integer"],
    ["an argument too few", ["show_agent"], 2, "--agent_name"],
    ["no such argument", ["list_agents", "--colour", "red"], 2, "--colour"],
    ["no such tool", ["paint_agent"], 2, "subcommand"],
    ["a change of a fleet that would end with it", ["delete_agent", "--agent_name", "a"], 1, "FleetEndsHere"],
    ["a change of a read-only fleet", ["delete_agent", "--agent_name", "a", "--read-only"], 1, "outcome: not_applied"]
  ])("%s: told on stderr, by its exit code", async (_, args, code, said) => {
    const answer = await run("call", ...args, "--local")
    expect(answer.stderr).toContain(said)
    expect(answer).toMatchObject({ code, stdout: "" })
  })
})
