import { describe, expect, it } from "@effect/vitest"
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { makeRepository } from "../support/EmbeddedFixture.ts"
import type { Program } from "../support/Program.ts"
import { SupervisedState } from "../support/SupervisedState.ts"

// The projects of a supervisor, through real front ends and commands, each test with a state directory of its own.

interface Known {
  readonly name: string
  readonly template_name: string
  readonly directory: string
  readonly problem: string | null
  readonly agents: ReadonlyArray<string>
}

const known = async (state: SupervisedState) =>
  JSON.parse((await state.run("projects", "--json")).stdout) as ReadonlyArray<Known>

const good = async (program: Program, name: string, args: object = {}): Promise<string> => {
  const { isError, text } = await program.call(name, args)
  if (isError) throw new Error(`${name}: ${text}`)
  return text
}

describe("fleet-mcp projects", () => {
  it("lists what clients have named, and none of its own; two of one name by their paths", async () => {
    await using state = new SupervisedState()
    const second = makeRepository(join(state.directory, "else where", "shop"))
    expect((await state.run("projects")).stdout).toContain("No project is known yet")
    const one = await state.frontEnd()
    await good(one, "list_agents")
    await good(await state.frontEnd({ args: ["--project", second] }), "list_agents")
    expect((await known(state)).map(({ directory, template_name }) => [directory, template_name])).toEqual([
      [second, "shop-2"],
      [state.repository, "shop"]
    ])
    await good(one, "create_agent", { name: "writer", project: "local/shop", task: "echo hello", wait_ready: true })
    expect((await state.run("projects")).stdout).toBe(`shop  ${second}\nshop  ${state.repository}\n  agents: writer`)
  })

  it("knows neither / nor the home directory, nor what is no repository, whoever started there", async () => {
    await using state = new SupervisedState()
    mkdirSync(join(state.directory, "plain"))
    for (const cwd of ["/", state.directory, join(state.directory, "plain")]) {
      await good(await state.frontEnd({ cwd }), "list_agents")
    }
    makeRepository(state.directory)
    // A desktop program may say nothing of the home directory.
    await good(await state.frontEnd({ cwd: state.directory, env: { HOME: "", PATH: "" } }), "list_agents")
    expect(await known(state)).toEqual([])
    rmSync(join(state.directory, ".git"), { recursive: true })
  })

  it("remove forgets one for good, also in the next supervisor; one that is named again is known again", async () => {
    await using state = new SupervisedState()
    await good(await state.frontEnd(), "list_agents")
    await state.closeAll()
    symlinkSync("shop", join(state.directory, "link"))
    const { code, stdout } = await state.run("projects", "remove", join(state.directory, "link"))
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringContaining(`Forgotten: shop (${state.repository})`) as string
    })
    expect(existsSync(join(state.repository, ".git"))).toBe(true)
    expect(await known(state)).toEqual([])
    await state.run("stop")
    expect(await known(state)).toEqual([])
    const again = await state.run("projects", "remove", state.repository)
    expect(again.code).toBe(1)
    expect(again.stderr).toContain(`No project of ${state.repository} is known.`)
    await good(await state.frontEnd(), "list_agents")
    expect(await known(state)).toHaveLength(1)
  })

  it("remove refuses a project that has agents, with their names, and takes nothing", async () => {
    await using state = new SupervisedState()
    const one = await state.frontEnd()
    for (const name of ["writer", "reader"]) {
      await good(one, "create_agent", { name, project: "shop", task: "echo hello", wait_ready: true })
    }
    await good(one, "stop_agent", { agent_name: "reader" })
    const refused = await state.run("projects", "remove", state.repository)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain("has the agents writer, reader, and stays: delete them first.")
    await good(one, "delete_agent", { agent_name: "writer" })
    expect((await state.run("projects", "remove", state.repository)).stderr).toContain("the agent reader, and")
    await good(one, "delete_agent", { agent_name: "reader" })
    expect((await state.run("projects", "remove", state.repository)).code).toBe(0)
  })

  it("one whose folder is gone stays as long as it has agents, and is told", async () => {
    await using state = new SupervisedState()
    const one = await state.frontEnd()
    await good(one, "create_agent", { name: "writer", project: "shop", task: "echo hello", wait_ready: true })
    renameSync(state.repository, `${state.repository}.moved`)
    await state.closeAll()
    await state.run("stop", "--now")
    expect(await known(state)).toMatchObject([
      {
        directory: state.repository,
        agents: ["writer"],
        problem: expect.stringContaining("no such directory") as string
      }
    ])
    expect((await state.run("projects")).stdout).toContain("not usable now:")
    renameSync(`${state.repository}.moved`, state.repository)
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
