import { describe, expect, it } from "@effect/vitest"
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { createServer, request, type IncomingMessage, type RequestListener } from "node:http"
import { once } from "node:events"
import { dirname, join } from "node:path"
import { Effect } from "effect"
import { FleetSocket, infoIn } from "../faults/FleetSocket.ts"
import { eventually, isAlive } from "../layers/agenthost/support.ts"
import { makeRepository } from "../support/EmbeddedFixture.ts"
import type { Program } from "../support/Program.ts"
import { SupervisedState } from "../support/SupervisedState.ts"

// Front ends, supervisors and agents as real processes, each test with a state directory of its own.

const good = async (program: Program, name: string, args: object = {}): Promise<string> => {
  const { isError, text } = await program.call(name, args)
  if (isError) throw new Error(`${name}: ${text}`)
  return text
}

const create = (program: Program, name: string, task = "echo done", more: object = {}) =>
  good(program, "create_agent", { name, project: "shop", task, wait_ready: true, ...more })

const seen = (what: string, holds: () => boolean) => Effect.runPromise(eventually(what, holds))

/** Asks until the log of an agent has such a line. */
const untilSaid = async (program: Program, agent_name: string, line: string | RegExp): Promise<string> => {
  for (;;) {
    const text = await good(program, "show_agent_log", { agent_name, page_size: 10 })
    if (typeof line === "string" ? text.includes(line) : line.test(text)) return text
  }
}

/** Asks until an agent works on something that has begun to write. */
const untilBusy = async (program: Program, agent_name: string): Promise<void> => {
  while (!(await good(program, "show_agent", { agent_name })).includes("busy"));
}

const pidOf = (state: SupervisedState): number => {
  const { pid } = state
  if (pid === undefined) throw new Error("no supervisor")
  return pid
}

/** A server of the test in place of a supervisor. */
const pretended = async (state: SupervisedState, answer: RequestListener) => {
  mkdirSync(state.state, { mode: 0o700 })
  const server = createServer(answer).listen(state.file("supervisor.sock"))
  await once(server, "listening")
  const info = {
    pid: process.pid,
    since: "",
    version: "1",
    contract: 1,
    token: "x",
    socket: state.file("supervisor.sock")
  }
  writeFileSync(state.file("supervisor.json"), JSON.stringify(info), { mode: 0o600 })
  return server
}

describe("a supervisor", () => {
  it("is not started before the first tool call", async () => {
    await using state = new SupervisedState()
    const one = await state.frontEnd()
    await one.request("tools/list")
    expect(existsSync(state.state)).toBe(false)
    await good(one, "list_agents")
    expect(isAlive(pidOf(state))).toBe(true)
    expect(statSync(state.file("supervisor.json")).mode & 0o777).toBe(0o600)
  })

  it("outlives its front end, also one that is killed: the next one sees the same agents, in another repository too", async () => {
    await using state = new SupervisedState()
    const one = await state.frontEnd()
    await create(one, "writer", "echo hello; echo $$ > me.pid; sleep 600")
    await untilSaid(one, "writer", "hello")
    const pid = pidOf(state)
    one.child.kill("SIGKILL")
    await one.exit
    const other = await state.frontEnd({ cwd: makeRepository(join(state.directory, "api")) })
    expect(await good(other, "show_agent", { agent_name: "writer" })).toMatch(/busy/)
    const projects = await good(other, "list_agent_projects")
    expect(projects).toContain("api")
    expect(projects).toContain("shop")
    expect(pidOf(state)).toBe(pid)
  })

  it("comes up although the front end that started it was killed at that", { timeout: 60_000 }, async () => {
    await using state = new SupervisedState()
    const one = await state.frontEnd()
    one.send({ id: 1, method: "tools/call", params: { name: "list_agents", arguments: {} } })
    while (!existsSync(state.file("supervisor.starting")) && !existsSync(state.file("supervisor.json"))) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    one.child.kill("SIGKILL")
    await one.exit
    await good(await state.frontEnd(), "list_agents")
    expect(isAlive(pidOf(state))).toBe(true)
  })

  it(
    "that is stopped in its tracks is told as one that does not answer, within the limit",
    { timeout: 60_000 },
    async () => {
      await using state = new SupervisedState()
      await good(await state.frontEnd(), "list_agents")
      const pid = pidOf(state)
      process.kill(pid, "SIGSTOP")
      try {
        const { isError, text } = await (await state.frontEnd()).call("list_agents")
        expect(isError).toBe(true)
        expect(text).toContain(`process ${pid} does not answer`)
        expect(text).not.toContain("did not start")
      } finally {
        process.kill(pid, "SIGCONT")
      }
      await good(await state.frontEnd(), "list_agents")
      expect(pidOf(state)).toBe(pid)
    }
  )

  it("takes a client that registers again under its token, and keeps it until its last connection ends", async () => {
    await using state = new SupervisedState()
    await good(await state.frontEnd(), "list_agents")
    const { socket, token } = JSON.parse(readFileSync(state.file("supervisor.json"), "utf8")) as Record<string, string>
    const body = JSON.stringify({
      token: "abcdefghij-abcdefghijabcdefghijab",
      working_directory: state.repository,
      project_advice: "",
      allow_shell: false,
      environment: {},
      agent_environment: []
    })
    const clients = async () =>
      (JSON.parse((await state.run("status", "--json")).stdout) as { clients: number }).clients
    const register = async () => {
      const headers = { "content-type": "application/json", "coder-session-token": token }
      const sent = request({ socketPath: socket, method: "POST", path: "/fleet/v1/clients", agent: false, headers })
      sent.on("error", () => undefined).end(body)
      const [response] = (await once(sent, "response")) as [IncomingMessage]
      expect(String((await once(response, "data"))[0])).toBe("registered\n")
      return sent
    }
    const first = await register()
    const second = await register()
    expect(await clients()).toBe(2)
    first.destroy()
    await once(first, "close")
    expect(await clients()).toBe(2)
    second.destroy()
    while ((await clients()) !== 1);
  })

  it("forgets 200 clients that come and go, some of them in the middle of a call, and serves the next", async () => {
    await using state = new SupervisedState()
    const one = await state.frontEnd()
    await good(one, "list_agents")
    const info = infoIn(state.state)
    if (info === undefined) throw new Error("no supervisor")
    const descriptors = () => readdirSync(`/proc/${info.pid}/fd`).length
    const before = descriptors()
    const comeAndGo = async (number: number) => {
      const socket = new FleetSocket(info)
      await socket.register(state.repository)
      const asked = socket.send("GET", "/api/v2/workspaces").catch(() => undefined)
      if (number % 2 === 0) await asked
      socket.close()
      await asked
    }
    for (let number = 0; number < 200; number += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, index) => comeAndGo(number + index)))
    }
    const clients = async () =>
      (JSON.parse((await state.run("status", "--json")).stdout) as { clients: number }).clients
    while ((await clients()) !== 1);
    await seen("the end of their connections", () => descriptors() <= before + 5)
    await good(one, "list_agents")
    expect(pidOf(state)).toBe(info.pid)
  })

  it("ends by itself when nobody needs it, and not while an agent works", { timeout: 60_000 }, async () => {
    await using state = new SupervisedState()
    const env = { FLEET_MCP_IDLE_MINUTES: "0.01" }
    const one = await state.frontEnd({ env })
    const done = join(state.directory, "done")
    // Three times as long as it would stay: a supervisor that ended would end the task.
    await create(one, "worker", `sleep 2; touch ${done}; sleep 0.3`)
    await untilBusy(one, "worker")
    const pid = pidOf(state)
    one.child.stdin.end()
    await one.exit
    await seen("the end of the task", () => existsSync(done))
    expect(isAlive(pid)).toBe(true)
    await seen("the end of the supervisor", () => !isAlive(pid))
    expect(existsSync(state.file("supervisor.json"))).toBe(false)
    expect(existsSync(state.file("supervisor.sock"))).toBe(false)
  })
})

describe("stop, status and logs", () => {
  it("tell what runs; stop asks before it ends work, and then leaves nothing", async () => {
    await using state = new SupervisedState()
    expect((await state.run("status")).stdout).toContain("No supervisor runs")
    expect(await state.run("stop")).toMatchObject({ code: 0 })
    const one = await state.frontEnd()
    await create(one, "busy", "echo $$ > me.pid; sleep 600")
    await untilBusy(one, "busy")
    const told = JSON.parse((await state.run("status", "--json")).stdout) as object
    expect(told).toMatchObject({ clients: 1, at_work: ["busy"], agents: { busy: 1 }, contract: 1, version: "0.1.0" })
    const refused = await state.run("stop")
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain("at work are busy")
    const pid = pidOf(state)
    expect(isAlive(pid)).toBe(true)
    const stopped = await state.run("stop", "--now")
    expect(stopped).toMatchObject({ code: 0 })
    expect(stopped.stdout).toContain("The work of busy was ended.")
    expect(isAlive(pid)).toBe(false)
    expect(existsSync(state.file("supervisor.json"))).toBe(false)
    const { stderr, stdout } = await state.run("logs")
    expect(stderr).toContain(state.file("supervisor.log"))
    expect(stdout).toContain("The supervisor listens")
  })

  it("a second supervisor says that there is one", async () => {
    await using state = new SupervisedState()
    await good(await state.frontEnd(), "list_agents")
    const { code, stderr } = await state.run("supervisor")
    expect(code).toBe(1)
    expect(stderr).toContain(`runs already (process ${pidOf(state)})`)
    expect((await state.run("logs")).stdout).toContain(`runs already (process ${pidOf(state)})`)
  })
})

describe("status, stop and logs, where it is not as usual", () => {
  it("do not take a supervisor that does not answer for none", { timeout: 60_000 }, async () => {
    await using state = new SupervisedState()
    await good(await state.frontEnd(), "list_agents")
    const pid = pidOf(state)
    process.kill(pid, "SIGSTOP")
    try {
      for (const command of ["status", "stop"]) {
        const { code, stderr, stdout } = await state.run(command)
        expect(code).toBe(1)
        expect(stderr).toContain(`process ${pid} does not answer: nothing came within 5 s`)
        expect(stdout).toBe("")
      }
    } finally {
      process.kill(pid, "SIGCONT")
    }
  })

  it("tell what an answer that is none of theirs says, and that agents could not be counted", async () => {
    await using state = new SupervisedState()
    const told = { pid: process.pid, since: "", version: "1", contract: 1, clients: 0, at_work: [], store_bytes: 0 }
    const server = await pretended(state, ({ url }, response) => {
      const isStatus = url === "/fleet/v1/status"
      response.writeHead(isStatus ? 200 : 500, { "content-type": "application/json" })
      response.end(JSON.stringify(isStatus ? told : { message: "The disk is full." }))
    })
    try {
      expect((await state.run("status")).stdout).toMatch(/agents {6}could not be counted: \S/)
      expect(JSON.parse((await state.run("status", "--json")).stdout)).toMatchObject({ running: true, agents: null })
      const stopped = await state.run("stop")
      expect(stopped.code).toBe(1)
      expect(stopped.stderr).toContain(`process ${process.pid} refuses: The disk is full.`)
    } finally {
      server.closeAllConnections()
      server.close()
      rmSync(state.file("supervisor.json"))
    }
  })

  it("tell that one is starting, of a start that a process which lives began", async () => {
    await using state = new SupervisedState()
    mkdirSync(state.state, { mode: 0o700 })
    writeFileSync(state.file("supervisor.starting"), String(process.pid))
    expect((await state.run("status")).stdout).toContain("is starting")
    expect(JSON.parse((await state.run("status", "--json")).stdout)).toMatchObject({ running: false, starting: true })
    const stopped = await state.run("stop")
    expect(stopped.code).toBe(1)
    expect(stopped.stderr).toContain("is starting")
    utimesSync(state.file("supervisor.starting"), new Date(), new Date("2100-01-01"))
    expect((await state.run("status")).stdout).toContain("No supervisor runs")
    writeFileSync(state.file("supervisor.starting"), "")
    expect((await state.run("status")).stdout).toContain("No supervisor runs")
  })

  it("tell a log that cannot be read from one that is not there", async () => {
    await using state = new SupervisedState()
    expect(await state.run("logs")).toMatchObject({ code: 0, stderr: expect.stringContaining("no log yet") as string })
    mkdirSync(state.file("supervisor.log"), { recursive: true, mode: 0o700 })
    const { code, stderr } = await state.run("logs")
    expect(code).toBe(1)
    expect(stderr).toContain("The log cannot be read")
  })
})

describe("what is each front end's own", () => {
  it("its environment: a first one with an empty one leaves the next its own", async () => {
    await using state = new SupervisedState()
    const bare = await state.frontEnd({ env: { PATH: "", HOME: "", FLEET_MCP_AGENT_ENV: "" } })
    await good(bare, "list_agents")
    const env = { LANG: "C.UTF-8", COLOUR: "red", FLEET_MCP_AGENT_ENV: "COLOUR" }
    const other = await state.frontEnd({ env })
    await create(other, "painter", 'echo "[$COLOUR]" && git --version')
    expect(await untilSaid(other, "painter", "[red]")).toContain("git version")
    const third = await state.frontEnd()
    await good(third, "start_agent_task", { agent_name: "painter", task_description: 'echo "<$COLOUR>"' })
    await untilSaid(third, "painter", "<>")
    for (const name of ["store.db", "store.db-wal", "supervisor.log"]) {
      const value = existsSync(state.file(name)) ? readFileSync(state.file(name), "latin1") : ""
      expect(value).not.toContain("COLOUR=")
    }
  })

  it("its right to run commands: one that does not offer the role shell creates and prompts nobody", async () => {
    await using state = new SupervisedState()
    const one = await state.frontEnd()
    await create(one, "writer")
    await untilSaid(one, "writer", "exit code 0")
    const other = state.start({ args: ["--local"] })
    await other.initialize()
    const refusedTask = await other.call("start_agent_task", { agent_name: "writer", task_description: "echo no" })
    expect(refusedTask).toMatchObject({ isError: true })
    expect(refusedTask.text).toContain("--allow-shell")
    const refusedAgent = await other.call("create_agent", { name: "second", project: "shop", task: "echo no" })
    expect(refusedAgent).toMatchObject({ isError: true })
    expect(await good(one, "show_agent_log", { agent_name: "writer", page_size: 10 })).not.toContain("echo no")
  })

  it("its right to run commands is not wanted for a restart, which runs none; the agent is as it was", async () => {
    await using state = new SupervisedState()
    const one = await state.frontEnd()
    await create(one, "writer", "echo $((6 * 7))")
    await untilSaid(one, "writer", "exit code 0")
    const other = state.start({ args: ["--local"] })
    await other.initialize()
    await good(other, "restart_agent", { agent_name: "writer" })
    const refused = await other.call("start_agent_task", { agent_name: "writer", task_description: "echo no" })
    expect(refused).toMatchObject({ isError: true })
    await good(one, "start_agent_task", { agent_name: "writer", task_description: "echo $((7 * 8))" })
    expect(await untilSaid(one, "writer", "56")).not.toContain("echo no")
  })

  it("its projects: two of one name are told apart by their paths, and what is none is told to who named it", async () => {
    await using state = new SupervisedState()
    const second = makeRepository(join(state.directory, "elsewhere", "shop"))
    mkdirSync(join(state.directory, "plain"))
    const one = await state.frontEnd()
    const other = await state.frontEnd({ cwd: second, args: ["--project", ".", "--project", "../../plain"] })
    await good(one, "list_agents")
    const told = await good(other, "list_agent_projects")
    expect(told).toContain(`worktrees of ${state.repository}`)
    expect(told).toContain(`worktrees of ${second}`)
    expect(told).toContain("is not a git repository")
    expect(await good(one, "list_agent_projects")).not.toContain("is not a git repository")
    const ambiguous = await one.call("create_agent", { name: "a", project: "shop", task: "pwd" })
    expect(ambiguous).toMatchObject({ isError: true })
    expect(ambiguous.text).toContain("local/shop-2")
  })
})

describe("places that cannot be used", () => {
  it("a state directory that is a link is refused, and nothing is started", async () => {
    await using state = new SupervisedState()
    mkdirSync(join(state.directory, "real"))
    symlinkSync("real", state.state)
    const { isError, text } = await (await state.frontEnd()).call("list_agents")
    expect(isError).toBe(true)
    expect(text).toContain("is a symbolic link")
    expect(existsSync(join(state.directory, "real", "lock.db"))).toBe(false)
  })

  it("what is no socket where the socket belongs is told, and left alone", async () => {
    await using state = new SupervisedState()
    mkdirSync(state.state, { mode: 0o700 })
    writeFileSync(state.file("supervisor.sock"), "precious")
    const { isError, text } = await (await state.frontEnd()).call("list_agents")
    expect(isError).toBe(true)
    expect(text).toContain("is not a socket")
    expect(readFileSync(state.file("supervisor.sock"), "utf8")).toBe("precious")
    expect(state.pid).toBe(undefined)
  })

  it("a state directory whose path is too long for a socket has it in a directory of its own elsewhere", async () => {
    await using state = new SupervisedState(`state-${"x".repeat(120)}`)
    const one = await state.frontEnd()
    await good(one, "list_agents")
    const info = JSON.parse(readFileSync(state.file("supervisor.json"), "utf8")) as { readonly socket: string }
    expect(info.socket.length).toBeLessThan(104)
    expect(statSync(dirname(info.socket)).mode & 0o777).toBe(0o700)
    process.kill(pidOf(state), "SIGKILL")
    await good(one, "list_agents")
    expect(existsSync(dirname(info.socket))).toBe(false)
  })

  it("the directory of the socket is the runtime directory's, where there is one", async () => {
    await using state = new SupervisedState(`state-${"x".repeat(120)}`)
    const runtime = join(state.directory, "run")
    mkdirSync(runtime)
    await good(await state.frontEnd({ env: { XDG_RUNTIME_DIR: runtime } }), "list_agents")
    const { socket } = JSON.parse(readFileSync(state.file("supervisor.json"), "utf8")) as { readonly socket: string }
    expect(dirname(dirname(socket))).toBe(runtime)
    expect(statSync(dirname(socket)).mode & 0o777).toBe(0o700)
  })

  it("a file that cannot be written is told to whoever starts it, and in the foreground", async () => {
    await using state = new SupervisedState()
    mkdirSync(join(state.file("supervisor.json"), "x"), { recursive: true, mode: 0o700 })
    const { isError, text } = await (await state.frontEnd()).call("list_agents")
    expect(isError).toBe(true)
    expect(text).toContain("supervisor.json cannot be removed")
    const { code, stderr } = await state.run("supervisor")
    expect(code).toBe(1)
    expect(stderr).toContain("supervisor.json cannot be removed")
    rmSync(state.file("supervisor.json"), { recursive: true })
  })

  it("files that are removed from a supervisor that lives: it writes its own again, or makes room for an heir", async () => {
    await using state = new SupervisedState()
    const one = await state.frontEnd({ env: { FLEET_MCP_IDLE_MINUTES: "0.1" } })
    await good(one, "list_agents")
    const pid = pidOf(state)
    rmSync(state.file("supervisor.json"))
    await good(await state.frontEnd(), "list_agents")
    expect(pidOf(state)).toBe(pid)
    rmSync(state.file("supervisor.sock"))
    await state.closeAll()
    await seen("the end of the supervisor", () => !isAlive(pid))
    await good(await state.frontEnd(), "list_agents")
    expect(pidOf(state)).not.toBe(pid)
  })

  it("a supervisor that is newer is named, and not ended", async () => {
    await using state = new SupervisedState()
    mkdirSync(state.state, { mode: 0o700 })
    const asked: Array<string> = []
    const server = createServer((request) => asked.push(request.url ?? "")).listen(state.file("supervisor.sock"))
    await once(server, "listening")
    const info = { pid: process.pid, since: "", version: "9.0.0", contract: 9, token: "x" }
    const text = JSON.stringify({ ...info, socket: state.file("supervisor.sock") })
    writeFileSync(state.file("supervisor.json"), text, { mode: 0o600 })
    try {
      const answer = await (await state.frontEnd()).call("list_agents")
      expect(answer.isError).toBe(true)
      expect(answer.text).toContain("version 9.0.0) is newer than this fleet-mcp")
      expect(asked).toEqual([])
      expect(readFileSync(state.file("supervisor.json"), "utf8")).toBe(text)
    } finally {
      rmSync(state.file("supervisor.json"))
      server.close()
    }
  })
})

describe("a front end", () => {
  it.each(["SIGINT", "SIGTERM", "end of input"] as const)("is gone soon after %s, and stops nothing", async (how) => {
    await using state = new SupervisedState()
    const one = await state.frontEnd()
    await create(one, "worker", "sleep 600")
    await untilBusy(one, "worker")
    const pid = pidOf(state)
    const began = Date.now()
    if (how === "end of input") one.child.stdin.end()
    else one.child.kill(how)
    await one.exit
    expect(Date.now() - began).toBeLessThan(2000)
    expect(isAlive(pid)).toBe(true)
    expect(await good(await state.frontEnd(), "show_agent", { agent_name: "worker" })).toContain("busy")
  })
})
