import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, TestClock } from "effect"
import type { FleetServices } from "../../src/layers/FleetMcp.ts"
import { AgentService } from "../../src/layers/services/AgentService.ts"
import { TaskService } from "../../src/layers/services/TaskService.ts"
import type { Outcome } from "../../src/schemas/Outcome.ts"
import { notWaiting, token } from "../support/CoderModel.ts"
import { begin, elapse, inFleet, makeFleet, settle, type TestFleet } from "../support/fleet.ts"
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
  truncatedAfter,
  type Fault
} from "../support/ScriptedCoder.ts"

// Every mutation against every fault of the way to Coder: what the fleet says about it must agree with what the server
// knows, nothing is sent twice, and `unknown` is said only where no read could tell.

type Failure = { readonly _tag: string; readonly message: string; readonly outcome: Outcome }

interface Mutation {
  readonly name: string
  readonly fleet: () => TestFleet
  readonly arrange: (fleet: TestFleet) => unknown
  readonly run: Effect.Effect<Outcome, Failure, FleetServices>
  readonly request: RegExp
  /** The how manieth request of that kind meets the fault. */
  readonly nth?: number
  /** How often the server carried out what was asked for. */
  readonly truth: (fleet: TestFleet) => number
  /** Whether a read can find it again when its answer is lost. A key press leaves no trace. */
  readonly hasKey: boolean
  /** Whether an error of the server itself proves that nothing is left behind. AgentAPI's does not. */
  readonly errorsAreFinal: boolean
  /** Whether a step before it took effect, so that its failure does not leave everything as it was. */
  readonly afterAnother?: boolean
}

const workspaces = /^POST .*\/workspaces$/
const builds = /^POST .*\/builds$/
const message = /^POST .*\/message$/

const withBot = ({ coder }: TestFleet) => coder.add("bot")
const count = (fleet: TestFleet, transition: string) =>
  fleet.coder.transitions("bot").filter((one) => one === transition).length

const restart = Effect.map(
  Effect.flatMap(AgentService, (agents) => agents.restart("bot")),
  ({ outcome }) => outcome
)
const create = Effect.flatMap(AgentService, (agents) =>
  agents.create({ name: "bot", project: "claude-code", task: "x" })
)

const mutations: ReadonlyArray<Mutation> = [
  {
    name: "create",
    fleet: () => makeFleet(),
    arrange: () => undefined,
    run: Effect.map(create, ({ outcome }) => outcome),
    request: workspaces,
    truth: ({ coder }) => coder.workspaces.length,
    hasKey: true,
    errorsAreFinal: true
  },
  {
    name: "the first message of a create",
    fleet: () => makeFleet({ version: { parameters: [], presets: null } }, { projects: ["claude-code"] }),
    arrange: () => undefined,
    run: Effect.map(
      create,
      ({ task }) =>
        ({ in_build: "applied", delivered: "applied", not_delivered: "not_applied", unknown: "unknown" })[
          task
        ] as Outcome
    ),
    request: message,
    truth: ({ coder }) => coder.prompts("bot").length,
    hasKey: true,
    errorsAreFinal: false
  },
  {
    name: "start task",
    fleet: () => makeFleet(),
    arrange: withBot,
    run: Effect.map(
      Effect.flatMap(TaskService, (tasks) => tasks.start("bot", "x")),
      ({ outcome }) => outcome
    ),
    request: message,
    truth: ({ coder }) => coder.prompts("bot").length,
    hasKey: true,
    errorsAreFinal: false
  },
  {
    name: "cancel",
    fleet: () => makeFleet(),
    arrange: (fleet) => {
      withBot(fleet).agent.runningUntil = begin + 60 * 60_000
    },
    run: Effect.map(
      Effect.flatMap(TaskService, (tasks) => tasks.cancel("bot")),
      ({ outcome }) => outcome
    ),
    request: message,
    truth: ({ coder }) => coder.get("bot").agent.keys.length,
    hasKey: false,
    errorsAreFinal: false
  },
  {
    name: "the stop of a restart",
    fleet: () => makeFleet(),
    arrange: withBot,
    run: restart,
    request: builds,
    truth: (fleet) => count(fleet, "stop"),
    hasKey: true,
    errorsAreFinal: true
  },
  {
    name: "the start of a restart",
    fleet: () => makeFleet(),
    arrange: withBot,
    run: restart,
    request: builds,
    nth: 2,
    afterAnother: true,
    truth: (fleet) => count(fleet, "start") - 1,
    hasKey: true,
    errorsAreFinal: true
  },
  {
    name: "stop",
    fleet: () => makeFleet(),
    arrange: withBot,
    run: Effect.map(
      Effect.flatMap(AgentService, (agents) => agents.stop("bot")),
      ({ outcome }) => outcome
    ),
    request: builds,
    truth: (fleet) => count(fleet, "stop"),
    hasKey: true,
    errorsAreFinal: true
  },
  {
    name: "delete",
    fleet: () => makeFleet(),
    arrange: withBot,
    run: Effect.map(
      Effect.flatMap(AgentService, (agents) => agents.delete("bot")),
      ({ outcome }) => outcome
    ),
    request: builds,
    truth: (fleet) => count(fleet, "delete"),
    hasKey: true,
    errorsAreFinal: true
  }
]

/** `refusal`: proof that it was not carried out. `error`: the server's own, with nothing done. Else no proof at all. */
type Kind = "refusal" | "error" | "lost before" | "lost after" | "lost, done late" | "lost, done too late"

const error500 = json(500, { message: "Internal server error" })
const faults: ReadonlyArray<readonly [string, Kind, Fault]> = [
  ["no connection", "refusal", refused],
  ...[400, 401, 403, 404, 410, 413, 425, 429].map(
    (status) => [`${status}`, "refusal", answer(json(status, { message: "no" }))] as const
  ),
  ["a page with 400", "refusal", answer(html(400))],
  ["a page with 403", "refusal", answer(html(403))],
  ["a page with 404", "refusal", answer(html(404))],
  ["500, nothing done", "error", answer(error500)],
  ["the request dropped", "lost before", dropBefore],
  ["the request hanging", "lost before", hangBefore],
  ["a redirect", "lost before", answer(html(303, { location: "https://elsewhere.test/login" }))],
  ["a page with 200", "lost before", answer(html(200))],
  ["a page with 502", "lost before", answer(html(502))],
  ["504 of a gateway", "lost before", answer(json(504, { message: "Gateway Timeout" }))],
  ...[499, 503, 520, 522, 530].map(
    (status) => [`${status} in JSON`, "lost before", answer(json(status, { message: "error" }))] as const
  ),
  ["500 in JSON that is not Coder's", "lost before", answer(json(500, { error: "upstream" }))],
  ["520 in JSON, done all the same", "lost after", answerAfter(json(520, { message: "error" }))],
  [
    "520 in JSON, and done 3 s later",
    "lost, done late",
    processedLate("3 seconds", answer(json(520, { message: "e" })))
  ],
  ["the answer dropped", "lost after", dropAfter],
  ["the answer hanging", "lost after", hangAfter],
  ["the answer truncated", "lost after", truncatedAfter],
  ["500, done all the same", "lost after", answerAfter(error500)],
  ["a page with 502, done all the same", "lost after", answerAfter(html(502))],
  ["503 of a gateway, done all the same", "lost after", answerAfter(json(503, { message: "busy" }))],
  ["a redirect, done all the same", "lost after", answerAfter(html(302))],
  ["a page with 200, done all the same", "lost after", answerAfter(html(200))],
  ["an empty answer", "lost after", answerAfter({ status: 201 })],
  ["an answer of another shape", "lost after", answerAfter(json(201, { id: [] }))],
  ["an answer that is too large", "lost after", answerAfter(json(201, { id: "x".repeat(2 * 1024 * 1024) }))],
  ["dropped, and done 3 s later", "lost, done late", processedLate("3 seconds", dropBefore)],
  ["504 of a gateway, and done 3 s later", "lost, done late", processedLate("3 seconds", answer(json(504, {})))],
  ["dropped, and done 60 s later", "lost, done too late", processedLate("60 seconds", dropBefore)]
]

const required = (kind: Kind, { errorsAreFinal, hasKey }: Mutation): Outcome => {
  switch (kind) {
    case "refusal":
      return "not_applied"
    case "error":
      return errorsAreFinal ? "not_applied" : "unknown"
    case "lost after":
    case "lost, done late":
      return hasKey ? "applied" : "unknown"
    case "lost before":
    case "lost, done too late":
      return "unknown"
  }
}

for (const mutation of mutations) {
  describe.concurrent(`${mutation.name} against`, () => {
    for (const [what, kind, fault] of faults) {
      const { afterAnother = false } = mutation
      const step = required(kind, mutation)
      const outcome = afterAnother && step === "not_applied" ? "applied" : step
      it.effect(`${what}: ${outcome}`, () => {
        const fleet = mutation.fleet()
        mutation.arrange(fleet)
        const nth = mutation.nth ?? 1
        let asked = 0
        fleet.proxy.on(mutation.request, (forward, request) => {
          asked += 1
          return asked === nth ? fault(forward, request) : forward
        })
        return inFleet(
          fleet,
          Effect.gen(function* () {
            const { exit, took } = yield* elapse(Effect.either(mutation.run))
            const end = yield* exit
            const said = Either.match(end, { onLeft: ({ outcome }) => outcome, onRight: (outcome) => outcome })
            assert.strictEqual(said, outcome, Either.isLeft(end) ? end.left.message : "")
            assert.isAtMost(took, 45_000)
            if (Either.isLeft(end)) {
              assert.notInclude(end.left.message, token)
              assert.isAbove(end.left.message.length, 20)
            }
            // Whatever is still on its way arrives.
            yield* TestClock.adjust("90 seconds")
            const truth = mutation.truth(fleet)
            assert.isAtMost(truth, 1)
            if (said === "applied")
              assert.strictEqual(truth, afterAnother && Either.isLeft(end) ? 0 : 1, "said applied, but it was not")
            if (said === "not_applied") assert.strictEqual(truth, 0, "said not applied, but it was")
            assert.strictEqual(truth, ["refusal", "error", "lost before"].includes(kind) ? 0 : 1)
            // Nothing but the start of a restart comes after it.
            assert.isAtMost(asked, mutation.name === "the stop of a restart" && said === "applied" ? 2 : nth)
            // The next call works.
            yield* settle(Effect.flatMap(AgentService, (agents) => agents.list({})))
          })
        )
      })
    }
  })
}

describe("silence after the proof", () => {
  for (const mutation of mutations.filter(({ errorsAreFinal }) => errorsAreFinal)) {
    const conflict = answer(json(409, { message: "already" }))
    it.effect(`${mutation.name}, 409, then silence: still not_applied, not unknown`, () => {
      const fleet = mutation.fleet()
      mutation.arrange(fleet)
      const nth = mutation.nth ?? 1
      let asked = 0
      fleet.proxy.on(mutation.request, (forward, request) => {
        asked += 1
        if (asked < nth) return forward
        fleet.proxy.on(/^GET/, hangBefore)
        return conflict(forward, request)
      })
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const { exit, took } = yield* elapse(Effect.flip(mutation.run))
          assert.strictEqual((yield* exit).outcome, mutation.afterAnother === true ? "applied" : "not_applied")
          assert.isAtMost(took, 45_000)
          assert.strictEqual(mutation.truth(fleet), 0)
        })
      )
    })

    it.effect(`${mutation.name}, accepted, then silence: applied, or unknown where its end matters`, () => {
      const fleet = mutation.fleet()
      mutation.arrange(fleet)
      const nth = mutation.nth ?? 1
      let asked = 0
      fleet.proxy.on(mutation.request, (forward) => {
        asked += 1
        if (asked === nth) fleet.proxy.on(/^GET/, hangBefore)
        return forward
      })
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const { exit, took } = yield* elapse(Effect.either(mutation.run))
          const end = yield* exit
          assert.isAtMost(took, 45_000)
          assert.strictEqual(mutation.truth(fleet), 1)
          // A restart that never saw its stop end has started nothing; a stop or deletion is done when its build is.
          const said = Either.match(end, { onLeft: ({ _tag }) => _tag, onRight: (outcome) => outcome })
          assert.strictEqual(
            said,
            { delete: "unknown", stop: "unknown", "the stop of a restart": "RestartIncomplete" }[mutation.name] ??
              "applied"
          )
        })
      )
    })
  }
})

describe("start task", () => {
  it.effect("AgentAPI's own refusal leaves nothing behind: not_applied", () => {
    const fleet = makeFleet()
    withBot(fleet)
    fleet.proxy.on(message, answer(notWaiting))
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const end = yield* settle(Effect.flip(Effect.flatMap(TaskService, (tasks) => tasks.start("bot", "x"))))
        assert.strictEqual(end.outcome, "not_applied")
        assert.deepStrictEqual(fleet.coder.prompts("bot"), [])
      })
    )
  })
})
