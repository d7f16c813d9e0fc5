import { describe, expect, it } from "@effect/vitest"
import { existsSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { makeRepository } from "../support/EmbeddedFixture.ts"
import type { Program } from "../support/Program.ts"
import { SupervisedState } from "../support/SupervisedState.ts"

// The projects of a supervisor, through real front ends and commands, each test with a state directory of its own.

const good = async (program: Program, name: string, args: object = {}): Promise<string> => {
  const { isError, text } = await program.call(name, args)
  if (isError) throw new Error(`${name}: ${text}`)
  return text
}

describe("fleet-mcp projects", () => {
  it("lists what clients have named, refuses to forget what has agents, and forgets the rest", async () => {
    await using state = new SupervisedState()
    symlinkSync("shop", join(state.directory, "link"))
    const link = join(state.directory, "link")
    expect((await state.run("projects")).stdout).toContain("No project is known yet")
    const one = await state.frontEnd()
    await good(one, "create_agent", { name: "writer", project: "shop", task: "echo hello" })
    expect((await state.run("projects")).stdout).toBe(`shop  ${state.repository}\n  agents: writer`)
    const refused = await state.run("projects", "remove", link)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain("has the agent writer, and stays: delete it first.")
    await good(one, "delete_agent", { agent_name: "writer" })
    const { code, stdout } = await state.run("projects", "remove", link)
    expect(code).toBe(0)
    expect(stdout).toContain(`Forgotten: shop (${state.repository})`)
    expect(existsSync(join(state.repository, ".git"))).toBe(true)
    expect(JSON.parse((await state.run("projects", "--json")).stdout)).toEqual([])
  })

  it("knows neither / nor the home directory, also of a client that says nothing of a home directory", async () => {
    await using state = new SupervisedState()
    makeRepository(state.directory)
    for (const [cwd, env] of [
      ["/", {}],
      [state.directory, { HOME: "", PATH: "" }]
    ] as const) {
      await good(await state.frontEnd({ cwd, env }), "list_agents")
    }
    expect(JSON.parse((await state.run("projects", "--json")).stdout)).toEqual([])
    rmSync(join(state.directory, ".git"), { recursive: true })
  })
})

describe("a supervisor that a desktop program started, with an empty environment", () => {
  it("gives later agents the PATH of the login shell, and neither the first nor another client's variables", async () => {
    await using state = new SupervisedState()
    writeFileSync(join(state.directory, ".bash_profile"), "echo welcome; export PATH=/of/the/login:$PATH TZ=UTC\n")
    const shell = { SHELL: "/bin/bash" }
    const desktop = await state.frontEnd({ env: { ...shell, PATH: "", FLEET_MCP_AGENT_ENV: "KEY", KEY: "desktop" } })
    await good(desktop, "list_agents")
    const terminal = await state.frontEnd({ env: { ...shell, FLEET_MCP_AGENT_ENV: "KEY", KEY: "terminal", LANG: "C" } })
    await good(terminal, "create_agent", {
      name: "one",
      project: "shop",
      task: 'echo "[$KEY][$TZ]"; git --version',
      wait_ready: true
    })
    await good(terminal, "wait_for_agents", { agent_names: ["one"] })
    const log = await good(terminal, "show_agent_log", { agent_name: "one", page_size: 10 })
    expect(log).toContain("[terminal][UTC]")
    expect(log).toContain("git version")
    const bare = await state.frontEnd({ env: { PATH: "" } })
    await good(bare, "start_agent_task", { agent_name: "one", task_description: 'echo "<$KEY|$PATH>"; git --version' })
    await good(bare, "wait_for_agents", { agent_names: ["one"] })
    expect(await good(bare, "show_agent_log", { agent_name: "one", page_size: 10 })).toMatch(
      /<\|\/of\/the\/login:.*>\s+git version/
    )
  })
})
