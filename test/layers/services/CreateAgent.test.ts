import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, FastCheck, Fiber, Schema, TestClock } from "effect"
import { AgentService } from "../../../src/layers/services/AgentService.ts"
import type { CreateRequest } from "../../../src/layers/services/CreateAgent.ts"
import { AgentName } from "../../../src/schemas/Agent.ts"
import { tell } from "../../../src/tools/Messages.ts"
import { elapse, failure, inFleet, makeFleet, settle } from "../../support/fleet.ts"
import {
  answer,
  answerAfter,
  dropAfter,
  dropBefore,
  hangAfter,
  hangBefore,
  html,
  json,
  processedLate,
  refused,
  truncatedAfter
} from "../../support/ScriptedCoder.ts"

const create = (request: Partial<CreateRequest> = {}) =>
  Effect.flatMap(AgentService, (agents) =>
    agents.create({ name: "bot-1", project: "Claude Code", task: "Say hello", ...request })
  )

const posted = /^POST .*\/workspaces$/

const plainVersion = { parameters: ["branch"], presets: null }

describe.concurrent("create: what is sent", () => {
  it.effect("is the template, the default preset and the prompt, once", () => {
    const fleet = makeFleet()
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { agent, outcome, stage, task } = yield* settle(create())
        assert.deepStrictEqual([outcome, stage, task, agent?.name], ["applied", "building", "in_build", "bot-1"])
        assert.strictEqual(agent?.role, "coder")
        const post = fleet.proxy.received.find(({ method }) => method === "POST")
        assert.strictEqual(post?.path, "/api/v2/users/me/workspaces")
        assert.deepStrictEqual(post?.body, {
          name: "bot-1",
          template_id: "template-1",
          template_version_preset_id: "preset-coder",
          rich_parameter_values: [{ name: "AI Prompt", value: "Say hello" }]
        })
        assert.strictEqual(fleet.proxy.mutations.length, 1)
      })
    )
  })

  it.effect("is the role asked for, in any case, and the task without control characters", () => {
    const fleet = makeFleet()
    return inFleet(
      fleet,
      Effect.gen(function* () {
        yield* settle(create({ role: " REVIEWER ", task: "a\u001b[201~b\r\nc\td\u0000é" }))
        const { preset, parameters } = fleet.coder.get("bot-1").builds[0] ?? assert.fail()
        assert.strictEqual(preset, "preset-reviewer")
        assert.deepStrictEqual(parameters, [{ name: "AI Prompt", value: "ab\nc\tdé" }])
      })
    )
  })

  for (const spelling of ["AI Prompt", "ai_prompt", "prompt", "PROMPT", "ai-prompt", "aiPrompt"]) {
    it.effect(`uses the prompt parameter ${spelling}`, () => {
      const fleet = makeFleet({ version: { parameters: ["branch", spelling], presets: null } })
      return inFleet(
        fleet,
        Effect.gen(function* () {
          yield* settle(create())
          assert.deepStrictEqual(fleet.coder.get("bot-1").builds[0]?.parameters, [
            { name: spelling, value: "Say hello" }
          ])
        })
      )
    })
  }

  it.effect("uses the configured prompt parameter alone", () => {
    const fleet = makeFleet(
      { version: { parameters: ["AI Prompt", "Goal"], presets: null } },
      { promptParameter: "goal" }
    )
    return inFleet(
      fleet,
      Effect.gen(function* () {
        yield* settle(create())
        assert.deepStrictEqual(fleet.coder.get("bot-1").builds[0]?.parameters, [{ name: "Goal", value: "Say hello" }])
      })
    )
  })
})

describe.concurrent("create: refused before anything is sent", () => {
  const cases: ReadonlyArray<readonly [string, Partial<CreateRequest>, string]> = [
    ["a bad name", { name: "a--b" }, "InvalidAgentName"],
    ["an empty task", { task: " \u0000\n" }, "InvalidTask"],
    ["a task of 1 MB", { task: "x".repeat(1_000_000) }, "InvalidTask"],
    ["an unknown project", { project: "nope" }, "ProjectNotFound"],
    ["an unknown role", { role: "nope" }, "RoleNotFound"]
  ]
  for (const [what, request, tag] of cases) {
    it.effect(`${what}: ${tag}`, () => {
      const fleet = makeFleet()
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const error = yield* failure(create(request))
          assert.strictEqual(error._tag, tag)
          assert.deepStrictEqual(fleet.proxy.mutations, [])
        })
      )
    })
  }

  it.effect("a preset that sets the prompt parameter", () => {
    const fleet = makeFleet({
      version: {
        parameters: ["AI Prompt"],
        presets: [{ ID: "p", Name: "greedy", Default: true, Parameters: [{ Name: "AI Prompt", Value: "mine" }] }]
      }
    })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        assert.strictEqual((yield* failure(create()))._tag, "RoleSetsPrompt")
        assert.deepStrictEqual(fleet.proxy.mutations, [])
      })
    )
  })

  for (const taken of ["bot-1", "BOT-1"]) {
    it.effect(`a name that a workspace has: ${taken}`, () => {
      const fleet = makeFleet()
      fleet.coder.add("bot-1")
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const error = yield* failure(create({ name: taken }))
          assert.strictEqual(error._tag, "AgentNameTaken")
          assert.include(error.message, "running")
          assert.deepStrictEqual(fleet.proxy.mutations, [])
        })
      )
    })
  }

  it.effect("the name of a workspace that is being deleted, and says so", () => {
    const fleet = makeFleet()
    const row = fleet.coder.add("bot-1")
    fleet.coder.build(row, "delete", Date.UTC(2026, 0, 1), { millis: Infinity })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const error = yield* failure(create())
        assert.strictEqual(error._tag, "AgentNameTaken")
        assert.include(error.message, "still being deleted")
        assert.deepStrictEqual(fleet.proxy.mutations, [])
      })
    )
  })

  /** Coder's rule, written again from `codersdk/name.go`. */
  const coderAccepts = (name: string): boolean =>
    new TextEncoder().encode(name).length <= 32 &&
    name.split("-").every((part) => part !== "" && [...part].every((c) => /[0-9A-Za-z]/.test(c) && c.length === 1)) &&
    name !== "new" &&
    name !== "create"

  const name = FastCheck.oneof(
    FastCheck.stringMatching(/^[a-zA-Z0-9-]{0,34}$/),
    FastCheck.string({ unit: "binary", maxLength: 6 }),
    FastCheck.string({
      unit: FastCheck.constantFrom("a", "Z", "0", "-", "_", ".", "ü", "ａ", "\n", " "),
      maxLength: 34
    }),
    FastCheck.constantFrom("new", "New", "create", "Create", "a\n", "..", "", "x".repeat(32), "x".repeat(33))
  )

  it("the name rule is Coder's", () => {
    FastCheck.assert(
      FastCheck.property(name, (name) => {
        assert.strictEqual(Schema.is(AgentName)(name), coderAccepts(name), JSON.stringify(name))
      }),
      { numRuns: 10_000 }
    )
  })
})

describe.concurrent("create: each refusal of Coder is told apart", () => {
  const cases = [
    [
      json(400, { message: "Unable to validate parameters", validations: [{ field: "repo", detail: "required" }] }),
      "CoderRejected",
      "repo: required"
    ],
    [json(400, { message: 'The template "x" has been deprecated' }), "CoderRejected", "has been deprecated"],
    [json(401, { message: "You are signed out." }), "CoderUnauthorized", "CODER_SESSION_TOKEN"],
    [
      json(403, { message: "Unauthorized to create workspace.", detail: "You are unable." }),
      "CoderForbidden",
      "You are unable"
    ],
    [json(404, { message: "Resource not found or you do not have access to this resource" }), "CoderRejected", "(404)"],
    [json(406, { message: "Wait for it to complete importing!" }), "CoderRejected", "importing"],
    [json(409, { message: 'Workspace "bot-1" already exists.' }), "AgentNameTaken", "not visible"],
    [json(410, { message: "Gone" }), "CoderRejected", "(410)"],
    [json(425, { message: "Template version job has not finished" }), "CoderRejected", "(425)"],
    [json(429, { message: "You've been rate limited" }, { "retry-after": "60" }), "CoderRateLimited", "60 s"],
    [
      json(500, { message: "failed to fetch preset parameter values" }, { "x-coder-request-id": "r-7" }),
      "CoderUnavailable",
      "r-7"
    ],
    [html(403), "CoderRejected", "text/html"],
    [html(404), "CoderRejected", "text/html"]
  ] as const
  for (const [refusal, tag, words] of cases) {
    it.effect(`${refusal.status} ${JSON.stringify(refusal.body ?? refusal.headers).slice(0, 40)}: ${tag}`, () => {
      const fleet = makeFleet()
      fleet.proxy.on(posted, answer(refusal))
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const error = yield* failure(create())
          assert.strictEqual(error._tag, tag)
          assert.strictEqual(error.outcome, "not_applied")
          assert.include(tell(error).message, words)
          assert.strictEqual(fleet.proxy.mutations.length, 1)
          assert.strictEqual(fleet.coder.workspaces.length, 0)
        })
      )
    })
  }
})

describe.concurrent("create: an answer that is lost is settled by name", () => {
  const lost = [
    ["dropped", dropAfter],
    ["truncated", truncatedAfter],
    ["hanging", hangAfter],
    ["500 after it was done", answerAfter(json(500, { message: "Internal server error" }))],
    ["502 page of a proxy", answerAfter(html(502))],
    ["HTML with 200", answerAfter(html(200))],
    ["a redirect", answerAfter(html(303, { location: "http://elsewhere.test/" }))],
    ["201 of a wrong shape", answerAfter(json(201, { id: 7 }))],
    ["empty 201", answerAfter({ status: 201 })],
    ["504 in JSON, done 2 s later", processedLate("2 seconds", answer(json(504, { message: "Gateway Timeout" })))],
    ["520 in JSON, done 2 s later", processedLate("2 seconds", answer(json(520, { message: "Unknown error" })))],
    ["dropped, done 5 s later", processedLate("5 seconds", dropBefore)]
  ] as const
  for (const [what, fault] of lost) {
    it.effect(`ours: ${what}`, () => {
      const fleet = makeFleet()
      fleet.proxy.on(posted, fault)
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const { exit, took } = yield* elapse(create())
          assert.isTrue(Exit.isSuccess(exit), String(exit))
          if (Exit.isSuccess(exit))
            assert.deepStrictEqual([exit.value.outcome, exit.value.task], ["applied", "in_build"])
          assert.isAtMost(took, 45_000)
          assert.strictEqual(fleet.proxy.mutations.length, 1)
          assert.strictEqual(fleet.coder.workspaces.length, 1)
        })
      )
    })
  }

  it.effect("somebody else's: taken between the look and the request", () => {
    const fleet = makeFleet()
    fleet.proxy.on(posted, (_, request) => {
      fleet.coder.add("bot-1")
      return dropBefore(Effect.never, request)
    })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        assert.strictEqual((yield* failure(create()))._tag, "AgentNameTaken")
      })
    )
  })

  for (const [whose, fault] of [
    ["ours", dropAfter],
    ["somebody else's, asked for at the same time", dropBefore]
  ] as const) {
    it.effect(`where no task travels with the build, nobody can tell (${whose}): unknown, and no task is typed`, () => {
      const fleet = makeFleet({ version: { parameters: [], presets: null } }, { projects: ["claude-code"] })
      fleet.proxy.on(posted, (forward, request) => {
        if (fault === dropBefore) fleet.coder.add("bot-1")
        return fault(forward, request)
      })
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const { agent, message, next, outcome, stage, task } = yield* settle(create())
          assert.deepStrictEqual([outcome, agent, stage, task], ["unknown", null, null, "not_delivered"])
          assert.include(message, "The task was not sent")
          assert.deepStrictEqual(next, ["look_at_agent", "start_task"])
          assert.strictEqual(fleet.proxy.mutations.length, 1)
        })
      )
    })
  }

  it.effect("not there after Coder's own 500: not applied, at once", () => {
    const fleet = makeFleet()
    fleet.proxy.on(posted, answer(json(500, { message: "Internal server error" })))
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { exit, took } = yield* elapse(create())
        assert.isTrue(Exit.isFailure(exit))
        assert.isAtMost(took, 1000)
      })
    )
  })

  for (const [what, fault] of [
    ["dropped before", dropBefore],
    ["hanging", hangBefore]
  ] as const) {
    it.effect(`not there and no answer (${what}): unknown, and says what to call`, () => {
      const fleet = makeFleet()
      fleet.proxy.on(posted, fault)
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const { agent, next, outcome, stage, task } = yield* settle(create())
          assert.deepStrictEqual([outcome, agent, stage, task], ["unknown", null, null, "unknown"])
          assert.deepStrictEqual(next, ["look_at_agent"])
          assert.strictEqual(fleet.proxy.mutations.length, 1)
        })
      )
    })
  }

  it.effect("no connection: not applied, at once", () => {
    const fleet = makeFleet()
    fleet.proxy.on(posted, refused)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { exit, took } = yield* elapse(create())
        assert.isTrue(Exit.isFailure(exit))
        assert.isAtMost(took, 1000)
      })
    )
  })

  it.effect("ours, where Coder attached a preset that nobody asked for", () => {
    const fleet = makeFleet({ version: { parameters: ["prompt"], presets: null } })
    fleet.proxy.on(posted, dropAfter)
    fleet.coder.patch = (workspace) => ({
      ...workspace,
      latest_build: { ...(workspace["latest_build"] as object), template_version_preset_id: "attached" }
    })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        assert.strictEqual((yield* settle(create())).outcome, "applied")
      })
    )
  })
})

describe.concurrent("create: eight at once with one name", () => {
  for (const race of [true, false]) {
    it.effect(`one applied, seven name-taken (${race ? "500 duplicate key" : "409"})`, () => {
      const fleet = makeFleet({ race })
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const fibers = yield* Effect.forEach(Array.from({ length: 8 }), () => Effect.fork(Effect.either(create())))
          yield* TestClock.adjust("45 seconds")
          const ends = yield* Effect.forEach(fibers, Fiber.join)
          assert.strictEqual(ends.filter((end) => end._tag === "Right" && end.right.outcome === "applied").length, 1)
          assert.strictEqual(ends.filter((end) => end._tag === "Left" && end.left._tag === "AgentNameTaken").length, 7)
          assert.strictEqual(fleet.coder.workspaces.length, 1)
        })
      )
    })
  }
})

describe.concurrent("create: wait_ready", () => {
  it.effect("looks at the workspace that was created, not at what has its name later", () => {
    const fleet = makeFleet(
      { startupMillis: 5000, version: { parameters: [], presets: null } },
      { projects: ["claude-code"] }
    )
    fleet.proxy.on(/workspace\/bot-1$/, (forward) =>
      Effect.suspend(() => {
        const [first] = fleet.coder.workspaces
        // Deleted and made again by somebody else, whose workspace the name now leads to.
        if (first !== undefined && fleet.coder.workspaces.length === 1) fleet.coder.add("bot-1")
        return forward
      })
    )
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { agent } = yield* settle(create({ wait_ready: true }))
        assert.strictEqual(agent?.workspace_id, fleet.coder.workspaces[0]?.id)
        assert.deepStrictEqual(fleet.proxy.asked(/workspace\/bot-1$/).length, 1)
      })
    )
  })

  it.effect("waits through the build and the startup script", () => {
    const fleet = makeFleet({ startupMillis: 5000 })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { agent, stage, task } = yield* settle(create({ wait_ready: true }))
        assert.deepStrictEqual([stage, task, agent?.status], ["ready", "in_build", "idle"])
      })
    )
  })

  it.effect("tells a failed build's error and last log lines", () => {
    const fleet = makeFleet({ results: { start: "failed" } })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const error = yield* failure(create({ wait_ready: true }))
        assert.strictEqual(error._tag, "BuildFailed")
        assert.include(error.message, "terraform apply: exit status 1")
        assert.include(error.message, "Error: no capacity")
        assert.strictEqual(error.outcome, "applied")
        assert.include(error.message, "A look afterwards showed its workspace as failed")
        assert.notInclude(error.message, "\u001b")
      })
    )
  })

  it.effect("answers within the deadline where the build hangs", () => {
    const fleet = makeFleet({ buildMillis: { start: Infinity } })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { exit, took } = yield* elapse(create({ wait_ready: true }))
        assert.isAtMost(took, 45_000)
        assert.isTrue(Exit.isSuccess(exit))
        if (Exit.isSuccess(exit))
          assert.deepStrictEqual([exit.value.outcome, exit.value.stage], ["applied", "building"])
      })
    )
  })

  it.effect("still says applied where Coder falls silent after it accepted", () => {
    const fleet = makeFleet()
    fleet.proxy.on(posted, (forward) => {
      fleet.proxy.on(/^GET/, hangBefore)
      return forward
    })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { exit, took } = yield* elapse(create({ wait_ready: true }))
        assert.isAtMost(took, 45_000)
        assert.isTrue(Exit.isSuccess(exit), String(exit))
        if (Exit.isSuccess(exit)) assert.strictEqual(exit.value.outcome, "applied")
      })
    )
  })

  it.effect("says failed where the agent never connects", () => {
    const fleet = makeFleet({ connection: { status: "timeout", lifecycle_state: "created" } })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { agent, outcome, stage } = yield* settle(create({ wait_ready: true }))
        assert.deepStrictEqual([outcome, stage, agent?.status], ["applied", "failed", "offline"])
      })
    )
  })
})

describe.concurrent("create: without a prompt parameter", () => {
  const model = { version: plainVersion, startupMillis: 2000 }
  const projects = { projects: ["claude-code"] }

  it.effect("waits, and delivers the task as the first message, once", () => {
    const fleet = makeFleet(model, projects)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { outcome, stage, task } = yield* settle(create())
        assert.deepStrictEqual([outcome, stage, task], ["applied", "ready", "delivered"])
        assert.deepStrictEqual(fleet.coder.prompts("bot-1"), ["Say hello"])
        assert.strictEqual(fleet.proxy.asked(/^POST .*message$/).length, 1)
      })
    )
  })

  const undelivered = (fleet: ReturnType<typeof makeFleet>) =>
    Effect.gen(function* () {
      const { message, next, outcome, task } = yield* settle(create())
      assert.deepStrictEqual([outcome, task, next], ["applied", "not_delivered", ["start_task"]])
      assert.notInclude(message, "Say hello")
      assert.deepStrictEqual(fleet.coder.prompts("bot-1"), [])
    })

  it.effect("the agent never gets ready: not delivered, and what to do then", () => {
    const fleet = makeFleet({ ...model, startupMillis: Infinity }, projects)
    return inFleet(fleet, undelivered(fleet))
  })

  for (const [what, options, words] of [
    ["no app", projects, ['a parameter "AI Prompt", or an app whose health check asks port 3284']],
    [
      "no app of the slug that is configured",
      { ...projects, appSlug: "claude", promptParameter: "task" },
      ['nor an AgentAPI app of the slug "claude"', 'a parameter "task", or that app']
    ]
  ] as const) {
    it.effect(`${what}: says what the template lacks, and promises no idle agent`, () => {
      const fleet = makeFleet({ ...model, app: null }, options)
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const { message, next, outcome, task } = yield* settle(create())
          assert.deepStrictEqual([outcome, task, next], ["applied", "not_delivered", []])
          for (const each of words) assert.include(message, each)
          assert.isAtMost(message.split("\n").length, 3)
          assert.deepStrictEqual(fleet.coder.prompts("bot-1"), [])
        })
      )
    })
  }

  it.effect("AgentAPI refuses: not delivered, and what to do then, one POST", () => {
    const fleet = makeFleet(model, projects)
    fleet.proxy.on(/^POST .*message$/, answer(html(400)))
    return inFleet(
      fleet,
      Effect.gen(function* () {
        yield* undelivered(fleet)
        assert.strictEqual(fleet.proxy.asked(/^POST .*message$/).length, 1)
      })
    )
  })

  for (const [what, fault, task, prompts] of [
    ["the answer is lost after it was typed", dropAfter, "delivered", 1],
    ["the message is lost", dropBefore, "unknown", 0],
    ["the message hangs", hangBefore, "unknown", 0]
  ] as const) {
    it.effect(`${what}: ${task}, one POST`, () => {
      const fleet = makeFleet(model, projects)
      fleet.proxy.on(/^POST .*message$/, fault)
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const { exit, took } = yield* elapse(create())
          assert.isAtMost(took, 45_000)
          assert.isTrue(Exit.isSuccess(exit), String(exit))
          if (Exit.isSuccess(exit)) assert.deepStrictEqual([exit.value.outcome, exit.value.task], ["applied", task])
          assert.strictEqual(fleet.coder.prompts("bot-1").length, prompts)
          assert.strictEqual(fleet.proxy.asked(/^POST .*message$/).length, 1)
        })
      )
    })
  }
})
