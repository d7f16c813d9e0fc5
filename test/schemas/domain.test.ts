import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, DateTime, Either, FastCheck, ParseResult, Schema } from "effect"
import { Agent, AgentName, AgentStatus, AgentView, Evidence } from "../../src/schemas/Agent.ts"
import { LogEntry } from "../../src/schemas/Conversation.ts"
import * as AgentErrors from "../../src/schemas/errors/Agent.ts"
import * as CoderErrors from "../../src/schemas/errors/Coder.ts"
import * as ProjectErrors from "../../src/schemas/errors/Project.ts"
import * as TaskErrors from "../../src/schemas/errors/Task.ts"
import { fleetTools } from "../../src/tools/FleetTools.ts"
import { tell } from "../../src/tools/Messages.ts"
import type { FleetError } from "../../src/schemas/errors/FleetError.ts"
import { Outcome } from "../../src/schemas/Outcome.ts"
import { pageCount, paginate } from "../../src/schemas/Pagination.ts"
import { Project } from "../../src/schemas/Project.ts"
import { Role } from "../../src/schemas/Role.ts"
import { Task } from "../../src/schemas/Task.ts"
import { issuePathTexts } from "../../src/schemas/coder/issuePaths.ts"
import { Segment } from "../../src/schemas/coder/Segment.ts"
import { Presets } from "../../src/schemas/coder/Templates.ts"
import { Unreadable } from "../../src/schemas/coder/elements.ts"
import { WorkspacePage } from "../../src/schemas/coder/Workspaces.ts"

const Errors = { ...AgentErrors, ...CoderErrors, ...ProjectErrors, ...TaskErrors }

const check = <A>(arbitrary: FastCheck.Arbitrary<A>, test: (value: A) => void, numRuns = 300) =>
  FastCheck.assert(FastCheck.property(arbitrary, test), { numRuns })

const anyText = FastCheck.string({ unit: "binary", maxLength: 80 })
const toolNames = new RegExp(fleetTools.map(({ name }) => name).join("|"))
// oxlint-disable-next-line no-control-regex
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/

describe("round trips", () => {
  const schemas: ReadonlyArray<readonly [string, Schema.Schema.AnyNoContext]> = [
    ["Agent", Agent],
    ["AgentView", AgentView],
    ["Evidence", Evidence],
    ["LogEntry", LogEntry],
    ["Project", Project],
    ["Role", Role],
    ["Task", Task],
    ["Outcome", Outcome]
  ]
  for (const [name, schema] of schemas) {
    it(`${name}, over JSON`, () => {
      const encode = Schema.encodeSync(schema)
      check(
        Arbitrary.make(schema),
        (value) => {
          const encoded: unknown = encode(value)
          const wire = JSON.stringify(encoded, (_, inner: unknown) => {
            FastCheck.pre(typeof inner !== "number" || Number.isFinite(inner))
            return inner
          })
          const decoded: unknown = Schema.decodeUnknownSync(schema)(JSON.parse(wire))
          assert.strictEqual(JSON.stringify(encode(decoded)), wire)
        },
        100
      )
    })
  }
})

describe("AgentName", () => {
  const is = Schema.is(AgentName)

  it("every name made of allowed parts is one", () => {
    check(FastCheck.stringMatching(/^[a-zA-Z0-9]{1,6}(-[a-zA-Z0-9]{1,6}){0,3}$/), (name) => {
      assert.strictEqual(is(name), name.length <= 32 && name !== "new" && name !== "create")
    })
  })

  it("no name with anything else is one", () => {
    check(FastCheck.tuple(anyText, anyText), ([a, b]) => {
      for (const bad of ["_", ".", "/", " ", "\n", "--", "é", "１", "\u202e", "\u0000"]) assert.isFalse(is(a + bad + b))
    })
  })

  for (const [name, allowed] of [
    ["a", true],
    ["A-1", true],
    ["New", true],
    ["CREATE", true],
    ["x".repeat(32), true],
    ["x".repeat(33), false],
    ["new", false],
    ["create", false],
    ["", false],
    ["-a", false],
    ["a-", false],
    ["a--b", false],
    ["a\n", false]
  ] as const) {
    it(`${JSON.stringify(name)}: ${allowed}`, () => assert.strictEqual(is(name), allowed))
  }
})

describe("Pagination", () => {
  const request = FastCheck.record({
    items: FastCheck.array(FastCheck.nat(), { maxLength: 250 }),
    page_size: FastCheck.integer({ min: 1, max: 100 })
  })

  it("the pages together are the list, in its order", () => {
    check(request, ({ items, page_size }) => {
      const pages = Array.from({ length: pageCount(items.length, page_size) }, (_, index) =>
        paginate(items, { page: index + 1, page_size })
      )
      assert.deepStrictEqual(
        pages.flatMap((page) => page.items),
        items
      )
      for (const [index, page] of pages.entries()) {
        assert.strictEqual(page.page, index + 1)
        assert.strictEqual(page.total_count, items.length)
        assert.isAtMost(page.items.length, page_size)
        assert.strictEqual(page.has_previous_page, index > 0)
        assert.strictEqual(page.has_next_page, index < pages.length - 1)
        if (page.has_next_page) assert.strictEqual(page.items.length, page_size)
      }
    })
  })

  it("an empty list has one empty page", () => {
    assert.strictEqual(pageCount(0, 10), 1)
    assert.deepInclude(paginate([], { page: 1, page_size: 10 }), { has_next_page: false, has_previous_page: false })
  })
})

describe("Segment", () => {
  it("is one segment of a path, which decodes to the same", () => {
    check(
      anyText,
      (text) => {
        const encoded = Schema.encodeEither(Segment)(text)
        if (["", ".", ".."].includes(text)) return assert.isTrue(Either.isLeft(encoded))
        if (Either.isLeft(encoded)) return assert.throws(() => encodeURIComponent(text))
        const { origin, pathname } = new URL(`http://host.test/a/${encoded.right}/b`)
        assert.strictEqual(origin, "http://host.test")
        assert.strictEqual(pathname.split("/").length, 4, text)
        assert.strictEqual(decodeURIComponent(pathname.split("/")[2] ?? ""), text)
      },
      2000
    )
  })
})

describe("wire", () => {
  it("presets may be null, both ways", () => {
    assert.deepStrictEqual(Schema.decodeUnknownSync(Presets)(null), [])
    assert.strictEqual(Schema.encodeSync(Presets)([]), null)
  })

  it("any element of a list is read or marked, never lost", () => {
    check(FastCheck.array(FastCheck.jsonValue(), { maxLength: 10 }), (elements) => {
      const { workspaces } = Schema.decodeUnknownSync(WorkspacePage)({ workspaces: elements, count: 1 })
      assert.strictEqual(workspaces.length, elements.length)
      assert.isTrue(workspaces.every(Schema.is(Unreadable)))
    })
  })

  it("the places of a fault never quote a value, however deep it is", () => {
    let deep: unknown = "SECRET"
    for (let depth = 0; depth < 50_000; depth++) deep = [deep]
    for (const value of [deep, "SECRET", { a: { b: deep } }, { a: { b: ["x", { SECRET: 1 }] } }]) {
      const schema = Schema.Struct({ a: Schema.Struct({ b: Schema.Array(Schema.NonEmptyTrimmedString) }) })
      const found = ParseResult.decodeUnknownEither(schema, { errors: "all" })(value)
      assert.isTrue(Either.isLeft(found))
      if (Either.isLeft(found)) assert.notInclude(issuePathTexts(found.left).join(), "SECRET")
    }
    const one = ParseResult.decodeUnknownEither(Schema.Struct({ a: Schema.Array(Schema.Struct({ b: Schema.Number })) }))
    const found = one({ a: [{ b: 1 }, { b: "x" }] })
    assert.deepStrictEqual(Either.isLeft(found) ? issuePathTexts(found.left) : [], ["a.1.b"])
  })
})

describe("errors", () => {
  const evidence: Evidence = {
    source: "build",
    detail: "build 3 (start) is failed",
    observed_at: DateTime.unsafeMake(0)
  }
  const failed = {
    agent_name: "bot-1",
    build_number: 1,
    build_status: "failed",
    reason: "oh",
    log: [],
    status_afterwards: null
  }
  const agent_name = "bot-1"
  const notIdle = (status: AgentStatus) => new Errors.AgentNotIdle({ agent_name, status, evidence })

  /** Each error with what its message must say: what was wrong, what is allowed, what to do next. */
  const cases: ReadonlyArray<readonly [FleetError, ReadonlyArray<string>]> = [
    [new Errors.InvalidAgentName({ agent_name: "a_b" }), ['"a_b"', "1 to 32", "hyphens", "Example: fix-login-2"]],
    [new Errors.AgentNotFound({ agent_name }), ['"bot-1"', "list_agents"]],
    [new Errors.AgentNameTaken({ agent_name, build_status: "running" }), ["running", "show_agent", "another name"]],
    [new Errors.AgentNameTaken({ agent_name, build_status: "deleting" }), ["still being deleted", "show_agent"]],
    [new Errors.AgentNameTaken({ agent_name, build_status: null }), ["not visible", "show_agent"]],
    [
      new Errors.NotAnAgent({ agent_name, template_name: "personal" }),
      ['"personal"', "not touched", "FLEET_MCP_PROJECTS"]
    ],
    [new Errors.NotYourAgent({ agent_name, owner_name: "eve" }), ["eve", "not touched", "list_agents"]],
    [new Errors.AgentUnreadable({ agent_name, reason: "at: id" }), ["at: id", "Nothing was done", "dashboard"]],
    [
      new Errors.ProjectNotFound({ project: "x", available: ["a", "b"], note: "Left out: c." }),
      ["a, b", "Left out: c.", "list_agent_projects"]
    ],
    [new Errors.ProjectNotFound({ project: "x", available: [], note: "" }), ["none", "list_agent_projects"]],
    [
      new Errors.ProjectAmbiguous({ project: "x", candidates: ["o/x", "p/x"] }),
      ["o/x, p/x", "Pass one of these", "list_agent_projects"]
    ],
    [
      new Errors.RoleNotFound({ role: "r", project: "p", available: ["a"], note: "n" }),
      ['"r"', "a", "n", "list_agent_roles"]
    ],
    [
      new Errors.RoleSetsPrompt({ role: "r", project: "p", parameter: "AI Prompt" }),
      ['"AI Prompt"', "Nothing was created", "list_agent_roles"]
    ],
    [
      new Errors.UnknownFilterValue({ filter: "status_filter", value: "x", allowed: ["idle", "busy"] }),
      ["status_filter", '"x"', "idle, busy"]
    ],
    [new Errors.InvalidTask({ reason: "empty", bytes: 0, max_bytes: 9 }), ["empty", "Nothing was sent", "Say what"]],
    [
      new Errors.InvalidTask({ reason: "too_large", bytes: 10, max_bytes: 9 }),
      ["10 bytes", "at most 9", "file of the repository"]
    ],
    [notIdle("busy"), ["is busy", "not idle", "Nothing was sent", "cancel_agent_task"]],
    ...(["stopped", "failed", "interrupted", "offline", "canceled"] as const).map(
      (status) => [notIdle(status), ["restart_agent"]] as const
    ),
    [notIdle("waiting"), ["waiting", "person", "cancel_agent_task"]],
    [notIdle("unknown"), ["terminal", "cancel_agent_task", "restart_agent"]],
    ...(["starting", "degraded"] as const).map((status) => [notIdle(status), ["show_agent"]] as const),
    [
      new Errors.AgentNotBusy({ agent_name, status: "idle", evidence }),
      ["is idle", "nothing to cancel", "show_agent_task_history"]
    ],
    [
      new Errors.DialogueNotRefusable({ agent_name, dialogue: "trust", text: "Trust this folder?", ends_agent: true }),
      ["trust", "Trust this folder?", "Nothing was sent", "end the agent", "restart_agent"]
    ],
    [
      new Errors.InterruptNotSupported({ agent_name, transport: "acp" }),
      ['"acp"', "Nothing was sent", "restart_agent"]
    ],
    [
      new Errors.BuildInTheWay({ agent_name, build_number: 4, transition: "stop", build_status: "stopping" }),
      ["Build 4", "stop, stopping", "show_agent"]
    ],
    [
      new Errors.BuildFailed({
        ...failed,
        transition: "start",
        log: ["Error: no capacity"],
        status_afterwards: "failed"
      }),
      ["start build 1", "oh", "no capacity", "showed its workspace as failed", "restart_agent", "delete_agent"]
    ],
    [
      new Errors.AgentNotRunning({ agent_name, build_number: 4 }),
      ["stopped already (build 4)", "nothing to stop", "Nothing was sent", "restart_agent"]
    ],
    [new Errors.BuildFailed({ ...failed, transition: "delete" }), ["delete build 1", "oh", "is mended"]],
    [
      new Errors.RestartIncomplete({
        agent_name,
        build_number: 4,
        build_status: "stopping",
        reason: "Coder refused.",
        next: ["ask_administrator", "restart_agent"],
        outcome: "applied"
      }),
      ["stop build 4", "no start was sent or taken: Coder refused.", "administrator", "restart_agent goes on"]
    ],
    [new Errors.AgentUnreachable({ agent_name, reason: "gone" }), ["gone", "show_agent", "restart_agent"]],
    [
      new Errors.AgentUnreachable({ agent_name, reason: "16 MB", too_large: true }),
      ["more to say than can be read: 16 MB", "in its terminal", "restart_agent begins a new conversation"]
    ],
    [new Errors.AgentRefused({ agent_name, reason: "no" }), ["no", "show_agent"]],
    [
      new Errors.MessageNotFound({ agent_name: "a", message_id: 9, oldest: 0, newest: 3 }),
      ["message 9", "from 0 to 3"]
    ],
    [new Errors.PageOutOfRange({ page: 9, pages: 3 }), ["page 9", "from 1 to 3"]],
    [
      new Errors.BackendNotConfigured({ problem: "No token.", remedy: "Set CODER_SESSION_TOKEN." }),
      ["No token.", "Set CODER_SESSION_TOKEN."]
    ],
    [new Errors.CoderUnauthorized({ detail: "expired." }), ["expired.", "coder tokens create", "CODER_SESSION_TOKEN"]],
    [new Errors.CoderForbidden({ action: "delete", detail: "no." }), ["delete", "no.", "administrator"]],
    [new Errors.CoderRateLimited({ retry_after_ms: 1500 }), ["nothing was carried out", "2 s"]],
    [
      new Errors.CoderUnavailable({ action: "list", reason: "down", request_id: "id-7", fault: "no_answer" }),
      ["list", "down", "id-7", "CODER_URL"]
    ],
    [
      new Errors.CoderUnavailable({ action: "list", reason: "oops", fault: "answer", request_id: null }),
      ["list", "oops", "Coder itself answered"]
    ],
    [
      new Errors.CoderRejected({ action: "create", status: 400, reason: "bad", request_id: "id-7" }),
      ["create", "400", "bad", "id-7", "The request was not carried out"]
    ],
    ...(["applied", "not_applied", "unknown"] as const).map(
      (outcome) =>
        [
          new Errors.DeadlineExceeded({ action: "list", seconds: 30, outcome }),
          ["list", "30 s", "show_agent or list_agents"]
        ] as const
    )
  ]
  for (const [error, words] of cases) {
    it(`${error._tag}: ${error.message.slice(0, 60)}`, () => {
      const { _tag, message, outcome } = tell(error)
      for (const word of words) assert.include(message, word)
      assert.notMatch(message, controls)
      assert.deepStrictEqual([_tag, outcome], [error._tag, error.outcome])
      assert.isTrue(message.startsWith(error.message))
      assert.isAbove(error.next.length, 0)
      assert.notMatch(error.message, toolNames, "an embedder has no tools")
    })
  }

  it("every error class is above", () => {
    const classes = Object.entries(Errors).filter(
      ([, value]) => String(value).startsWith("class ") || Schema.isSchema(value)
    )
    assert.isAbove(classes.length, 20)
    const tested = new Set<string>(cases.map(([error]) => error._tag))
    assert.deepStrictEqual(
      classes.map(([name]) => name).filter((name) => !tested.has(name)),
      []
    )
  })

  it("a name in a message forges no line", () => {
    check(anyText, (text) => {
      for (const error of [
        new Errors.AgentNotFound({ agent_name: text }),
        new Errors.ProjectNotFound({ project: text, available: [], note: "" }),
        new Errors.UnknownFilterValue({ filter: "f", value: text, allowed: [] })
      ]) {
        assert.notInclude(error.message, "\n")
      }
    })
  })

  it("stays under 8,000 characters, and keeps what to call next", () => {
    const long = "x".repeat(100_000)
    const names = Array.from({ length: 1000 }, (_, index) => `project-${index}`)
    for (const [error, word] of [
      [new Errors.ProjectNotFound({ project: long, available: names, note: long }), "list_agent_projects"],
      [new Errors.BuildFailed({ ...failed, transition: "start", reason: long, log: names }), "restart_agent"],
      [new Errors.NotAnAgent({ agent_name, template_name: long }), "FLEET_MCP_PROJECTS"]
    ] as const) {
      const { _tag, message, outcome } = tell(error)
      assert.isAtMost(`${_tag}: ${message}\noutcome: ${outcome}`.length, 8000)
      assert.include(message, word)
    }
  })

  it("tells nothing changed for all but what came after a change, or ran out of time", () => {
    const open = new Set<string>(["BuildFailed", "RestartIncomplete", "DeadlineExceeded"])
    for (const [error] of cases) {
      if (!open.has(error._tag)) assert.strictEqual(error.outcome, "not_applied", error._tag)
    }
  })
})
