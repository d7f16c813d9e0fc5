import type { HttpServerRequest } from "@effect/platform"
import { Context, Effect, Layer, Option, Redacted, type Scope } from "effect"
import { createHash, timingSafeEqual } from "node:crypto"
import type { Caller } from "../../agenthost/process/TurnCaller.ts"
import { Deployment } from "../Deployment.ts"
import { credentialOf } from "./Credential.ts"

/** A client that has registered. */
export interface Client extends Caller {
  /** What it authenticates its requests with. */
  readonly token: Redacted.Redacted
  /** The templates of the projects that it named. */
  readonly named: ReadonlySet<string>
}

const digest = (token: string): Buffer => createHash("sha256").update(token).digest()

/** Who may ask: whoever has the token of the deployment, and clients that registered, as long as they are there. */
export class Callers extends Context.Tag("fleet-mcp/layers/embedded/api/Callers")<
  Callers,
  {
    readonly isKnown: (token: string) => boolean
    /** The client that a request comes from; none where it carries the token of the deployment, or none that is known. */
    readonly clientOf: (request: HttpServerRequest.HttpServerRequest) => Option.Option<Client>
    /**
     * The client may ask until the scope closes. One that is known already, by its token, is replaced: the end of its
     * older presence takes nothing from the newer.
     */
    readonly register: (client: Client) => Effect.Effect<void, never, Scope.Scope>
    /** How many clients there are. */
    readonly count: Effect.Effect<number>
    /** Whether clients are taken: where not, they are not known, and none should register. True at first. */
    readonly isOpen: () => boolean
    readonly setOpen: (open: boolean) => void
  }
>() {
  static readonly layer: Layer.Layer<Callers, never, Deployment> = Layer.effect(
    this,
    Effect.map(Deployment, ({ sessionToken }) => {
      const own = digest(Redacted.value(sessionToken))
      // By digest, so that how long a look takes tells nothing of a token.
      const clients = new Map<string, Client>()
      let isOpen = true
      const keyOf = (token: string) => digest(token).toString("hex")
      return {
        isKnown: (token) => timingSafeEqual(digest(token), own) || (isOpen && clients.has(keyOf(token))),
        clientOf: (request) =>
          Option.flatMap(Option.fromNullable(credentialOf(request)), ({ token }) =>
            Option.fromNullable(clients.get(keyOf(token)))
          ),
        register: (client) => {
          const key = keyOf(Redacted.value(client.token))
          return Effect.acquireRelease(
            Effect.sync(() => clients.set(key, client)),
            () =>
              Effect.sync(() => {
                if (clients.get(key) === client) clients.delete(key)
              })
          )
        },
        count: Effect.sync(() => clients.size),
        isOpen: () => isOpen,
        setOpen: (open) => {
          isOpen = open
        }
      }
    })
  )
}
