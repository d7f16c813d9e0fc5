import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { makeRepository } from "../support/EmbeddedFixture.ts"
import { Program, type StartOptions } from "../support/Program.ts"
import { discard } from "../support/Secrets.ts"

let scratch: string

beforeAll(() => {
  scratch = realpathSync(mkdtempSync(join(tmpdir(), "fleet-projects-")))
  for (const name of ["shop", "api", "with:colon"]) makeRepository(join(scratch, name))
  mkdirSync(join(scratch, "plain"))
  symlinkSync("shop", join(scratch, "same"))
})
afterAll(() => discard(scratch))

let states = 0
const start = (options: StartOptions) =>
  new Program({
    cwd: scratch,
    ...options,
    env: { HOME: scratch, FLEET_MCP_STATE_DIR: join(scratch, `state-${states++}`), ...options.env }
  })

/** The names of the projects, and all that is said of them. */
const projectsOf = async (options: StartOptions) => {
  await using started = start(options)
  await started.initialize()
  const { result = {} } = await started.request("tools/call", { name: "list_agent_projects", arguments: {} })
  const { projects } = result["structuredContent"] as { readonly projects: ReadonlyArray<{ readonly name: string }> }
  return { names: projects.map(({ name }) => name), said: JSON.stringify(result) }
}

describe("projects on this machine", () => {
  it("are those that the command line names, relative to the working directory, each once", async () => {
    const args = ["--local", "--project", "shop", "--project", join(scratch, "same"), "--project=with:colon"]
    const { names } = await projectsOf({ args, env: { FLEET_MCP_PROJECT_DIRS: "api" } })
    expect(names).toEqual(["shop", "with:colon"])
  })

  it("are else those of the environment, separated as in PATH", async () => {
    const { names } = await projectsOf({ env: { FLEET_MCP_PROJECT_DIRS: `shop:${join(scratch, "api")}:./shop/` } })
    expect(names).toEqual(["api", "shop"])
  })

  it("leave out what is no repository, and say why; ~ is a name like any other", async () => {
    const { names, said } = await projectsOf({
      args: ["--project", "shop", "--project", "plain", "--project", "~/api"]
    })
    expect(names).toEqual(["shop"])
    expect(said).toContain(`${join(scratch, "plain")} cannot be a project: it is not a git repository`)
    expect(said).toContain(`${join(scratch, "~/api")} cannot be a project: there is no such directory`)
  })

  it("can be named, as is said where the working directory cannot be one", async () => {
    for (const cwd of ["/", scratch, join(scratch, "plain")]) {
      const { names, said } = await projectsOf({ cwd })
      expect(names).toEqual([])
      expect(said).toContain("--project DIR")
      expect(said).toContain("FLEET_MCP_PROJECT_DIRS")
    }
  })
})

describe("a project with submodules", () => {
  it("says in the answer and in the agent's greeting what is not checked out", async () => {
    const repository = join(scratch, "outer")
    makeRepository(repository)
    const git = (...args: ReadonlyArray<string>) =>
      execFileSync(
        "git",
        ["-c", "protocol.file.allow=always", "-c", "user.name=A", "-c", "user.email=a@b.c", ...args],
        {
          cwd: repository,
          stdio: "ignore"
        }
      )
    git("submodule", "add", "--quiet", join(scratch, "shop"), "inner")
    git("commit", "--quiet", "--message=inner")
    await using started = start({ args: ["--local", "--allow-shell", "--project", repository] })
    await started.initialize()
    const task = { name: "one", project: "outer", task: "ls inner | wc -l", wait_ready: true }
    const { text } = await started.call("create_agent", task)
    expect(text).toContain("1 submodule is not checked out: inner.")
    const log = await started.call("show_agent_log", { agent_name: "one", page_size: 10 })
    expect(log.text).toContain("1 submodule is not checked out: inner")
  })
})

describe("what cannot be had", () => {
  it.each([
    ["a flag that is neither true nor false", { FLEET_MCP_READ_ONLY: "yes" }, "FLEET_MCP_READ_ONLY is neither"],
    ["a variable of agents that is none", { FLEET_MCP_AGENT_ENV: "A,B=hunter2" }, "FLEET_MCP_AGENT_ENV has as entry 2"]
  ])("is every tool's answer: %s", async (_, env, problem) => {
    await using started = start({ args: ["--local"], env })
    await started.initialize()
    for (const name of ["list_agents", "delete_agent"]) {
      const { isError, text } = await started.call(name, name === "list_agents" ? {} : { agent_name: "a" })
      expect(isError).toBe(true)
      expect(text).toMatch(/^BackendNotConfigured: /)
      expect(text).toContain(problem)
      expect(text + started.stderr).not.toContain("hunter2")
    }
  })

  it("is a state directory that is somebody else's to move", async () => {
    const link = join(scratch, "link")
    symlinkSync("plain", link)
    await using started = start({ args: ["--local"], env: { FLEET_MCP_STATE_DIR: link } })
    await started.initialize()
    const { isError, text } = await started.call("list_agents")
    expect(isError).toBe(true)
    expect(text).toContain(`${link} is a symbolic link`)
  })

  it("is no secret in the log: variables that agents also get are told by name", async () => {
    const env = { FLEET_MCP_AGENT_ENV: "MY_PROXY", MY_PROXY: "hunter2" }
    await using started = start({ args: ["--local"], cwd: join(scratch, "shop"), env })
    await started.initialize()
    expect((await started.call("list_agents")).isError).toBe(false)
    expect(started.stderr).toContain("MY_PROXY")
    expect(started.stderr).not.toContain("hunter2")
  })

  it("ends the command line that contradicts itself", async () => {
    await using started = start({ args: ["--local", "--coder-url", "https://coder.example.com"] })
    expect((await started.exit).code).toBe(2)
    expect(started.stderr).toContain("--local and --coder-url contradict each other")
  })
})

describe("an env file before a command", () => {
  it("counts for that command", async () => {
    const state = join(scratch, "from-file")
    const file = join(scratch, "fleet.env")
    writeFileSync(file, `FLEET_MCP_STATE_DIR=${state}\n`)
    await using started = new Program({ args: ["--env-file", file, "token"], env: { HOME: scratch } })
    expect((await started.exit).code).toBe(0)
    expect(started.lines).toEqual([join(state, "auth_token")])
    expect(readFileSync(join(state, "auth_token"), "utf8")).toContain('"value"')
  })
})
