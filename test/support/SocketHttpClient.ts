import type { HttpClient } from "@effect/platform"
import { NodeHttpClient } from "@effect/platform-node"
import { Layer } from "effect"

/** Node's own `HttpClient` over one Unix socket, whatever the host of a URL. It keeps connections open. */
export const socketHttpClient = (socketPath: string): Layer.Layer<HttpClient.HttpClient> => {
  const options = { socketPath, keepAlive: true }
  return NodeHttpClient.layerWithoutAgent.pipe(Layer.provide(NodeHttpClient.makeAgentLayer(options)))
}
