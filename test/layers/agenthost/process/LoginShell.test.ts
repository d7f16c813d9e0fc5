import { afterAll, describe, expect, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber } from "effect"
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { askLoginShell, LoginShellLimits, loginOf } from "../../../../src/layers/agenthost/process/LoginShell.ts"
import { environment, eventually, isAlive, leftovers, mark, pidIn, temporaryDirectory } from "../support.ts"

// Real shells: bash with start-up files of a home directory of its own, and scripts in place of one.

const bash = "/bin/bash"

/** A home directory whose bash reads this at a login. */
const homeWith = (profile: string) =>
  Effect.map(temporaryDirectory, (home) => {
    writeFileSync(join(home, ".bash_profile"), profile)
    return home
  })

const loginIn = (home: string, shell = bash) => {
  const login = loginOf({ SHELL: shell, HOME: home })
  // By it, what a test leaves behind is found.
  return { ...login, environment: { ...login.environment, GIT_AUTHOR_NAME: mark } }
}

const ask = (home: string, shell = bash) => askLoginShell(loginIn(home, shell))

const script = (directory: string, name: string, text: string): string => {
  const file = join(directory, name)
  writeFileSync(file, `#!/bin/sh\n${text}\n`)
  chmodSync(file, 0o755)
  return file
}

const impatient = { time: Duration.millis(300), ending: Duration.millis(50), grace: Duration.millis(50) }

/** Patient: only what hangs is to meet the limit. */
const limited = <A, E, R>(changes: Partial<LoginShellLimits["Type"]>, effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(LoginShellLimits, (limits) =>
    Effect.provideService(effect, LoginShellLimits, { ...limits, time: Duration.minutes(1), ...changes })
  )

afterAll(() => expect(leftovers()).toEqual([]))

describe("a login shell", () => {
  it.scopedLive("tells what its start-up files set, whatever they print before and after", () =>
    Effect.gen(function* () {
      const noise = '{"PATH": 1}; \\033[31mwelcome'
      const home = yield* homeWith(
        `echo '${noise}'; echo error >&2; export COLOUR='a "b"
c'; PATH=/opt/mine:$PATH; trap 'echo ${"x".repeat(20)}; exit 3' EXIT`
      )
      const told = yield* limited({}, ask(home))
      expect(told).toMatchObject({ COLOUR: 'a "b"\nc', HOME: home, SHELL: bash })
      expect(told["PATH"]).toMatch(/^\/opt\/mine:.*\/bin/)
    })
  )

  it.scopedLive("has nothing of whoever started this process, but its name, home and language", () =>
    Effect.gen(function* () {
      const home = yield* homeWith("")
      const given = {
        SHELL: bash,
        HOME: home,
        USER: "ada",
        LANG: "C.UTF-8",
        PATH: "/terminal",
        SSH_AUTH_SOCK: "/x",
        KEY: "1"
      }
      const login = loginOf(given)
      expect(login.environment).toMatchObject({ HOME: home, USER: "ada", LOGNAME: "ada", LANG: "C.UTF-8" })
      const told = yield* limited(
        {},
        askLoginShell({ ...login, environment: { ...login.environment, GIT_AUTHOR_NAME: mark } })
      )
      expect(told).not.toHaveProperty("KEY")
      expect(told).not.toHaveProperty("SSH_AUTH_SOCK")
      expect(told["PATH"]).not.toContain("/terminal")
    })
  )

  it.scopedLive("that asks a question gets no answer, and goes on", () =>
    Effect.gen(function* () {
      const home = yield* homeWith(
        `read -r -p 'Which one? ' answer; export ANSWER="[$answer]"; (: </dev/tty) 2>/dev/null && export TERMINAL=yes`
      )
      const told = yield* limited({}, ask(home))
      expect(told["ANSWER"]).toBe("[]")
      expect(told).not.toHaveProperty("TERMINAL")
    })
  )

  it.scopedLive("that hangs is waited for as long as its limit, and ended with what it began", () =>
    Effect.gen(function* () {
      const home = yield* homeWith(`trap '' TERM HUP INT; sleep 600 & echo $! > child; echo $$ > shell; sleep 600`)
      const time = yield* Deferred.make<void>()
      const waiting = yield* Effect.fork(Effect.raceFirst(limited({}, ask(home)), Deferred.await(time)))
      const pids = [yield* pidIn(home, "child"), yield* pidIn(home, "shell")]
      yield* Deferred.succeed(time, undefined)
      yield* Fiber.join(waiting)
      const error = yield* Effect.flip(limited(impatient, ask(home)))
      expect(error.message).toBe("The login shell /bin/bash did not tell its environment: nothing came within 300ms.")
      expect(pids.map(isAlive)).toEqual([true, true])
    }).pipe(Effect.scoped, Effect.zipRight(eventually("the end of all", () => leftovers().length === 0)))
  )

  it.scopedLive("that leaves a process behind, which holds its output, tells at once; the process is ended", () =>
    Effect.gen(function* () {
      const home = yield* homeWith("sleep 600 & echo $! > child; export COLOUR=red")
      expect(yield* limited({}, ask(home))).toMatchObject({ COLOUR: "red" })
      const pid = yield* pidIn(home, "child")
      yield* eventually("the end of the process", () => !isAlive(pid))
    })
  )

  it.scopedLive("that hangs after it has told counts, and is ended", () =>
    Effect.gen(function* () {
      const home = yield* homeWith(`export COLOUR=red; trap 'echo $$ > shell; sleep 600' EXIT`)
      expect(yield* limited({}, ask(home))).toMatchObject({ COLOUR: "red" })
      // It may be ended before its trap has begun.
      yield* eventually("the end of all", () => leftovers().length === 0)
    })
  )

  it.scopedLive("that ends before it has told, is missing, cannot be run or never stops to write is told as that", () =>
    Effect.gen(function* () {
      const problemOf = (home: string, shell?: string) =>
        Effect.map(Effect.flip(limited({ output: 10_000 }, ask(home, shell))), ({ problem }) => problem)
      const home = yield* homeWith("echo secret-value; exit 3")
      expect(yield* problemOf(home)).toBe("it ended with exit code 3 before it had")
      expect(yield* problemOf(home, join(home, "none"))).toBe("there is no such program")
      writeFileSync(join(home, "plain"), "")
      expect(yield* problemOf(home, join(home, "plain"))).toBe("it ended with exit code 126 before it had")
      expect(yield* problemOf(home, script(home, "false", "exit 1"))).toBe("it ended with exit code 1 before it had")
      expect(yield* problemOf(home, script(home, "loud", "exec yes"))).toBe("it wrote more than 10000 characters")
      const half = `echo "$3" | sed "s/.*'\\"\\([0-9a-f]*\\)\\".*/\\1{\\"A\\":1}\\1/"`
      expect(yield* problemOf(home, script(home, "half", half))).toMatch(/^it ended with exit code 0/)
    })
  )

  it.scopedLive("is told as its kind wants it: csh takes no -l with others, and a home that is gone is none", () =>
    Effect.gen(function* () {
      const home = yield* temporaryDirectory
      const record = `printf '%s\\n' "$@" > ${join(home, "args")}; pwd > ${join(home, "at")}; for last; do :; done; eval "$last"`
      const shell = script(home, "tcsh", record)
      yield* limited({}, ask(join(home, "gone"), shell))
      expect(readFileSync(join(home, "args"), "utf8")).toMatch(/^-i\n-c\n'/)
      expect(readFileSync(join(home, "at"), "utf8")).toBe("/\n")
      expect(existsSync(join(home, "gone"))).toBe(false)
    })
  )
})

describe("loginOf", () => {
  it("takes the shell and the name of the password file where the environment is empty", () => {
    const { environment: found, shell } = loginOf({ SHELL: "", HOME: "", PATH: "" })
    expect(shell).toMatch(/^\//)
    expect(found["HOME"]).toMatch(/^\//)
    expect(found["PATH"]).toContain("/usr/bin:/bin")
    expect(environment.PATH).not.toBe("")
  })
})
