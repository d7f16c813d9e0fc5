import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Predicate, Scope } from "effect"
import { CoderModel, type ModelBuild, type ModelVersion, type ModelWorkspace } from "../support/CoderModel.ts"
import { Program, program } from "../support/Program.ts"
import { answering, html, json, serve, type Answer, type Received } from "../support/ScriptedCoder.ts"
import { secrets } from "../support/Secrets.ts"

// How large the answers of all tools are over the built program, when what Coder and the agents say is huge. The
// program speaks to a Coder on a socket of the loopback; what that says stays in memory, and no file of the run gets it.

const MB = 1_000_000

/** A text of so many bytes, of lines some of whose characters JSON and tables escape. */
const bytes = (count: number, line = 'a "line" of C:\\text, all of it plain | more\n'): string =>
  line.repeat(Math.ceil(count / Buffer.byteLength(line)))

/** The same with characters of every width. */
const wide = (count: number): string => bytes(count, 'a "line" of C:\\text, 100 é and 😀 | more\n')

/** More than may be read of one thing (2 MiB); lists, logs and conversations may have it (16 MiB). */
const huge = bytes(10 * MB)
/** What one thing may have, and what it may have twice: the newest report of an agent is told twice. */
const large = wide(1.6 * MB)
const largeTwice = wide(0.7 * MB)
/** More than may be read of anything. */
const tooMuch = bytes(17 * MB)
/** What a client may send: a message has at most 4 MiB. */
const sent = wide(3 * MB)

/** The agent that all is about; 299 others are stopped, so that nobody asks them. */
const agent_name = "big"

/** What Coder shows of a workspace, as far as tests change parts of parts. */
interface Entry {
  readonly latest_build: { readonly resources: ReadonlyArray<object> }
}

const isEntry = (value: object): value is Entry =>
  Predicate.hasProperty(value, "latest_build") && Predicate.hasProperty(value.latest_build, "resources")

type Change = Answer | ((usual: Answer) => Answer)

/** A Coder with 300 agents and 300 projects, of whose answers a test changes some. */
class LargeCoder {
  readonly model = new CoderModel({ buildMillis: { start: 0, stop: 0, delete: 0 } })
  readonly #changes: Array<readonly [RegExp, Change]> = []

  constructor() {
    for (let index = 1; index < 300; index++) {
      this.model.build(this.model.add(`agent-${index}`), "stop", Date.UTC(2026, 0, 1))
      this.template(`project-${index}`, { display_name: `A project of the shop with a rather long name, ${index}` })
    }
    this.model.add(agent_name, { at: Date.now() - 600_000 })
  }

  get agent(): ModelWorkspace {
    return this.model.get(agent_name)
  }

  /** A template more, listed first. */
  template(name: string, more: object = {}): void {
    const [template] = this.model.templates
    if (template !== undefined) {
      this.model.templates.unshift({ ...template, id: `template-of-${name}`, name, display_name: "", ...more })
    }
  }

  /** A template with 300 presets, one of which has something else. */
  presets(template: string, one: object): void {
    const version = `version-${crypto.randomUUID()}`
    const presets = Array.from({ length: 300 }, (_, index) => ({
      ID: `preset-${index}`,
      Name: `a role with a rather long name, ${index}`
    }))
    const [first, ...others] = presets
    const all = [{ ...first, ...one }, ...others] as NonNullable<ModelVersion["presets"]>
    this.model.versions.set(version, { parameters: ["AI Prompt"], presets: all })
    this.template(template, { version })
    this.patch(({ latest_build }) => ({
      latest_build: { ...latest_build, template_version_id: version, template_version_preset_id: "preset-0" }
    }))
  }

  /** Changes how the agent is shown. */
  patch(change: (workspace: Entry) => object): void {
    this.model.patch = (workspace, { name }) =>
      name === agent_name && isEntry(workspace) ? { ...workspace, ...change(workspace) } : workspace
  }

  report(message: string, more: object = {}): void {
    this.agent.reports.push({ state: "working", message, at: Date.now(), ...more })
  }

  /** What is said in the conversation, in turns: to the agent first. */
  say(...contents: ReadonlyArray<string>): void {
    const { messages } = this.agent.agent
    for (const content of contents) {
      const id = messages.length
      messages.push({ id, role: id % 2 === 1 ? "user" : "agent", content, time: new Date().toISOString() })
    }
  }

  /** How all builds from now on end. */
  builds(more: Partial<Pick<ModelBuild, "result" | "error" | "log">>): void {
    const build = this.model.build.bind(this.model)
    this.model.build = (row, transition, at) => {
      const made = { ...build(row, transition, at, more), ...more }
      row.builds[row.builds.length - 1] = made
      return made
    }
  }

  /** Answers requests whose `METHOD /path` matches by something else. */
  on(pattern: RegExp, change: Change): void {
    this.#changes.unshift([pattern, change])
  }

  readonly handler = (request: Received): Answer => {
    const [, change] = this.#changes.find(([pattern]) => pattern.test(`${request.method} ${request.path}`)) ?? []
    if (change === undefined) return this.model.handler(request)
    return typeof change === "function" ? change(this.model.handler(request)) : change
  }
}

const problem = (text: string): Answer => ({
  status: 422,
  text: JSON.stringify({ title: text, status: 422, detail: text }),
  headers: { "content-type": "application/problem+json" }
})

const dialogue = (asks: string): string =>
  `${huge}\n${"─".repeat(80)}\n ${asks}\n   ${large.replaceAll("\n", " ")}\n❯ 1. Yes\n   2. No\n\nEsc to cancel`

const permission = dialogue("Do you want to proceed?")

/** A log of 10 MB, of which the last lines are long, too. */
const log = [huge, ...Array.from({ length: 20 }, () => bytes(100_000))]

const warnings = log.map((output, id) => ({ id, created_at: "", log_source: "", log_level: "warn", stage: "", output }))

interface Case {
  readonly what: string
  readonly arrange?: (coder: LargeCoder) => void
  readonly calls: ReadonlyArray<readonly [tool: string, args: object, says: RegExp]>
}

/** The agent's project is nobody else's. */
const ofAgent = { project_filter: "A project of the shop with a rather long name, 299" }
const me = { agent_name }
const create = { name: "new-one", project: "claude-code", task: "do it" }
const next = { agent_name, task_description: "next" }
const ready = { ...create, wait_ready: true }
const inHuge = { ...create, project: "huge" }

const listShort = /show_agent has whole what ends with …\.[^]*\nbig \| /
const tooLarge = /larger than (2097152|16777216) bytes\. It would be as large again: somebody has to shorten/
const noAgent = /^AgentNotFound: There is no agent ".{100,220}…"\. Call list_agents to see all agents\./
const moreProjects = /Projects: .* and \d+ more\. Call list_agent_projects for more\./
const cutReport = /\[cut: \d+ more characters: show_agent_task_history\]/
const cutScreen = /show_agent_log shows its screen\n/
const tooLong = /^AgentUnreachable: Agent "big" has more to say than can be read: .* restart_agent begins a new/
const shownName = /…/

/** A look at an agent has 0.75 s or 1.5 s: where the machine is too busy for so much text, the answer says that instead. */
const orLate = (says: RegExp): RegExp => new RegExp(`${says.source}|did not answer in time`, says.flags)

const ofLists: ReadonlyArray<Case> = [
  {
    what: "as they are",
    calls: [
      ["list_agents", {}, /^\d+ of 300 agents; \d+ more: list_agents with offset \d+\n/],
      ["list_agent_projects", {}, /^\d+ of 300 projects; \d+ more: list_agent_projects with offset \d+\n/],
      ["list_agent_roles", { project: "nope" }, moreProjects]
    ]
  },
  {
    what: "a report of 10 MB",
    arrange: (coder) => {
      coder.report(huge)
      // As the newest one alone, and not among those of its app.
      coder.patch(({ latest_build }) => ({
        latest_build: JSON.parse(
          JSON.stringify(latest_build, (key, value: unknown) => (key === "statuses" ? [] : value))
        )
      }))
    },
    calls: [["list_agents", ofAgent, listShort]]
  },
  {
    what: "a report of 10 MB, which is told twice",
    arrange: (coder) => coder.report(huge),
    calls: [
      ["list_agents", {}, tooLarge],
      ["show_agent", me, tooLarge],
      ["show_agent_task_history", me, tooLarge],
      ["restart_agent", me, tooLarge]
    ]
  },
  {
    what: "a report's state of 5 MB",
    arrange: (coder) => coder.report("", { state: bytes(5 * MB) }),
    calls: [["list_agents", ofAgent, listShort]]
  },
  {
    what: "a display name of 10 MB",
    arrange: (coder) => {
      coder.patch(() => ({ template_display_name: huge }))
      coder.template("huge", { display_name: huge })
    },
    calls: [
      ["list_agents", { project_filter: huge.slice(0, 1000) }, /^1 agent\n[^]*\nbig \| \w+ \| [^\n]*…[^\n]*$/],
      ["list_agent_projects", {}, /^\d\d+ of 301 projects; [^]*… \| huge \| coder/],
      ["create_agent", { ...create, project: "nope" }, moreProjects]
    ]
  },
  {
    what: "an entry that cannot be read, whose name has 10 MB",
    arrange: (coder) => coder.patch(() => ({ name: huge, latest_build: null })),
    calls: [["list_agents", { status_filter: "unknown" }, /… \| unknown \| unreadable: not in the shape/]]
  },
  {
    what: "a build's error of 10 MB",
    arrange: ({ agent, model }) => model.build(agent, "start", Date.now(), { result: "failed", error: huge }),
    calls: [
      ["list_agents", { status_filter: "failed" }, listShort],
      ["show_agent", me, tooLarge]
    ]
  },
  {
    what: "a screen of 10 MB",
    arrange: (coder) => coder.say("do it", huge),
    calls: [
      ["list_agents", ofAgent, orLate(listShort)],
      ["show_agent", me, orLate(cutScreen)],
      ["show_agent_log", me, /characters left out: show_agent_log with message_id 2, offset \d+\]/],
      ["show_agent_log", { ...me, message_id: 2, offset: 7 * MB }, /, 7000000 to \d+ of \d+ characters\n/]
    ]
  },
  {
    what: "an answer larger than any may be",
    arrange: (coder) => {
      coder.patch(() => ({ template_display_name: tooMuch }))
      coder.template("huge", { description: tooMuch })
    },
    calls: [
      ["list_agents", {}, tooLarge],
      ["list_agent_projects", {}, tooLarge]
    ]
  },
  {
    what: "an error of 10 MB",
    arrange: (coder) => coder.on(/^GET .*(workspaces|templates)$/, json(400, { message: huge })),
    calls: [
      ["list_agents", {}, /^CoderRejected: .*\[cut: \d+ more characters\]/s],
      ["list_agent_projects", {}, /^CoderRejected: .*\[cut: \d+ more characters\]/s]
    ]
  },
  {
    what: "a page of 10 MB that is not Coder's",
    arrange: (coder) => {
      const page = { ...html(200, { "content-type": `text/html; x=${"y".repeat(9000)}` }), text: huge }
      coder.on(/./, page)
    },
    calls: [["list_agents", {}, /^CoderUnavailable: .{1,260}\[cut: \d+ more characters\] instead of JSON\. Check that/]]
  },
  {
    what: "filters of 3 MB",
    calls: [
      [
        "list_agents",
        { status_filter: sent },
        /^UnknownFilterValue: .* does not exist\. Allowed: pending, .*deleted\.$/
      ],
      ["list_agents", { project_filter: sent }, /^No agent matches\./]
    ]
  },
  {
    what: "a project's description of 10 MB",
    arrange: (coder) => coder.template("huge", { description: huge }),
    calls: [["list_agent_projects", {}, /^\d\d+ of 301 projects; [^]*\nhuge \| .*\[cut: \d+ more characters\]\n/]]
  },
  {
    what: "an organization's name of 5 MB, which is told twice",
    arrange: (coder) => coder.template("huge", { organization_name: bytes(5 * MB) }),
    calls: [["list_agent_projects", {}, /^\d\d+ of 301 projects; [^]*\nhuge \| {2}\| a .*…/]]
  },
  {
    what: "a deprecated template whose message has 10 MB",
    arrange: (coder) => coder.template("huge", { deprecated: true, deprecation_message: huge }),
    calls: [["list_agent_projects", {}, /\nnote:\n {2}Left out: huge \([^]*\[cut: \d+ more characters\]\.\n/]]
  },
  {
    what: "a role's name of 1.6 MB",
    arrange: (coder) => coder.presets("huge", { Name: large }),
    calls: [
      ["list_agent_roles", { project: "huge" }, /\n\d\d+ of 300 roles; \d+ more: list_agent_roles with this project/],
      ["create_agent", { ...inHuge, role: "nope" }, /Roles: .* and \d+ more\. Call list_agent_roles for more\./],
      ["list_agents", ofAgent, shownName],
      ["show_agent", me, shownName]
    ]
  },
  {
    what: "a role's description of 1.6 MB",
    arrange: (coder) => coder.presets("huge", { Description: large }),
    calls: [["list_agent_roles", { project: "huge" }, /\n\d\d+ of 300 roles; [^]*\[cut: \d+ more characters\]\n/]]
  },
  {
    what: "a role's name of 10 MB",
    arrange: (coder) => coder.presets("huge", { Name: huge }),
    calls: [
      ["list_agent_roles", { project: "huge" }, /^ProjectNotFound: .*Left out: huge \(.* larger than 2097152 bytes/s],
      ["create_agent", inHuge, /^ProjectNotFound: .*Left out: huge \(.* larger than 2097152 bytes/s]
    ]
  }
]

const ofAgents: ReadonlyArray<Case> = [
  {
    what: "a name of 3 MB",
    calls: [
      ["show_agent", { agent_name: sent }, noAgent],
      ["delete_agent", { agent_name: sent }, noAgent],
      ["restart_agent", { agent_name: sent }, noAgent],
      ["start_agent_task", { ...next, agent_name: sent }, noAgent],
      ["cancel_agent_task", { agent_name: sent }, noAgent],
      ["show_agent_task_history", { agent_name: sent }, noAgent],
      ["show_agent_log", { agent_name: sent }, noAgent],
      ["list_agent_roles", { project: sent }, moreProjects],
      ["create_agent", { ...create, name: sent }, /^InvalidAgentName: .* A name has 1 to 32 /],
      ["create_agent", { ...create, project: sent }, moreProjects],
      ["create_agent", { ...create, role: sent }, /Roles: coder, reviewer\. Call list_agent_roles for more\./],
      [
        "create_agent",
        { ...create, wait_ready: sent },
        /^InvalidArguments: create_agent was not called\.\nwait_ready: /
      ],
      ["create_agent", { ...create, task: sent }, /^InvalidTask: .* at most 262144 are allowed\./]
    ]
  },
  {
    what: "a report of 0.7 MB, told twice",
    arrange: (coder) => coder.report(largeTwice),
    calls: [
      ["show_agent", me, cutReport],
      ["show_agent_task_history", me, /\[cut: \d+ more characters\]/],
      ["restart_agent", me, /^The agent was stopped and started/]
    ]
  },
  {
    what: "a report's state of 0.7 MB",
    arrange: (coder) => coder.report("", { state: largeTwice }),
    calls: [
      ["show_agent", me, shownName],
      ["show_agent_task_history", me, shownName]
    ]
  },
  {
    what: "a display name of 1.6 MB",
    arrange: (coder) => coder.patch(() => ({ template_display_name: large })),
    calls: [["show_agent", me, /\nproject:.*…\nrole: coder\n|\nproject:\n[^]*…\nrole: coder\n/]]
  },
  {
    what: "a build's error of 1.6 MB, and a log of 10 MB",
    arrange: (coder) => coder.builds({ result: "failed", error: large, log }),
    calls: [
      ["delete_agent", me, /^BuildFailed: [^]*\[cut: [^]*delete_agent goes on; [^]*\noutcome: applied$/],
      ["show_agent", me, /^big: failed\n[^]*\[cut: \d+ more characters\]\n/],
      ["restart_agent", me, /^BuildFailed: [^]*\[cut: [^]*restart_agent builds it again; [^]*\noutcome: applied$/],
      ["create_agent", ready, /^BuildFailed: [^]*\[cut: [^]*restart_agent builds it again; [^]*\noutcome: applied$/]
    ]
  },
  {
    what: "a build's log of 10 MB",
    arrange: (coder) => coder.builds({ log }),
    calls: [["delete_agent", me, /^The agent and its workspace are deleted\.\n[^]*\[cut: \d+ more characters\]/]]
  },
  {
    what: "warnings of 10 MB",
    arrange: (coder) => coder.on(/logs$/, json(200, warnings)),
    calls: [
      ["create_agent", ready, /^Agent new-one was created [^]*\[cut: \d+ more characters\][^]*\noutcome: applied/]
    ]
  },
  {
    what: "a refusal of 10 MB",
    arrange: (coder) => coder.on(/^POST .*(workspaces|builds)$/, json(400, { message: huge })),
    calls: [
      ["create_agent", create, /^CoderRejected: .*\noutcome: not_applied$/s],
      ["delete_agent", me, /^CoderRejected: .*\noutcome: not_applied$/s],
      ["restart_agent", me, /^CoderRejected: .*\noutcome: not_applied$/s]
    ]
  },
  {
    what: "a refusal with messages of 0.7 MB and 10,000 complaints",
    arrange: (coder) => {
      const validations = Array.from({ length: 10_000 }, () => ({ field: "name", detail: "is not allowed" }))
      const refused = json(400, { message: bytes(300_000), detail: bytes(300_000), validations })
      coder.on(/^(POST .*(workspaces|builds)|GET .*workspace\/big)$/, refused)
    },
    calls: [
      [
        "create_agent",
        create,
        /^CoderRejected: [^]* 9995 more\. The request was not carried out\..*\noutcome: not_applied$/
      ],
      ["show_agent", me, /^CoderRejected: [^]* 9995 more\. The request was not carried out\./]
    ]
  },
  {
    what: "a task of 200 KB",
    calls: [
      ["start_agent_task", { ...next, task_description: bytes(200_000) }, /\d+ characters left out/],
      ["create_agent", { ...create, task: bytes(200_000) }, /^Agent new-one was created /],
      ["show_agent_task_history", me, /show_agent_log has whole what is cut\./]
    ]
  },
  {
    what: "a dialogue of 10 MB",
    arrange: (coder) => {
      coder.say("do it", permission)
      coder.on(/^POST .*message$/, (usual) => {
        coder.agent.agent.messages.splice(2, 1)
        coder.say("● Done.")
        return usual
      })
    },
    calls: [
      ["show_agent", me, orLate(/^big: waiting\n[^]*show_agent_log shows its screen\n/)],
      ["start_agent_task", next, /^AgentNotIdle: .*, not idle\. Nothing was sent\. .*\noutcome: not_applied$/s],
      ["cancel_agent_task", me, /^One Escape was sent, and what its screen showed is gone: /]
    ]
  },
  {
    what: "a dialogue of the start of 10 MB, which no key may answer",
    arrange: ({ agent }) => {
      const time = new Date().toISOString()
      agent.agent.messages = [{ id: 0, role: "agent", content: dialogue("Do you trust this folder?"), time }]
    },
    calls: [["cancel_agent_task", me, /^DialogueNotRefusable: [^]*\nNothing was sent: [^]*\noutcome: not_applied$/]]
  },
  {
    what: "a conversation larger than may be read",
    arrange: (coder) => coder.say("do it", tooMuch),
    calls: [
      ["show_agent", me, orLate(/AgentAPI has more to say than can be read/)],
      ["start_agent_task", next, tooLong],
      ["cancel_agent_task", me, tooLong],
      ["show_agent_log", me, tooLong],
      ["show_agent_task_history", me, orLate(/The conversation cannot be read: .* larger than 16777216 bytes/)]
    ]
  },
  {
    what: "a transport of 1.6 MB",
    arrange: (coder) => {
      coder.say("do it", "● Reading")
      coder.on(/^GET .*status$/, json(200, { status: "running", agent_type: "claude", transport: large }))
    },
    calls: [["cancel_agent_task", me, /^InterruptNotSupported: .* which cannot be interrupted\. Nothing was sent\./]]
  },
  {
    what: "a refusal of AgentAPI of 1 MB",
    arrange: (coder) => coder.on(/^POST .*message$/, problem(bytes(500_000))),
    calls: [["start_agent_task", next, /^AgentRefused: [^]* Call show_agent for its status, then try again\./]]
  },
  {
    what: "100 reports of 10 KB",
    arrange: (coder) => {
      for (let count = 0; count < 100; count++) coder.report(bytes(10_000))
    },
    calls: [
      ["show_agent_task_history", { ...me, page_size: 100 }, /A smaller page_size shows more of what ends with …\./]
    ]
  },
  {
    what: "2,000 messages",
    arrange: (coder) => coder.say(...Array.from({ length: 1999 }, (_, index) => `message ${index}`)),
    calls: [
      [
        "show_agent_log",
        { ...me, page_size: 100 },
        /^big: 100 of 2000 messages, page 1 .*, older ones on the next page/
      ],
      [
        "show_agent_task_history",
        { ...me, page_size: 100 },
        /^big: 100 of 1000 tasks, page 1 .*, older ones on the next/
      ],
      ["show_agent_log", { ...me, page: 99, page_size: 100 }, /^PageOutOfRange: .* pages run from 1 to 20\./],
      ["show_agent_log", { ...me, message_id: 5000 }, /^MessageNotFound: .* without message_id shows the newest\./]
    ]
  },
  {
    what: "2,000 messages, the newest of 10 MB",
    arrange: (coder) => coder.say(...Array.from({ length: 1998 }, (_, index) => `message ${index}`), huge),
    calls: [
      [
        "show_agent_log",
        { ...me, page_size: 100 },
        /^big: 100 of 2000 [^]*: show_agent_log with message_id 1999, offset/
      ],
      ["show_agent_task_history", { ...me, page_size: 100 }, orLate(/show_agent_log has whole what is cut\./)],
      ["show_agent_task_history", { ...me, page_size: 1 }, orLate(/show_agent_log has whole what is cut\./)]
    ]
  },
  ...["x", "😀", "\u001b[31m", "a\r", "─"].map((unit): Case => ({
    what: `a message of ${JSON.stringify(unit)} alone`,
    arrange: (coder) => coder.say("do it", unit.repeat((2 * MB) / unit.length)),
    calls: [["show_agent_log", me, /^big: 1 of 3 messages/]]
  }))
]

/** What `docs/tools.md` promises: characters of text, bytes of structured content. */
const most = { text: 8000, structured: 64 * 1024 }

const scope = Effect.runSync(Scope.make())
let coder: LargeCoder
let client: Client
let env: Readonly<Record<string, string>>

/** Calls a tool, and holds the size of its answer against the limits. */
const call = async (name: string, args: object): Promise<string> => {
  const { content, structuredContent = {} } = await client.callTool({ name, arguments: { ...args } })
  const [first] = content as ReadonlyArray<{ readonly text: string }>
  const text = first?.text ?? ""
  expect(text.length).toBeLessThanOrEqual(most.text)
  expect(Buffer.byteLength(JSON.stringify(structuredContent))).toBeLessThanOrEqual(most.structured)
  return text
}

const isServing = async () => expect(await call("show_agent", { agent_name: "agent-1" })).toMatch(/^agent-1: stopped\n/)

beforeAll(async () => {
  const { url } = await Effect.runPromise(Scope.extend(serve(answering((request) => coder.handler(request))), scope))
  env = { CODER_URL: url.toString(), CODER_SESSION_TOKEN: secrets.coderToken, LOG_LEVEL: "ERROR" }
  client = new Client({ name: "test", version: "1" })
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [program], env, stderr: "inherit" }))
  // The client checks results only of tools that it has seen listed.
  await client.listTools()
})

afterAll(async () => {
  await client.close()
  await Effect.runPromise(Scope.close(scope, Exit.void))
})

beforeEach(() => {
  coder = new LargeCoder()
})

describe.each([
  ["lists", ofLists],
  ["agents", ofAgents]
] as const)("answers about %s are bounded, and say how to go on", (_, cases) => {
  it.each(cases.map((one) => [one.what, one] as const))("%s", async (_, { arrange, calls }) => {
    arrange?.(coder)
    for (const [tool, args, says] of calls) {
      expect({ tool, text: await call(tool, args) }).toEqual({ tool, text: expect.stringMatching(says) })
    }
    coder = new LargeCoder()
    await isServing()
  })
})

it("a task of 10 MB is refused with few words, and the next call is served", async () => {
  await using server = new Program({ env })
  await server.initialize()
  const params = { name: "start_agent_task", arguments: { ...next, task_description: huge } }
  server.send({ id: "task", method: "tools/call", params })
  const refused = await server.until(() => server.messages.find(({ error }) => error !== undefined))
  expect(refused.error?.message).toBe("A message may have at most 4194304 bytes; this one was skipped.")
  expect((await server.call("show_agent", { agent_name: "agent-1" })).text).toMatch(/^agent-1: stopped\n/)
})
