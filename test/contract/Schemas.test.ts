import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema, HttpClient, HttpClientResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Either, FastCheck, Layer, Option, Redacted, Schema, SchemaAST } from "effect"
import { AgentApiClient } from "../../src/layers/clients/AgentApiClient.ts"
import { CoderClient } from "../../src/layers/clients/CoderClient.ts"
import { CoderHttp } from "../../src/layers/clients/CoderHttp.ts"
import { CoderConfig } from "../../src/layers/config/CoderConfig.ts"
import { Agent, AgentView } from "../../src/schemas/Agent.ts"
import { Message, PostMessage, Problem } from "../../src/schemas/agentapi/AgentApi.ts"
import { Nothing } from "../../src/schemas/coder/Builds.ts"
import { CoderError, ErrorBody } from "../../src/schemas/coder/CoderError.ts"
import { Segment } from "../../src/schemas/coder/Segment.ts"
import { Presets, Template } from "../../src/schemas/coder/Templates.ts"
import { Unreadable } from "../../src/schemas/coder/elements.ts"
import { leftOutOf, mending } from "../../src/schemas/coder/mending.ts"
import { Workspace, WorkspacePage, WorkspaceSummary } from "../../src/schemas/coder/Workspaces.ts"
import { LogEntry } from "../../src/schemas/Conversation.ts"
import { Project } from "../../src/schemas/Project.ts"
import { Role } from "../../src/schemas/Role.ts"
import { Task } from "../../src/schemas/Task.ts"
import { type Endpoint, elementLists, endpoints, endpointsOf, match, wireOf } from "./Contract.ts"
import { bodyOf, exchanges } from "./Recordings.ts"

type AnySchema = Schema.Schema<unknown, unknown>

const option = (schema: Endpoint["payloadSchema"]): ReadonlyArray<AnySchema> =>
  Option.isSome(schema) ? [schema.value as AnySchema] : []

describe("round trips", () => {
  const wire = endpoints.flatMap((endpoint): ReadonlyArray<readonly [string, AnySchema]> => [
    ...option(endpoint.payloadSchema).map((schema) => [`${endpoint.key} payload`, schema] as const),
    ...option(endpoint.urlParamsSchema).map((schema) => [`${endpoint.key} query`, schema] as const),
    // These have their own tests: the elements of a list may be unreadable, and an answer without content says nothing.
    ...(elementLists.has(endpoint.key) || endpoint.key === "agents.appStatus"
      ? []
      : [...endpoint.successes].map(
          ([status, ast]) => [`${endpoint.key} ${status}`, Schema.make<unknown, unknown>(ast)] as const
        ))
  ])
  const named: ReadonlyArray<readonly [string, AnySchema]> = [
    ["workspace of a list", WorkspaceSummary as AnySchema],
    ["template of a list", Template as AnySchema],
    ["error body", ErrorBody as AnySchema],
    ["error", CoderError as AnySchema],
    ["problem", Problem as AnySchema],
    ["message", Message as AnySchema],
    ["post message", PostMessage as AnySchema],
    ["agent", Agent as AnySchema],
    ["agent in a list", AgentView as AnySchema],
    ["project", Project as AnySchema],
    ["role", Role as AnySchema],
    ["task", Task as AnySchema],
    ["log entry", LogEntry as AnySchema]
  ]
  const options = { fastCheck: { numRuns: 25 } }

  for (const [name, schema] of [...wire, ...named]) {
    it.prop(
      name,
      [Arbitrary.make(schema)],
      ([value]) => {
        assert.deepStrictEqual(Schema.decodeUnknownSync(schema)(Schema.encodeUnknownSync(schema)(value)), value)
      },
      options
    )
  }

  it.prop(
    "a page of readable workspaces",
    [Schema.Array(WorkspaceSummary), Schema.NonNegativeInt],
    ([workspaces, count]) => {
      const encoded = Schema.encodeSync(WorkspacePage)({ workspaces, count })
      assert.deepStrictEqual(Schema.decodeUnknownSync(WorkspacePage)(encoded), { workspaces, count })
    },
    options
  )

  it("an answer without content is null or empty on the wire", () => {
    assert.strictEqual(Schema.encodeSync(Nothing)(), null)
    for (const body of [null, undefined, ""]) assert.isUndefined(Schema.decodeUnknownSync(Nothing)(body))
  })

  it("no presets are null on the wire, and null is no presets", () => {
    assert.strictEqual(Schema.encodeSync(Presets)([]), null)
    assert.deepStrictEqual(Schema.decodeSync(Presets)(null), [])
  })
})

type Path = ReadonlyArray<string | number>

const edit = (value: unknown, path: Path, change: (found: unknown) => unknown): unknown => {
  const [key, ...rest] = path
  if (key === undefined) return change(value)
  if (Array.isArray(value)) return value.map((one, index) => (index === key ? edit(one, rest, change) : one))
  const { [key]: found, ...others } = value as Record<string, unknown>
  const edited = edit(found, rest, change)
  return edited === missing ? others : { ...others, [key]: edited }
}

const missing = Symbol("missing")

/** A place in an answer, and what the contract allows there. */
interface Place {
  readonly path: Path
  readonly ast: SchemaAST.AST
  readonly optional: boolean
}

/** Every place of a value that the contract declares. */
const placesOf = (ast: SchemaAST.AST, value: unknown, path: Path = []): ReadonlyArray<Place> => {
  const found = SchemaAST.isUnion(ast) ? (ast.types.find((type) => !SchemaAST.isLiteral(type)) ?? ast) : ast
  if (SchemaAST.isTypeLiteral(found) && typeof value === "object" && value !== null) {
    return found.propertySignatures.flatMap(({ isOptional, name, type }) => {
      const key = String(name)
      const here = { path: [...path, key], ast: type, optional: isOptional }
      return key in value
        ? [here, ...placesOf(type, (value as Record<string, unknown>)[key], here.path)]
        : [{ ...here, optional: true }]
    })
  }
  if (SchemaAST.isTupleType(found) && Array.isArray(value)) {
    const element = found.rest[0]?.type
    return element === undefined || SchemaAST.isUnknownKeyword(element)
      ? []
      : value.flatMap((one, index) => [
          { path: [...path, index], ast: element, optional: false },
          ...placesOf(element, one, [...path, index])
        ])
  }
  return []
}

const isUnreadable = Schema.is(Unreadable)

const secret = "s3cr3t-value"

/** What may stand there on the wire. */
const allows = (ast: SchemaAST.AST, value: unknown): boolean =>
  Either.isRight(Schema.decodeUnknownEither(Schema.make<unknown, unknown>(ast))(value))

/** Everything that breaks a place: null, nothing at all, and values of every other type. */
const breakages = ({ ast, optional, path }: Place): ReadonlyArray<unknown> => [
  ...[null, secret, 3, true, [secret], { secret }].filter((value) => !allows(ast, value)),
  ...(optional || typeof path.at(-1) === "number" ? [] : [missing])
]

const listed = wireOf(endpoints.find(({ key }) => key === "workspaces.list") as Endpoint, 200)
const [elements] = SchemaAST.isTypeLiteral(listed) ? listed.propertySignatures : []
const element = elements !== undefined && SchemaAST.isTupleType(elements.type) ? elements.type.rest[0]?.type : undefined

describe("a list of workspaces", () => {
  const [first, second, third] = [
    "statuses: order in the workspace",
    "builds: workspace of a failed start",
    "agent: ready"
  ]
    .map(bodyOf)
    .map((workspace, index) => ({ ...(workspace as object), id: `id-${index}`, name: `name-${index}` }))
  const decode = (workspaces: ReadonlyArray<unknown>) =>
    Schema.decodeUnknownSync(WorkspacePage)({ workspaces, count: workspaces.length }).workspaces
  const readable = decode([first, third])

  const places = placesOf(element ?? Schema.Unknown.ast, first)

  it("is taken apart to its last field", () => {
    assert.isAbove(places.length, 100)
    assert.isTrue(decode([first, second, third]).every((one) => !isUnreadable(one)))
  })

  /** The innermost element of a list within the workspace that a path leads through. */
  const partOf = (path: Path): Path => path.slice(0, path.findLastIndex((key) => typeof key === "number") + 1)
  const partialPlaces = places.filter(({ path }) => partOf(path).length > 0 || path[0] === "latest_app_status")

  const lists = new Set(["resources", "agents", "apps", "statuses", "metadata"])
  /** A list may be null or absent, and one with a broken element is still a list: see the test of many broken parts. */
  const staysList = ({ path }: Place, broken: unknown) =>
    lists.has(String(path.at(-1))) && (broken === null || broken === missing || Array.isArray(broken))

  for (const place of partialPlaces) {
    it(`loses the innermost part that can go when ${place.path.join(".")} is broken, and tells which`, () => {
      const part = partOf(place.path)
      const kind = part.at(-2) ?? "latest_app_status"
      const without =
        part.length === 0
          ? edit(first, ["latest_app_status"], () => null)
          : edit(first, part.slice(0, -1), (found) =>
              (found as ReadonlyArray<unknown>).toSpliced(Number(part.at(-1)), 1)
            )
      const expected = decode([without, third])
      for (const broken of breakages(place)) {
        if (staysList(place, broken)) continue
        const value = edit(first, place.path, () => broken)
        const [a, b, ...more] = decode([value, third])
        assert(a !== undefined && !isUnreadable(a))
        const left = leftOutOf(a)
        if (left.length > 0) {
          assert.deepStrictEqual(
            left.map((one) => one.kind),
            [kind]
          )
          assert.notInclude(JSON.stringify(left), broken === secret && place.path.at(-1) === "slug" ? "no" : secret)
          assert.deepStrictEqual(JSON.parse(JSON.stringify([a, b])), JSON.parse(JSON.stringify(expected)))
        } else {
          // Absent, null and empty are one thing.
          assert.isTrue(broken === null && place.optional)
        }
        assert.deepStrictEqual(more, [])
      }
    })
  }

  it("many broken parts cost those, in one workspace", () => {
    const status = (bodyOf("statuses: order in the workspace") as { readonly latest_app_status: object })
      .latest_app_status
    const app = {
      id: "app",
      slug: "ok",
      health: "disabled",
      healthcheck: { url: "" },
      statuses: [status, 7, null, status]
    }
    const agent = { id: "a", name: "main", status: "connected", lifecycle_state: "ready" }
    const workspace = edit(first, ["latest_build", "resources"], () => [
      null,
      {
        type: "t",
        name: "r",
        agents: [{ ...agent, apps: [{ ...app, slug: 7, name: "x" }, app, { slug: "bad" }] }, {}]
      },
      { type: "t", name: "bare", agents: null, metadata: [7, { key: "k", value: "v", sensitive: false }] },
      { name: "broken", agents: [{ ...agent, apps: null }] }
    ])
    const read = Schema.decodeUnknownSync(mending(Workspace))(workspace)
    assert.deepStrictEqual(
      read.latest_build.resources.map(({ agents, name }) => [
        name,
        agents?.flatMap(({ apps }) => apps).map(({ slug }) => slug)
      ]),
      [
        ["r", ["ok"]],
        ["bare", []]
      ]
    )
    assert.strictEqual(read.latest_build.resources[0]?.agents?.[0]?.apps[0]?.statuses.length, 2)
    assert.deepStrictEqual(
      leftOutOf(read)
        .map(({ kind, name }) => `${kind} ${name}`.trim())
        .toSorted(),
      ["agents", "apps bad", "apps x", "metadata", "resources", "resources broken", "statuses", "statuses"]
    )
    assert.deepStrictEqual(leftOutOf({ ...read }), leftOutOf(read))
  })

  for (const place of places.filter((one) => !partialPlaces.includes(one))) {
    it(`loses one element when ${place.path.join(".")} is broken`, () => {
      for (const broken of breakages(place)) {
        if (staysList(place, broken) || (place.optional && broken === null)) continue
        const [a, b, c, ...more] = decode([first, edit(first, place.path, () => broken), third])
        assert.deepStrictEqual([[a, c], more], [readable, []])
        assert(b !== undefined && isUnreadable(b))
        const { id, name, reason } = b
        assert.strictEqual(id, place.path[0] === "id" ? (broken === secret ? secret : "") : "id-0")
        assert.strictEqual(name, place.path[0] === "name" ? "" : "name-0")
        assert.include(reason, String(place.path[0]))
        assert.notInclude(reason, secret)
      }
    })
  }

  const anything: FastCheck.Arbitrary<unknown> = FastCheck.jsonValue()

  it.prop("loses one element when one is anything at all", [anything, FastCheck.nat(2)], ([junk, at]) => {
    const found = decode([first, second, third].toSpliced(at, 1, junk as never))
    assert.strictEqual(found.length, 3)
    assert.deepStrictEqual(
      found.map(isUnreadable),
      [0, 1, 2].map((index) => index === at)
    )
  })
})

describe("what later versions of Coder may add", () => {
  const words = new Set([
    "status",
    "transition",
    "reason",
    "lifecycle_state",
    "health",
    "state",
    "role",
    "type",
    "log_source",
    "log_level",
    "level",
    "agent_type",
    "transport"
  ])
  const novel = (value: unknown, key = ""): unknown => {
    if (Array.isArray(value)) return value.map((one) => novel(one))
    if (typeof value === "string") return words.has(key) ? "never_seen_before" : value
    if (typeof value !== "object" || value === null) return value
    const entries = Object.entries(value).map(([name, inner]) => [name, novel(inner, name)] as const)
    return { ...Object.fromEntries(entries), never_seen_before: { key: [1, null] } }
  }

  for (const { key, request, response } of exchanges) {
    const endpoint = response.status < 300 ? match(request.method, request.path)?.endpoint : undefined
    const ast = endpoint?.successes.get(response.status)
    if (ast === undefined || response.body === undefined) continue
    it(`unknown keys and unknown values of enumerations: ${key}`, () => {
      const decoded = Schema.decodeUnknownSync(Schema.make<unknown, unknown>(ast))(novel(response.body))
      assert.notInclude(JSON.stringify(decoded) ?? "", "Unreadable")
    })
  }
})

/** Path parameters that are no Segments: those that let a step or a slash through. */
const plainParameters = (all: ReadonlyArray<Endpoint>): ReadonlyArray<string> =>
  all.flatMap(({ key, pathSchema }) =>
    option(pathSchema).flatMap((schema) =>
      SchemaAST.getPropertySignatures(schema.ast)
        .filter(({ type }) => {
          const encode = Schema.encodeUnknownEither(Schema.make<unknown, unknown>(type))
          const refused = ["", ".", "..", "\ud800"].every((step) => Either.isLeft(encode(step)))
          return !refused || Either.getOrNull(encode("a/b?c#d%2e\\")) !== "a%2Fb%3Fc%23d%252e%5C"
        })
        .map(({ name }) => `${key} ${String(name)}`)
    )
  )

describe("names in paths", () => {
  it("every path parameter of the contract is a Segment", () => {
    const parameters = endpoints.flatMap(({ path }) => path.split("/").filter((part) => part.startsWith(":")))
    assert.isAbove(parameters.length, 5)
    assert.deepStrictEqual(plainParameters(endpoints), [])
  })

  it("a plain string in a path is found", () => {
    const plain = HttpApi.make("plain").add(
      HttpApiGroup.make("plain")
        .add(HttpApiEndpoint.get("bad")`/${HttpApiSchema.param("name", Schema.String)}`.addSuccess(Schema.Unknown))
        .add(HttpApiEndpoint.get("good")`/${HttpApiSchema.param("name", Segment)}`.addSuccess(Schema.Unknown))
    )
    assert.deepStrictEqual(plainParameters(endpointsOf("coder", plain)), ["plain.bad name"])
  })

  const evil = [
    "../x",
    "..",
    ".",
    "",
    "%2e%2e",
    "%2E%2E/%2e",
    "a/b",
    "a\\b",
    "?q=1",
    "#f",
    "a b",
    "@x",
    "//host",
    "\ud800"
  ]
  const names = FastCheck.oneof(
    FastCheck.constantFrom(...evil),
    FastCheck.string16bits(),
    FastCheck.fullUnicodeString(),
    FastCheck.webPath()
  )

  interface Asked {
    readonly asked: ReadonlyArray<URL>
    readonly error: CoderError
  }

  /** A client whose wire only notes where it was asked to go. */
  const asking = <A>(use: Effect.Effect<A, CoderError, CoderClient | AgentApiClient>): Effect.Effect<Asked> => {
    const asked: Array<URL> = []
    const wire = HttpClient.make((request, url) => {
      asked.push(url)
      return Effect.succeed(HttpClientResponse.fromWeb(request, Response.json({ message: "no" }, { status: 404 })))
    })
    const config = { url: new URL("https://coder.example.com"), sessionToken: Redacted.make("token") }
    const clients = Layer.mergeAll(CoderClient.layer, AgentApiClient.layer).pipe(
      Layer.provide(CoderHttp.layer),
      Layer.provide([Layer.succeed(HttpClient.HttpClient, wire), CoderConfig.layer(config)])
    )
    return Effect.map(use.pipe(Effect.provide(clients), Effect.flip, Effect.orDie), (error) => ({ asked, error }))
  }

  /** Either it went to exactly that place, or it was refused before anything was sent. */
  const staysAt = (path: ReadonlyArray<string>, given: ReadonlyArray<string>, { asked, error }: Asked) => {
    const [url, ...more] = asked
    assert.deepStrictEqual(more, [])
    if (url === undefined) {
      assert.strictEqual(error.reason, "invalid_request")
      assert.isTrue(error.notProcessed)
      assert.isTrue(given.some((name) => ["", ".", ".."].includes(name) || /\p{Surrogate}/u.test(name)))
    } else {
      assert.strictEqual(error.status, 404)
      assert.strictEqual(url.origin, "https://coder.example.com")
      assert.deepStrictEqual(url.pathname.slice(1).split("/").map(decodeURIComponent), path)
      assert.strictEqual(url.search + url.hash, "")
    }
  }

  it.effect.prop("a name never leaves its segment of the API", [names, names], ([user, name]) =>
    Effect.map(
      asking(Effect.flatMap(CoderClient, ({ workspaces }) => workspaces.getByName({ path: { user, name } }))),
      (result) => staysAt(["api", "v2", "users", user, "workspace", name], [user, name], result)
    )
  )

  it.effect.prop("nor its segment of an app", [names, names, names], ([owner_name, workspace_name, slug]) =>
    Effect.map(
      asking(
        Effect.flatMap(AgentApiClient, (agentApi) =>
          Effect.flatMap(agentApi.of({ owner_name, workspace_name, slug }), (api) => api.status())
        )
      ),
      (result) =>
        staysAt([`@${owner_name}`, workspace_name, "apps", slug, "status"], [owner_name, workspace_name, slug], result)
    )
  )
})
