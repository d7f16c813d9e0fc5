import { HttpClient, HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { Context, Effect, Either, Layer, Option, Redacted, Ref, Schema } from "effect"
import { AgentApiClient } from "../../src/layers/clients/AgentApiClient.ts"
import { CoderClient } from "../../src/layers/clients/CoderClient.ts"
import { CoderHttp } from "../../src/layers/clients/CoderHttp.ts"
import { CoderConfig } from "../../src/layers/config/CoderConfig.ts"
import { CoderError } from "../../src/schemas/coder/CoderError.ts"
import { type Match, match, restrict, wireOf } from "./Contract.ts"
import { isJson, type Exchange } from "./Recordings.ts"

// The real client, asked for what was recorded, over a wire that knows one recorded exchange and nothing else.

/** How a recorded request carried which token. */
interface Credential {
  readonly form: "header" | "cookie"
  readonly token: string
}

/** Tokens are recorded as `<ada-token>`; angle brackets would be encoded in a cookie. */
const plain = (token: string): string => token.replaceAll(/[<>]/g, "")

/** None where our client never sends a token in that way. */
const credentialOf = ({ request }: Exchange): Credential | undefined => {
  const { "coder-session-token": header, cookie, ...others } = request.headers ?? {}
  if (Object.keys(others).length > 0 || request.host !== undefined) return undefined
  const [, fromCookie] = /^coder_session_token=(.*)$/.exec(cookie ?? "") ?? []
  const app = request.path.startsWith("/@")
  if (header !== undefined) return app ? undefined : { form: "header", token: plain(header) }
  if (fromCookie !== undefined) return app ? { form: "cookie", token: plain(fromCookie) } : undefined
  const [user = "", cookieForm] = request.as.split(", ")
  const token = user === "anon" || user === "-" ? "" : `${user}-token`
  return { form: cookieForm === "cookie" || app ? "cookie" : "header", token }
}

const json = (value: unknown): string => JSON.stringify(value)

const sent = (request: HttpClientRequest.HttpClientRequest): unknown =>
  request.body._tag === "Uint8Array" ? JSON.parse(new TextDecoder().decode(request.body.body)) : undefined

const sorted = (value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    : value

const tokenIn = (request: HttpClientRequest.HttpClientRequest, { form }: Credential): string => {
  const other = form === "header" ? "cookie" : "coder-session-token"
  if (request.headers[other] !== undefined) return `in the ${other}`
  return form === "header"
    ? (request.headers["coder-session-token"] ?? "")
    : (request.headers["cookie"]?.replace(/^coder_session_token=/, "") ?? "")
}

const response = (exchange: Exchange): Response => {
  const { body, headers, status, text } = exchange.response
  const content = text ?? (body === undefined ? null : json(body))
  const flat = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value): [string, string] => [name, value])
  )
  return new Response(content, { status, headers: flat })
}

/** How often the wire was asked. */
export class Requests extends Context.Tag("Requests")<Requests, Ref.Ref<number>>() {}

/** Answers the recorded request with the recorded answer. Another method, path, query, body or token is a defect. */
const wire = (exchange: Exchange, credential: Credential): Layer.Layer<HttpClient.HttpClient, never, Requests> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.map(Requests, (requests) =>
      HttpClient.make((request, url) => {
        const asked = { ...target(request.method, `${url.pathname}${url.search}`), body: sorted(sent(request)) }
        const { method, path, body } = exchange.request
        const expected = { ...target(method, path), body: sorted(body) }
        const token = tokenIn(request, credential)
        return json(asked) === json(expected) && token === credential.token
          ? Effect.as(
              Ref.update(requests, (count) => count + 1),
              HttpClientResponse.fromWeb(request, response(exchange))
            )
          : Effect.dieMessage(`asked ${json(asked)} with ${token}, recorded ${json(expected)} with ${credential.token}`)
      })
    )
  )

const target = (method: string, path: string) => {
  const [pathname = "", search = ""] = path.split("?")
  return { method, pathname, query: sorted(Object.fromEntries(new URLSearchParams(search))) }
}

const clients = (exchange: Exchange, credential: Credential) =>
  Layer.mergeAll(CoderClient.layer, AgentApiClient.layer).pipe(
    Layer.provideMerge(CoderHttp.layer),
    Layer.provide([
      wire(exchange, credential),
      CoderConfig.layer({ url: new URL("https://coder.example.com"), sessionToken: Redacted.make(credential.token) })
    ]),
    Layer.provideMerge(Layer.effect(Requests, Ref.make(0)))
  )

/** What becomes of a recorded exchange in the client: a decoded value or its error, and how often it was asked. */
export interface Played {
  readonly result: Either.Either<unknown, CoderError>
  readonly requests: number
}

const counted = (effect: Effect.Effect<unknown, CoderError>): Effect.Effect<Played, never, Requests> =>
  Effect.gen(function* () {
    const result = yield* Effect.either(effect)
    return { result, requests: yield* Effect.flatMap(Requests, Ref.get) }
  })

type Methods = Readonly<Record<string, (request: unknown) => Effect.Effect<unknown, CoderError>>>

/** The arguments with which the derived client sends the recorded request; none where the contract has no words for it. */
const argumentsOf = ({ request }: Exchange, { endpoint, path, query }: Match): object | undefined => {
  const decoded = <A>(schema: Option.Option<Schema.Schema<A, unknown>>, value: unknown) =>
    Option.match(schema, {
      onNone: () => (value === undefined || json(value) === "{}" ? Option.some(undefined) : Option.none()),
      onSome: (schema) => Schema.decodeUnknownOption(schema, { onExcessProperty: "error" })(value)
    })
  return Option.getOrUndefined(
    Option.all({
      path: decoded(endpoint.pathSchema as never, path),
      urlParams: decoded(endpoint.urlParamsSchema as never, query),
      payload: decoded(endpoint.payloadSchema as never, request.body)
    })
  )
}

/**
 * Plays an exchange through the derived client. None where it cannot: the contract does not declare the endpoint or has
 * no words for the request, or our client never sends a token like that.
 */
export const playDerived = (exchange: Exchange): Effect.Effect<Played> | undefined => {
  const found = match(exchange.request.method, exchange.request.path)
  const credential = credentialOf(exchange)
  const request = found === undefined ? undefined : argumentsOf(exchange, found)
  if (found === undefined || credential === undefined || request === undefined) return undefined
  const { app, endpoint } = found
  const api: Effect.Effect<unknown, never, CoderClient | AgentApiClient> =
    app === undefined
      ? Effect.map(CoderClient, (coder) => coder[endpoint.group as keyof typeof coder])
      : Effect.flatMap(AgentApiClient, (agentApi) => agentApi.of(app))
  return Effect.flatMap(api, (methods) =>
    counted(Effect.suspend(() => (methods as Methods)[endpoint.name]?.(request) ?? Effect.dieMessage("no such method")))
  ).pipe(Effect.provide(clients(exchange, credential)))
}

/** Plays an exchange through the client below the derived one, which sends anything. */
export const playRaw = (exchange: Exchange): Effect.Effect<Played> | undefined => {
  const credential = credentialOf(exchange)
  if (credential === undefined) return undefined
  const { body, method, path } = exchange.request
  return Effect.flatMap(CoderHttp, ({ api, app }) => {
    const request = HttpClientRequest.make(method as "GET")(path)
    const whole = body === undefined ? request : HttpClientRequest.bodyUnsafeJson(request, body)
    const answer = (credential.form === "header" ? api : app).execute(whole)
    return counted(Effect.flatMap(answer, (response) => Effect.orDie(response.json)))
  }).pipe(Effect.provide(clients(exchange, credential)))
}

const text = (value: unknown, key: string): string | undefined => {
  const found = typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined
  return typeof found === "string" ? found : undefined
}

/** The error that a recorded answer is for the client; none where it is a success. Read off the recording alone. */
export const expectedError = (exchange: Exchange): Partial<CoderError> | undefined => {
  const { body, headers, status } = exchange.response
  if (status >= 300 && status < 400) return { reason: "redirect", status }
  if (!isJson(exchange)) return { reason: "not_json", status }
  if (status < 400) return undefined
  const problem = text(body, "title")
  const [first] = problem === undefined ? [] : (Reflect.get(Object(body), "errors") as ReadonlyArray<unknown>)
  const retry = headers["retry-after"]
  return {
    reason: "status",
    status,
    message: problem ?? text(body, "message") ?? "",
    detail: problem === undefined ? text(body, "detail") : (text(first, "message") ?? text(body, "detail")),
    validations: Reflect.get(Object(body), "validations"),
    retryAfterMillis: retry === undefined ? undefined : Number(retry) * 1000
  }
}

/** The value that a recorded success is for the derived client: the contract's part of its body. */
export const expectedValue = (exchange: Exchange): unknown => {
  const found = match(exchange.request.method, exchange.request.path)
  const { body } = exchange.response
  if (found === undefined) return body
  // The two answers that mean something else than they say: a body of no content, and presets that are not there.
  if (found.endpoint.key === "agents.appStatus") return undefined
  if (found.endpoint.key === "templates.presets" && body === null) return []
  return restrict(wireOf(found.endpoint, exchange.response.status), body)
}
