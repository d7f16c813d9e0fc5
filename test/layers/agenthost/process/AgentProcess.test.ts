import { afterAll, describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Option, Ref } from "effect"
import { build } from "esbuild"
import { spawn } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { capture, Grace, run } from "../../../../src/layers/agenthost/process/AgentProcess.ts"
import { ProcessLimits } from "../../../../src/layers/agenthost/process/ProcessLimits.ts"
import { environment, eventually, isAlive, leftovers, pidIn, stubbornChild, temporaryDirectory } from "../support.ts"

const shell = (directory: string, script: string) => ({
  command: ["/bin/sh", "-c", script] as const,
  directory,
  environment
})

const runShell = (script: string, directory = "/") =>
  Effect.gen(function* () {
    const output = yield* Ref.make<ReadonlyArray<string>>([])
    const exit = yield* run({
      command: ["/bin/sh", "-c", script],
      directory,
      environment,
      onOutput: (text) => Ref.update(output, (before) => [...before, text])
    })
    const chunks = yield* output
    return { exit, chunks, text: chunks.join("") }
  })

afterAll(() => expect(leftovers()).toEqual([]))

describe("an ended process", () => {
  it.live("has an exit code, or a signal", () =>
    Effect.gen(function* () {
      expect((yield* runShell("exit 0")).exit).toMatchObject({ code: 0, signal: null })
      expect((yield* runShell("exit 3")).exit).toMatchObject({ code: 3, signal: null })
      expect((yield* runShell("exit 127")).exit).toMatchObject({ code: 127, signal: null })
      expect((yield* runShell("kill -TERM $$")).exit).toMatchObject({ code: null, signal: "SIGTERM" })
    })
  )

  it.live("has given all of its output, stderr in its place", () =>
    Effect.gen(function* () {
      const { text } = yield* runShell("for i in 1 2 3; do echo out$i; echo err$i >&2; done")
      expect(text).toBe("out1\nerr1\nout2\nerr2\nout3\nerr3\n")
      expect((yield* runShell("head -c 3000000 /dev/zero | tr '\\0' x")).text).toHaveLength(3_000_000)
    })
  )

  it.live("gives stderr apart where that is wanted", () =>
    Effect.gen(function* () {
      const { stderr, stdout } = yield* capture({
        ...shell("/", "echo out; echo err >&2"),
        command: ["sh", "-c", "echo out; echo err >&2"]
      })
      expect({ stderr, stdout }).toEqual({ stderr: "err\n", stdout: "out\n" })
    })
  )

  it.live("has no character split between two chunks", () =>
    Effect.gen(function* () {
      const { chunks, text } = yield* runShell(
        "printf '\\342\\202'; sleep 0.1; printf '\\254 \\360\\237'; sleep 0.1; printf '\\230\\200'"
      )
      expect(text).toBe("€ 😀")
      expect(chunks.length).toBeGreaterThan(1)
      expect((yield* runShell("printf 'a\\342\\202'")).text).toBe("a\ufffd")
    })
  )

  it.live("had no input, and only the environment it was given", () =>
    Effect.gen(function* () {
      expect((yield* runShell("cat; echo end")).text).toBe("end\n")
      const { text } = yield* runShell("env")
      const names = text.split("\n").flatMap((line) => line.split("=")[0] ?? [])
      expect(
        names.filter((name) => !["", "_", "PWD", "OLDPWD", "SHLVL", ...Object.keys(environment)].includes(name))
      ).toEqual([])
    })
  )

  it.scopedLive("leaves no background child, not even a stubborn one", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const { exit } = yield* runShell(`${stubbornChild("child")} until [ -s child ]; do :; done; exit 0`, directory)
      expect(exit.code).toBe(0)
      expect(isAlive(yield* pidIn(directory, "child"))).toBe(false)
    })
  )

  it.scopedLive("tells how many processes were ended with it", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const count = (script: string) => Effect.map(runShell(script, directory), ({ exit }) => exit.background)
      expect(yield* count("true")).toEqual(Option.some(0))
      expect(yield* count("sleep 0.05 & wait; exit 3")).toEqual(Option.some(0))
      expect(yield* count("sleep 100 >/dev/null & exit 0")).toEqual(Option.some(1))
      expect(yield* count("sleep 100 & sleep 100 & sleep 100 & kill -TERM $$")).toEqual(Option.some(3))
    })
  )

  it.live("that has killed its whole group, with the watchdog, does not tell what it did not see", () =>
    Effect.gen(function* () {
      const { exit } = yield* runShell("kill -KILL 0")
      expect(exit).toEqual({ code: null, signal: "SIGKILL", background: Option.none() })
    })
  )

  it.live("does not make its leader wait for the watchdog", () =>
    Effect.gen(function* () {
      const script = "import os\ntry:\n  os.wait()\nexcept ChildProcessError:\n  print('none')"
      const { text } = yield* runShell(`exec python3 -c "${script}" || echo none`)
      expect(text).toMatch(/none/)
    })
  )
})

describe("a process whose output cannot be taken", () => {
  it.live("is ended", () =>
    Effect.gen(function* () {
      const broken = Effect.dieMessage("disk full")
      const cause = yield* Effect.sandbox(run({ ...shell("/", "exec yes"), onOutput: () => broken })).pipe(Effect.flip)
      expect(String(cause)).toContain("disk full")
    })
  )
})

describe("an interrupted process", () => {
  it.scopedLive("is gone with its stubborn children when the grace is over", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const fiber = yield* Effect.fork(
        runShell(
          `trap '' TERM; echo $$ > leader; ${stubbornChild("child")} while :; do sleep 0.05; done`,
          directory
        ).pipe(Effect.provideService(Grace, Effect.sleep("100 millis")))
      )
      const pids = [yield* pidIn(directory, "leader"), yield* pidIn(directory, "child")]
      expect(pids.map(isAlive)).toEqual([true, true])
      yield* Fiber.interrupt(fiber)
      expect(pids.map(isAlive)).toEqual([false, false])
    })
  )

  it.scopedLive("is killed after the grace that the limits name", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const limits = { ...(yield* ProcessLimits), interruptGrace: Duration.millis(50) }
      const fiber = yield* Effect.fork(
        runShell("trap '' TERM; echo $$ > leader; while :; do sleep 0.05; done", directory).pipe(
          Effect.provideService(ProcessLimits, limits)
        )
      )
      const leader = yield* pidIn(directory, "leader")
      const [took] = yield* Effect.timed(Fiber.interrupt(fiber))
      expect(isAlive(leader)).toBe(false)
      expect(Duration.toMillis(took)).toBeLessThan(4000)
    })
  )

  it.scopedLive("may clean up, and its last output is taken", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const output = yield* Ref.make("")
      const fiber = yield* Effect.fork(
        run({
          ...shell(
            directory,
            "trap 'sleep 0.1; echo bye; exit 0' TERM; echo $$ > leader; while :; do sleep 0.01; done"
          ),
          command: [
            "/bin/sh",
            "-c",
            "trap 'sleep 0.1; echo bye; exit 0' TERM; echo $$ > leader; while :; do sleep 0.01; done"
          ],
          onOutput: (text) => Ref.update(output, (before) => before + text)
        })
      )
      yield* pidIn(directory, "leader")
      yield* Fiber.interrupt(fiber)
      expect(yield* output).toContain("bye\n")
    })
  )

  it.scopedLive("does not wait for the grace when it ends at once", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const fiber = yield* Effect.fork(
        runShell("echo $$ > leader; exec sleep 100", directory).pipe(Effect.provideService(Grace, Effect.never))
      )
      yield* pidIn(directory, "leader")
      yield* Fiber.interrupt(fiber)
    })
  )
})

describe("a process that cannot be started", () => {
  it.live("tells why", () =>
    Effect.gen(function* () {
      const options = { environment, directory: "/", onOutput: () => Effect.void }
      const missing = yield* Effect.flip(run({ ...options, command: ["no-such-program", "x"] }))
      expect(missing).toMatchObject({ _tag: "ProgramNotFound", program: "no-such-program" })
      const nowhere = yield* Effect.flip(run({ ...options, command: ["ls"], directory: "/no/such/directory" }))
      expect(nowhere).toMatchObject({ _tag: "SpawnFailed", code: "ENOENT", directory: "/no/such/directory" })
      const long = yield* Effect.flip(run({ ...options, command: ["echo", "x".repeat(3_000_000)] }))
      expect(long).toMatchObject({ _tag: "SpawnFailed", code: "E2BIG" })
      const zero = yield* Effect.flip(run({ ...options, command: ["echo", "a\0b"] }))
      expect(zero).toMatchObject({ _tag: "SpawnFailed", code: "ERR_INVALID_ARG_VALUE" })
    })
  )
})

describe("when the server dies", () => {
  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    it.scopedLive(`of ${signal}, all of the process is gone, outside of its group too`, () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const program = join(directory, "server.mjs")
        yield* Effect.promise(() =>
          build({
            entryPoints: [fileURLToPath(new URL("KilledServer.ts", import.meta.url))],
            outfile: program,
            bundle: true,
            format: "esm",
            platform: "node",
            logLevel: "error"
          })
        )
        // The whole group has seen SIGTERM by then, as after an interrupt.
        const script = `trap '' TERM HUP; ${stubbornChild("child")} setsid ${stubbornChild("far")}
          until [ -s child ] && [ -s far ]; do :; done
          kill -TERM 0; echo $$ > leader; while :; do sleep 0.05; done`
        yield* Effect.addFinalizer(() => Effect.sync(() => leftovers().forEach((pid) => process.kill(pid, "SIGKILL"))))
        const server = spawn(process.execPath, [program, directory, script], { env: environment, stdio: "inherit" })
        const pids = yield* Effect.forEach(["leader", "child", "far"], (name) => pidIn(directory, name))
        expect(pids.map(isAlive)).toEqual([true, true, true])
        server.kill(signal)
        yield* eventually("the end of the group, and of what has left it", () => !pids.some(isAlive))
      })
    )
  }
})
