import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, TestClock } from "effect"
import { AgentService } from "../../../src/layers/services/AgentService.ts"
import { ProjectService } from "../../../src/layers/services/ProjectService.ts"
import { TaskService } from "../../../src/layers/services/TaskService.ts"
import type { FleetError } from "../../../src/schemas/errors/FleetError.ts"
import { tell } from "../../../src/tools/Messages.ts"
import type { ModelOptions, ModelTemplate } from "../../support/CoderModel.ts"
import { begin, elapse, failure, inFleet, makeFleet, settle, type TestFleet } from "../../support/fleet.ts"
import { answer, answerAfter, delayed, hangBefore, html, json } from "../../support/ScriptedCoder.ts"

const list = (filter = {}) => Effect.flatMap(AgentService, (agents) => agents.list(filter))
const show = (name: string) => Effect.flatMap(AgentService, (agents) => agents.show(name))

const names = (filter = {}) => Effect.map(settle(list(filter)), ({ agents }) => agents.map(({ name }) => name))

const plain = { parameters: ["branch"], presets: null }
const personal: ModelTemplate = { id: "template-2", name: "personal", display_name: "", version: "version-2" }

const withPersonal = (model: ModelOptions = {}, options = {}): TestFleet => {
  const fleet = makeFleet({ app: null, ...model }, options)
  fleet.coder.templates.push(personal)
  fleet.coder.versions.set("version-2", plain)
  return fleet
}

describe.concurrent("which workspaces are agents", () => {
  const cases: ReadonlyArray<readonly [string, ModelOptions, object, boolean]> = [
    ["a prompt parameter", { version: { parameters: ["ai-prompt"], presets: null }, app: null }, {}, true],
    ["has_ai_task", { version: plain, app: null, hasAiTask: true }, {}, true],
    ["an AgentAPI app called ccw", { version: plain }, {}, true],
    ["an app with AgentAPI's health check", { version: plain, app: { slug: "web", display_name: "X" } }, {}, true],
    ["a configured project, in any case", { version: plain, app: null }, { projects: ["CLAUDE-Code"] }, true],
    ["none of these", { version: plain, app: null }, {}, false],
    ["another prompt parameter than the configured", { app: null }, { promptParameter: "goal" }, false],
    ["another app than the configured", { version: plain }, { appSlug: "other" }, false]
  ]
  for (const [what, model, options, agent] of cases) {
    it.effect(`${what}: ${agent ? "listed" : "hidden"}`, () => {
      const fleet = makeFleet(model, options)
      fleet.coder.add("bot-1")
      return inFleet(
        fleet,
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* names(), agent ? ["bot-1"] : [])
          if (agent) assert.strictEqual((yield* settle(show("bot-1"))).name, "bot-1")
          else assert.strictEqual((yield* failure(show("bot-1")))._tag, "NotAnAgent")
        })
      )
    })
  }

  it.effect("a template version that cannot be read hides nothing, and refuses what it cannot decide", () => {
    const fleet = makeFleet({ app: null })
    fleet.coder.add("bot-1")
    fleet.proxy.on(/templateversions/, answer(json(403, { message: "Forbidden." })))
    return inFleet(
      fleet,
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* names(), ["bot-1"])
        assert.strictEqual((yield* failure(show("bot-1")))._tag, "CoderForbidden")
      })
    )
  })
})

describe.concurrent("what is not the caller's agent is refused by everything, with nothing sent", () => {
  const everything = (
    name: string
  ): ReadonlyArray<readonly [string, Effect.Effect<unknown, FleetError, AgentService | TaskService>]> => [
    ["show", show(name)],
    ["delete", Effect.flatMap(AgentService, (agents) => agents.delete(name))],
    ["restart", Effect.flatMap(AgentService, (agents) => agents.restart(name))],
    ["start", Effect.flatMap(TaskService, (tasks) => tasks.start(name, "do it"))],
    ["cancel", Effect.flatMap(TaskService, (tasks) => tasks.cancel(name))],
    ["history", Effect.flatMap(TaskService, (tasks) => tasks.history(name, { page: 1, page_size: 10 }))],
    ["log", Effect.flatMap(TaskService, (tasks) => tasks.log(name, { page: 1, page_size: 10 }))]
  ]

  const refusals = [
    ["a personal workspace", "mine", "NotAnAgent", "FLEET_MCP_PROJECTS"],
    ["somebody else's", "theirs", "NotYourAgent", "belongs to eve"],
    ["no workspace", "nobody", "AgentNotFound", "list_agents"],
    ["no possible name", "../users/eve", "AgentNotFound", "list_agents"]
  ] as const

  for (const [what, name, tag, words] of refusals) {
    for (const [call, effect] of everything(name)) {
      it.effect(`${what}: ${call} answers ${tag}`, () => {
        const fleet = withPersonal()
        fleet.coder.add("mine", { template: personal })
        fleet.coder.add("theirs", { owner: { id: "eve-id", username: "eve" } })
        return inFleet(
          fleet,
          Effect.gen(function* () {
            const error = yield* failure(effect)
            assert.strictEqual(error._tag, tag)
            assert.include(tell(error).message, words)
            assert.deepStrictEqual(fleet.proxy.mutations, [])
            assert.deepStrictEqual(fleet.proxy.asked(/\/@/), [])
          })
        )
      })
    }
  }

  it.effect("somebody else's is not listed", () => {
    const fleet = makeFleet()
    fleet.coder.add("theirs", { owner: { id: "eve-id", username: "eve" } })
    return inFleet(
      fleet,
      Effect.map(names(), (found) => assert.deepStrictEqual(found, []))
    )
  })

  it.effect("a name is found in any case, and one path segment", () => {
    const fleet = makeFleet()
    fleet.coder.add("Bot-1")
    return inFleet(
      fleet,
      Effect.map(settle(show("bOT-1")), ({ name }) => assert.strictEqual(name, "Bot-1"))
    )
  })
})

describe.concurrent("lists", () => {
  for (const count of [0, 1, 100, 101, 250]) {
    it.effect(`${count} agents: all of them, in ceil(N/100) requests and two a version`, () => {
      const fleet = makeFleet()
      for (let index = 0; index < count; index++) {
        const row = fleet.coder.add(`bot-${index}`)
        row.reports.push({ state: "idle", message: "", at: begin - 1 })
      }
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const { agents, total_count } = yield* settle(list())
          assert.strictEqual(agents.length, count)
          assert.strictEqual(total_count, count)
          assert.strictEqual(new Set(agents.map(({ name }) => name)).size, count)
          const pages = Math.max(1, Math.ceil(count / 100))
          const asked = () => fleet.proxy.received.filter(({ path }) => path.startsWith("/api/"))
          // For none it is looked up whether the token may see anything: its user, and two lists of templates.
          const words = new Set(["owner:me", null, ...(count === 0 ? ["deprecated:true"] : [])])
          assert.isAtMost(asked().length, pages + (count === 0 ? 3 : 2))
          assert.isTrue(asked().every(({ query }) => words.has(query.get("q"))))
          yield* settle(list())
          assert.isAtMost(asked().length, 2 * pages + (count === 0 ? 6 : 2))
        })
      )
    })
  }

  it.effect("pages that overlap are merged by id", () => {
    const fleet = makeFleet()
    for (let index = 0; index < 150; index++) fleet.coder.add(`bot-${index}`)
    // Between the two pages ten agents move from the first page to the second.
    fleet.proxy.on(
      /workspaces$/,
      (forward) => {
        const moved = fleet.coder.workspaces.splice(0, 10)
        return Effect.tap(forward, () => fleet.coder.workspaces.push(...moved))
      },
      1
    )
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const found = yield* names()
        assert.strictEqual(found.length, new Set(found).size)
        assert.isAtLeast(found.length, 140)
      })
    )
  })

  it.effect("are sorted by name, filtered by status and project, and cut by limit", () => {
    const fleet = withPersonal({}, { projects: ["personal"] })
    for (const name of ["b", "C", "a"])
      fleet.coder.add(name).reports.push({ state: "working", message: "", at: begin - 1 })
    fleet.coder.add("d", { template: personal }).reports.push({ state: "idle", message: "", at: begin - 1 })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* names(), ["a", "b", "C", "d"])
        assert.deepStrictEqual(yield* names({ status: " Busy " }), ["a", "b", "C"])
        assert.deepStrictEqual(yield* names({ project: "PERSONAL" }), ["d"])
        assert.deepStrictEqual(yield* names({ project: "claude code", status: "idle" }), [])
        const { agents, total_count } = yield* settle(list({ limit: 2 }))
        assert.deepStrictEqual([agents.length, total_count], [2, 4])
        assert.deepStrictEqual(yield* names({ limit: 0 }), [])
        assert.deepStrictEqual(yield* names({ limit: 2, offset: 1 }), (yield* names({})).slice(1, 3))
        assert.deepStrictEqual(yield* names({ offset: 9 }), [])
      })
    )
  })

  it.effect("an unknown status is refused with the allowed ones, with nothing sent", () => {
    const fleet = makeFleet()
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const error = yield* failure(list({ status: "asleep" }))
        assert.strictEqual(error._tag, "UnknownFilterValue")
        assert.include(error.message, "pending, starting, idle")
        assert.deepStrictEqual(fleet.proxy.received, [])
      })
    )
  })

  it.effect("one broken element costs one element", () => {
    const fleet = makeFleet()
    for (const name of ["a", "broken", "c"]) fleet.coder.add(name)
    fleet.coder.patch = (workspace, { name }) =>
      name === "broken" ? { ...workspace, latest_build: { secret: "CANARY" } } : workspace
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { agents } = yield* settle(list())
        assert.deepStrictEqual(
          agents.map(({ name, status }) => [name, status]),
          [
            ["a", "idle"],
            ["broken", "unknown"],
            ["c", "idle"]
          ]
        )
        const broken = agents[1]
        assert.strictEqual(broken?.evidence.source, "unreadable")
        assert.include(broken?.evidence.detail, "latest_build.id")
        assert.notInclude(JSON.stringify(agents), "CANARY")
        const error = yield* failure(show("broken"))
        assert.strictEqual(error._tag, "AgentUnreadable")
        assert.notInclude(error.message, "CANARY")
      })
    )
  })

  /** A fleet of one agent, whose workspace agent has these apps beside its own, or instead of it. */
  const withApps = (apps: (own: Record<string, unknown>) => ReadonlyArray<unknown>, model: ModelOptions = {}) => {
    const fleet = makeFleet(model)
    const row = fleet.coder.add("bot-1")
    fleet.coder.patch = (workspace) => {
      const copy = structuredClone(workspace) as {
        latest_build: { resources: ReadonlyArray<{ agents: Array<{ apps: ReadonlyArray<unknown> }> }> }
      }
      for (const { agents } of copy.latest_build.resources)
        for (const agent of agents) agent.apps = apps((agent.apps[0] ?? {}) as Record<string, unknown>)
      return { ...copy }
    }
    return { ...fleet, row }
  }

  it.effect("a broken app costs that app, and is told; the agent's own app is asked", () => {
    const fleet = withApps((own) => [{ ...own, id: "2", slug: "vscode", health: 7 }, own])
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const [listed] = (yield* settle(list())).agents
        const shown = yield* settle(show("bot-1"))
        for (const one of [listed, shown]) {
          assert.strictEqual(one?.status, "idle")
          assert.strictEqual(one?.evidence.source, "agentapi")
          assert.include(one?.evidence.detail, "could not be read: an app (vscode)")
        }
      })
    )
  })

  it.effect("an agent whose own app is broken is listed as unknown, never as healthy nor as no agent", () => {
    const fleet = withApps(
      (own) => [
        { ...own, healthcheck: null },
        { ...own, id: "2", slug: "web", healthcheck: { url: "" } }
      ],
      {
        version: plain
      }
    )
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const [listed] = (yield* settle(list())).agents
        assert.strictEqual(listed?.status, "unknown")
        assert.strictEqual(listed?.evidence.source, "unreadable")
        assert.include(listed?.evidence.detail, "an app (ccw)")
        assert.deepStrictEqual(fleet.proxy.asked(/\/@/), [])
      })
    )
  })

  it.effect(
    "where nothing but the broken app can have made it an agent, it is listed, and refused as unreadable",
    () => {
      const fleet = withApps((own) => [{ ...own, healthcheck: null }], { version: plain })
      return inFleet(
        fleet,
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* names(), ["bot-1"])
          const error = yield* failure(Effect.flatMap(AgentService, (agents) => agents.delete("bot-1")))
          assert.strictEqual(error._tag, "AgentUnreadable")
          assert.include(error.message, "an app (ccw)")
          assert.deepStrictEqual(fleet.proxy.mutations, [])
        })
      )
    }
  )

  it.effect("reports that cannot be read are told, never as none", () => {
    const fleet = withApps((own) => [{ ...own, statuses: [{ secret: "CANARY" }] }])
    const patch = fleet.coder.patch
    fleet.coder.patch = (workspace, row) => ({ ...patch(workspace, row), latest_app_status: { state: 7 } })
    fleet.proxy.on(/\/@/, answer(html(502)))
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const shown = yield* settle(show("bot-1"))
        assert.strictEqual(shown.status, "unknown")
        assert.strictEqual(shown.evidence.source, "unreadable")
        assert.include(shown.evidence.detail, "its newest report could not be read")
        const { items, note } = yield* settle(
          Effect.flatMap(TaskService, (tasks) => tasks.history("bot-1", { page: 1, page_size: 10 }))
        )
        assert.deepStrictEqual(items, [])
        assert.include(note, "could not be read: a report")
        assert.notInclude(note, "No report exists")
      })
    )
  })

  it.effect("elements that are no objects at all cost only themselves", () => {
    const fleet = makeFleet()
    for (const name of ["a", "b"]) fleet.coder.add(name)
    fleet.proxy.on(/workspaces$/, (forward) =>
      Effect.flatMap(forward, (response) =>
        Effect.flatMap(response.json, (page) => {
          const { workspaces } = page as { workspaces: Array<unknown> }
          const body = { workspaces: [null, ...workspaces, 7, {}, { id: "x", name: 7 }], count: 6 }
          return answer(json(200, body))(Effect.never, response.request)
        })
      )
    )
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { agents } = yield* settle(list())
        assert.strictEqual(agents.length, 6)
        assert.strictEqual(agents.filter(({ status }) => status === "idle").length, 2)
      })
    )
  })

  it.effect("enum values that do not exist yet do not break a list", () => {
    const fleet = makeFleet()
    fleet.coder.add("a")
    fleet.coder.patch = (workspace) => {
      const build = workspace["latest_build"] as Record<string, unknown>
      return { ...workspace, extra: 1, latest_build: { ...build, status: "teleporting", transition: "warp" } }
    }
    return inFleet(
      fleet,
      Effect.map(settle(list()), ({ agents }) => assert.strictEqual(agents[0]?.status, "unknown"))
    )
  })

  it.effect("a secret of the workspace's environment reaches no answer", () => {
    const fleet = makeFleet()
    fleet.coder.add("a")
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const all = [yield* settle(list()), yield* settle(show("a"))]
        assert.notInclude(JSON.stringify(all), "CANARY")
      })
    )
  })
})

describe.concurrent("probes", () => {
  const many = (count: number) => {
    const fleet = makeFleet()
    for (let index = 0; index < count; index++) fleet.coder.add(`bot-${index}`)
    return fleet
  }

  it.effect("a live answer beats a report, and the difference is told", () => {
    const fleet = many(3)
    fleet.coder.get("bot-1").agent.runningUntil = Infinity
    fleet.coder.get("bot-2").reports.push({ state: "working", message: "Fixing", at: begin - 1 })
    const stale = fleet.coder.add("bot-3", { at: begin - 1000 })
    stale.reports.push({ state: "working", message: "before the restart", at: begin - 2000 })
    const stopped = fleet.coder.add("bot-4")
    fleet.coder.build(stopped, "stop", begin - 5000)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { agents } = yield* settle(list())
        assert.deepStrictEqual(
          agents.map(({ evidence, status }) => [status, evidence.source]),
          [
            ["idle", "agentapi"],
            ["busy", "agentapi"],
            ["idle", "agentapi"],
            ["idle", "agentapi"],
            ["stopped", "build"]
          ]
        )
        assert.include(agents[2]?.evidence.detail, "AgentAPI says stable")
        assert.include(agents[2]?.evidence.detail, "its newest report, of 2025-12-31T23:59:59Z, says working: Fixing")
        assert.strictEqual(agents[2]?.last_status?.state, "working")
        assert.strictEqual(agents[3]?.last_task, null)
        assert.strictEqual(agents[3]?.last_status, null)
      })
    )
  })

  it.effect("an agent that does not answer is told by its report, with the reason", () => {
    const fleet = many(1)
    fleet.coder.get("bot-0").reports.push({ state: "working", message: "Fixing", at: begin - 1 })
    fleet.proxy.on(/\/@/, hangBefore)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { evidence, status } = yield* settle(show("bot-0"))
        assert.deepStrictEqual([status, evidence.source], ["busy", "app_status"])
        assert.include(evidence.detail, "AgentAPI did not answer in time")
      })
    )
  })

  it.effect("that nobody answers: 1.5 s in all, then unknown; the next list asks the others", () => {
    const fleet = many(100)
    fleet.proxy.on(/\/@/, hangBefore)
    const asked = () => new Set(fleet.proxy.asked(/\/@/))
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { exit, took } = yield* elapse(list())
        assert.isAtMost(took, 1500)
        const { agents } = yield* exit
        assert.isTrue(agents.every(({ evidence, status }) => status === "unknown" && evidence.source === "nothing"))
        assert.strictEqual(asked().size, 32)
        yield* settle(list())
        assert.strictEqual(asked().size, 64)
      })
    )
  })

  it.effect("of agents that hang cost those that answer nothing in the next list", () => {
    const fleet = many(40)
    const hanging = Array.from({ length: 16 }, (_, index) => `bot-${index}`)
    for (const name of hanging) fleet.proxy.on(new RegExp(`/@ada/${name}/`), hangBefore)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { agents } = yield* settle(list())
        const idle = agents.filter(({ status }) => status === "idle").map(({ name }) => name)
        assert.strictEqual(idle.length, 24)
        assert.isTrue(idle.every((name) => !hanging.includes(name)))
      })
    )
  })

  it.effect("at most 16 at once; first those without a report, then those with the oldest", () => {
    const fleet = many(60)
    for (let index = 0; index < 40; index++) {
      fleet.coder.get(`bot-${index}`).reports.push({ state: "idle", message: "", at: begin - 1000 - index })
    }
    let now = 0
    let most = 0
    fleet.proxy.on(/\/@/, (forward) =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          now += 1
          most = Math.max(most, now)
        }),
        () => Effect.delay(forward, "100 millis"),
        () => Effect.sync(() => (now -= 1))
      )
    )
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { exit, took } = yield* elapse(list())
        assert.isTrue((yield* exit).agents.every(({ status }) => status === "idle"))
        assert.strictEqual(most, 16)
        assert.isAtMost(took, 1500)
        const order = fleet.proxy.asked(/status$/).map((path) => Number(/bot-(\d+)/.exec(path)?.[1]))
        assert.isTrue(order.slice(0, 20).every((index) => index >= 40))
        assert.deepStrictEqual(
          order.slice(20),
          order.slice(20).toSorted((a, b) => b - a)
        )
      })
    )
  })

  for (const [what, fault] of [
    ["an expired token", answer(html(303, { location: "/login" }))],
    ["an agent that is not connected", answer(html(502))],
    ["an app that is gone", answer(html(404))],
    ["HTML with 200", answer(html(200))],
    ["another shape", answer(json(200, { state: "fine" }))],
    ["a status that does not exist yet", answerAfter(json(200, { status: "dozing", agent_type: "claude" }))]
  ] as const) {
    it.effect(`${what} is unknown, never idle`, () => {
      const fleet = many(1)
      fleet.proxy.on(/\/@/, fault)
      return inFleet(
        fleet,
        Effect.map(settle(show("bot-0")), ({ status }) => assert.strictEqual(status, "unknown"))
      )
    })
  }
})

describe.concurrent("what several calls look up at once", () => {
  it.effect("goes on for the other when one of two is cancelled", () => {
    const fleet = makeFleet()
    fleet.coder.add("bot-1")
    fleet.proxy.on(/users\/me$|templateversions/, delayed("1 second"))
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const first = yield* Effect.fork(show("bot-1"))
        const second = yield* Effect.fork(show("bot-1"))
        yield* TestClock.adjust("500 millis")
        yield* Fiber.interrupt(first)
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual((yield* Fiber.join(second)).name, "bot-1")
        assert.strictEqual(fleet.proxy.asked(/users\/me$/).length, 1)
      })
    )
  })

  it.effect("tells at once of a wait that is longer than it has", () => {
    const fleet = makeFleet()
    fleet.coder.add("bot-1")
    fleet.proxy.on(/users\/me$/, answer(json(429, { message: "m" }, { "retry-after": "300" })))
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { exit, took } = yield* elapse(Effect.flip(show("bot-1")))
        assert.deepInclude(yield* exit, { _tag: "CoderRateLimited", retry_after_ms: 300_000 })
        assert.isAtMost(took, 10)
      })
    )
  })
})

describe.concurrent("an agent that only its app makes one, and that does not run", () => {
  const plain = { version: { parameters: [], presets: null } }
  const listed = Effect.map(settle(list()), ({ agents }) => agents.map(({ name, status }) => [name, status]))
  const builds = /^GET .*\/builds$/

  const stopped = (count = 1, model: Parameters<typeof makeFleet>[0] = {}) => {
    const fleet = makeFleet({ ...plain, ...model })
    for (let index = 0; index < count; index++) {
      fleet.coder.build(fleet.coder.add(`bot-${index}`), "stop", begin - 5000)
    }
    return fleet
  }

  it.effect("is an agent by its earlier builds; each newest build is asked for once", () => {
    const fleet = stopped()
    return inFleet(
      fleet,
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* listed, [["bot-0", "stopped"]])
        assert.strictEqual((yield* settle(show("bot-0"))).status, "stopped")
        yield* listed
        assert.lengthOf(fleet.proxy.asked(builds), 1)
        const restart = Effect.flatMap(AgentService, (agents) => agents.restart("bot-0"))
        assert.strictEqual((yield* settle(restart)).outcome, "applied")
        const remove = Effect.flatMap(AgentService, (agents) => agents.delete("bot-0"))
        assert.strictEqual((yield* settle(remove)).outcome, "applied")
        assert.deepStrictEqual(fleet.coder.transitions("bot-0"), ["start", "stop", "start", "delete"])
      })
    )
  })

  it.effect("without an app in any build it stays none, and one that runs is not looked into", () => {
    const fleet = stopped(1, { app: null })
    fleet.coder.add("other")
    return inFleet(
      fleet,
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* listed, [])
        assert.strictEqual((yield* failure(show("bot-0")))._tag, "NotAnAgent")
        assert.strictEqual((yield* failure(show("other")))._tag, "NotAnAgent")
        assert.lengthOf(fleet.proxy.asked(builds), 1)
      })
    )
  })

  it.effect("builds that cannot be read hide nothing from the list, and refuse what they cannot decide", () => {
    const fleet = stopped(2)
    fleet.proxy.on(builds, answer(json(500, { message: "Internal error" })))
    return inFleet(
      fleet,
      Effect.gen(function* () {
        assert.lengthOf(yield* listed, 2)
        assert.strictEqual((yield* failure(show("bot-0")))._tag, "CoderUnavailable")
      })
    )
  })

  it.effect("builds that hang: at most 4 at once, and 1.5 s of the list", () => {
    const fleet = stopped(9)
    fleet.proxy.on(builds, hangBefore)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { exit, took } = yield* elapse(list())
        assert.isTrue(Exit.isSuccess(exit))
        assert.isAtMost(took, 2000)
        assert.lengthOf(fleet.proxy.asked(builds), 4)
      })
    )
  })
})

describe.concurrent("a token that may see nothing", () => {
  const notes = Effect.gen(function* () {
    const { list: projects } = yield* ProjectService
    return [(yield* settle(list())).note, (yield* settle(projects)).note]
  })

  for (const [what, itself, words] of [
    ["not even itself: told", false, "does not even show this token its own user"],
    ["but itself: perhaps", true, "perhaps its scope hides them"]
  ] as const) {
    it.effect(what, () => {
      const fleet = makeFleet({ blind: { itself } })
      fleet.coder.add("hidden")
      return inFleet(
        fleet,
        Effect.map(notes, (told) => told.forEach((note) => assert.include(note, words)))
      )
    })
  }

  it.effect("is not blamed where the fleet is empty, nor where nothing can be told", () => {
    const empty = makeFleet()
    const silent = makeFleet({ blind: { itself: true } })
    silent.proxy.on(/^GET .*users\/me$/, answer(json(500, { message: "Internal error" })))
    return Effect.forEach([empty, silent], (fleet) =>
      inFleet(
        fleet,
        Effect.map(notes, (told) => assert.deepStrictEqual(told, ["", ""]))
      )
    )
  })
})
