import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, FastCheck, TestClock } from "effect"
import { AgentService } from "../../../src/layers/services/AgentService.ts"
import { TaskService, type LogRequest } from "../../../src/layers/services/TaskService.ts"
import { tell } from "../../../src/tools/Messages.ts"
import type { PageRequest } from "../../../src/schemas/Pagination.ts"
import { answerScreen, notWaiting, type ModelOptions } from "../../support/CoderModel.ts"
import { begin, elapse, failure, inFleet, makeFleet, settle } from "../../support/fleet.ts"
import { olderPermission, trust, writePermission, type Message } from "../../support/Screens.ts"
import {
  answer,
  answerAfter,
  dropAfter,
  dropBefore,
  hangAfter,
  hangBefore,
  html,
  json,
  refused,
  truncatedAfter,
  type Fault
} from "../../support/ScriptedCoder.ts"

const start = (task = "Fix it") => Effect.flatMap(TaskService, (tasks) => tasks.start("bot-1", task))
const cancel = Effect.flatMap(TaskService, (tasks) => tasks.cancel("bot-1"))
const history = (page: PageRequest) => Effect.flatMap(TaskService, (tasks) => tasks.history("bot-1", page))
const log = (page: LogRequest) => Effect.flatMap(TaskService, (tasks) => tasks.log("bot-1", page))

const message = /^POST .*\/message$/
const status = /^GET .*\/status$/

const fleetWith = (model: ModelOptions = {}, options = {}) => {
  const fleet = makeFleet(model, options)
  const row = fleet.coder.add("bot-1")
  return { ...fleet, row }
}

const busyFleet = (model: ModelOptions = {}) => {
  const fleet = fleetWith(model)
  fleet.row.agent.runningUntil = begin + 60 * 60_000
  return fleet
}

describe.concurrent("start task", () => {
  it.effect("is sent once and seen in the conversation", () => {
    const fleet = fleetWith()
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { outcome, task_description } = yield* settle(start("Fix\u001b[201~ it\r\nnow "))
        assert.deepStrictEqual([outcome, task_description], ["applied", "Fix it\nnow "])
        assert.deepStrictEqual(fleet.coder.prompts("bot-1"), ["Fix it\nnow"])
        assert.deepStrictEqual(fleet.proxy.mutations, ["POST /@ada/bot-1/apps/ccw/message"])
        const post = fleet.proxy.received.find(({ method }) => method === "POST")
        assert.deepStrictEqual(post?.body, { content: "Fix it\nnow ", type: "user" })
      })
    )
  })

  it.effect("is seen although the terminal wrapped it", () => {
    const fleet = fleetWith()
    fleet.proxy.on(message, (forward) =>
      Effect.tap(forward, () => {
        const last = fleet.row.agent.messages.at(-1)
        if (last !== undefined) last.content = "a long\n  task   of words"
      })
    )
    return inFleet(
      fleet,
      Effect.map(settle(start("a long task of words")), ({ outcome }) => assert.strictEqual(outcome, "applied"))
    )
  })

  it.effect("an earlier message of the same words is not taken for it", () => {
    const fleet = fleetWith()
    fleet.row.agent.messages.push({ id: 1, role: "user", content: "Fix it", time: "2026-01-01T00:00:00Z" })
    fleet.row.agent.messages.push({ id: 2, role: "agent", content: answerScreen, time: "2026-01-01T00:00:00Z" })
    fleet.proxy.on(message, dropBefore)
    return inFleet(
      fleet,
      Effect.map(settle(start()), ({ outcome }) => assert.strictEqual(outcome, "unknown"))
    )
  })

  const refusals: ReadonlyArray<readonly [string, (fleet: ReturnType<typeof fleetWith>) => void, string, string]> = [
    ["busy by AgentAPI", ({ row }) => (row.agent.runningUntil = Infinity), "AgentNotIdle", "cancel_agent_task"],
    [
      "idle by its report, busy by AgentAPI",
      ({ row }) => {
        row.reports.push({ state: "idle", message: "", at: begin - 1 })
        row.agent.runningUntil = Infinity
      },
      "AgentNotIdle",
      "cancel_agent_task"
    ],
    ["stopped", ({ coder, row }) => coder.build(row, "stop", begin - 5000), "AgentNotIdle", "restart_agent"],
    ["starting", ({ coder, row }) => coder.build(row, "start", begin), "AgentNotIdle", "show_agent"],
    [
      "failed",
      ({ coder, row }) => coder.build(row, "start", begin - 5000, { result: "failed" }),
      "AgentNotIdle",
      "restart_agent"
    ],
    [
      "saying something else",
      ({ proxy }) => proxy.on(status, answer(json(200, { status: "dozing", agent_type: "claude" }))),
      "AgentNotIdle",
      "unknown"
    ],
    ["not connected", ({ proxy }) => proxy.on(status, answer(html(502))), "AgentUnreachable", "not connected"],
    [
      "behind an expired token",
      ({ proxy }) => proxy.on(/\/@/, answer(html(303, { location: "/login" }))),
      "CoderUnauthorized",
      "CODER_SESSION_TOKEN"
    ],
    [
      "behind path apps that are off",
      ({ proxy }) => proxy.on(/\/@/, answer(html(403))),
      "AgentUnreachable",
      "apps on paths"
    ]
  ]
  for (const [what, arrange, tag, words] of refusals) {
    it.effect(`an agent that is ${what}: ${tag}, nothing sent`, () => {
      const fleet = fleetWith()
      arrange(fleet)
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const error = yield* failure(start())
          assert.strictEqual(error._tag, tag)
          assert.include(tell(error).message, words)
          assert.deepStrictEqual(fleet.proxy.mutations, [])
        })
      )
    })
  }

  it.effect("an agent without an app: nothing sent", () => {
    const fleet = fleetWith({ app: null })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const error = yield* failure(start())
        assert.strictEqual(error._tag, "AgentUnreachable")
        assert.include(error.message, "no AgentAPI app")
        assert.deepStrictEqual(fleet.proxy.mutations, [])
      })
    )
  })

  for (const [what, task, reason] of [
    ["empty", "", "empty"],
    ["nothing but space and controls", " \n\t\u0000\r\u009b", "empty"],
    ["1 MB", "x".repeat(1_000_000), "too_large"],
    ["256 KiB and one byte", "x".repeat(256 * 1024 + 1), "too_large"],
    ["too many bytes in few characters", "é".repeat(256 * 512 + 1), "too_large"]
  ] as const) {
    it.effect(`a task of ${what} is refused, with nothing asked`, () => {
      const fleet = fleetWith()
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const error = yield* failure(start(task))
          assert.strictEqual(error._tag, "InvalidTask")
          if (error._tag === "InvalidTask") assert.strictEqual(error.reason, reason)
          assert.deepStrictEqual(fleet.proxy.received, [])
        })
      )
    })
  }

  it.effect("a task of exactly 256 KiB is sent", () => {
    const fleet = fleetWith()
    return inFleet(
      fleet,
      Effect.map(settle(start("x".repeat(256 * 1024))), ({ outcome }) => assert.strictEqual(outcome, "applied"))
    )
  })

  const faults: ReadonlyArray<readonly [string, Fault, string, number]> = [
    ["answer dropped", dropAfter, "applied", 1],
    ["answer truncated", truncatedAfter, "applied", 1],
    ["answer hanging", hangAfter, "applied", 1],
    [
      "500 after it was typed",
      answerAfter(
        json(500, {
          title: "Internal Server Error",
          status: 500,
          detail: "x",
          errors: [{ message: "failed to send message: failed to wait for processing to start" }]
        })
      ),
      "applied",
      1
    ],
    ["redirect after it was typed", answerAfter(html(303, { location: "/login" })), "applied", 1],
    ["message dropped", dropBefore, "unknown", 0],
    ["message hanging", hangBefore, "unknown", 0],
    ["ok, and never seen", answer(json(200, { ok: true })), "unknown", 0],
    ["expired token between the look and the message", answer(html(303, { location: "/login" })), "unknown", 0],
    ["500 of AgentAPI: not waiting", answer(notWaiting), "AgentRefused", 0],
    [
      "422",
      answer(json(422, { title: "Unprocessable Entity", status: 422, detail: "validation failed" })),
      "AgentRefused",
      0
    ],
    ["429", answer(json(429, { message: "You've been rate limited" }, { "retry-after": "60" })), "AgentRefused", 0],
    ["workspace stopped in between", answer(html(400)), "AgentUnreachable", 0],
    ["app gone in between", answer(html(404)), "AgentUnreachable", 0],
    ["connection refused", refused, "AgentUnreachable", 0]
  ]
  for (const [what, fault, expected, prompts] of faults) {
    it.effect(`${what}: ${expected}, one POST, within the deadline`, () => {
      const fleet = fleetWith()
      fleet.proxy.on(message, fault)
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const { exit, took } = yield* elapse(Effect.either(start()))
          const end = yield* exit
          assert.strictEqual(end._tag === "Right" ? end.right.outcome : end.left._tag, expected)
          assert.strictEqual(fleet.coder.prompts("bot-1").length, prompts)
          assert.strictEqual(fleet.proxy.asked(message).length, 1)
          assert.isAtMost(took, 45_000)
          if (end._tag === "Right" && expected === "unknown") assert.deepStrictEqual(end.right.next, ["read_log"])
        })
      )
    })
  }

  it.effect("Coder falls silent after the message: unknown, a normal answer", () => {
    const fleet = fleetWith()
    fleet.proxy.on(message, (forward) => {
      fleet.proxy.on(/^GET/, hangBefore)
      return forward
    })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { exit, took } = yield* elapse(start())
        assert.isTrue(Exit.isSuccess(exit), String(exit))
        assert.strictEqual((yield* exit).outcome, "unknown")
        assert.isAtMost(took, 45_000)
      })
    )
  })
})

describe.concurrent("cancel", () => {
  it.effect("presses ESC once and waits until the agent is idle", () => {
    const fleet = busyFleet({ escMillis: 4500 })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { exit, took } = yield* elapse(cancel)
        const { message: says, outcome } = yield* exit
        assert.strictEqual(outcome, "applied")
        assert.include(says, "seen idle")
        assert.deepStrictEqual(fleet.row.agent.keys, ["\u001b"])
        assert.isAtLeast(took, 4500)
        assert.isAtMost(took, 5000)
      })
    )
  })

  it.effect("waits at most 10 s, and presses no second key", () => {
    const fleet = busyFleet({ escMillis: Infinity })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { exit, took } = yield* elapse(cancel)
        const { next, outcome } = yield* exit
        assert.strictEqual(outcome, "unknown")
        assert.deepStrictEqual(next, ["look_at_agent", "restart_agent"])
        assert.isAtMost(took, 10_000)
        assert.deepStrictEqual(fleet.row.agent.keys, ["\u001b"])
      })
    )
  })

  it.effect("waits at most 10 s for an agent that falls silent, too", () => {
    const fleet = busyFleet()
    fleet.proxy.on(message, (forward) => {
      fleet.proxy.on(status, hangBefore)
      return forward
    })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { exit, took } = yield* elapse(cancel)
        assert.strictEqual((yield* exit).outcome, "unknown")
        assert.isAtMost(took, 10_000)
      })
    )
  })

  it.effect("an agent whose last report says idle, but that works", () => {
    const fleet = busyFleet()
    fleet.row.reports.push({ state: "idle", message: "", at: begin - 1 })
    return inFleet(
      fleet,
      Effect.map(settle(cancel), ({ outcome }) => assert.strictEqual(outcome, "applied"))
    )
  })

  for (const [what, arrange, tag] of [
    ["idle", () => undefined, "AgentNotBusy"],
    [
      "idle, whatever it reported",
      (fleet) => fleet.row.reports.push({ state: "working", message: "", at: begin - 1 }),
      "AgentNotBusy"
    ],
    ["stopped", ({ coder, row }) => coder.build(row, "stop", begin - 5000), "AgentNotBusy"],
    ["unreachable", ({ proxy }) => proxy.on(status, answer(html(502))), "AgentUnreachable"]
  ] as ReadonlyArray<readonly [string, (fleet: ReturnType<typeof fleetWith>) => unknown, string]>) {
    it.effect(`an agent that is ${what}: ${tag}, no key pressed`, () => {
      const fleet = fleetWith()
      arrange(fleet)
      return inFleet(
        fleet,
        Effect.gen(function* () {
          assert.strictEqual((yield* failure(cancel))._tag, tag)
          assert.deepStrictEqual(fleet.row.agent.keys, [])
        })
      )
    })
  }

  it.effect("transport acp would take the key as a prompt: refused", () => {
    const fleet = busyFleet({ transport: "acp" })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const error = yield* failure(cancel)
        assert.strictEqual(error._tag, "InterruptNotSupported")
        assert.include(tell(error).message, "restart_agent")
        assert.deepStrictEqual(fleet.proxy.mutations, [])
      })
    )
  })

  it.effect("AgentAPI before 0.12 names no transport: pty", () => {
    const fleet = busyFleet({ transport: null })
    return inFleet(
      fleet,
      Effect.map(settle(cancel), ({ outcome }) => assert.strictEqual(outcome, "applied"))
    )
  })

  for (const [what, fault, keys, end] of [
    ["the answer is dropped", dropAfter, 1, "unknown"],
    ["the key is dropped", dropBefore, 0, "unknown"],
    ["refused", answer(html(502)), 0, "unknown"],
    ["not allowed", answer(html(403)), 0, "AgentUnreachable"],
    [
      "422",
      answer(json(422, { title: "Unprocessable Entity", status: 422, detail: "validation failed" })),
      0,
      "AgentRefused"
    ]
  ] as const) {
    it.effect(`${what}: ${end}, one POST`, () => {
      const fleet = busyFleet()
      fleet.proxy.on(message, fault)
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const result = yield* settle(Effect.either(cancel))
          assert.strictEqual(result._tag === "Right" ? result.right.outcome : result.left._tag, end)
          assert.strictEqual(fleet.row.agent.keys.length, keys)
          assert.strictEqual(fleet.proxy.asked(message).length, 1)
        })
      )
    })
  }

  it.effect("the key is lost and the agent ends by itself: never called an interruption", () => {
    const fleet = fleetWith()
    fleet.row.agent.runningUntil = begin + 3000
    fleet.proxy.on(message, dropBefore)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { message: says, outcome } = yield* settle(cancel)
        assert.strictEqual(outcome, "unknown")
        assert.include(says, "seen idle")
        assert.deepStrictEqual(fleet.row.agent.keys, [])
      })
    )
  })
})

describe.concurrent("history", () => {
  for (const order of ["oldest", "newest"]) {
    it.effect(`is newest first though Coder lists the ${order} first, over offsets, without control characters`, () => {
      const fleet = fleetWith()
      const reports = [
        { state: "working", message: "first", at: begin - 3000 },
        { state: "idle", message: "", at: begin - 2000 },
        { state: "working", message: "third\u001b[0m", at: begin - 1000 }
      ]
      fleet.row.reports.push(...(order === "oldest" ? reports : reports.toReversed()))
      const local = new Date(begin - 2000 + 5 * 3_600_000).toISOString().replace("Z", "+05:00")
      fleet.coder.patch = (workspace) =>
        JSON.parse(
          JSON.stringify(workspace).replaceAll(new Date(begin - 2000).toISOString(), local)
        ) as typeof workspace
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const page = yield* settle(history({ page: 1, page_size: 2 }))
          assert.deepStrictEqual(
            page.items.map((one) => one.message),
            ["third", ""]
          )
          assert.deepInclude(page, { total_count: 3, has_next_page: true, has_previous_page: false })
          const rest = yield* settle(history({ page: 2, page_size: 2 }))
          assert.deepStrictEqual(
            rest.items.map((one) => one.message),
            ["first"]
          )
          assert.deepInclude(rest, { has_next_page: false, has_previous_page: true })
        })
      )
    })
  }

  it.effect("reports of one moment keep one order, page after page", () => {
    const fleet = fleetWith()
    for (let index = 0; index < 7; index++)
      fleet.row.reports.push({ state: "idle", message: `${index}`, at: begin - 1 })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const all = yield* settle(history({ page: 1, page_size: 100 }))
        const paged = yield* Effect.forEach([1, 2, 3, 4], (page) => settle(history({ page, page_size: 2 })))
        assert.deepStrictEqual(
          paged.flatMap(({ items }) => items.map(({ id }) => id)),
          all.items.map(({ id }) => id)
        )
      })
    )
  })

  it.effect("empty: one empty page; a page beyond it does not exist", () => {
    const fleet = fleetWith()
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { note, ...page } = yield* settle(history({ page: 1, page_size: 10 }))
        assert.deepInclude(page, { total_count: 0, has_next_page: false })
        assert.include(note, "No report exists")
        const error = yield* failure(history({ page: 2, page_size: 10 }))
        assert.strictEqual(error._tag, "PageOutOfRange")
        assert.include(error.message, "from 1 to 1")
      })
    )
  })
})

describe.concurrent("history without reports", () => {
  const said = (count: number) => {
    const fleet = fleetWith()
    const { messages } = fleet.row.agent
    for (let id = 1; id <= 2 * count; id += 2) {
      const time = new Date(begin + id).toISOString()
      messages.push({ id, role: "user", content: `task ${id}`, time })
      messages.push({ id: id + 1, role: "agent", content: answerScreen, time })
    }
    return fleet
  }

  it.effect("tells the tasks of the conversation, newest first, in pages, and that no reports exist", () => {
    const fleet = said(3)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const all = yield* settle(history({ page: 1, page_size: 10 }))
        assert.deepStrictEqual(
          all.items.map(({ message: text, state }) => [state, text]),
          [
            ["task", "task 5"],
            ["task", "task 3"],
            ["task", "task 1"]
          ]
        )
        assert.include(all.note, "No report exists since the latest start")
        assert.deepInclude(all.items[0], {
          id: "message-5",
          workspace_id: fleet.row.id,
          agent_id: `agent-of-${fleet.row.id}`,
          app_id: `app-of-${fleet.row.id}`
        })
        const paged = yield* Effect.forEach([1, 2, 3], (page) => settle(history({ page, page_size: 1 })))
        assert.deepStrictEqual(
          paged.flatMap(({ items }) => items),
          all.items
        )
      })
    )
  })

  it.effect("one report is enough to leave the conversation alone", () => {
    const fleet = said(2)
    fleet.row.reports.push({ state: "working", message: "Fixing", at: begin - 1 })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { items, note } = yield* settle(history({ page: 1, page_size: 10 }))
        assert.deepStrictEqual([items.map((one) => one.message), note], [["Fixing"], ""])
        assert.lengthOf(fleet.proxy.asked(/\/@/), 0)
      })
    )
  })

  for (const [what, change, words] of [
    ["stopped", ({ coder, row }) => coder.build(row, "stop", begin - 5000), "the agent is stopped"],
    ["silent", ({ proxy }) => proxy.on(/\/@/, hangBefore), "AgentAPI did not answer in time"],
    ["gone between two looks", ({ proxy }) => proxy.on(/messages$/, answer(html(502))), "nothing listens"]
  ] as ReadonlyArray<readonly [string, (fleet: ReturnType<typeof fleetWith>) => unknown, string]>) {
    it.effect(`an agent that is ${what}: empty, with the reason`, () => {
      const fleet = said(1)
      change(fleet)
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const { items, note } = yield* settle(history({ page: 1, page_size: 10 }))
          assert.lengthOf(items, 0)
          assert.include(note, words)
        })
      )
    })
  }
})

describe.concurrent("a screen that is not recognised", () => {
  const odd = (content: string, prompted: boolean) => {
    const fleet = fleetWith()
    const time = "2026-01-01T00:00:00Z"
    const { messages } = fleet.row.agent
    if (prompted) messages.push({ id: 1, role: "user", content: "Fix it", time })
    else messages.length = 0
    messages.push({ id: prompted ? 2 : 0, role: "agent", content, time })
    return fleet
  }
  const show = Effect.flatMap(AgentService, (agents) => agents.show("bot-1"))

  it.effect("in a turn: unknown, nothing is sent; one Escape that moves nothing lets the next task through", () => {
    const fleet = odd("Something that nobody has seen\nyet", true)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        assert.strictEqual((yield* settle(show)).status, "unknown")
        const refusedNow = yield* failure(start())
        assert.strictEqual(refusedNow._tag, "AgentNotIdle")
        assert.include(tell(refusedNow).message, "terminal")
        assert.lengthOf(fleet.proxy.mutations, 0)
        const canceled = yield* settle(cancel)
        assert.deepStrictEqual([canceled.outcome, canceled.next], ["unknown", ["start_task"]])
        assert.deepStrictEqual(fleet.row.agent.keys, ["\u001b"])
        assert.strictEqual((yield* settle(start("Next"))).outcome, "applied")
      })
    )
  })

  for (const [what, content, prompted] of [
    ["at the start", "Something that nobody has seen", false],
    ["that speaks of trust, in a turn", "Quick safety check\nof this folder", true]
  ] as const) {
    it.effect(`${what}: no key is pressed, and a person is sent to the terminal`, () => {
      const fleet = odd(content, prompted)
      return inFleet(
        fleet,
        Effect.gen(function* () {
          assert.strictEqual((yield* settle(show)).status, "unknown")
          for (const error of [yield* failure(start()), yield* failure(cancel)]) {
            assert.include(tell(error).message, "terminal")
            assert.include(tell(error).message, "restart_agent")
          }
          assert.lengthOf(fleet.proxy.mutations, 0)
        })
      )
    })
  }
})

describe.concurrent("a dialogue on the screen", () => {
  const olderPrompts = olderPermission.filter(({ role }) => role === "user").map(({ content }) => content)
  const asking = (messages: ReadonlyArray<Message>) => {
    const fleet = fleetWith()
    fleet.row.agent.messages = messages.map((one) => ({ ...one }))
    return fleet
  }
  const show = Effect.flatMap(AgentService, (agents) => agents.show("bot-1"))
  /** The dialogue goes, and the agent waits for input. */
  const dismissed: (fleet: ReturnType<typeof asking>) => Fault =
    ({ row }) =>
    (forward) =>
      Effect.tap(forward, () => {
        const last = row.agent.messages.at(-1)
        if (last !== undefined) last.content = answerScreen
      })

  for (const [what, messages] of [
    ["that is certain", writePermission],
    ["of an older version", olderPermission],
    ["at the start", trust]
  ] as const) {
    it.effect(`${what}: the agent is waiting, a task is refused with what is asked, and nothing is sent`, () => {
      const fleet = asking(messages)
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const { evidence, status } = yield* settle(show)
          assert.strictEqual(status, "waiting")
          assert.match(evidence.detail, /its screen (perhaps )?asks/)
          const error = yield* failure(start())
          assert.strictEqual(error._tag, "AgentNotIdle")
          assert.include(error.message, evidence.detail.slice(0, 60))
          assert.deepStrictEqual(fleet.proxy.mutations, [])
          assert.deepStrictEqual(fleet.row.agent.keys, [])
        })
      )
    })
  }

  it.effect("is refused by one Escape, which is seen to have worked; then a task is taken", () => {
    const fleet = asking(writePermission)
    fleet.proxy.on(message, dismissed(fleet), 1)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { message, outcome } = yield* settle(cancel)
        assert.strictEqual(outcome, "applied", message)
        assert.deepStrictEqual(fleet.row.agent.keys, ["\u001b"])
        assert.strictEqual((yield* settle(start())).outcome, "applied")
      })
    )
  })

  it.effect("that one Escape does not move: told as still there, no second Escape", () => {
    const fleet = asking(writePermission)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { message, outcome } = yield* settle(cancel)
        assert.strictEqual(outcome, "unknown")
        assert.include(message, "still waits")
        assert.deepStrictEqual(fleet.row.agent.keys, ["\u001b"])
        assert.strictEqual((yield* failure(start()))._tag, "AgentNotIdle")
      })
    )
  })

  it.effect("that is uncertain, and that one Escape does not move, locks nobody out", () => {
    const fleet = asking(olderPermission)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        assert.strictEqual((yield* failure(start()))._tag, "AgentNotIdle")
        assert.strictEqual((yield* settle(cancel)).outcome, "unknown")
        assert.deepStrictEqual(fleet.row.agent.keys, ["\u001b"])
        assert.strictEqual((yield* settle(show)).status, "idle")
        assert.strictEqual((yield* settle(start())).outcome, "applied")
      })
    )
  })

  it.effect("that is uncertain, and was not looked at after the Escape, is not taken for old", () => {
    const fleet = asking(olderPermission)
    let escaped = false
    fleet.proxy.on(message, (forward) =>
      Effect.tap(forward, () => {
        escaped = true
      })
    )
    fleet.proxy.on(/^GET .*\/(status|messages)$/, (forward) => Effect.suspend(() => (escaped ? Effect.never : forward)))
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { message, outcome } = yield* settle(cancel)
        assert.strictEqual(outcome, "unknown")
        assert.include(message, "was not seen")
        escaped = false
        assert.strictEqual((yield* failure(start()))._tag, "AgentNotIdle")
        assert.deepStrictEqual(fleet.coder.prompts("bot-1"), olderPrompts)
      })
    )
  })

  it.effect("that two refuse at once gets one Escape: the second looks at what the first left", () => {
    const fleet = asking(writePermission)
    fleet.proxy.on(message, dismissed(fleet))
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const [one, other] = yield* settle(Effect.all([Effect.exit(cancel), Effect.exit(cancel)], { concurrency: 2 }))
        assert.deepStrictEqual([one, other].filter(Exit.isSuccess).length, 1)
        assert.deepStrictEqual(fleet.row.agent.keys, ["\u001b"])
      })
    )
  })

  it.effect("that Escape would end the agent with: nothing is sent", () => {
    const fleet = asking(trust)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const error = yield* failure(cancel)
        assert.strictEqual(error._tag, "DialogueNotRefusable")
        assert.deepStrictEqual(fleet.row.agent.keys, [])
      })
    )
  })
})

describe.concurrent("what comes before an agent can take a task", () => {
  it.effect("a blank screen: starting, and nothing is sent", () => {
    const fleet = fleetWith()
    fleet.row.agent.messages = [{ id: 0, role: "agent", content: " \n ", time: "2026-01-01T00:00:00Z" }]
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const error = yield* failure(start())
        assert.deepStrictEqual([error._tag, "status" in error ? error.status : ""], ["AgentNotIdle", "starting"])
        assert.deepStrictEqual(fleet.proxy.mutations, [])
      })
    )
  })

  it.effect("its first task, which is not in the conversation yet: starting, for two minutes", () => {
    const fleet = makeFleet({ buildMillis: { start: 0 }, firstTaskMillis: Infinity })
    const create = Effect.flatMap(AgentService, (agents) =>
      agents.create({ name: "bot-1", project: "claude-code", task: "Fix it" })
    )
    return inFleet(
      fleet,
      Effect.gen(function* () {
        yield* settle(create)
        const before = fleet.proxy.mutations.length
        const error = yield* failure(start("another"))
        assert.deepStrictEqual([error._tag, "status" in error ? error.status : ""], ["AgentNotIdle", "starting"])
        assert.include(error.message, "first task was not taken yet")
        assert.strictEqual(fleet.proxy.mutations.length, before)
        yield* TestClock.adjust("3 minutes")
        assert.strictEqual((yield* settle(start("another"))).outcome, "applied")
      })
    )
  })

  it.effect("a report says working while it waits for input: the task is taken", () => {
    const fleet = fleetWith()
    fleet.row.reports.push({ state: "working", message: "m", at: begin - 1 })
    return inFleet(
      fleet,
      Effect.map(settle(start()), ({ outcome }) => assert.strictEqual(outcome, "applied"))
    )
  })

  it.effect("a question in its report: waiting for a person, whose answer is taken as a task", () => {
    const fleet = fleetWith()
    fleet.row.reports.push({ state: "working", message: "Which?", at: begin - 1, needs_user_attention: true })
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const show = Effect.flatMap(AgentService, (agents) => agents.show("bot-1"))
        const { evidence, status } = yield* settle(show)
        assert.strictEqual(status, "waiting")
        assert.include(evidence.detail, "Which?")
        assert.strictEqual((yield* settle(start("The first"))).outcome, "applied")
        yield* TestClock.adjust("5 minutes")
        assert.strictEqual((yield* settle(show)).status, "idle")
      })
    )
  })

  it.effect("a prompt that AgentAPI recorded and the agent never worked on: unknown", () => {
    const fleet = fleetWith()
    fleet.proxy.on(message, (forward) =>
      Effect.tap(forward, () => {
        fleet.row.agent.runningUntil = 0
        fleet.row.agent.messages.pop()
      })
    )
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { message, outcome } = yield* settle(start())
        assert.strictEqual(outcome, "unknown", message)
      })
    )
  })
})

describe.concurrent("log", () => {
  it.effect("is newest first, says who spoke, without control characters", () => {
    const fleet = fleetWith()
    fleet.row.agent.messages = Array.from({ length: 5 }, (_, id) => ({
      id,
      role: id % 2 === 0 ? ("agent" as const) : ("user" as const),
      content: `m${id}\u001b[2J\r\n─`,
      time: "2026-01-01T00:00:00.123456789+02:00"
    }))
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { items } = yield* settle(log({ page: 1, page_size: 3 }))
        assert.deepStrictEqual(
          items.map(({ content, id, type }) => [id, type, content]),
          [
            [4, "output", "m4\n─"],
            [3, "input", "m3\n─"],
            [2, "output", "m2\n─"]
          ]
        )
        const error = yield* failure(log({ page: 3, page_size: 3 }))
        assert.strictEqual(error._tag, "PageOutOfRange")
        const { items: one, ...paging } = yield* settle(log({ message_id: 3 }))
        assert.deepStrictEqual(
          one.map(({ id }) => id),
          [3]
        )
        assert.deepInclude(paging, { page: 2, page_size: 1, total_count: 5, has_next_page: true })
        const missing = yield* failure(log({ message_id: 7 }))
        assert.strictEqual(missing._tag, "MessageNotFound")
        assert.include(missing.message, "from 0 to 4")
      })
    )
  })

  it.effect("no control character of any message gets through", () => {
    const fleet = fleetWith()
    const texts = FastCheck.sample(FastCheck.string({ unit: "binary", maxLength: 200 }), { numRuns: 90, seed: 1 })
    fleet.row.agent.messages = texts.map((content, id) => ({ id, role: "agent", content, time: "" }))
    return inFleet(
      fleet,
      Effect.map(settle(log({ page: 1, page_size: 100 })), ({ items }) => {
        // oxlint-disable-next-line no-control-regex
        for (const { content } of items) assert.notMatch(content, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/)
      })
    )
  })

  for (const [what, fault, tag] of [
    ["expired token", answer(html(303, { location: "/login" })), "CoderUnauthorized"],
    ["nothing listens", answer(html(502)), "AgentUnreachable"],
    ["another shape", answer(json(200, { messages: { id: "0" } })), "AgentUnreachable"],
    ["silence", hangBefore, "AgentUnreachable"]
  ] as const) {
    it.effect(`${what}: ${tag}, within 30 s`, () => {
      const fleet = fleetWith()
      fleet.proxy.on(/messages$/, fault)
      return inFleet(
        fleet,
        Effect.gen(function* () {
          const { exit, took } = yield* elapse(Effect.flip(log({ page: 1, page_size: 10 })))
          assert.strictEqual((yield* exit)._tag, tag)
          assert.isAtMost(took, 30_000)
        })
      )
    })
  }
})
