import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { HttpServer } from "@effect/platform"
import { Effect, Layer, ManagedRuntime, Redacted } from "effect"
import { createServer } from "node:http"
import { EmbeddedCoder } from "../../src/layers/embedded/EmbeddedCoder.ts"
import { environment } from "../layers/agenthost/support.ts"
import { sessionToken } from "../support/EmbeddedFixture.ts"
import { type ToolsFleet, type ToolsPlace, toolsSuite } from "./ToolsSuite.ts"

/** A Coder at an address, as the program reaches any. */
const atAnAddress = async ({ repository, scratch, stateDirectory }: ToolsPlace): Promise<ToolsFleet> => {
  const server = NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 })
  const coder = EmbeddedCoder.layerServer({
    stateDirectory,
    workingDirectory: repository,
    environment: { ...environment, HOME: scratch },
    allowShell: true,
    sessionToken
  })
  const runtime = ManagedRuntime.make(Layer.provideMerge(coder, server))
  const CODER_URL = await runtime.runPromise(HttpServer.addressFormattedWith(Effect.succeed))
  return {
    args: [],
    env: { CODER_URL, CODER_SESSION_TOKEN: Redacted.value(sessionToken) },
    close: () => runtime.dispose()
  }
}

toolsSuite(atAnAddress)
