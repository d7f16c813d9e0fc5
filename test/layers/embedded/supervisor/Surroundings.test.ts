import { expect, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted } from "effect"
import { chmodSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { LoginShellLimits } from "../../../../src/layers/agenthost/process/LoginShell.ts"
import { Faults } from "../../../../src/layers/embedded/engine/Faults.ts"
import { embeddedFaults } from "../../../support/EmbeddedFaults.ts"
import { makeRepository } from "../../../support/EmbeddedFixture.ts"
import { supervisedIn } from "../../../support/SupervisedFixture.ts"
import { environment, temporaryDirectory } from "../../agenthost/support.ts"
import { build, built, byId, create, createReady, idle, logOf, messagesOf, until } from "../Requests.ts"

/** A directory with a repository, and a login shell that says this. */
const placeWith = (text: string) =>
  Effect.map(temporaryDirectory, (directory) => {
    makeRepository(join(directory, "shop"))
    const shell = join(directory, "login-shell")
    writeFileSync(shell, `#!/bin/sh\n${text}\n`)
    chmodSync(shell, 0o755)
    return { directory, shell }
  })

const tells = 'for last; do :; done; eval "$last"'

/** The first agent that connects does not come that far. */
const firstHangs = Layer.effect(
  Faults,
  Effect.map(Faults, (faults) => {
    let connects = 0
    return { ...faults, beforeConnect: () => Effect.suspend(() => (connects++ === 0 ? Effect.never : Effect.void)) }
  })
)

it.scopedLive(
  "a first task that was not given when a supervisor was killed runs in the environment of the login shell, and tells what it lacks",
  () =>
    Effect.gen(function* () {
      const { directory, shell } = yield* placeWith(`export TZ=UTC KEY=of-the-shell; ${tells}`)
      // The length alone, so that the value stands nowhere.
      const task = 'echo "[$TZ][${#KEY}][$GIT_AUTHOR_EMAIL][$GIT_AUTHOR_NAME]"'
      const client = {
        environment: Redacted.make({ ...environment, KEY: "secret", GIT_AUTHOR_NAME: "ada" }),
        agent_environment: ["KEY"]
      }
      const heirs = { SHELL: shell, HOME: directory, GIT_AUTHOR_EMAIL: "heir", KEY: "heir" }
      // The same, where nothing comes in between.
      yield* Effect.gen(function* () {
        const life = yield* supervisedIn(directory, "shop", { environment: heirs, client })
        yield* createReady("first", task).pipe(Effect.provide(life.as(life.client)))
        const messages = yield* Effect.provide(idle("first"), life.as(life.client))
        expect(messages.at(-1)?.content).toBe("[UTC][6][][ada]\n[exit code 0]")
      }).pipe(Effect.scoped)
      const id = yield* Effect.gen(function* () {
        const life = yield* supervisedIn(directory, "shop", { environment: heirs, client })
        const { body } = yield* Effect.provide(create("second", task), life.as(life.client))
        yield* Effect.provide(built(body.id), life.as(life.client))
        return body.id
      }).pipe(
        Effect.scoped,
        Effect.provide(embeddedFaults({ agents: [{ workspace: "second", fault: "never_connects" }] }))
      )
      const life = yield* supervisedIn(directory, "shop", { environment: heirs })
      yield* Effect.gen(function* () {
        yield* until(
          byId(id),
          ({ latest_build }) => latest_build.resources[0]?.agents?.[0]?.lifecycle_state === "ready"
        )
        const [lack, said, end] = ((yield* idle("second")).at(-1)?.content ?? "").split("\n")
        expect(lack).toMatch(/^\[not set here, as they were where this task was given, and kept nowhere: .*KEY.*\]$/)
        expect(lack).not.toMatch(/PATH|HOME|secret/)
        expect([said, end]).toEqual(["[UTC][0][][]", "[exit code 0]"])
      }).pipe(Effect.provide(life.as(life.client)))
      for (const file of ["store.db", "store.db-wal"]) {
        expect(readFileSync(join(directory, file), "latin1")).not.toContain("secret")
      }
    })
)

it.scopedLive(
  "a first task that another client's restart gives runs in that one's environment, and tells what it lacks",
  () =>
    Effect.gen(function* () {
      const { directory, shell } = yield* placeWith(tells)
      const heirs = { SHELL: shell, HOME: directory }
      const task = 'echo "[$KEY][$LANG]"'
      const own = Redacted.make({ ...environment, KEY: "secret", LANG: "C" })
      const life = yield* supervisedIn(directory, "shop", {
        environment: heirs,
        client: { environment: own, agent_environment: ["KEY"], allow_shell: true }
      })
      const other = yield* life.joined({ environment: Redacted.make({ ...environment, LANG: "C.UTF-8" }) })
      yield* Effect.gen(function* () {
        const { body } = yield* Effect.provide(create("worker", task), life.as(life.client))
        yield* built(body.id)
        yield* build(body.id, "stop")
        yield* build(body.id, "start")
        yield* until(messagesOf("worker"), (messages) => messages.at(-1)?.content.endsWith("[exit code 0]") === true)
        expect((yield* messagesOf("worker")).at(-1)?.content).toBe(
          "[not set here, as they were where this task was given, and kept nowhere: KEY]\n[][C.UTF-8]\n[exit code 0]"
        )
      }).pipe(Effect.provide(life.as(other)))
    }).pipe(Effect.provide(firstHangs))
)

it.scopedLive("a login shell that fails is told in the log of the build, and the agent has a PATH", () =>
  Effect.gen(function* () {
    const { directory, shell } = yield* placeWith("echo $((40 + 2))secret; exit 7")
    const life = yield* supervisedIn(directory, "shop", {
      environment: { SHELL: shell, HOME: directory },
      client: { environment: Redacted.make({ PATH: "", HOME: "" }) }
    })
    yield* Effect.gen(function* () {
      const { latest_build } = yield* createReady("worker", "git --version && echo $HOME")
      const log = (yield* logOf(latest_build.id)).join("\n")
      expect(log).toContain(`The login shell ${shell} did not tell its environment: it ended with exit code 7`)
      expect(log).not.toContain("42secret")
      expect((yield* idle("worker")).at(-1)?.content).toMatch(
        new RegExp(`^git version .*\n${directory}\n\\[exit code 0\\]`)
      )
    }).pipe(Effect.provide(life.as(life.client)))
  })
)

it.scopedLive("a login shell that hangs keeps a build waiting no longer than its limit", () =>
  Effect.gen(function* () {
    const { directory, shell } = yield* placeWith("sleep 600")
    const life = yield* supervisedIn(directory, "shop", { environment: { SHELL: shell, HOME: directory } })
    yield* Effect.gen(function* () {
      const { latest_build } = yield* createReady("worker", "echo done")
      expect((yield* logOf(latest_build.id)).join("\n")).toContain("nothing came within 200ms")
      expect((yield* idle("worker")).at(-1)?.content).toBe("done\n[exit code 0]")
    }).pipe(Effect.provide(life.as(life.client)))
  }).pipe(
    Effect.provide(
      Layer.effect(
        LoginShellLimits,
        Effect.map(LoginShellLimits, (limits) => ({ ...limits, time: Duration.millis(200) }))
      )
    )
  )
)
