import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { execFile, execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { isAlive } from "../layers/agenthost/support.ts"
import { program } from "../support/Program.ts"
import { discard } from "../support/Secrets.ts"
import { TaskLimits } from "../../src/layers/services/TaskLimits.ts"

type Keys = Readonly<Record<string, unknown>>
interface Answer {
  readonly text: string
  readonly isError: boolean
  readonly keys: Keys
}

const agentOf = (keys: Keys) => keys["agent"] as Keys

/** A fleet for a program to find. */
export interface ToolsFleet {
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  readonly close: () => Promise<void>
}

export interface ToolsPlace {
  /** Empty, and its home. */
  readonly scratch: string
  /** A project called `shop`. */
  readonly repository: string
  /** Where its agents' worktrees are to be. */
  readonly stateDirectory: string
}

/** A fleet of the program's own, or that of a supervisor. */
export const onThisMachine =
  (supervised: boolean) =>
  ({ stateDirectory: FLEET_MCP_STATE_DIR }: ToolsPlace): Promise<ToolsFleet> => {
    const env = { FLEET_MCP_STATE_DIR, FLEET_MCP_SUPERVISOR: String(supervised) }
    return Promise.resolve({
      args: ["--local", "--allow-shell"],
      env,
      close: async () => {
        if (supervised) await promisify(execFile)(process.execPath, [program, "stop", "--now"], { env })
      }
    })
  }

/**
 * All tools over the built program, by the SDK's client, which checks every result against the tool's schema: the same
 * for every fleet.
 */
export const toolsSuite = (open: (place: ToolsPlace) => Promise<ToolsFleet>): void => {
  let fleet: ToolsFleet
  let scratch: string
  let repository: string
  let client: Client

  const git = (...args: ReadonlyArray<string>) =>
    execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@example.com", ...args], {
      cwd: repository,
      encoding: "utf8"
    })

  const call = async (name: string, args: object = {}): Promise<Answer> => {
    const { content, isError, structuredContent } = await client.callTool({ name, arguments: { ...args } })
    const [first] = content as ReadonlyArray<{ readonly text: string }>
    return { text: first?.text ?? "", isError: isError === true, keys: (structuredContent ?? {}) as Keys }
  }

  const good = async (name: string, args: object = {}): Promise<Keys> => {
    const { isError, keys, text } = await call(name, args)
    if (isError) throw new Error(`${name}: ${text}`)
    return keys
  }

  const worktreeOf = (agent: Keys) => join(scratch, "state", "worktrees", String(agent["workspace_id"]))

  /** Asks until it is so; every answer takes its time, and the test has its own. */
  const untilStatus = async (agent_name: string, status: string): Promise<Keys> => {
    for (;;) {
      const agent = agentOf(await good("show_agent", { agent_name }))
      if (agent["status"] === status) return agent
    }
  }

  const untilFile = async (file: string, agent_name: string): Promise<string> => {
    while (!existsSync(file) || readFileSync(file, "utf8") === "") await good("show_agent", { agent_name })
    return readFileSync(file, "utf8")
  }

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), "fleet-tools-"))
    repository = join(scratch, "shop")
    execFileSync("git", ["init", "-q", "-b", "main", repository])
    writeFileSync(join(repository, "README.md"), "# Shop\n")
    git("add", ".")
    git("commit", "-qm", "first")
    fleet = await open({ scratch, repository, stateDirectory: join(scratch, "state") })
    client = new Client({ name: "test", version: "1" })
    await client.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: [program, ...fleet.args],
        cwd: repository,
        env: { PATH: process.env["PATH"] ?? "", HOME: scratch, LOG_LEVEL: "WARNING", ...fleet.env },
        stderr: "inherit"
      })
    )
    // The client checks results only of tools that it has seen listed.
    await client.listTools()
  })

  afterAll(async () => {
    await client.close()
    await fleet.close()
    discard(scratch)
  })

  describe("a life of an agent", () => {
    it("begins with nothing", async () => {
      expect(await good("list_agents")).toEqual({ agents: [], total_count: 0, offset: 0, next_offset: null, note: "" })
      expect(await good("list_agent_projects")).toMatchObject({ projects: [{ name: "shop" }], total_count: 1 })
      expect(await good("list_agent_roles", { project: "SHOP" })).toMatchObject({
        roles: [{ name: "shell", project_name: "shop", default: true }],
        project_name: "shop",
        total_count: 1
      })
    })

    it("is created with a first task, and does it in a worktree of its own", async () => {
      const created = await good("create_agent", {
        name: "writer",
        project: "shop",
        task: "echo hello > greeting.txt && git add . && echo done",
        wait_ready: true
      })
      expect(created).toMatchObject({ outcome: "applied", stage: "ready", task: "in_build" })
      const agent = await untilStatus("writer", "idle")
      expect(agent).toMatchObject({ name: "writer", role: "shell", project: "shop", metadata_count: 0 })
      expect(readFileSync(join(worktreeOf(agent), "greeting.txt"), "utf8")).toBe("hello\n")
      expect(existsSync(join(repository, "greeting.txt"))).toBe(false)
      expect(git("branch", "--list", "fleet/writer")).toContain("fleet/writer")
    })

    it("is seen in lists, by status and project", async () => {
      expect(await good("list_agents", { status_filter: "idle", project_filter: "shop" })).toMatchObject({
        agents: [{ name: "writer", status: "idle", metadata: null }],
        total_count: 1
      })
      expect(await good("list_agents", { status_filter: "busy" })).toEqual({
        agents: [],
        total_count: 0,
        offset: 0,
        next_offset: null,
        note: ""
      })
    })

    it("takes another task, and is told what it said", async () => {
      const task_description = "echo 'two words'; exit 3"
      const started = await good("start_agent_task", { agent_name: "WRITER", task_description })
      expect(started).toMatchObject({ outcome: "applied", task_description })
      await untilStatus("writer", "idle")
      const log = await good("show_agent_log", { agent_name: "writer" })
      expect(log).toMatchObject({
        logs: [{ type: "output", content: expect.stringMatching(/two words\n\[exit code 3\]/) }],
        page: 1,
        page_size: 1,
        has_next_page: true,
        has_previous_page: false
      })
      const all = (await good("show_agent_log", { agent_name: "writer", page_size: 100 }))[
        "logs"
      ] as ReadonlyArray<Keys>
      expect(all).toHaveLength(Number(log["total_count"]))
      const second = await good("show_agent_log", { agent_name: "writer", page: 2, page_size: 2 })
      expect(second["logs"]).toEqual(all.slice(2, 4))
      const history = await good("show_agent_task_history", { agent_name: "writer" })
      const states = (history["tasks"] as ReadonlyArray<Keys>).map((task) => task["state"])
      expect(states.slice(0, 2)).toEqual(["failure", "working"])
      expect(history).toMatchObject({ page: 1, page_size: 20, has_next_page: false })
    })

    it("is cancelled at work, with all its processes", async () => {
      const file = join(worktreeOf(await untilStatus("writer", "idle")), "pid.txt")
      await good("start_agent_task", {
        agent_name: "writer",
        task_description: `sleep 1000 & echo $! > '${file}'; wait`
      })
      const pid = Number(await untilFile(file, "writer"))
      expect(agentOf(await good("show_agent", { agent_name: "writer" }))["status"]).toBe("busy")
      expect(await good("cancel_agent_task", { agent_name: "writer" })).toMatchObject({ outcome: "applied" })
      expect(agentOf(await good("show_agent", { agent_name: "writer" }))["status"]).toBe("idle")
      expect(isAlive(pid)).toBe(false)
    })

    it("is restarted in the same worktree, without its first task being done again", async () => {
      const agent = await untilStatus("writer", "idle")
      rmSync(join(worktreeOf(agent), "greeting.txt"))
      const restarted = await good("restart_agent", { agent_name: "writer" })
      expect(restarted).toMatchObject({ outcome: "applied", agent: { workspace_id: agent["workspace_id"] } })
      await untilStatus("writer", "idle")
      expect(readdirSync(worktreeOf(agent))).not.toContain("greeting.txt")
    })

    it("is stopped with its processes; worktree, branch and conversation stay, and restart_agent starts it again", async () => {
      const agent = await untilStatus("writer", "idle")
      const file = join(worktreeOf(agent), "stopped.pid")
      await good("start_agent_task", {
        agent_name: "writer",
        task_description: `sleep 1000 & echo $! > '${file}'; wait`
      })
      const pid = Number(await untilFile(file, "writer"))
      expect(await good("stop_agent", { agent_name: "writer" })).toMatchObject({
        outcome: "applied",
        agent: { name: "writer", status: "stopped", workspace_id: agent["workspace_id"] }
      })
      expect(isAlive(pid)).toBe(false)
      expect(existsSync(file)).toBe(true)
      expect(git("branch", "--list", "fleet/writer")).toContain("fleet/writer")
      const again = await call("stop_agent", { agent_name: "writer" })
      expect(again).toMatchObject({ isError: true })
      expect(again.text).toMatch(
        /^AgentNotRunning: .*there is nothing to stop.*restart_agent.*\noutcome: not_applied$/s
      )
      expect(await good("restart_agent", { agent_name: "writer" })).toMatchObject({ outcome: "applied" })
      await untilStatus("writer", "idle")
      const log = await good("show_agent_log", { agent_name: "writer", page_size: 100 })
      expect(JSON.stringify(log["logs"])).toContain("sleep 1000")
    })

    it("ends; unsaved work stays, and the answer says where", async () => {
      const agent = await untilStatus("writer", "idle")
      const { keys, text } = await call("delete_agent", { agent_name: "writer" })
      expect(keys).toMatchObject({ agent_name: "writer", outcome: "applied" })
      expect(text).toContain(worktreeOf(agent))
      expect(existsSync(worktreeOf(agent))).toBe(true)
      expect((await good("list_agents"))["total_count"]).toBe(0)
    })
  })

  describe("waiting", () => {
    it("hears how agents stand, and is told of the end within a second of it, with what was said", async () => {
      const gate = join(scratch, "gate")
      const task = `while [ ! -e '${gate}' ]; do sleep 0.05; done; echo all done`
      await good("create_agent", { name: "waited", project: "shop", task, wait_ready: true })
      await untilStatus("waited", "busy")
      const heard: Array<string> = []
      const onprogress = ({ message = "" }) => {
        heard.push(message)
        // It waits from now on.
        if (!existsSync(gate)) writeFileSync(gate, "")
      }
      const args = { agent_names: ["waited"] }
      const answer = await client.callTool({ name: "wait_for_agents", arguments: args }, undefined, { onprogress })
      const keys = answer.structuredContent as Keys
      expect(heard[0]).toMatch(/^wait_for_agents: (looking at the agents|1 busy)$/)
      expect(keys).toMatchObject({ done: true, more: 0, agents: [{ name: "waited", status: "idle", now: null }] })
      expect(JSON.stringify(keys["agents"])).toContain("all done")

      const again = { ...args, cursor: keys["cursor"] }
      const nothing = await good("wait_for_agents", { ...again, timeout_seconds: 1 })
      expect(nothing).toMatchObject({ done: false, agents: [{ name: "waited", status: "idle" }] })
      await good("start_agent_task", { agent_name: "waited", task_description: "echo again" })
      await untilStatus("waited", "idle")
      expect(await good("wait_for_agents", again)).toMatchObject({ done: true, agents: [{ name: "waited" }] })
    })

    it("that is cancelled leaves the agent at work", async () => {
      await good("start_agent_task", { agent_name: "waited", task_description: "sleep 1000" })
      await untilStatus("waited", "busy")
      const abandon = new AbortController()
      const waiting = client.callTool({ name: "wait_for_agents", arguments: { agent_names: "waited" } }, undefined, {
        signal: abandon.signal,
        onprogress: () => abandon.abort("enough")
      })
      await expect(waiting).rejects.toThrow("enough")
      expect(agentOf(await good("show_agent", { agent_name: "waited" }))["status"]).toBe("busy")
      await good("delete_agent", { agent_name: "waited" })
      const told = await good("wait_for_agents", { agent_names: ["waited"] })
      expect(told).toMatchObject({ done: true, agents: [{ name: "waited", status: "deleted" }] })
      const gone = await call("wait_for_agents", { agent_names: ["waited"] })
      expect(gone.text).toMatch(/^AgentNotFound: There is no agent "waited".*list_agents/)
    })
  })

  describe("bad input", () => {
    beforeAll(async () => {
      await good("create_agent", { name: "taken", project: "shop", task: "true", wait_ready: true })
      await untilStatus("taken", "idle")
      await good("create_agent", { name: "at-work", project: "shop", task: "sleep 1000", wait_ready: true })
      await untilStatus("at-work", "busy")
    })

    const create = { name: "fresh", project: "shop", task: "true" }
    const task = "x".repeat(TaskLimits.defaultValue().bytes + 1)
    const atMost = new RegExp(`at most ${TaskLimits.defaultValue().bytes} `)

    it.each<readonly [string, string, object, string, RegExp]>([
      ["a taken name", "create_agent", { ...create, name: "Taken" }, "AgentNameTaken", /Taken/],
      ["a name that Coder refuses", "create_agent", { ...create, name: "a--b" }, "InvalidAgentName", /hyphens/],
      ["a name with a path", "create_agent", { ...create, name: "../../admin" }, "InvalidAgentName", /admin/],
      ["an unknown project", "create_agent", { ...create, project: "nope" }, "ProjectNotFound", /Projects: shop/],
      ["an unknown role", "create_agent", { ...create, role: "nope" }, "RoleNotFound", /Roles: shell/],
      ["an empty first task", "create_agent", { ...create, task: " \n" }, "InvalidTask", /empty/],
      ["a first task that is too long", "create_agent", { ...create, task }, "InvalidTask", atMost],
      ["a misspelled argument", "create_agent", { ...create, rol: "x" }, "InvalidArguments", /rol: is no argument/],
      ["roles of an unknown project", "list_agent_roles", { project: "nope" }, "ProjectNotFound", /Projects: shop/],
      ["an unknown status", "list_agents", { status_filter: "sleepy" }, "UnknownFilterValue", /Allowed: .*idle/],
      [
        "a limit of nothing",
        "list_agents",
        { limit: 0 },
        "InvalidArguments",
        /limit: Expected an integer of at least 1/
      ],
      ["an unknown agent", "show_agent", { agent_name: "nobody" }, "AgentNotFound", /list_agents/],
      ["a path for a name", "show_agent", { agent_name: "../../../users/admin" }, "AgentNotFound", /list_agents/],
      ["an unknown agent to delete", "delete_agent", { agent_name: "nobody" }, "AgentNotFound", /list_agents/],
      ["an unknown agent to restart", "restart_agent", { agent_name: "nobody" }, "AgentNotFound", /list_agents/],
      ["an unknown agent to stop", "stop_agent", { agent_name: "nobody" }, "AgentNotFound", /list_agents/],
      [
        "agents of whom one is unknown",
        "wait_for_agents",
        { agent_names: ["taken", "nobody"] },
        "AgentNotFound",
        /"nobody"/
      ],
      ["a wait for nothing known", "wait_for_agents", { until: "done" }, "InvalidArguments", /idle, waiting, changed/],
      ["an empty task", "start_agent_task", { agent_name: "taken", task_description: "" }, "InvalidTask", /empty/],
      [
        "a task that is too long",
        "start_agent_task",
        { agent_name: "taken", task_description: task },
        "InvalidTask",
        atMost
      ],
      [
        "a task to a busy agent",
        "start_agent_task",
        { agent_name: "at-work", task_description: "x" },
        "AgentNotIdle",
        /busy/
      ],
      ["a cancel of an idle agent", "cancel_agent_task", { agent_name: "taken" }, "AgentNotBusy", /idle/],
      [
        "a page past the end",
        "show_agent_log",
        { agent_name: "taken", page: 99 },
        "PageOutOfRange",
        /pages run from 1/
      ],
      [
        "a history page past the end",
        "show_agent_task_history",
        { agent_name: "taken", page: 99 },
        "PageOutOfRange",
        /1/
      ],
      ["a page of 0", "show_agent_log", { agent_name: "taken", page: 0 }, "InvalidArguments", /page: /],
      [
        "a page size of 101",
        "show_agent_task_history",
        { agent_name: "taken", page_size: 101 },
        "InvalidArguments",
        /1 to 100/
      ]
    ])("%s is refused", async (_, name, args, tag, said) => {
      const { isError, keys, text } = await call(name, args)
      expect(isError).toBe(true)
      expect(keys).toEqual({})
      expect(text.split(":")[0]).toBe(tag)
      expect(text).toMatch(said)
      expect(text.length).toBeLessThan(2000)
      expect(text.endsWith("\noutcome: not_applied")).toBe(!/^(list|show|wait)_/.test(name))
    })

    it("leaves everything as it was", async () => {
      const { agents } = await good("list_agents")
      const seen = (agents as ReadonlyArray<Keys>).map(({ name, status }) => `${String(name)} ${String(status)}`)
      expect(seen.toSorted()).toEqual(["at-work busy", "taken idle"])
    })

    it("loses the control characters of a task, and nothing else", async () => {
      const started = await good("start_agent_task", {
        agent_name: "taken",
        task_description: "printf '%s' 'a\u001b[201~b\u0000é🚢'"
      })
      expect(started["task_description"]).toBe("printf '%s' 'abé🚢'")
      await untilStatus("taken", "idle")
      const { logs } = await good("show_agent_log", { agent_name: "taken" })
      expect(JSON.stringify(logs)).toContain("abé🚢")
    })

    it("is answered at once by many calls at once", async () => {
      const answers = await Promise.all(Array.from({ length: 40 }, () => call("show_agent", { agent_name: "taken" })))
      expect(answers.every(({ isError }) => !isError)).toBe(true)
    })
  })
}
