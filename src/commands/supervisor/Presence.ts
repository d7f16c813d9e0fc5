import { Data, Deferred, Effect, Redacted, Schema, type Scope } from "effect"
import * as http from "node:http"
import { BackendNotConfigured } from "../../schemas/errors/Coder.ts"
import { RegisterClient } from "../../schemas/fleet/FleetApi.ts"
import type { SupervisorInfo } from "./Place.ts"

/** Nobody answers where a supervisor said that it was, or whoever does knows nothing of its token. */
export class NobodyThere extends Data.TaggedError("NobodyThere")<{ readonly reason: string }> {}

const encodeClient = Schema.encodeSync(Schema.parseJson(RegisterClient))

const notTaken = ({ pid }: SupervisorInfo, status: number | undefined) =>
  new BackendNotConfigured({
    problem: `The supervisor of this machine's fleet (process ${pid}) does not take this client (${status}).`,
    remedy: "See fleet-mcp logs; fleet-mcp stop ends it, and the next call starts another."
  })

/**
 * Holds a request open, as long as the scope, by which a supervisor knows that this client is there. Answers when it
 * does, with whether it is so still. The wait can be interrupted at any time.
 */
export const present = (
  info: SupervisorInfo,
  client: RegisterClient
): Effect.Effect<() => boolean, NobodyThere | BackendNotConfigured, Scope.Scope> =>
  Effect.gen(function* () {
    const taken = yield* Deferred.make<void, NobodyThere | BackendNotConfigured>()
    let isOpen = false
    const end = (outcome: Effect.Effect<void, NobodyThere | BackendNotConfigured>) =>
      Deferred.unsafeDone(taken, outcome)
    const gone = (reason: string) => () => {
      isOpen = false
      end(new NobodyThere({ reason }))
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const request = http.request({
          socketPath: info.socket,
          method: "POST",
          path: "/fleet/v1/clients",
          // Its own, which ends with the request.
          agent: false,
          headers: {
            host: "embedded.fleet-mcp.internal",
            "content-type": "application/json",
            "coder-session-token": Redacted.value(info.token)
          }
        })
        request.on("error", ({ message }) => gone(message)())
        request.on("close", gone(`${info.socket} was closed without an answer`))
        request.on("response", (response) => {
          const { statusCode } = response
          response.on("error", ({ message }) => gone(message)())
          response.on("close", gone("its answer ended"))
          if (statusCode === 200) {
            response.on("data", () => {
              isOpen = true
              end(Effect.void)
            })
          } else {
            response.resume()
            if (statusCode === 401) gone("it does not know the token of its own file")()
            else end(notTaken(info, statusCode))
          }
        })
        request.end(encodeClient(client))
        return request
      }),
      (request) => Effect.sync(() => request.destroy())
    )
    yield* Deferred.await(taken)
    return () => isOpen
  })
