import { HttpClient, HttpClientError, type HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { Effect, Layer, Stream } from "effect"
import { Agent, type IncomingMessage, request as httpRequest } from "node:http"
import { Readable } from "node:stream"

/**
 * An `HttpClient` over one Unix socket, whatever the host of a URL. It keeps connections open, follows no redirect,
 * hands bodies on as they come, and drops the connection of a request that is interrupted.
 */
export const SocketHttpClient: {
  readonly layer: (socketPath: string) => Layer.Layer<HttpClient.HttpClient>
} = {
  layer: (socketPath) =>
    Layer.scoped(
      HttpClient.HttpClient,
      Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => new Agent({ keepAlive: true })),
          (agent) => Effect.sync(() => agent.destroy())
        ),
        (agent) =>
          HttpClient.make((request, url, signal) => {
            const { headers, method } = request
            const options = { agent, socketPath, method, path: `${url.pathname}${url.search}`, signal }
            return Effect.async<IncomingMessage, HttpClientError.RequestError>((resume) => {
              const sent = httpRequest({ ...options, headers: { ...headers, host: url.host } })
              sent.once("response", (message) => resume(Effect.succeed(message)))
              sent.on("error", (cause) =>
                resume(new HttpClientError.RequestError({ request, reason: "Transport", cause }))
              )
              bodyOf(request).pipe(sent)
            }).pipe(Effect.map((message) => HttpClientResponse.fromWeb(request, responseOf(message))))
          })
      )
    )
}

const bodyOf = ({ body }: HttpClientRequest.HttpClientRequest): Readable => {
  if (body._tag === "Uint8Array") return Readable.from([body.body])
  if (body._tag === "Stream") return Readable.from(Stream.toAsyncIterable(body.stream))
  return Readable.from([])
}

/** Statuses whose answers have no body. */
const bodiless = new Set([204, 205, 304])

const responseOf = (message: IncomingMessage): Response => {
  const { headersDistinct, statusCode: status = 500 } = message
  const headers = Object.entries(headersDistinct).flatMap(([name, values = []]) =>
    values.map((value): [string, string] => [name, value])
  )
  if (!bodiless.has(status)) return new Response(Readable.toWeb(message), { status, headers })
  message.resume()
  return new Response(null, { status, headers })
}
