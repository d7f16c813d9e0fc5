import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { eventually, isAlive } from "../layers/agenthost/support.ts"
import { program } from "../support/Program.ts"
import { SupervisedState } from "../support/SupervisedState.ts"

// The built program, with a home directory and a service manager of the test's own.

/** A systemctl that notes how it was called, and says this; first in the PATH. */
const systemctlIn = (state: SupervisedState, text: string) => {
  const bin = join(state.directory, "bin")
  const calls = join(state.directory, "calls")
  fs.mkdirSync(bin, { recursive: true })
  fs.writeFileSync(join(bin, "systemctl"), `#!/bin/sh\necho "$@" >> ${calls}\n${text}\n`, { mode: 0o755 })
  return {
    env: { PATH: `${bin}:${process.env["PATH"] ?? ""}` },
    calls: () => (fs.existsSync(calls) ? fs.readFileSync(calls, "utf8").trim().split("\n") : [])
  }
}

const run = async (state: SupervisedState, args: ReadonlyArray<string>, env: Record<string, string> = {}) => {
  const started = state.start({ args, env })
  started.child.stdin.end()
  const { code } = await started.exit
  return { code, stdout: started.lines.join("\n"), stderr: started.stderr }
}

const pidOf = (state: SupervisedState): number => {
  const { pid } = state
  if (pid === undefined) throw new Error("no supervisor")
  return pid
}

const seen = (what: string, holds: () => boolean) => Effect.runPromise(eventually(what, holds))

describe("fleet-mcp install", () => {
  it("writes a service for the state directory, has systemd start it, and says so; --remove takes all back", async () => {
    await using state = new SupervisedState()
    const { calls, env } = systemctlIn(state, "exit 0")
    const secret = { CODER_SESSION_TOKEN: "canary-of-install", FLEET_MCP_AGENT_ENV: "KEY", KEY: "canary-of-install" }
    const made = await run(state, ["install"], { ...env, ...secret })
    const [, file = "", name = ""] = /^Made (.*\/(fleet-mcp-[0-9a-f]{8}\.service)): /.exec(made.stdout) ?? []
    expect(file).toBe(join(state.directory, ".config/systemd/user", name))
    const text = fs.readFileSync(file, "utf8")
    expect(text).toContain(
      `ExecStart="${process.execPath}" "${fs.realpathSync(program)}" "supervisor" "--service"\nEnvironment="FLEET_MCP_STATE_DIR=${state.state}"\n`
    )
    expect(text + made.stdout).not.toContain("canary")
    expect(made.stdout).toContain(`${name} runs, and starts when you log in.`)
    expect(made.stdout).toContain("loginctl enable-linger")
    expect(calls()).toEqual(["--user daemon-reload", `--user enable --now ${name}`])
    expect((await run(state, ["install"], env)).stdout).toContain("is as it should be already")
    expect(fs.readFileSync(file, "utf8")).toBe(text)

    const removed = await run(state, ["install", "--remove"], env)
    expect(removed.stdout).toContain(`Removed ${file}. Agents, and all that is in ${state.state}, are as they were.`)
    expect(fs.existsSync(file)).toBe(false)
    expect(calls().slice(-2)).toEqual([`--user disable --now ${name}`, "--user daemon-reload"])
    expect((await run(state, ["install", "--remove"], env)).stdout).toContain("nothing was installed")
  })

  it("says what to run where systemd cannot be asked, and goes where XDG_CONFIG_HOME says", async () => {
    await using state = new SupervisedState()
    const { env } = systemctlIn(state, "echo 'Failed to connect to bus' >&2; exit 1")
    const config = join(state.directory, "config")
    const { code, stdout } = await run(state, ["install"], { ...env, XDG_CONFIG_HOME: config })
    expect(code).toBe(0)
    expect(stdout).toContain(
      "It does not run yet (Failed to connect to bus). Start it:\n  systemctl --user daemon-reload"
    )
    expect(fs.readdirSync(join(config, "systemd/user"))).toHaveLength(1)
    const removed = await run(state, ["install", "--remove"], { ...env, XDG_CONFIG_HOME: config })
    expect(removed.stdout).toContain("If it runs still, end it:\n  systemctl --user disable --now")
    expect(fs.readdirSync(join(config, "systemd/user"))).toEqual([])
  })

  it("leaves a file that it did not write as it is, and says so", async () => {
    await using state = new SupervisedState()
    const { calls, env } = systemctlIn(state, "exit 0")
    const [, file = ""] = /^Made (.*): /.exec((await run(state, ["install"], env)).stdout) ?? []
    const before = calls()
    fs.appendFileSync(file, "# mine\n")
    const text = fs.readFileSync(file, "utf8")
    for (const args of [["install"], ["install", "--remove"]]) {
      const { code, stderr } = await run(state, args, env)
      expect(code).toBe(1)
      expect(stderr).toContain(`${file} is there and not as fleet-mcp install writes it`)
    }
    expect(fs.readFileSync(file, "utf8")).toBe(text)
    expect(calls()).toEqual(before)
  })
})

describe("a supervisor that a service manager runs", () => {
  it("waits while another one runs, takes its place, stays when nobody needs it, and ends when it is told to", async () => {
    await using state = new SupervisedState()
    const idle = { FLEET_MCP_IDLE_MINUTES: "0.001" }
    const one = await state.frontEnd()
    await one.call("list_agents")
    const first = pidOf(state)
    const service = state.start({ args: ["supervisor", "--service"], env: idle })
    const log = () => fs.readFileSync(state.file("supervisor.log"), "utf8")
    await seen("that it waits", () => log().includes("This one takes its place when it ends."))
    expect(pidOf(state)).toBe(first)
    expect((await one.call("list_agents")).isError).toBe(false)
    await state.run("stop", "--now")
    await seen("its heir", () => state.pid === service.child.pid)
    expect((await one.call("list_agents")).isError).toBe(false)
    one.child.stdin.end()
    await one.exit
    // Each takes longer than one that ends by itself would stay.
    for (let round = 0; round < 3; round++) {
      expect(JSON.parse((await state.run("status", "--json")).stdout)).toMatchObject({
        running: true,
        pid: service.child.pid
      })
    }
    service.child.kill("SIGTERM")
    expect(await service.exit).toEqual({ code: 0, signal: null })
    expect(fs.existsSync(state.file("supervisor.json"))).toBe(false)
  })

  it("and one that a front end starts at the same time are one: no call fails, whichever of them is killed", async () => {
    await using state = new SupervisedState()
    const ones = await Promise.all([state.frontEnd(), state.frontEnd()])
    const service = state.start({ args: ["supervisor", "--service"] })
    const answers = await Promise.all(ones.map((one) => one.call("list_agents")))
    expect(answers.filter(({ isError }) => isError)).toEqual([])
    const owner = pidOf(state)
    if (owner !== service.child.pid) {
      process.kill(owner, "SIGKILL")
      await seen("the heir", () => {
        const { pid } = state
        return pid !== undefined && pid !== owner && isAlive(pid)
      })
    }
    for (const one of ones) expect((await one.call("list_agents")).isError).toBe(false)
    service.child.kill("SIGTERM")
    expect(await service.exit).toEqual({ code: 0, signal: null })
  })

  it("is told by fleet-mcp stop, since it starts again", async () => {
    await using state = new SupervisedState()
    const { env } = systemctlIn(state, "exit 0")
    await run(state, ["install"], env)
    const one = await state.frontEnd({ env })
    await one.call("list_agents")
    const { stdout } = await run(state, ["stop"], env)
    expect(stdout).toMatch(/The service fleet-mcp-\w+\.service starts another in a moment; systemctl --user stop/)
  })

  it("is not removed while its agents are at work, and they are named", async () => {
    await using state = new SupervisedState()
    const service = state.start({ args: ["supervisor", "--service"] })
    const { calls, env } = systemctlIn(state, `case "$*" in *MainPID*) echo ${service.child.pid} ;; esac`)
    await run(state, ["install"], env)
    const one = await state.frontEnd({ env })
    await one.call("create_agent", { name: "busy", project: "shop", task: "sleep 600" })
    while (!(await one.call("show_agent", { agent_name: "busy" })).text.includes("busy: busy"));
    expect(pidOf(state)).toBe(service.child.pid)
    const refused = await run(state, ["install", "--remove"], env)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain("Nothing was removed: at work are busy.")
    expect(calls().join()).not.toContain("disable")
    await one.call("stop_agent", { agent_name: "busy" })
    expect((await run(state, ["install", "--remove"], env)).code).toBe(0)
    expect(calls().join()).toContain("disable --now")
  })
})
