import { HttpApi, HttpApiClient, type HttpApiEndpoint, type HttpApiGroup, type HttpClientError } from "@effect/platform"
import { Context, Effect, type ParseResult, Record, type Types } from "effect"
import { unsafeCoerce } from "effect/Function"
import { CoderError } from "../../schemas/coder/CoderError.ts"
import { issuePathTexts } from "../../schemas/coder/issuePaths.ts"
import type { CoderHttpClient } from "./CoderHttp.ts"

type Method<Endpoint> =
  Endpoint extends HttpApiEndpoint.HttpApiEndpoint<
    infer _Name,
    infer _Method,
    infer Path,
    infer UrlParams,
    infer Payload,
    infer Headers,
    infer Success,
    infer _Error,
    infer _R,
    infer _RE
  >
    ? (
        request: Types.Simplify<HttpApiEndpoint.HttpApiEndpoint.ClientRequest<Path, UrlParams, Payload, Headers, false>>
      ) => Effect.Effect<Success, CoderError>
    : never

/** The endpoints of a group as functions that fail with nothing but `CoderError`. */
export type GroupClient<Groups extends HttpApiGroup.HttpApiGroup.Any, Name extends string> = {
  readonly [
    Endpoint in HttpApiGroup.HttpApiGroup.EndpointsWithName<
      Groups,
      Name
    > as HttpApiEndpoint.HttpApiEndpoint.Name<Endpoint>
  ]: Method<Endpoint>
}

type Failure = CoderError | HttpClientError.HttpClientError | ParseResult.ParseError

/** `what` could not be decoded or encoded: the answer (`unexpected`), or the request (`invalid_request`). */
const toCoderError = (reason: "unexpected" | "invalid_request", what: string) => (error: Failure) => {
  switch (error._tag) {
    case "CoderError":
      return error
    case "ParseError": {
      const places = issuePathTexts(error.issue).join(", ") || `the whole ${what}`
      return new CoderError({ reason, status: null, message: `not in the shape of the contract at: ${places}` })
    }
    case "RequestError":
      return new CoderError({ reason: "invalid_request", status: null, message: "the request could not be built" })
    case "ResponseError":
      return new CoderError({
        reason: "unexpected",
        status: error.response.status,
        message: "a status that the contract does not know"
      })
  }
}

const answerError = toCoderError("unexpected", "answer")
const requestError = toCoderError("invalid_request", "request")

const withAnswerError = (answer: Effect.Effect<unknown, Failure>) => Effect.mapError(answer, answerError)

type AnyMethods = Record<string, (request: unknown) => Effect.Effect<unknown, Failure>>

/**
 * Derives the client of one group of a contract, over `httpClient`, with every failure a `CoderError`. Each request is
 * made with its endpoint's annotations in context (`EndpointPolicy`).
 */
export const deriveGroup = <
  Id extends string,
  Groups extends HttpApiGroup.HttpApiGroup.Any,
  E,
  const Name extends HttpApiGroup.HttpApiGroup.Name<Groups>
>(
  api: HttpApi.HttpApi<Id, Groups, E>,
  options: { readonly group: Name; readonly httpClient: CoderHttpClient }
): Effect.Effect<GroupClient<Groups, Name>> => {
  const annotations = annotationsOf(api, options.group)
  return HttpApiClient.group(api, {
    ...options,
    transformResponse: unsafeCoerce<unknown, never>(withAnswerError)
  }).pipe(
    unsafeCoerce<unknown, Effect.Effect<AnyMethods>>,
    Effect.map((methods) =>
      unsafeCoerce<unknown, GroupClient<Groups, Name>>(
        Record.map(methods, (method, name) => {
          const policy = annotations[name] ?? Context.empty()
          return (request: unknown) => method(request).pipe(Effect.mapError(requestError), Effect.provide(policy))
        })
      )
    )
  )
}

const annotationsOf = <Id extends string, Groups extends HttpApiGroup.HttpApiGroup.Any, E>(
  api: HttpApi.HttpApi<Id, Groups, E>,
  wanted: string
): Readonly<Record<string, Context.Context<never>>> => {
  const found: Record<string, Context.Context<never>> = {}
  HttpApi.reflect(api, {
    onGroup: () => undefined,
    onEndpoint: ({ endpoint, group }) => {
      if (group.identifier === wanted) found[endpoint.name] = endpoint.annotations
    }
  })
  return found
}
