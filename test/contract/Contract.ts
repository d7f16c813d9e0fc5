import { HttpApi, type HttpApiEndpoint } from "@effect/platform"
import { Option, Schema, SchemaAST } from "effect"
import { AgentApi, Message } from "../../src/schemas/agentapi/AgentApi.ts"
import { AgentLog, Build, BuildLog, BuildParameter, BuildSummary } from "../../src/schemas/coder/Builds.ts"
import { CoderApi } from "../../src/schemas/coder/CoderApi.ts"
import { Preset, RichParameter, Template } from "../../src/schemas/coder/Templates.ts"
import { Workspace, WorkspaceSummary } from "../../src/schemas/coder/Workspaces.ts"

// The contract read as data: its endpoints, and the shapes of their answers on the wire.

type AnyEndpoint = HttpApiEndpoint.HttpApiEndpoint.AnyWithProps

/** An endpoint of the contract. */
export interface Endpoint {
  readonly api: "coder" | "agentapi"
  readonly group: string
  readonly name: string
  /** `group.name`. */
  readonly key: string
  readonly method: string
  /** With `:name` for each parameter. For AgentAPI: below the app. */
  readonly path: string
  readonly pathSchema: AnyEndpoint["pathSchema"]
  readonly urlParamsSchema: AnyEndpoint["urlParamsSchema"]
  readonly payloadSchema: AnyEndpoint["payloadSchema"]
  /** Success statuses, and the shape of each. */
  readonly successes: ReadonlyMap<number, SchemaAST.AST>
}

/** The endpoints of a contract. */
export const endpointsOf = (api: Endpoint["api"], contract: HttpApi.HttpApi.Any): ReadonlyArray<Endpoint> => {
  const found: Array<Endpoint> = []
  HttpApi.reflect(contract as typeof CoderApi, {
    onGroup: () => {},
    onEndpoint: ({ endpoint, group, successes }) => {
      const { method, name, pathSchema, payloadSchema, urlParamsSchema } = endpoint as unknown as AnyEndpoint
      found.push({
        api,
        group: group.identifier,
        name,
        key: `${group.identifier}.${name}`,
        method,
        path: endpoint.path,
        pathSchema,
        urlParamsSchema,
        payloadSchema,
        successes: new Map([...successes].map(([status, { ast }]) => [status, Option.getOrThrow(ast)]))
      })
    }
  })
  return found
}

/** All endpoints of Coder's contract and of AgentAPI's. */
export const endpoints: ReadonlyArray<Endpoint> = [
  ...endpointsOf("coder", CoderApi),
  ...endpointsOf("agentapi", AgentApi)
]

/** A request that fits an endpoint of the contract, as far as its method and path go. */
export interface Match {
  readonly endpoint: Endpoint
  readonly path: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  /** The app that AgentAPI is behind. */
  readonly app: { readonly owner_name: string; readonly workspace_name: string; readonly slug: string } | undefined
}

const appPath = /^\/@([^/]+)\/([^/]+)\/apps\/([^/]+)(\/.*)$/

/** The endpoint that a recorded request was for; none where the contract does not declare it. */
export const match = (method: string, target: string): Match | undefined => {
  const [pathname = "", search = ""] = target.split("?")
  const [, owner, workspace, slug, below] = appPath.exec(pathname) ?? []
  const app =
    owner === undefined || workspace === undefined || slug === undefined
      ? undefined
      : { owner_name: owner, workspace_name: workspace, slug }
  for (const endpoint of endpoints) {
    const given = (endpoint.api === "agentapi" ? (below ?? "") : pathname).split("/")
    const wanted = endpoint.path.split("/")
    const fits = (part: string, index: number) => part.startsWith(":") || part === given[index]
    if (endpoint.method !== method || wanted.length !== given.length || !wanted.every(fits)) continue
    const path = Object.fromEntries(
      wanted.flatMap((part, index) =>
        part.startsWith(":") ? [[part.slice(1), decodeURIComponent(given[index] ?? "")]] : []
      )
    )
    return { endpoint, path, query: Object.fromEntries(new URLSearchParams(search)), app }
  }
  return undefined
}

const encoded = (ast: SchemaAST.AST): SchemaAST.AST => SchemaAST.encodedAST(ast)

/** The shape of an answer on the wire. Lists that are read element by element do not tell theirs: see `elementLists`. */
export const wireOf = ({ key, successes }: Endpoint, status: number): SchemaAST.AST => {
  const ast = (elementLists.get(key) ?? readableLists.get(key) ?? mendedAnswers.get(key))?.ast ?? successes.get(status)
  if (ast === undefined) throw new Error(`${key} declares no success ${status}`)
  return encoded(ast)
}

/** The shapes of the answers whose lists are read element by element. */
export const elementLists = new Map<string, Schema.Schema.Any>([
  ["workspaces.list", Schema.Struct({ workspaces: Schema.Array(WorkspaceSummary), count: Schema.Number })],
  ["templates.list", Schema.Array(Template)]
])

/** The same of answers whose elements are left out where they cannot be read. */
const readableLists = new Map<string, Schema.Schema.Any>([
  ["builds.list", Schema.Array(BuildSummary)],
  ["builds.logs", Schema.Array(BuildLog)],
  ["builds.parameters", Schema.Array(BuildParameter)],
  ["builds.agentLogs", Schema.Array(AgentLog)],
  ["templates.richParameters", Schema.Array(RichParameter)],
  ["templates.presets", Schema.NullOr(Schema.Array(Preset))],
  ["agent.messages", Schema.Struct({ messages: Schema.Array(Message) })]
])

/** The same of answers of which parts are left out where they cannot be read. */
const mendedAnswers = new Map<string, Schema.Schema.Any>([
  ["workspaces.get", Workspace],
  ["workspaces.getByName", Workspace],
  ["workspaces.create", Workspace],
  ["builds.get", Build],
  ["builds.create", Build]
])

const isNullable = (ast: SchemaAST.AST): ast is SchemaAST.Union =>
  SchemaAST.isUnion(ast) && ast.types.some((type) => SchemaAST.isLiteral(type) && type.literal === null)

/** The member of a nullable type that is not null; other types as they are. */
const notNull = (ast: SchemaAST.AST): SchemaAST.AST =>
  isNullable(ast) ? (ast.types.find((type) => !(SchemaAST.isLiteral(type) && type.literal === null)) ?? ast) : ast

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const bare = (ast: SchemaAST.AST): SchemaAST.AST => (SchemaAST.isRefinement(ast) ? bare(ast.from) : notNull(ast))

/** A value of the wire without the keys that the contract does not declare. */
export const restrict = (ast: SchemaAST.AST, value: unknown): unknown => {
  const type = bare(ast)
  if (SchemaAST.isTypeLiteral(type) && isRecord(value)) {
    return Object.fromEntries(
      type.propertySignatures.flatMap(({ name, type }) =>
        String(name) in value ? [[String(name), restrict(type, value[String(name)])]] : []
      )
    )
  }
  const element = elementOf(type)
  return element !== undefined && Array.isArray(value) ? value.map((one) => restrict(element, one)) : value
}

const elementOf = (ast: SchemaAST.AST): SchemaAST.AST | undefined =>
  SchemaAST.isTupleType(ast) ? ast.rest[0]?.type : undefined

const uuid = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/

/** Keys whose values, and not only their types, say what situation an answer tells of. */
const telling = new Set(["transition", "status", "lifecycle_state", "role"])

const kindOf = (key: string, value: unknown): string => {
  if (value === undefined) return "absent"
  if (value === null) return "null"
  if (Array.isArray(value)) return value.length === 0 ? "empty list" : "list"
  if (telling.has(key)) return JSON.stringify(value)
  if (typeof value === "string") return uuid.test(value) ? "id" : time.test(value) ? "time" : "string"
  return typeof value
}

/** What is found at each place that the contract declares; `[]` stands for any element of a list. */
export type Shape = ReadonlyMap<string, ReadonlySet<string>>

/** The shape of an answer, at the places that the contract declares. */
export const shapeOf = (ast: SchemaAST.AST, value: unknown): Shape => {
  const found = new Map<string, Set<string>>()
  const walk = (ast: SchemaAST.AST, value: unknown, path: string, key: string): void => {
    const kinds = found.get(path) ?? new Set()
    found.set(path, kinds.add(kindOf(key, value)))
    const type = bare(ast)
    if (SchemaAST.isTypeLiteral(type) && isRecord(value)) {
      for (const { name, type: inner } of type.propertySignatures) {
        walk(inner, value[String(name)], path === "" ? String(name) : `${path}.${String(name)}`, String(name))
      }
    }
    const element = elementOf(type)
    if (element !== undefined && !SchemaAST.isUnknownKeyword(element) && Array.isArray(value)) {
      for (const one of value) walk(element, one, `${path}[]`, "")
    }
  }
  walk(ast, value, "", "")
  return found
}

/**
 * Where an answer differs from a recorded one: a place holds something that it never holds in the recording. An id or a
 * time may stand where the recording has any text.
 */
export const differences = (recorded: Shape, given: Shape): ReadonlyArray<string> =>
  [...given].flatMap(([path, kinds]) => {
    const allowed = recorded.get(path)
    if (allowed === undefined) return []
    const fits = (kind: string) =>
      allowed.has(kind) || (allowed.has("string") && (kind === "id" || kind === "time" || kind.startsWith('"')))
    return [...kinds]
      .filter((kind) => !fits(kind))
      .map((kind) => `${path === "" ? "(the answer)" : path} is ${kind}, recorded: ${[...allowed].join(" or ")}`)
  })
