import {
  Cookies,
  FetchHttpClient,
  Headers,
  HttpClient,
  HttpClientError,
  HttpClientRequest,
  HttpClientResponse
} from "@effect/platform"
import { Clock, Context, Duration, Effect, Layer, Option, Record, Redacted, Schema, Stream } from "effect"
import { Problem } from "../../schemas/agentapi/AgentApi.ts"
import { CoderError, ErrorBody, isGatewayStatus, type CoderErrorReason } from "../../schemas/coder/CoderError.ts"
import { AnswerSize, AnswerTime } from "../../schemas/EndpointPolicy.ts"
import { cut, withoutControls } from "../../schemas/Text.ts"
import { CoderConfig } from "../config/CoderConfig.ts"
import { remaining, TimeLimits } from "../time/Deadline.ts"
import { proxyRefusal } from "./ProxyRefused.ts"
import { makeRedact, type Redact } from "./Redact.ts"
import { repeated } from "./RetryPolicy.ts"

const MiB = 1024 * 1024

/** How long one request may take, and how large what comes back may be; see `EndpointPolicy` for the words. */
export class CoderHttpLimits extends Context.Reference<CoderHttpLimits>()(
  "fleet-mcp/layers/clients/CoderHttp/CoderHttpLimits",
  {
    defaultValue: () => ({
      answerTime: { server: Duration.seconds(15), terminal: Duration.seconds(30), event: Duration.seconds(30) },
      /** Bytes of a body, after decompression. */
      answerSize: { one: 2 * MiB, many: 16 * MiB },
      /** A text of an error that is passed on, and a value of a header (characters). */
      quotedText: 500,
      quotedHeader: 100
    })
  }
) {}

/** An `HttpClient` whose every failure is a `CoderError`, and whose every response is 2xx, JSON, and read to its end. */
export type CoderHttpClient = HttpClient.HttpClient.With<CoderError>

/**
 * The two ways to speak to the configured origin, over whatever `HttpClient` was provided:
 * - `api`: Coder's API, with the token in the header `Coder-Session-Token`;
 * - `app`: the app proxy, with the token in the cookie. Coder takes the cookie off before the request reaches the
 *   workspace, a header it would pass on (recording: app-proxy.json).
 *
 * No redirect is followed, no other origin is contacted, bodies are bounded, only GETs are repeated, and the token is
 * taken out of what comes back: servers and proxies quote requests in their errors.
 */
export class CoderHttp extends Context.Tag("fleet-mcp/layers/clients/CoderHttp")<
  CoderHttp,
  { readonly api: CoderHttpClient; readonly app: CoderHttpClient }
>() {
  static readonly layer: Layer.Layer<CoderHttp, never, HttpClient.HttpClient | CoderConfig> = Layer.effect(
    this,
    Effect.gen(function* () {
      const wire = yield* HttpClient.HttpClient
      const { sessionToken, url } = yield* CoderConfig
      const token = () => Redacted.value(sessionToken)
      const redact = makeRedact(sessionToken)
      const make = (authorize: Authorize, retry: typeof api) =>
        guarded(authorized(wire, url, authorize), redact, repeated(retry)).pipe(
          HttpClient.mapRequest(HttpClientRequest.prependUrl(url.toString()))
        )
      return {
        api: make((request) => HttpClientRequest.setHeader(request, "coder-session-token", token()), api),
        app: make(
          (request) =>
            HttpClientRequest.setHeader(
              request,
              "cookie",
              Cookies.toCookieHeader(Cookies.unsafeSetAll(Cookies.empty, [["coder_session_token", token()]]))
            ),
          app
        )
      }
    })
  )
}

type Authorize = (request: HttpClientRequest.HttpClientRequest) => HttpClientRequest.HttpClientRequest

const api = { waitForServer: true }
/** That nothing listens behind an app is an answer: it tells of the agent. */
const app = { waitForServer: false }

/**
 * Puts the token on at the lowest point, where no span, log or error of ours sees the request any more, and only for
 * the configured origin.
 */
const authorized = (wire: HttpClient.HttpClient, base: URL, authorize: Authorize): HttpClient.HttpClient => {
  const silent = wire.pipe(HttpClient.withTracerDisabledWhen(() => true))
  return HttpClient.make((request, url) =>
    url.origin === base.origin
      ? silent.execute(authorize(request)).pipe(
          Effect.mapError((error) => withoutToken(request, error)),
          Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" })
        )
      : Effect.dieMessage(`A request left the configured origin: ${url.origin}`)
  ).pipe(
    HttpClient.withTracerPropagation(false),
    // Spans keep no header's value: an answer may quote the token in any of them.
    HttpClient.transformResponse(Effect.locally(Headers.currentRedactedNames, [/^/]))
  )
}

/** The same error about the request as it was before the token was put on: a span keeps the error it ended with. */
const withoutToken = (request: HttpClientRequest.HttpClientRequest, error: HttpClientError.HttpClientError) =>
  new HttpClientError.RequestError({
    request,
    reason: error._tag === "RequestError" ? error.reason : "Transport",
    cause: error.cause
  })

const guarded = (client: HttpClient.HttpClient, redact: Redact, retry: ReturnType<typeof repeated>): CoderHttpClient =>
  HttpClient.makeWith<CoderError, never, CoderError, never>(
    Effect.flatMap((request) => {
      const attempt = client.execute(request).pipe(
        Effect.mapError((error) => transportError(request, error)),
        Effect.flatMap((answer) => readAnswer(request, answer, redact)),
        timed(request)
      )
      return request.method === "GET" ? retry(attempt) : attempt
    }),
    Effect.succeed
  )

const about = (request: HttpClientRequest.HttpClientRequest) => ({ method: request.method, path: pathOf(request.url) })

const pathOf = (url: string): string => (URL.canParse(url) ? new URL(url).pathname : url)

const timed =
  (request: HttpClientRequest.HttpClientRequest) =>
  <A>(effect: Effect.Effect<A, CoderError>): Effect.Effect<A, CoderError> =>
    Effect.flatMap(
      Effect.all([remaining, TimeLimits, AnswerTime, CoderHttpLimits]),
      ([left, { settle }, time, limits]) => {
        const own = limits.answerTime[time]
        const reserve = request.method === "GET" ? Duration.zero : settle
        const duration = Duration.min(own, Duration.subtract(left, reserve))
        const fail = (reason: CoderErrorReason, message: string) =>
          new CoderError({ reason, status: null, message, ...about(request) })
        if (Duration.isZero(duration)) return fail("unreachable", "no time was left to send the request")
        const onTimeout = () => fail("timeout", `no answer within ${Math.round(Duration.toSeconds(duration))} s`)
        return Effect.timeoutFail(effect, { duration, onTimeout })
      }
    )

/** Codes of Node's network and TLS errors that come before a request is sent, unless they are of a read or a write. */
const neverSent =
  /^(?!.* on (?:read|write)$)(?:ECONNREFUSED|ENOTFOUND|EAI_|EHOSTUNREACH|ENETUNREACH|ENOENT|UND_ERR_CONNECT|CERT_|ERR_TLS|ERR_SSL_(WRONG_VERSION|PACKET_LENGTH|UNSUPPORTED_PROTOCOL|\w*HANDSHAKE_FAILURE|\w*PROTOCOL_VERSION)|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/

const codesOf = (cause: unknown, depth = 0): ReadonlyArray<string> => {
  if (typeof cause !== "object" || cause === null || depth > 4) return []
  const read: { code?: unknown; cause?: unknown; errors?: unknown; syscall?: unknown } = cause
  const { cause: inner, code, errors, syscall } = read
  // A connection that was in use breaks with codes of one that was never made.
  const used = syscall === "read" || syscall === "write"
  return [
    ...(typeof code === "string" ? [used ? `${code} on ${syscall}` : code] : []),
    ...codesOf(inner, depth + 1),
    ...(Array.isArray(errors) ? errors.flatMap((error) => codesOf(error, depth + 1)) : [])
  ]
}

const transportError = (
  request: HttpClientRequest.HttpClientRequest,
  error: HttpClientError.HttpClientError
): CoderError => {
  if (error._tag === "RequestError" && error.reason !== "Transport") {
    return new CoderError({
      reason: "invalid_request",
      status: null,
      message: "the request could not be built",
      ...about(request)
    })
  }
  const refused = proxyRefusal(error.cause)
  if (refused !== undefined) {
    return new CoderError({
      reason: "unreachable",
      status: null,
      message: `the proxy answered ${refused.status} and opened no connection`,
      code: refused.code,
      proxyStatus: refused.status,
      ...about(request)
    })
  }
  const codes = codesOf(error.cause)
  const sent = !codes.some((code) => neverSent.test(code))
  const [code] = codes
  return new CoderError({
    reason: sent ? "interrupted" : "unreachable",
    status: null,
    message: `${sent ? "the connection broke" : "no connection"}${code === undefined ? "" : ` (${code})`}`,
    ...(code === undefined ? {} : { code }),
    ...about(request)
  })
}

const readAnswer = (
  request: HttpClientRequest.HttpClientRequest,
  response: HttpClientResponse.HttpClientResponse,
  redact: Redact
): Effect.Effect<HttpClientResponse.HttpClientResponse, CoderError> =>
  Effect.gen(function* () {
    const { status } = response
    const { answerSize, quotedHeader, quotedText } = yield* CoderHttpLimits
    const headers = Headers.fromInput(Record.map(response.headers, redact.text))
    const { "content-type": type = "", "x-coder-request-id": requestId } = headers
    const fail = (fields: Pick<CoderError, "reason" | "message"> & Partial<CoderError>) =>
      new CoderError({
        status,
        requestId: requestId === undefined ? requestId : cut(requestId, quotedHeader),
        ...about(request),
        ...fields
      })
    if (status >= 300 && status < 400) {
      yield* giveUp(response)
      return yield* fail({ reason: "redirect", message: "redirected to another page, perhaps to sign in" })
    }
    const body = redact.bytes(yield* readBody(response, answerSize[yield* AnswerSize], fail))
    const json = /\bjson\b/.test(type)
    const retryAfterMillis = retryAfter(headers, yield* Clock.currentTimeMillis)
    if (!json && (status >= 400 || body.length > 0)) {
      return yield* fail({
        reason: "not_json",
        retryAfterMillis,
        message: `answered ${status} with ${type === "" ? "no content type" : cut(type, quotedHeader)} instead of JSON`
      })
    }
    if (status >= 400) {
      const text = errorText(body, quotedText)
      const isCoders = Option.isSome(text) && !isGatewayStatus(status)
      return yield* fail({
        reason: isCoders ? "status" : "gateway",
        retryAfterMillis,
        ...Option.getOrElse(text, () => ({ message: `answered ${status} with JSON that is not Coder's` }))
      })
    }
    return HttpClientResponse.fromWeb(request, readResponse(status, body))
  })

/** A response whose body was read already: a real `Response` would copy it through a stream once more. */
const readResponse = (status: number, body: Uint8Array): Response =>
  Object.assign(new Response(null, { status, headers: { "content-type": "application/json" } }), {
    arrayBuffer: () => Promise.resolve(body.buffer),
    text: () => Promise.resolve(new TextDecoder().decode(body))
  })

/** Nobody reads the body: its connection is not kept waiting for it. */
const giveUp = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<void> =>
  Stream.runDrain(response.stream).pipe(Effect.timeoutOption(Duration.zero), Effect.ignore)

const readBody = (
  response: HttpClientResponse.HttpClientResponse,
  limit: number,
  fail: (fields: Pick<CoderError, "reason" | "message">) => CoderError
): Effect.Effect<Uint8Array, CoderError> =>
  Effect.suspend(() => {
    const parts: Array<Uint8Array> = []
    let size = 0
    return response.stream.pipe(
      Stream.runForEachChunk((chunk) => {
        for (const part of chunk) {
          parts.push(part)
          size += part.length
        }
        return size > limit
          ? Effect.fail(fail({ reason: "too_large", message: `the answer is larger than ${limit} bytes` }))
          : Effect.void
      }),
      Effect.catchTag("ResponseError", ({ reason }) =>
        reason === "EmptyBody"
          ? Effect.void
          : Effect.fail(fail({ reason: "truncated", message: "the answer ended early" }))
      ),
      Effect.map(() => joined(parts, size)),
      // An error of the stream holds the request with its token, and fibers log what they fail with.
      Effect.withUnhandledErrorLogLevel(Option.none())
    )
  })

const joined = (parts: ReadonlyArray<Uint8Array>, size: number): Uint8Array => {
  const whole = new Uint8Array(size)
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

const decodeError = Schema.decodeUnknownOption(Schema.parseJson(Schema.Union(ErrorBody, Problem)))

/** The words of an error body: Coder's own, or AgentAPI's problem. */
const errorText = (
  body: Uint8Array,
  limit: number
): Option.Option<Pick<CoderError, "message"> & Partial<CoderError>> => {
  const quoted = (text: string): string => cut(withoutControls(text), limit)
  return Option.map(decodeError(new TextDecoder().decode(body)), (error) =>
    "title" in error
      ? { message: quoted(error.title), detail: quoted(error.errors?.[0]?.message ?? error.detail) }
      : {
          message: quoted(error.message),
          ...(error.detail === undefined ? {} : { detail: quoted(error.detail) }),
          ...(error.validations === undefined
            ? {}
            : {
                validations: error.validations.map(({ detail, field }) => ({
                  field: quoted(field),
                  detail: quoted(detail)
                }))
              })
        }
  )
}

const dateOf = (value = ""): Option.Option<number> =>
  Option.filter(Option.some(/^[A-Z]/i.test(value) ? Date.parse(value) : Number.NaN), (date) => !Number.isNaN(date))

/**
 * Retry-After in milliseconds: seconds, or an HTTP date, measured against the answer's own `Date`, since the two clocks
 * may differ, and `now` only where it has none; anything else counts as absent.
 */
const retryAfter = (headers: Headers.Headers, now: number): number | undefined => {
  const value = headers["retry-after"]?.trim() ?? ""
  if (/^\d+$/.test(value)) return Number(value) * 1000
  const answered = Option.getOrElse(dateOf(headers["date"]?.trim()), () => now)
  return Option.getOrUndefined(Option.map(dateOf(value), (date) => Math.max(0, date - answered)))
}
