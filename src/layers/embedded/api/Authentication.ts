import { type HttpApp, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Effect, Either, Redacted } from "effect"
import { CoderError } from "../../../schemas/coder/CoderError.ts"
import { Deployment } from "../Deployment.ts"

const cookieName = "coder_session_token"
const signedOut = "You are signed out or your session has expired. Please sign in again to continue."

/** A token, and whether it came as a cookie: those a browser sends unasked, so they may not change anything. */
interface Credential {
  readonly token: string
  readonly fromCookie: boolean
}

/** The credential of a request, looked for in Coder's order. */
const credentialOf = (request: HttpServerRequest.HttpServerRequest): Credential | undefined => {
  const cookie = request.cookies[cookieName]
  if (cookie) return { token: cookie, fromCookie: true }
  const query = new URLSearchParams(request.url.split("?")[1])
  const token =
    query.get(cookieName) ||
    request.headers["coder-session-token"] ||
    /^bearer (.+)$/i.exec(request.headers.authorization ?? "")?.[1]
  return token ? { token, fromCookie: false } : undefined
}

/** The token of a request, for agents; `""` without one. */
export const tokenOf = (request: HttpServerRequest.HttpServerRequest): string => credentialOf(request)?.token ?? ""

/** Compares in a time that does not depend on where the difference is. */
const same = (given: string, expected: string): boolean => {
  let difference = given.length ^ expected.length
  for (let i = 0; i < given.length; i++) difference |= given.charCodeAt(i) ^ expected.charCodeAt(i % expected.length)
  return difference === 0
}

/** Whether a request carries the user's token; if not, why (recording: platform.json, "me without token" and after). */
export const checkSession = (
  request: HttpServerRequest.HttpServerRequest,
  sessionToken: Redacted.Redacted
): Either.Either<Credential, CoderError> => {
  const refused = (detail: string) => Either.left(CoderError.answer(401, signedOut, { detail }))
  const credential = credentialOf(request)
  if (credential === undefined) return refused(`Cookie "${cookieName}" or query parameter must be provided.`)
  if (same(credential.token, Redacted.value(sessionToken))) return Either.right(credential)
  const parts = credential.token.split("-").length
  return refused(
    parts === 2
      ? "API key is invalid."
      : `Invalid API key format: incorrect amount of API key parts, expected 2 got ${parts}`
  )
}

/** Paths below `/api` that do not want the user's token: one needs none, the other wants an agent's. */
const open = /^\/api\/v2\/(buildinfo$|workspaceagents\/me\/)/

const csrf = HttpServerResponse.text(
  "Something is wrong with your CSRF token. Please refresh the page. If this error persists, try clearing your cookies.",
  { status: 400, contentType: "text/plain; charset=utf-8" }
)

/** Lets through to `/api` only requests that carry the user's token. The app proxy asks by itself. */
export const withSession: Effect.Effect<
  <E, R>(app: HttpApp.Default<E, R>) => HttpApp.Default<E | CoderError, R>,
  never,
  Deployment
> = Effect.map(
  Deployment,
  ({ sessionToken }) =>
    (app) =>
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const path = request.url.split("?")[0] ?? ""
        if (!path.startsWith("/api/") || open.test(path)) return yield* app
        const { fromCookie } = yield* checkSession(request, sessionToken)
        return fromCookie && request.method !== "GET" && request.method !== "HEAD" ? csrf : yield* app
      })
)
