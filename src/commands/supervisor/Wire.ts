import type { HttpClient, HttpClientError } from "@effect/platform"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Layer } from "effect"

/** Node's own `HttpClient` over one Unix socket, whatever the host of a URL. Its connections end with the layer. */
export const wireTo = (socketPath: string): Layer.Layer<HttpClient.HttpClient> => {
  const options = { socketPath, keepAlive: true }
  return NodeHttpClient.layerWithoutAgent.pipe(Layer.provide(NodeHttpClient.makeAgentLayer(options)), Layer.fresh)
}

/** Codes of a connection that was never made: nothing was sent. */
const neverSent = new Set(["ENOENT", "ECONNREFUSED"])

/** Whether nobody listens at the socket, and so nothing of a request was sent. */
export const wasNeverSent = ({ cause }: Pick<HttpClientError.RequestError, "cause">): boolean =>
  typeof cause === "object" && cause !== null && "code" in cause && neverSent.has(String(cause.code))
