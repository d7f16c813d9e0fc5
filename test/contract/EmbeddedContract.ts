import type { HttpClient } from "@effect/platform"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, type Layer, Redacted, Schema } from "effect"
import type { CoderConfig } from "../../src/layers/config/CoderConfig.ts"
import type { EmbeddedFaults } from "../support/EmbeddedFaults.ts"
import type { Preset, Template } from "../../src/schemas/coder/Templates.ts"
import {
  agentOf,
  type Answer,
  build,
  built,
  byId,
  get,
  ready,
  send,
  startBuild,
  until
} from "../layers/embedded/Requests.ts"
import { EmbeddedFixture, type FixtureOptions, sessionToken } from "../support/EmbeddedFixture.ts"
import { differences, match, type Match, shapeOf, wireOf } from "./Contract.ts"
import { audit, type Exchange, exchanges, isJson, type LeftOut, recorded } from "./Recordings.ts"

// The embedded Coder, held to what a Coder server answered: brought into the same situation through its API, asked the
// same, and its answer compared.

type World = HttpClient.HttpClient | CoderConfig | EmbeddedFixture

/** What stands in our request and answer in place of what stands in the recorded ones. */
type Words = ReadonlyArray<readonly [recorded: string, ours: string]>

/** Brings the embedded Coder into the situation of a recorded exchange. */
type Situation = Effect.Effect<Words, never, World>

/** Replaces all words at once; the longer ones first, so that none is replaced in part. */
const inWords = (words: Words, value: unknown): unknown => {
  if (value === undefined || words.length === 0) return value
  const ours = new Map(words)
  const either = [...ours.keys()]
    .toSorted((a, b) => b.length - a.length)
    .map((word) => word.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
  const text = JSON.stringify(value).replaceAll(new RegExp(either.join("|"), "g"), (word) => ours.get(word) ?? word)
  return JSON.parse(text)
}

// --- situations ------------------------------------------------------------------------------------------------------

const recordedPreset = "8f3c9c09-6006-4470-8f98-a11e21ce0985"

const templates = get<ReadonlyArray<typeof Template.Type>>("/api/v2/templates")

const template = (name: string) =>
  Effect.map(templates, (all) => {
    const found = all.find((one) => one.name === name)
    assert(found !== undefined)
    return found
  })

/** The templates, versions and the preset of the recordings, and the user. */
const catalog: Situation = Effect.gen(function* () {
  const claude = yield* template("claude-code")
  const plain = yield* template("plain")
  const presets = yield* get<ReadonlyArray<Preset> | null>(
    `/api/v2/templateversions/${claude.active_version_id}/presets`
  )
  return [
    ["fa28bf90-9cc5-4d88-8281-9498dc11316b", claude.id],
    ["c1776330-b64c-4ecf-aef8-431af8750feb", claude.active_version_id],
    ["4fd1760c-9350-4042-b655-5c60252c3c6d", plain.id],
    ["3b1a7b94-21ed-4eba-b159-56ff2cda7eb1", plain.active_version_id],
    [recordedPreset, presets?.[0]?.ID ?? "no preset"],
    ["/@ada/", "/@local/"],
    ["q=ada/", "q=local/"],
    ["/apps/mirror", "/apps/ccw"],
    ["<ada-token>", Redacted.value(sessionToken)]
  ]
})

let count = 0

/** A name that no other test has. The faults are for names that begin with one of these. */
const fresh = (kind: "bot" | "silent" | "hanging"): string => `${kind}-${++count}`

const numbered = (kind: "silent" | "hanging") => Array.from({ length: 400 }, (_, index) => `${kind}-${index}`)

const failing = "quota exceeded: no machines left"
const undeletable = "bucket not empty"

/** Coder's own provisioner fails like this too; the names are those of the recordings. */
const faults: EmbeddedFaults = {
  agents: numbered("silent").map((workspace) => ({ workspace, fault: "never_connects" })),
  hangBuilds: numbered("hanging"),
  failBuilds: [
    { workspace: "failing", transition: "start", error: failing },
    { workspace: "undeletable", transition: "delete", error: undeletable }
  ]
}

interface Made {
  readonly id: string
  readonly name: string
  /** Its first build, or its last one where that is what a situation is about. */
  readonly build: string
  /** Of the agent of its first build. */
  readonly agentToken: string
}

/** A new workspace, with a preset as the recorded `Bot-1`, or without one as most others. */
const make = (name: string, preset: "preset" | "no preset" = "no preset") =>
  Effect.gen(function* () {
    const { id: template_id } = yield* template("claude-code")
    const words = yield* catalog
    const { body, status } = yield* send<{ readonly id: string; readonly latest_build: { readonly id: string } }>(
      "POST",
      "/api/v2/users/me/workspaces",
      {
        body: {
          name,
          template_id,
          ...(preset === "preset" ? { template_version_preset_id: inWords(words, recordedPreset) } : {})
        }
      }
    )
    assert.strictEqual(status, 201)
    return { id: body.id, name, build: body.latest_build.id }
  })

type Making = Effect.Effect<Made, never, World>

const makeBuilt = (name: string, preset?: "preset"): Making =>
  Effect.gen(function* () {
    const made = yield* make(name, preset)
    yield* built(made.id)
    const { agentTokens } = yield* EmbeddedFixture
    return { ...made, agentToken: agentTokens.at(-1) ?? "" }
  })

/** A workspace whose agent never connects. */
const silent = Effect.suspend(() => makeBuilt(fresh("silent"), "preset"))
/** The same without a preset. */
const plain = Effect.suspend(() => makeBuilt(fresh("silent")))
/** A workspace whose agent takes tasks. */
const waiting = Effect.tap(
  Effect.suspend(() => makeBuilt(fresh("bot"), "preset")),
  ({ id }) => ready(id)
)
/** A workspace whose first build does not end. */
const hanging = (preset?: "preset"): Making =>
  Effect.gen(function* () {
    const made = yield* make(fresh("hanging"), preset)
    yield* until(byId(made.id), ({ latest_build }) => latest_build.status === "starting")
    return { ...made, agentToken: "" }
  })
const stopped = Effect.tap(plain, ({ id }) => build(id, "stop"))
const deleted = Effect.flatMap(plain, (made) =>
  Effect.map(build(made.id, "delete"), (last) => ({ ...made, build: last.id }))
)

const say = ({ name }: Made, content: string, type: "user" | "raw" = "user") =>
  Effect.map(send("POST", `/@local/${name}/apps/ccw/message`, { body: { content, type } }), ({ status }) =>
    assert.strictEqual(status, 200)
  )
const seenSaying = ({ name }: Made, status: string) =>
  until(get<{ readonly status: string }>(`/@local/${name}/apps/ccw/status`), (answer) => answer.status === status)

const seenToSay = ({ name }: Made, text: string) =>
  until(
    get<{ readonly messages: ReadonlyArray<{ readonly content: string }> }>(`/@local/${name}/apps/ccw/messages`),
    ({ messages }) => messages.at(-1)?.content.includes(text) === true
  )

/** An agent in the middle of a task. */
const busy = Effect.tap(waiting, (made) => Effect.zipRight(say(made, "sleep 60"), seenSaying(made, "running")))
/** An agent whose task does not end when it is asked to: a stop or a delete takes its time. */
const stubborn = Effect.tap(waiting, (made) =>
  Effect.zipRight(say(made, "trap '' TERM; echo stub''born; sleep 60"), seenToSay(made, "stubborn"))
)
/** An agent that has done a task. */
const done = Effect.tap(waiting, (made) => Effect.zipRight(say(made, "echo hello there"), seenSaying(made, "stable")))
const interrupted = Effect.tap(busy, (made) => Effect.zipRight(say(made, "\u001b", "raw"), seenSaying(made, "stable")))

const report = (state: string, message: string) => (made: Made) =>
  Effect.gen(function* () {
    const { body, status } = yield* send("PATCH", "/api/v2/workspaceagents/me/app-status", {
      headers: { "coder-session-token": made.agentToken },
      body: { app_slug: "ccw", state, message, uri: "" }
    })
    assert.deepStrictEqual([status, body], [200, null])
  })

const reported = Effect.tap(silent, report("working", "Working at stop time"))
const reportedAndStopped = Effect.tap(reported, ({ id }) => build(id, "stop"))

const kept = new WeakMap<object, Map<Making, Made>>()

/** One workspace in that situation for all who only look at it. */
const shared = (making: Making): Making =>
  Effect.gen(function* () {
    const fixture = yield* EmbeddedFixture
    const all = kept.get(fixture) ?? new Map<Making, Made>()
    kept.set(fixture, all)
    const made = all.get(making) ?? (yield* making)
    all.set(making, made)
    return made
  })

const oneWaiting = shared(waiting)
const oneSilent = shared(silent)
const oneHanging = shared(hanging())
const oneHangingBot = shared(hanging("preset"))
const oneBusy = shared(busy)
const oneStopped = shared(stopped)
const oneDeleted = shared(deleted)
const oneFailed = shared(Effect.suspend(() => makeBuilt("failing")))

const bot = "053ce28b-8949-426b-9eba-65041829f35d"
const stopper = "2a742819-82d9-499b-8848-87fe9c7f059c"
const hanger = "f3d09c19-00dd-4a3d-9381-570878729ca4"

/** With a workspace of ours in place of the recorded one, and one of its builds. */
const as =
  (recordedId: string, recordedName: string, recordedBuild = "no build") =>
  ({ agentToken, build, id, name }: Made): Words => [
    [recordedId, id],
    [recordedBuild, build],
    [recordedName, name],
    [recordedName.toLowerCase(), name.toLowerCase()],
    [recordedName.toUpperCase(), name.toUpperCase()],
    ["<agent-token-claude>", agentToken]
  ]

const asBot = as(bot, "Bot-1", "4c5d40a6-74c0-4799-b7d8-fa71aa951f6a")
const asStopper = as(stopper, "stopper")
const asHanger = as(hanger, "hanger", "c32c72e1-d2da-4b05-bcf5-11fb17236a4d")

/** The same, asked for AgentAPI's status: what the recording asked for is known to the recorded app alone. */
const asBotStatus = (made: Made): Words => [...asBot(made), ["/x", "/status"]]

const nothing: Situation = Effect.succeed([])

const table = (
  keys: ReadonlyArray<string>,
  making: Making,
  words: (made: Made) => Words
): ReadonlyArray<readonly [string, Situation]> => keys.map((key) => [key, Effect.map(making, words)])

const anywhere = (keys: ReadonlyArray<string>): ReadonlyArray<readonly [string, Situation]> =>
  keys.map((key) => [key, nothing])

/** Exchanges in a world with every fault at hand. */
const situations: Readonly<Record<string, Situation>> = Object.fromEntries([
  ...table(["agent: never connected"], oneSilent, asBot),
  ...table(["agent: ready"], oneWaiting, asBot),
  [
    "agent: agent logs",
    Effect.gen(function* () {
      const { id } = yield* oneWaiting
      return [["86afcd10-4373-4fdb-810a-d4982d512380", agentOf(yield* byId(id))?.id ?? ""]]
    })
  ],

  ...table(["agentapi: status", "agentapi: messages at start"], oneWaiting, asBot),
  ...table(["agentapi: empty message", "agentapi: unknown type", "agentapi: extra key"], oneWaiting, asBot),
  ...table(["agentapi: user message"], waiting, asBot),
  ...table(["agentapi: messages"], done, asBot),
  ...table(["agentapi: user message that takes long"], waiting, (made) => [...asBot(made), ["slow 20", "sleep 20"]]),
  ...table(["agentapi: status right after", "agentapi: status while running"], oneBusy, asBot),
  ...table(["agentapi: user message while running", "agentapi: messages while running"], oneBusy, asBot),
  ...table(["agentapi: interrupt (ESC)"], busy, asBot),
  ...table(
    ["agentapi: status after the interrupt", "agentapi: messages after the interrupt"],
    shared(interrupted),
    asBot
  ),

  ...table(
    [
      "app-proxy: session header: does it reach the app?",
      "app-proxy: session cookie: does it reach the app?",
      "app-proxy: bearer: does it reach the app?",
      "app-proxy: query token: does it reach the app?",
      "app-proxy: no token",
      "app-proxy: bad token in header",
      "app-proxy: no slash after the slug",
      "app-proxy: user me",
      "app-proxy: workspace.agent",
      "app-proxy: workspace.workspace-id, the seed's form",
      "app-proxy: other case",
      "app-proxy: unknown app",
      "app-proxy: unknown workspace"
    ],
    oneWaiting,
    asBotStatus
  ),
  ...anywhere(["app-proxy: cookie on /api: read", "app-proxy: cookie on /api: write"]),
  ...table(["app-proxy: stopped workspace"], oneStopped, asBotStatus),
  ...table(["app-proxy: started, agent not connected yet"], oneSilent, asBotStatus),

  ...table(
    ["builds: running start build", "builds: stop while a build is active", "builds: delete while a build is active"],
    oneHanging,
    asHanger
  ),
  ...table(["builds: delete it"], plain, asHanger),
  ...table(
    ["builds: create with the name of a workspace being deleted"],
    Effect.tap(stubborn, ({ id }) => startBuild(id, "delete")),
    asHanger
  ),
  ...table(
    [
      "builds: deleted, by id",
      "builds: deleted, by id with include_deleted",
      "builds: deleted, by name",
      "builds: deleted, start"
    ],
    oneDeleted,
    asHanger
  ),
  ...table(
    ["builds: deleted, its delete build"],
    oneDeleted,
    as(hanger, "hanger", "4d5be94d-7239-4f9e-941c-65531c7967b7")
  ),
  ...table(["builds: deleted, delete again"], deleted, asHanger),
  ...table(
    ["builds: failed start build", "builds: workspace of a failed start", "builds: logs of a failed build"],
    oneFailed,
    as("85045811-67c2-4439-b047-29ce1913438f", "failing", "6d445460-27f8-43c0-b7c7-f18abb93c7de")
  ),
  ...table(
    ["builds: workspace of a failed delete"],
    Effect.tap(
      Effect.suspend(() => makeBuilt("undeletable")),
      ({ id }) => build(id, "delete")
    ),
    as("9568d39a-70e0-4f79-8bee-41fccb306378", "undeletable")
  ),
  ...table(["builds: stop"], plain, asStopper),
  ...table(["builds: stopped workspace", "builds: bad transition", "builds: bad reason"], oneStopped, asStopper),
  ...table(["builds: stop a stopped workspace"], stopped, asStopper),
  ...anywhere(["builds: unknown workspace"]),
  ...table(["builds: build logs"], oneSilent, asBot),
  [
    "builds: build logs after",
    Effect.gen(function* () {
      const made = yield* oneSilent
      const [first] = yield* get<ReadonlyArray<{ readonly id: number }>>(`/api/v2/workspacebuilds/${made.build}/logs`)
      return [...asBot(made), ["after=3", `after=${first?.id ?? 0}`]]
    })
  ],

  ["create: with preset, prompt and an undeclared parameter", Effect.sync(() => [["Bot-1", fresh("silent")]])],
  ...table(["create: the build right after", "create: same name, other case, while building"], oneHangingBot, asBot),
  ...table(
    [
      "create: the workspace when built",
      "create: its parameters: preset beats value, undeclared dropped",
      "create: by name, other case",
      "create: name already exists"
    ],
    oneSilent,
    asBot
  ),
  ...anywhere(exchanges.flatMap(({ key }) => (key.startsWith('create: name "') ? [key] : []))),
  ...anywhere([
    "create: by name, missing",
    "create: neither template nor version",
    "create: both template and version",
    "create: unknown template",
    "create: unknown preset",
    "create: preset of another template"
  ]),

  ...anywhere(["limits: another path at the same time"]),

  ...anywhere([
    "list: negative limit",
    "list: limit is no number",
    "list: unknown key",
    "list: same key twice",
    "list: bad element",
    "list: unknown owner",
    "list: has-ai-task",
    "list: no workspaces of another user for a member"
  ]),

  ...anywhere([
    "platform: buildinfo",
    "platform: me",
    "platform: me without token",
    "platform: me with a malformed token",
    "platform: me with an unknown token",
    "platform: me with Authorization: Bearer",
    "platform: no such route",
    "platform: malformed id",
    "platform: not JSON",
    "platform: applications host"
  ]),

  ...table(["restart: stop build"], reported, asBot),
  ...table(["restart: stopped: no agents, stale latest_app_status"], shared(reportedAndStopped), asBot),
  ...table(["restart: start build"], reportedAndStopped, asBot),
  ...table(
    ["restart: started: latest_app_status is from before the stop"],
    Effect.tap(reportedAndStopped, ({ id }) => build(id, "start")),
    asBot
  ),

  ...table(
    [
      "statuses: working",
      "statuses: empty message",
      "statuses: idle",
      "statuses: complete",
      "statuses: message too long",
      "statuses: unknown app",
      "statuses: bad state",
      "statuses: failure",
      "statuses: working last"
    ],
    shared(reported),
    asBot
  ),
  ...table(
    ["statuses: order in the workspace"],
    Effect.tap(waiting, (made) =>
      Effect.forEach(["working", "idle", "failure", "working"], (state) => report(state, "Reading the code")(made))
    ),
    asBot
  ),

  ...anywhere([
    "templates: list",
    "templates: unknown search key",
    "templates: exact_name",
    "templates: has-ai-task",
    "templates: version",
    "templates: rich parameters",
    "templates: presets"
  ])
])

/** Exchanges in a world of their own: two workspaces, on two templates, whose agents have not connected. */
const lists = [
  "list: everything the admin can read",
  "list: owner= is ignored",
  "list: q=owner:me",
  "list: page",
  "list: page past the end",
  "list: name is a substring",
  "list: template by name",
  "list: status",
  "list: owner/name"
]

/** Exchanges of which only the whole can be compared: who wins is left to chance. */
const races = exchanges.flatMap(({ key }) => (/(six|eight) .*at once/.test(key) ? [key] : []))

/** In a world without any role. */
const withoutRoles = ["templates: presets, none"]

/** Situations that the embedded Coder cannot be in. */
const leftOut: LeftOut = [
  {
    reason: "not in the contract: the embedded Coder has no tasks, and says that there is no such route (below)",
    keys: exchanges.flatMap(({ key, request }) => (/^\/api\/(v2|experimental)\/tasks/.test(request.path) ? [key] : []))
  },
  { reason: "its templates have no AI task", keys: ["tasks: the workspace of the task"] },
  {
    reason: "streams are not in the contract",
    keys: ["watch: an agent connects and runs its startup script", "agentapi: events"]
  },
  {
    reason: "cancelling a build is not in the contract, so no build is ever cancelled",
    keys: [
      "builds: cancel, wrong expected state",
      "builds: cancel",
      "builds: cancel again",
      "builds: cancel a finished build",
      "builds: cancel where the template forbids it",
      "builds: stop while canceling",
      "builds: the build while canceling",
      "builds: the build when canceled"
    ]
  },
  {
    reason:
      "its newest build is at work after a stop, which none of these workspaces is; other lists of builds are tested",
    keys: ["builds: list of builds"]
  },
  {
    reason: "not in the contract",
    keys: [
      "platform: organizations",
      "platform: all organizations",
      "platform: deployment config as member",
      "platform: token names are unique",
      "platform: token with scope application_connect",
      "templates: by organization and name",
      "templates: by organization and id (no such form)",
      "templates: missing"
    ]
  },
  {
    reason: "it has one user and one token",
    keys: [
      "app-proxy: another user's app",
      "app-proxy: application_connect token in the cookie",
      "create: for another user",
      "platform: that token lists workspaces"
    ]
  },
  {
    reason:
      "all its templates are ready at once, and have the one parameter AI Prompt: any text, mutable, not required",
    keys: [
      "builds: immutable parameter changed",
      "create: parameter fails its regex",
      "create: required parameter missing",
      "templates: rich parameters, none",
      "templates: rich parameters while importing",
      "templates: presets while importing",
      "templates: create from a version that is still importing"
    ]
  },
  {
    reason: "its workspaces have one app at most, which is AgentAPI and answers as long as the agent is connected",
    keys: [
      "app-proxy: nothing listens",
      "app-proxy: subdomain app on the path form",
      "app-proxy: POST through the proxy with the cookie"
    ]
  },
  {
    reason: "it knows apps in the path form only, as its empty applications host says",
    keys: [
      "app-proxy: subdomain form",
      "app-proxy: subdomain form with agent",
      "app-proxy: subdomain form, session header",
      "app-proxy: subdomain form, no token",
      "app-proxy: subdomain form, port"
    ]
  },
  {
    reason: "it has no rate limit",
    keys: ["limits: over the limit on one path", "limits: the bypass header as a member"]
  }
]

// --- comparison ------------------------------------------------------------------------------------------------------

/** Where an answer may differ from the recorded one, and why. A place is a line of `differences`, or a key of an error. */
const mayDiffer: ReadonlyArray<{ readonly place: RegExp; readonly keys: RegExp; readonly reason: string }> = [
  {
    place: /resources\[\]\.metadata is /,
    keys: /./,
    reason: "what a resource tells of itself is its template's matter"
  },
  { place: /^detail$/, keys: /^platform: not JSON$/, reason: "the words of the JSON parser" }
]

const excused = new Set<string>()

const isExcused =
  (key: string) =>
  (place: string): boolean => {
    const excuse = mayDiffer.find((one) => one.place.test(place) && one.keys.test(key))
    if (excuse !== undefined) excused.add(excuse.reason)
    return excuse !== undefined
  }

/** The token, as it was sent with the recorded request. */
const credentials = ({ request }: Exchange, words: Words): Record<string, string> => {
  const token = Redacted.value(sessionToken)
  const given = Object.entries(request.headers ?? {}).map(([name, value]) => [name, inWords(words, value)])
  if (given.length > 0 || request.as === "anon" || request.as === "-") return Object.fromEntries(given)
  return request.as.endsWith("cookie") ? { cookie: `coder_session_token=${token}` } : { "coder-session-token": token }
}

const isJsonAnswer = ({ headers }: Answer): boolean => /\bjson\b/.test(headers["content-type"] ?? "")

/** The body of an error as far as it is compared; `$schema` tells where AgentAPI's own server is. */
const errorOf = (key: string, body: unknown): unknown =>
  Object.fromEntries(Object.entries(Object(body)).filter(([name]) => name !== "$schema" && !isExcused(key)(name)))

/** Lists are compared with every workspace of the longest recorded list: which are on a page is not their shape. */
const referenceOf = ({ key, response }: Exchange, found: Match): unknown => {
  const { workspaces } = (response.body ?? {}) as { readonly workspaces?: ReadonlyArray<unknown> }
  return found.endpoint.key === "workspaces.list" && (workspaces ?? []).length > 0
    ? recorded("list: everything the admin can read").response.body
    : recorded(key).response.body
}

const compare = (exchange: Exchange, words: Words, answer: Answer): void => {
  assert.strictEqual(answer.status, exchange.response.status, JSON.stringify(answer.body))
  assert.strictEqual(isJsonAnswer(answer), isJson(exchange))
  if (!isJson(exchange)) {
    assert.strictEqual(answer.headers["location"] === undefined, exchange.response.headers["location"] === undefined)
    return
  }
  if (answer.status >= 400) {
    assert.deepStrictEqual(
      errorOf(exchange.key, answer.body),
      errorOf(exchange.key, inWords(words, exchange.response.body))
    )
    return
  }
  const found = match(exchange.request.method, exchange.request.path)
  if (found === undefined) return
  const { endpoint } = found
  const decoded = endpoint.successes.get(answer.status)
  assert(decoded !== undefined)
  const value = Schema.decodeUnknownSync(Schema.make<unknown, unknown>(decoded))(answer.body)
  assert.notInclude(JSON.stringify(value) ?? "", "Unreadable")
  if (endpoint.key === "agents.appStatus") {
    assert.strictEqual(answer.body, exchange.response.body)
    return
  }
  const ast = wireOf(endpoint, answer.status)
  const different = differences(shapeOf(ast, referenceOf(exchange, found)), shapeOf(ast, answer.body)).filter(
    (difference) => !isExcused(exchange.key)(difference)
  )
  assert.strictEqual(different.join("\n"), "")
}

const ask = (exchange: Exchange, words: Words) =>
  Effect.gen(function* () {
    const all = [...words, ...(yield* catalog)]
    const { body, method, path } = exchange.request
    const answer = yield* send(method as "GET", String(inWords(all, path)), {
      headers: credentials(exchange, all),
      ...(body === undefined ? {} : { body: inWords(all, body) })
    })
    return { answer, words: all }
  })

const compared = (key: string, situation: Situation) =>
  Effect.gen(function* () {
    const exchange = recorded(key)
    const { answer, words } = yield* ask(exchange, yield* situation)
    compare(exchange, words, answer)
  })

const project = (name: string) => (directory: string) => ({ name, directory: `${directory}/sample` })

/** Two projects, called as two recorded templates. */
const projects = (directory: string) => ["Claude Code", "plain"].map((name) => project(name)(directory))

/**
 * The contract, on an embedded Coder that is reached in any way: every recorded exchange of its endpoints that it can
 * come to, and in one table those that it cannot.
 */
export const suite = (name: string, embedded: (options: FixtureOptions) => Layer.Layer<World>): void => {
  const options = { excludeTestServices: true } as const

  // oxlint-disable-next-line vitest/valid-title
  describe(name, () => {
    layer(
      embedded({ allowShell: true, projects, faults }),
      options
    )((it) => {
      for (const [key, situation] of Object.entries(situations)) it.effect(key, () => compared(key, situation))

      it.effect("create: eight at once with one name: one workspace, and everybody else is refused", () =>
        Effect.gen(function* () {
          const words = [["racer", fresh("silent")]] as const
          const exchange = recorded("create: eight at once with one name, answer 1")
          const answers = yield* Effect.all(
            Array.from({ length: 8 }, () => ask(exchange, words)),
            { concurrency: 8 }
          )
          const [won, ...lost] = answers.toSorted((a, b) => a.answer.status - b.answer.status)
          assert(won !== undefined)
          compare(exchange, won.words, won.answer)
          // Coder's losers meet a rule of its database (500), or come late (409). Here all come late.
          for (const { answer, words } of lost) {
            assert.strictEqual(answer.status, 409)
            const late = recorded("create: name already exists").response.body
            assert.deepStrictEqual(answer.body, inWords([["Bot-1", String(inWords(words, "racer"))]], late))
          }
        })
      )

      it.effect("builds: six starts at once: one build, and everybody else is refused", () =>
        Effect.gen(function* () {
          const words = asStopper(yield* stopped)
          const exchange = recorded("builds: six starts at once, answer 1")
          const answers = yield* Effect.all(
            Array.from({ length: 6 }, () => ask(exchange, words)),
            { concurrency: 6 }
          )
          const [won, ...lost] = answers.toSorted((a, b) => a.answer.status - b.answer.status)
          assert(won !== undefined)
          compare(exchange, won.words, won.answer)
          const refusals = ["builds: six starts at once, answer 2", "builds: stop while a build is active"].map(
            (key) => recorded(key).response
          )
          for (const { answer } of lost) {
            assert.deepInclude(
              refusals.map(({ body, status }) => ({ status, body })),
              { status: answer.status, body: answer.body }
            )
          }
        })
      )

      it.effect("tasks: there is no such route", () =>
        Effect.gen(function* () {
          for (const path of ["/api/v2/tasks?q=owner:me", "/api/experimental/tasks?q=owner:me"]) {
            const { body, status } = yield* send("GET", path)
            assert.deepStrictEqual([status, body], [404, recorded("platform: no such route").response.body])
          }
        })
      )
    })

    layer(embedded({ allowShell: true, projects, faults }), options)("with two workspaces", (it) => {
      const made = Effect.gen(function* () {
        const words = yield* catalog
        const known = yield* get<{ readonly count: number }>("/api/v2/workspaces")
        if (known.count > 0) return [["Bot-1", "silent-1"]] as const
        const { id } = yield* make("silent-1", "preset")
        yield* built(id)
        const body = inWords(words, { name: "silent-2", template_id: "4fd1760c-9350-4042-b655-5c60252c3c6d" })
        const racer = yield* send<{ readonly id: string }>("POST", "/api/v2/users/me/workspaces", { body })
        yield* built(racer.body.id)
        return [["Bot-1", "silent-1"]] as const
      })
      for (const key of lists) {
        it.effect(key, () =>
          compared(
            key,
            Effect.map(made, (words) => [...words, ["name:bot", "name:lent-1"], ["offset=1", "offset=0"]])
          )
        )
      }
    })

    layer(embedded({ projects }), options)("without any role", (it) => {
      for (const key of withoutRoles) it.effect(key, () => compared(key, nothing))
    })

    layer(embedded({}), options)("the tables", (it) => {
      it.effect("each exchange is compared, or left out with a reason", () =>
        Effect.sync(() =>
          assert.deepStrictEqual(audit([...Object.keys(situations), ...lists, ...races, ...withoutRoles], leftOut), [])
        )
      )

      it.effect("each permitted difference is there", () =>
        Effect.sync(() =>
          assert.sameMembers(
            [...excused],
            mayDiffer.map(({ reason }) => reason)
          )
        )
      )
    })
  })
}
