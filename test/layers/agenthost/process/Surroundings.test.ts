import { afterAll, describe, expect, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Option } from "effect"
import { execFileSync } from "node:child_process"
import { chmodSync, readFileSync, writeFileSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { LoginShellLimits } from "../../../../src/layers/agenthost/process/LoginShell.ts"
import { Surroundings, variablesOf } from "../../../../src/layers/agenthost/process/Surroundings.ts"
import { type Caller, TurnCaller } from "../../../../src/layers/agenthost/process/TurnCaller.ts"
import { leftovers, mark, temporaryDirectory } from "../support.ts"

/** A login shell that notes that it was asked. */
const shellThat = (text: string) =>
  Effect.map(temporaryDirectory, (home) => {
    const shell = join(home, "shell")
    writeFileSync(shell, `#!/bin/sh\nexport GIT_AUTHOR_NAME=${mark}\necho >> ${home}/asked\n${text}\n`)
    writeFileSync(join(home, "asked"), "")
    chmodSync(shell, 0o755)
    const given = { SHELL: shell, HOME: home, PATH: "/of/the/starter", GIT_AUTHOR_EMAIL: "starter" }
    return { given, home, shell, asked: () => readFileSync(join(home, "asked"), "utf8").length }
  })

const tells = 'for last; do :; done; eval "$last"'

const limitsWith = (changes: Partial<LoginShellLimits["Type"]>) =>
  Layer.effect(
    LoginShellLimits,
    Effect.map(LoginShellLimits, (limits) => ({ ...limits, time: Duration.minutes(1), ...changes }))
  )

const made = (given: Record<string, string>, changes: Partial<LoginShellLimits["Type"]> = {}) =>
  Effect.map(Layer.build(Layer.provide(Surroundings.layerLoginShell(given), limitsWith(changes))), (context) =>
    Context.get(context, Surroundings)
  )

const caller = (environment: Caller["environment"], agentEnvironment: ReadonlyArray<string> = []): Caller => ({
  allowShell: false,
  environment,
  agentEnvironment
})

const by = <A>(who: Caller, effect: Effect.Effect<A>) => Effect.provideService(effect, TurnCaller, Option.some(who))

afterAll(() => expect(leftovers()).toEqual([]))

describe("surroundings over a login shell", () => {
  it.scopedLive("are its own where the client has none, and not those of the process", () =>
    Effect.gen(function* () {
      const { asked, given, shell } = yield* shellThat(
        `export TZ=UTC PATH=/of/the/user:$PATH KEY=1 FLEET_MCP_X=1\n${tells}`
      )
      const surroundings = yield* made(given)
      expect(asked()).toBe(0)
      const bare = caller({ PATH: "", HOME: "" }, ["KEY"])
      const { environment, problem } = yield* by(bare, surroundings.settled)
      expect(problem).toBe(undefined)
      expect(environment).toMatchObject({ TZ: "UTC", HOME: given.HOME, SHELL: shell, GIT_AUTHOR_NAME: mark })
      expect(environment["PATH"]).toMatch(/^\/of\/the\/user:.*\/usr\/bin/)
      // Named variables are the client's own: that of the shell is perhaps another's.
      for (const name of ["KEY", "FLEET_MCP_X", "GIT_AUTHOR_EMAIL"]) expect(environment).not.toHaveProperty(name)
      expect(yield* surroundings.settled).toEqual({ environment, problem })
      expect(asked()).toBe(1)
    })
  )

  it.scopedLive("have what the client has set over them, for its own calls alone", () =>
    Effect.gen(function* () {
      const { given } = yield* shellThat(`export PATH=/of/the/user:/usr/bin HTTPS_PROXY=http://proxy LANG=C\n${tells}`)
      const surroundings = yield* made(given)
      const one = caller({ PATH: "/venv:/usr/bin", LANG: "de", HTTPS_PROXY: "", KEY: "secret", OTHER: "x" }, ["KEY"])
      const { environment } = yield* by(one, surroundings.settled)
      expect(environment).toMatchObject({
        PATH: "/venv:/usr/bin:/of/the/user",
        LANG: "de",
        HTTPS_PROXY: "",
        KEY: "secret"
      })
      expect(environment).not.toHaveProperty("OTHER")
      expect(Object.keys(variablesOf(one))).toEqual(["PATH", "LANG", "HTTPS_PROXY", "KEY"])
      const other = yield* by(caller({ LANG: "fr" }, ["KEY"]), surroundings.settled)
      expect(other.environment).toMatchObject({ LANG: "fr", PATH: "/of/the/user:/usr/bin" })
      expect(other.environment).not.toHaveProperty("KEY")
    })
  )

  it.scopedLive("have a PATH and say what is wrong where it does not tell; looks never wait for it", () =>
    Effect.gen(function* () {
      const { asked, given } = yield* shellThat("sleep 600")
      const surroundings = yield* made(given, { time: Duration.millis(100), grace: Duration.millis(10) })
      const known = yield* Effect.all([surroundings.known, surroundings.known])
      expect(known.map(({ PATH }) => PATH?.includes("/usr/bin"))).toEqual([true, true])
      const { environment, problem } = yield* surroundings.settled
      expect(environment).toMatchObject({ HOME: given.HOME, PATH: known[0]["PATH"] })
      expect(problem).toContain(
        `The login shell ${given.SHELL} did not tell its environment: nothing came within 100ms.`
      )
      expect(problem).toMatch(/Without it there are (\w+, )*PATH/)
      expect(yield* surroundings.settled).toEqual({ environment, problem })
      expect(asked()).toBeLessThanOrEqual(1)
    })
  )

  it.scopedLive("heal: one that did not tell is asked again later, and nobody waits for that", () =>
    Effect.gen(function* () {
      const { asked, given, home, shell } = yield* shellThat("exit 1")
      const surroundings = yield* made(given, { again: Duration.zero })
      expect((yield* surroundings.settled).problem).toContain("exit code 1")
      const gate = join(home, "gate")
      execFileSync("mkfifo", [gate])
      writeFileSync(shell, `#!/bin/sh\nread -r _ < ${gate}\nexport TZ=UTC\n${tells}\n`)
      expect((yield* surroundings.settled).problem).toContain("exit code 1")
      // Opens as soon as the shell reads.
      yield* Effect.promise(() => writeFile(gate, "go\n"))
      while ((yield* surroundings.known)["TZ"] === undefined) yield* Effect.yieldNow()
      expect((yield* surroundings.settled).problem).toBe(undefined)
      expect(asked()).toBe(1)
    })
  )
})
