import { describe, expect, it } from "@effect/vitest"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { isAlive } from "../layers/agenthost/support.ts"
import type { Program } from "../support/Program.ts"
import { SupervisedState } from "../support/SupervisedState.ts"

// Waits and `fleet-mcp agents` over the built program, with a supervisor, front ends and agents as real processes.

interface Waited {
  readonly done: boolean
  readonly cursor: string
  readonly note: string
  readonly agents: ReadonlyArray<{ readonly name: string; readonly status: string }>
}

const good = async (program: Program, name: string, args: object = {}): Promise<string> => {
  const { isError, text } = await program.call(name, args)
  if (isError) throw new Error(`${name}: ${text}`)
  return text
}

const wait = async (program: Program, args: object = {}): Promise<Waited> => {
  const { result } = await program.request("tools/call", { name: "wait_for_agents", arguments: args })
  return result?.["structuredContent"] as Waited
}

const told = ({ agents }: Waited) => agents.map(({ name, status }) => `${name} ${status}`).toSorted()

const create = (program: Program, name: string, task: string) =>
  good(program, "create_agent", { name, project: "shop", task, wait_ready: true })

const start = (program: Program, agent_name: string, task_description: string) =>
  good(program, "start_agent_task", { agent_name, task_description })

const killed = async (program: Program): Promise<void> => {
  program.child.kill("SIGKILL")
  await program.exit
}

describe("wait_for_agents, with a supervisor", () => {
  it(
    "misses nothing and tells nothing twice, over kills of front ends and of the supervisor",
    { timeout: 120_000 },
    async () => {
      await using state = new SupervisedState()
      const one = await state.frontEnd()
      const gate = (name: string) => `until [ -e ${join(state.directory, name)} ]; do sleep 0.05; done`
      await create(one, "quick", "true")
      await create(one, "slow", gate("open"))
      const first = await wait(one)
      expect(told(first)).toEqual(["quick idle"])
      // Told that it is idle, whoever was told can give it the next task at once, again and again.
      let cursor = first.cursor
      for (let turn = 0; turn < 5; turn++) {
        await start(one, "quick", `echo ${turn}`)
        const next = await wait(one, { cursor })
        expect(told(next)).toEqual(["quick idle"])
        cursor = next.cursor
      }
      // It ends while its client is away for good.
      await killed(one)
      const two = await state.frontEnd()
      await start(two, "quick", `touch ${join(state.directory, "open")}`)
      const away = await wait(two, { cursor, mode: "all" })
      expect(told(away)).toEqual(["quick idle", "slow idle"])
      // The supervisor is killed while one waits: the heir tells what the cut did.
      await start(two, "slow", `touch ${join(state.directory, "begun")}; sleep 600`)
      while (!existsSync(join(state.directory, "begun"))) await good(two, "list_agents")
      const waiting = wait(two, { cursor: away.cursor })
      await good(two, "list_agents")
      const pid = state.pid ?? 0
      process.kill(pid, "SIGKILL")
      const cut = await waiting
      expect([told(cut), cut.note]).toEqual([["slow interrupted"], ""])
      expect(state.pid).not.toBe(pid)
      // One that begins anew with that cursor is told of nothing that was told.
      await killed(two)
      const three = await state.frontEnd()
      const quiet = await wait(three, { cursor: cut.cursor, timeout_seconds: 1 })
      expect([quiet.done, quiet.note]).toEqual([false, ""])
      const gone = wait(three, { cursor: quiet.cursor })
      await good(three, "delete_agent", { agent_name: "quick" })
      expect(told(await gone)).toEqual(["quick deleted"])
    }
  )
})

describe("fleet-mcp agents", () => {
  it("shows the fleet once, as lines and as JSON, and goes on with --watch until it is told to end", async () => {
    await using state = new SupervisedState()
    const one = await state.frontEnd()
    await create(one, "bot", "echo done")
    await wait(one)
    const text = await state.run("--local", "agents")
    expect(text).toMatchObject({ code: 0, stderr: "" })
    expect(text.stdout).toMatch(/^bot\tidle\tshop\techo done$/)
    const json = JSON.parse((await state.run("agents", "--local", "--json")).stdout) as ReadonlyArray<object>
    expect(json).toMatchObject([{ name: "bot", status: "idle", project: "shop" }])
    expect(await state.run("agents", "--local", "--json", "--watch")).toMatchObject({ code: 2, stdout: "" })
    const live = state.start({ args: ["--local", "agents", "--watch"] })
    await live.until(() => live.lines.includes("bot\tidle\tshop\techo done"))
    await start(one, "bot", "sleep 600")
    await live.until(() => live.lines.includes("bot\tbusy\tshop\tsleep 600"))
    live.child.kill("SIGINT")
    expect(await live.exit).toMatchObject({ code: 0 })
    expect(live.stderr).toBe("")
    expect(isAlive(state.pid ?? 0)).toBe(true)
  })

  it("without a supervisor has nothing to show, and says so", async () => {
    await using state = new SupervisedState()
    const program = state.start({ args: ["--local", "agents"], env: { FLEET_MCP_SUPERVISOR: "false" } })
    expect(await program.exit).toMatchObject({ code: 1 })
    expect(program.stderr).toContain("FLEET_MCP_SUPERVISOR=false")
  })
})
