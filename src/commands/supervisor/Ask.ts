import { HttpApiClient, HttpClient, HttpClientError, HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { Data, Duration, Effect, Option, Redacted } from "effect"
import { embeddedUrl } from "../../layers/embedded/Deployment.ts"
import { ErrorBody } from "../../schemas/coder/CoderError.ts"
import { FleetApi } from "../../schemas/fleet/FleetApi.ts"
import type { SupervisorInfo } from "./Place.ts"
import { wasNeverSent, wireTo } from "./Wire.ts"

/** How long one answer of a supervisor is waited for. */
const answerTime = Duration.seconds(5)

/** There is a supervisor, or there may be, and what was asked of it is not known. */
export class NoAnswer extends Data.TaggedError("NoAnswer")<{ readonly message: string }> {}

/** A refusal, with what it says. */
const refusals = Effect.flatMap((response: HttpClientResponse.HttpClientResponse) =>
  response.status < 400
    ? Effect.succeed(response)
    : HttpClientResponse.schemaBodyJson(ErrorBody)(response).pipe(
        Effect.match({ onFailure: () => `status ${response.status}`, onSuccess: ({ message }) => message }),
        Effect.flatMap(
          (description) =>
            new HttpClientError.ResponseError({
              request: response.request,
              response,
              reason: "StatusCode",
              description
            })
        )
      )
)

/** Its own API, over the client at hand. What it refuses is a `ResponseError` with its words as description. */
export const fleetClient = ({ token }: Pick<SupervisorInfo, "token">) =>
  HttpApiClient.make(FleetApi, {
    baseUrl: embeddedUrl,
    transformClient: (client) =>
      client.pipe(
        HttpClient.mapRequest(HttpClientRequest.setHeader("coder-session-token", Redacted.value(token))),
        HttpClient.transformResponse(refusals)
      )
  })

interface Failure {
  readonly _tag: string
  readonly message: string
  readonly cause?: unknown
  readonly description?: string | undefined
}

/** What an error tells of the process that was asked. */
const saidBy = ({ _tag, cause, description, message }: Failure): string =>
  _tag === "ResponseError" && description !== undefined
    ? `refuses: ${description}`
    : `does not answer: ${cause instanceof Error ? cause.message : message}`

type FleetClient = Effect.Effect.Success<ReturnType<typeof fleetClient>>

/** What a supervisor answers to one request; none where nobody listens, and so nothing was sent. */
export const ask = <A, E extends Failure>(
  info: SupervisorInfo,
  request: (supervisor: FleetClient["supervisor"]) => Effect.Effect<A, E | HttpClientError.HttpClientError>
): Effect.Effect<Option.Option<A>, NoAnswer> =>
  Effect.flatMap(fleetClient(info), ({ supervisor }) => request(supervisor)).pipe(
    Effect.provide(wireTo(info.socket)),
    Effect.asSome,
    Effect.timeoutFail({
      duration: answerTime,
      onTimeout: () => new NoAnswer({ message: `nothing came within ${Duration.toSeconds(answerTime)} s` })
    }),
    Effect.catchIf(
      (error) => error._tag === "RequestError" && "cause" in error && wasNeverSent(error),
      () => Effect.succeedNone
    ),
    Effect.mapError((error) => new NoAnswer({ message: `The supervisor: process ${info.pid} ${saidBy(error)}` }))
  )
