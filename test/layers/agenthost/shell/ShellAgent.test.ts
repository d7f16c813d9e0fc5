import { afterAll, describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Scope } from "effect"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { AgentHost } from "../../../../src/layers/agenthost/AgentHost.ts"
import { HostLimits } from "../../../../src/layers/agenthost/HostLimits.ts"
import { Grace } from "../../../../src/layers/agenthost/process/AgentProcess.ts"
import { endStrays } from "../../../../src/layers/agenthost/process/Strays.ts"
import { Surroundings } from "../../../../src/layers/agenthost/process/Surroundings.ts"
import { ShellAgent } from "../../../../src/layers/agenthost/shell/ShellAgent.ts"
import { hosting } from "../agents.ts"
import { environment, isAlive, leftovers, pidIn, stubbornChild, temporaryDirectory } from "../support.ts"

const start = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  const { conversation, reporter, reports } = yield* hosting
  const agent = ShellAgent.make({
    directory,
    stateDirectory: directory,
    surroundings: Surroundings.fixed(environment),
    workspaceId: "workspace-1",
    guard: Effect.succeed({})
  })
  const host = yield* AgentHost.make({ agent, conversation, reporter })
  const stable = Effect.repeat(Effect.zipRight(Effect.sleep("5 millis"), host.status), {
    until: (status) => status === "stable",
    times: 2000
  })
  /** The answer to a prompt, and the last report. */
  const ask = (prompt: string) =>
    Effect.gen(function* () {
      yield* host.prompt(prompt)
      expect(yield* stable).toBe("stable")
      const content = (yield* host.messages).at(-1)?.content ?? ""
      return { content, report: (yield* reports).at(-1) }
    })
  return { ask, directory, host, reports, stable }
})

const commandLine = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8")
  } catch {
    return ""
  }
}

const stubborn = `trap '' TERM; echo $$ > leader; ${stubbornChild("child")} while :; do sleep 0.05; done`

const startStubborn = Effect.gen(function* () {
  const started = yield* start
  yield* started.host.prompt(stubborn)
  const pids = [yield* pidIn(started.directory, "leader"), yield* pidIn(started.directory, "child")]
  expect(pids.map(isAlive)).toEqual([true, true])
  return { ...started, pids }
})

afterAll(() => expect(leftovers()).toEqual([]))

describe("a shell task", () => {
  it.scopedLive("is complete with exit code 0, and failed otherwise", () =>
    Effect.gen(function* () {
      const { ask } = yield* start
      expect(yield* ask("echo one\necho two >&2")).toEqual({
        content: "one\ntwo\n[exit code 0]",
        report: { state: "complete", message: "exit code 0" }
      })
      expect(yield* ask("printf broken; exit 3")).toEqual({
        content: "broken\n[exit code 3]",
        report: { state: "failure", message: "exit code 3" }
      })
      expect(yield* ask("kill -TERM $$")).toEqual({
        content: "[killed by SIGTERM]",
        report: { state: "failure", message: "killed by SIGTERM" }
      })
    })
  )

  it.scopedLive("works in its directory, with an environment of its own", () =>
    Effect.gen(function* () {
      const { ask, directory } = yield* start
      expect((yield* ask("pwd; echo $FLEET_MCP_AGENT")).content).toBe(`${directory}\nworkspace-1\n[exit code 0]`)
    })
  )

  it.scopedLive("may begin with a dash, short or long", () =>
    Effect.gen(function* () {
      const { ask } = yield* start
      const script = "-x 2>/dev/null; echo ran"
      expect((yield* ask(script)).content).toBe("ran\n[exit code 0]")
      expect((yield* ask(`${script} ${"#".repeat(200_000)}`)).content).toBe("ran\n[exit code 0]")
      expect((yield* ask("--version")).content).toMatch(/not found\n\[exit code 127\]$/)
    })
  )

  it.scopedLive("is on no command line while it runs", () =>
    Effect.gen(function* () {
      const { directory, host } = yield* start
      const secret = "hunter2-of-the-task"
      const long = `# ${"x".repeat(200_000)}`
      for (const script of [`password=${secret}`, `password=${secret} ${long}`]) {
        yield* host.prompt(`${script}\n(echo $$ > leader; until [ -e end ]; do sleep 0.01; done); rm end leader`)
        yield* pidIn(directory, "leader")
        const lines = readdirSync("/proc")
          .filter((name) => /^\d+$/.test(name))
          .map(commandLine)
        expect(lines.some((line) => line.includes("sleep"))).toBe(true)
        expect(lines.filter((line) => line.includes(secret))).toEqual([])
        yield* Effect.sync(() => writeFileSync(join(directory, "end"), ""))
        yield* Effect.repeat(Effect.zipRight(Effect.sleep("5 millis"), host.status), {
          until: (status) => status === "stable"
        })
        expect((yield* host.messages).at(-1)?.content).toBe("[exit code 0]")
      }
    })
  )

  it.scopedLive("is a script as sh -c takes it", () =>
    Effect.gen(function* () {
      const { ask } = yield* start
      const answer = (script: string) => Effect.map(ask(script), ({ content }) => content)
      expect(yield* answer("cat; echo $0 $#; read -r line || echo none")).toBe("/bin/sh 0\nnone\n[exit code 0]")
      expect(yield* answer("cat <<EOF\n$((1 + 1)) 'a' \\\\ \"b\"\nEOF")).toBe(`2 'a' \\ "b"\n[exit code 0]`)
      expect(yield* answer("cat <<'EOF'\nno end")).toMatch(/no end\n\[exit code 0\]$/)
      expect(yield* answer("trap 'echo bye' EXIT; set -e; false; echo never")).toBe("bye\n[exit code 1]")
      expect(yield* answer("echo one\nif")).toMatch(/^one\n.*sh: (line )?[23]: .*yntax error.*\n\[exit code 2\]$/s)
      expect(yield* answer("set | grep -c '_script='; true")).toBe("0\n[exit code 0]")
      expect(yield* answer("for fd in 3 4 5 6; do [ ! -e /proc/$$/fd/$fd ] || echo open $fd; done")).toBe(
        "[exit code 0]"
      )
      expect(yield* answer("printf 'x%%\\n'; # no end of line")).toBe("x%\n[exit code 0]")
      expect(yield* answer("exec sh -c 'exit 9'")).toBe("[exit code 9]")
    })
  )

  it.scopedLive("with a NUL character is not run, and says so", () =>
    Effect.gen(function* () {
      const { ask } = yield* start
      const { content, report } = yield* ask("echo a; echo \0b")
      expect(content).toBe("[A script cannot hold a NUL character, so nothing was run.]")
      expect(report?.state).toBe("failure")
    })
  )

  it.scopedLive("names the background processes that were ended with it", () =>
    Effect.gen(function* () {
      const { ask, directory, host } = yield* start
      expect((yield* host.messages)[0]?.content).toContain("Background processes that it starts are ended with it.")
      const { content, report } = yield* ask("sleep 1000 & echo $! > child; echo started")
      expect(content).toBe("started\n[exit code 0; 1 background process was ended]")
      expect(report).toEqual({ state: "complete", message: "exit code 0" })
      expect(isAlive(yield* pidIn(directory, "child"))).toBe(false)
      expect((yield* ask("sleep 1000 & sleep 1000 >/dev/null 2>&1 & exit 3")).content).toBe(
        "[exit code 3; 2 background processes were ended]"
      )
    })
  )

  it.scopedLive("may be long", () =>
    Effect.gen(function* () {
      const { ask } = yield* start
      const long = "€😀".repeat(60_000)
      const script = `text='${long}'; printf '%s' "$text" | wc -c; echo $# $0; cat; exit 4`
      expect((yield* ask(script)).content).toBe(`${60_000 * 7}\n0 /bin/sh\n[exit code 4]`)
    })
  )

  it.scopedLive("has its output cut, but neither its end nor that of the next one", () =>
    Effect.gen(function* () {
      const { ask } = yield* start
      const { content } = yield* ask("yes line | head -c 30000000; echo the end; exit 5")
      const { message } = yield* HostLimits
      expect(content.length).toBeLessThan(message + 200)
      expect(content).toMatch(/^line\nline\n/)
      expect(content).toMatch(/\n\[cut: 2\d{7} of 30000008 bytes are left out here; a message holds at most 2 MiB\]\n/)
      expect(content.endsWith("line\nthe end\n[exit code 5]")).toBe(true)
      expect((yield* ask("echo next")).content).toBe("next\n[exit code 0]")
    })
  )

  it.scopedLive("that cannot be started says so", () =>
    Effect.gen(function* () {
      const { ask, directory } = yield* start
      yield* ask(`rmdir ${directory}`)
      const { content, report } = yield* ask("ls")
      expect(content).toBe(`[No process could be started in "${directory}" (ENOENT).]`)
      expect(report?.state).toBe("failure")
    })
  )
})

/** Processes of every kind that a group kill does not reach or that ignore what is polite, and one that is in the group. */
const tree = `echo $$ > p0
${["p1", "p2"].map(stubbornChild).join("\n")}
setsid ${stubbornChild("p3")}
nohup setsid ${stubbornChild("p4")}
(setsid ${stubbornChild("p5")} ) &
setsid sh -c '(setsid sh -c "trap \\"\\" TERM; echo \\$\\$ > p6; while :; do sleep 0.05; done" >/dev/null 2>&1 &)' &
while [ ! -s p6 ] || [ ! -s p5 ] || [ ! -s p4 ] || [ ! -s p3 ]; do sleep 0.01; done`
const members = ["p0", "p1", "p2", "p3", "p4", "p5", "p6"]

describe("a shell task with processes outside of its group", () => {
  const startTree = (last: string) =>
    Effect.gen(function* () {
      const started = yield* start
      yield* started.host.prompt(`${tree}\n${last}`)
      const pids = yield* Effect.forEach(members, (name) => pidIn(started.directory, name))
      return { ...started, pids }
    })

  it.scopedLive("leaves none at its end, and says how many there were", () =>
    Effect.gen(function* () {
      const { host, pids, stable } = yield* startTree("echo done; exit 7")
      yield* stable
      expect(pids.filter(isAlive)).toEqual([])
      expect((yield* host.messages).at(-1)?.content).toMatch(
        /^done\n\[exit code 7; .* ended\] \[\d+ processes outside of its process group were ended\]$/
      )
    })
  )

  for (const how of ["interrupt", "stop"] as const) {
    it.scopedLive(`leaves none after an ${how}`, () =>
      Effect.gen(function* () {
        const { host, pids, stable } = yield* Effect.provideService(
          startTree("while :; do sleep 0.05; done"),
          Grace,
          Effect.sleep("50 millis")
        )
        expect(pids.filter(isAlive)).toEqual(pids)
        yield* host[how]
        yield* stable
        expect(pids.filter(isAlive)).toEqual([])
        expect((yield* host.messages).at(-1)?.content).toMatch(
          /\[interrupted\] \[\d+ processes outside of its process group were ended\]$/
        )
      })
    )
  }

  it.scopedLive("ends none of another agent, and none of another fleet", () =>
    Effect.gen(function* () {
      const { directory, pids } = yield* startTree("while :; do sleep 0.05; done")
      const { directory: elsewhere } = yield* start
      const others = [
        { stateDirectory: "/elsewhere", workspaceIds: new Set(["workspace-1"]) },
        { stateDirectory: elsewhere, workspaceIds: new Set(["workspace-1"]) },
        { stateDirectory: directory, workspaceIds: new Set(["workspace-2", "workspace-11", "workspace"]) },
        { stateDirectory: directory.slice(0, -1), workspaceIds: new Set(["workspace-1"]) },
        { stateDirectory: directory, workspaceIds: new Set<string>() }
      ]
      for (const other of others) {
        expect(yield* endStrays(other)).toEqual({ looked: true, ended: 0, left: 0 })
        expect(pids.filter(isAlive)).toEqual(pids)
      }
    })
  )
})

describe("an interrupted shell task", () => {
  it.scopedLive("is gone with its stubborn children when the agent is stable", () =>
    Effect.gen(function* () {
      const { ask, host, pids, reports, stable } = yield* Effect.provideService(
        startStubborn,
        Grace,
        Effect.sleep("50 millis")
      )
      yield* host.interrupt
      expect(yield* host.status).toBe("running")
      yield* stable
      expect(pids.map(isAlive)).toEqual([false, false])
      expect((yield* host.messages).at(-1)?.content).toBe("[interrupted]")
      expect((yield* reports).at(-1)?.state).toBe("idle")
      expect((yield* ask("echo again")).content).toBe("again\n[exit code 0]")
    })
  )

  it.scopedLive("is gone when the host has stopped", () =>
    Effect.gen(function* () {
      const { host, pids } = yield* Effect.provideService(startStubborn, Grace, Effect.sleep("50 millis"))
      yield* host.stop
      expect(pids.map(isAlive)).toEqual([false, false])
    })
  )

  it.scopedLive("is gone soon when the server exits, also while it is being stopped", () =>
    Effect.gen(function* () {
      for (const stopping of [false, true]) {
        const scope = yield* Scope.make()
        const started = startStubborn.pipe(Effect.provideService(Grace, Effect.never), Scope.extend(scope))
        const { host, pids } = yield* started
        const stop = stopping ? yield* Effect.fork(host.stop) : Fiber.void
        yield* Effect.yieldNow()
        const [took] = yield* Effect.timed(Scope.close(scope, Exit.void))
        expect(pids.map(isAlive)).toEqual([false, false])
        expect(Duration.toMillis(took)).toBeGreaterThanOrEqual(Duration.toMillis((yield* HostLimits).exitGrace) - 20)
        yield* Fiber.await(stop)
      }
    })
  )
})
