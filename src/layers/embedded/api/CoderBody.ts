import { type HttpApp, HttpServerError, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { HttpApiDecodeError } from "@effect/platform/HttpApiError"
import { Cause, Effect, Predicate, Schema } from "effect"
import { CoderError, type Validation } from "../../../schemas/coder/CoderError.ts"
import { CrossSiteRefused } from "../../../schemas/coder/Security.ts"
import { changesByCookie } from "./Credential.ts"
import { Deployment, originOf } from "../Deployment.ts"
import { Ids } from "../store/Ids.ts"
import type { StoreFailed } from "../store/StoreFailed.ts"

/** Coder's answer about anything that is not there, or not the caller's (recording: create.json, "by name, missing"). */
export const notFound = CoderError.answer(404, "Resource not found or you do not have access to this resource")

/** No answer of Coder's: what a key was used for, `Keys` tells. */
export const keyUsed = CoderError.answer(409, "The idempotency key was used before.")

const internalError = CoderError.answer(500, "An internal server error occurred.")

/** What a caller is told of a store that failed: nothing of the inside. The log has the rest. */
export const storeFailed = ({ message }: StoreFailed): Effect.Effect<never, CoderError> =>
  Effect.zipRight(Effect.logError(`A request to the embedded Coder failed: ${message}`), internalError)

/**
 * Gives every answer Coder's headers, and every failure the status and the body that Coder has for it. What nobody
 * expected becomes a 500 that tells nothing of the inside; the log has the rest.
 */
export const withCoderBody: Effect.Effect<
  <E, R>(app: HttpApp.Default<E, R>) => HttpApp.Default<never, R>,
  never,
  Deployment
> = Effect.gen(function* () {
  const { version } = yield* Deployment
  const ids = yield* Ids
  return (app) =>
    app.pipe(
      Effect.catchAllCause((cause) => {
        return Cause.isInterruptedOnly(cause) ? Effect.interrupt : errorAnswer(cause)
      }),
      Effect.zipWith(ids.make("request"), (response, id) =>
        HttpServerResponse.setHeaders(response, { "x-coder-build-version": version, "x-coder-request-id": id })
      )
    )
})

const isCrossSite = Schema.is(CrossSiteRefused)
const isRouteNotFound = (error: unknown) => HttpServerError.isServerError(error) && error._tag === "RouteNotFound"

/** Recording: app-proxy.json, "cookie on /api: write". */
export const crossSiteAnswer = HttpServerResponse.text(
  "Something is wrong with your CSRF token. Please refresh the page. If this error persists, try clearing your cookies.",
  { status: 400, contentType: "text/plain; charset=utf-8" }
)

const errorAnswer = (cause: Cause.Cause<unknown>) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const error = Cause.squash(cause)
    // Coder looks at this before it looks for the route.
    if (isCrossSite(error) || (isRouteNotFound(error) && changesByCookie(request))) return crossSiteAnswer
    const { detail, message, status, validations } = yield* toCoderError(cause, request.method)
    const body = {
      message,
      ...(detail === undefined ? {} : { detail }),
      ...(validations === undefined ? {} : { validations })
    }
    return HttpServerResponse.unsafeJson(body, {
      status: status ?? 500,
      contentType: "application/json; charset=utf-8",
      ...(status === 401 ? { headers: { "www-authenticate": challenge(originOf(request)) } } : {})
    })
  })

/** Recording: platform.json, "me without token". */
const challenge = (origin: string): string =>
  `Bearer realm="coder", error="invalid_token", error_description="The access token has expired", resource_metadata="${origin}/.well-known/oauth-protected-resource"`

const isCoderError = Schema.is(CoderError)
const isDecodeError = Schema.is(HttpApiDecodeError)

const toCoderError = (cause: Cause.Cause<unknown>, method: string): Effect.Effect<CoderError> => {
  const error = Cause.squash(cause)
  if (isCoderError(error)) return Effect.succeed(error)
  if (isDecodeError(error)) return Effect.succeed(refusal(error, method))
  if (HttpServerError.isServerError(error)) {
    if (isRouteNotFound(error)) return Effect.succeed(CoderError.answer(404, "Route not found."))
    if (error._tag === "RequestError" && error.reason === "Decode") {
      const detail = Predicate.isError(error.cause) ? error.cause.message : "it cannot be read"
      return Effect.succeed(invalidJson(detail))
    }
  }
  return Effect.as(Effect.logError("A request to the embedded Coder failed", cause), internalError)
}

const invalidJson = (detail: string) => CoderError.answer(400, "Request body must be valid JSON.", { detail })

/**
 * What the contract refuses: a query in a GET, a body in anything else. Issues without a path concern a whole body; of
 * several about one field the first counts, the others are about its being optional.
 */
const refusal = ({ issues, message }: HttpApiDecodeError, method: string): CoderError => {
  const validations = new Map<string, Validation>()
  for (const issue of issues) {
    const field = issue.path.map(String).join(".")
    const detail = issue._tag === "Missing" ? 'Validation failed for tag "required" with value: ""' : issue.message
    if (field === "") return invalidJson(message)
    if (!validations.has(field)) validations.set(field, { field, detail })
  }
  const what = method === "GET" ? "Query parameters have invalid values." : "Validation failed."
  return CoderError.answer(400, what, { validations: [...validations.values()] })
}
