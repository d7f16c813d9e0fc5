import type { HttpClient } from "@effect/platform"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Layer } from "effect"

/** Node's own `HttpClient` over one Unix socket, whatever the host of a URL. Its connections end with the layer. */
export const wireTo = (socketPath: string): Layer.Layer<HttpClient.HttpClient> => {
  const options = { socketPath, keepAlive: true }
  return NodeHttpClient.layerWithoutAgent.pipe(Layer.provide(NodeHttpClient.makeAgentLayer(options)), Layer.fresh)
}
