import { HttpApiBuilder } from "@effect/platform"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Layer } from "effect"
import * as FleetMcp from "fleet-mcp"
import { createServer } from "node:http"
import { layerDesk } from "./Desk.ts"

// Serves the fleet of the Coder server that CODER_URL and CODER_SESSION_TOKEN name.
const server = HttpApiBuilder.serve().pipe(
  Layer.provide(layerDesk),
  Layer.provide(FleetMcp.layerConfig),
  Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 8080 }))
)

NodeRuntime.runMain(Layer.launch(server))
