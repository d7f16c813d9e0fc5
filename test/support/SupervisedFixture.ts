import { HttpClient } from "@effect/platform"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Context, Effect, Layer, Redacted } from "effect"
import { createServer } from "node:http"
import { join } from "node:path"
import { makeToken } from "../../src/commands/supervisor/Place.ts"
import { present } from "../../src/commands/supervisor/Presence.ts"
import { wireTo } from "../../src/commands/supervisor/Wire.ts"
import { CoderConfig } from "../../src/layers/config/CoderConfig.ts"
import { embeddedUrl } from "../../src/layers/embedded/Deployment.ts"
import * as SupervisedCoder from "../../src/layers/embedded/supervisor/SupervisedCoder.ts"
import { fleetContract, type RegisterClient } from "../../src/schemas/fleet/FleetApi.ts"
import { environment } from "../layers/agenthost/support.ts"

export interface SupervisedOptions {
  /** That of the process that supervises. */
  readonly environment?: Readonly<Record<string, string>>
  /** What the client says of itself that others do not. */
  readonly client?: Partial<RegisterClient>
}

/**
 * A supervisor in this process, on a socket in `directory`, that ends with the scope; and a client of it that names a
 * project, the repository `name` in `directory`.
 */
export const supervisedIn = Effect.fn(function* (directory: string, name: string, options: SupervisedOptions = {}) {
  const repository = join(directory, name)
  const socket = join(directory, "sock")
  const token = makeToken()
  const about = { pid: process.pid, since: "", version: "1" }
  yield* Layer.build(
    SupervisedCoder.layer(
      join(directory, "store.db"),
      { ...about, storeBytes: Effect.succeed(0), stop: Effect.void },
      {
        stateDirectory: join(directory, "state"),
        environment: options.environment ?? environment,
        sessionToken: token
      }
    ).pipe(Layer.provide(NodeHttpServer.layer(() => createServer(), { path: socket })))
  )
  const info = { ...about, socket, token, contract: fleetContract }
  const wire = Context.get(yield* Layer.build(wireTo(socket)), HttpClient.HttpClient)
  const joined = (changes: Partial<RegisterClient> = {}) =>
    Effect.gen(function* () {
      const client: RegisterClient = {
        token: makeToken(),
        projects: [{ name, directory: repository }],
        working_directory: repository,
        project_advice: "",
        allow_shell: true,
        environment: Redacted.make(environment),
        agent_environment: [],
        ...changes
      }
      yield* present(info, client)
      return client
    })
  const client = yield* joined(options.client)
  /** For requests as another client, or as the first. */
  const as = ({ token: sessionToken }: Pick<RegisterClient, "token">) =>
    Layer.merge(
      Layer.succeed(HttpClient.HttpClient, wire),
      CoderConfig.layer({ url: new URL(embeddedUrl), sessionToken })
    )
  return { as, client, joined }
})
