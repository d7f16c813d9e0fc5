import { HttpServerRequest } from "@effect/platform"
import { Context, Effect, Layer, Option } from "effect"
import { Callers, type Client } from "../api/Callers.ts"

/** How many requests of one client are answered at the same time; further ones wait for those before them. */
export class ClientLimits extends Context.Reference<ClientLimits>()(
  "fleet-mcp/layers/embedded/supervisor/FairShare/ClientLimits",
  { defaultValue: () => ({ requests: 8 }) }
) {}

/** Keeps the requests of one client from standing in the way of another's. */
export class FairShare extends Context.Tag("fleet-mcp/layers/embedded/supervisor/FairShare")<
  FairShare,
  {
    /**
     * Answers a request when its client has less than its share at work; whoever is no client has one share together. A
     * request whose sender goes away waits no longer.
     */
    readonly within: <A, E, R>(
      request: Effect.Effect<A, E, R>
    ) => Effect.Effect<A, E, R | HttpServerRequest.HttpServerRequest>
  }
>() {
  static readonly layer: Layer.Layer<FairShare, never, Callers> = Layer.effect(
    this,
    Effect.gen(function* () {
      const callers = yield* Callers
      const { requests } = yield* ClientLimits
      const others = Effect.unsafeMakeSemaphore(requests)
      const shares = new WeakMap<Client, Effect.Semaphore>()
      const shareOf = (client: Client): Effect.Semaphore => {
        const share = shares.get(client) ?? Effect.unsafeMakeSemaphore(requests)
        shares.set(client, share)
        return share
      }
      return {
        within: (request) =>
          Effect.flatMap(HttpServerRequest.HttpServerRequest, (asked) =>
            Option.match(callers.clientOf(asked), { onNone: () => others, onSome: shareOf }).withPermits(1)(request)
          )
      }
    })
  )
}
