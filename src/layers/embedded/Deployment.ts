import type { HttpServerRequest } from "@effect/platform"
import { Context, Effect, Layer, Redacted } from "effect"
import { EmbeddedConfig } from "../config/EmbeddedConfig.ts"
import { derivedId, Ids } from "./store/Ids.ts"

/** The origin under which the embedded Coder is asked inside its own process. Nothing listens there. */
export const embeddedUrl = "http://embedded.fleet-mcp.internal"

/** The origin under which a request came. */
export const originOf = ({ headers }: HttpServerRequest.HttpServerRequest): string =>
  headers["host"] === undefined ? embeddedUrl : `http://${headers["host"]}`

/** What there is exactly one of in an embedded Coder: the version, the user, the organization and the token. */
export class Deployment extends Context.Tag("fleet-mcp/layers/embedded/Deployment")<
  Deployment,
  {
    /** That of the Coder whose answers it gives. */
    readonly version: string
    readonly user: { readonly id: string; readonly username: string }
    readonly organization: { readonly id: string; readonly name: string }
    /** In Coder's form: an id of 10 characters, a hyphen, a secret of 22. */
    readonly sessionToken: Redacted.Redacted
  }
>() {
  static readonly layer: Layer.Layer<Deployment, never, EmbeddedConfig> = Layer.effect(
    this,
    Effect.gen(function* () {
      const { sessionToken } = yield* EmbeddedConfig
      const ids = yield* Ids
      const letters = Effect.map(ids.make("session token"), (text) => text.replaceAll("-", ""))
      const made = Effect.map(Effect.all([letters, letters]), ([id, secret]) =>
        Redacted.make(`${id.slice(0, 10)}-${secret.slice(0, 22)}`)
      )
      return {
        version: "v2.31.3+embedded",
        user: { id: derivedId("user", "local"), username: "local" },
        organization: { id: derivedId("organization", "local"), name: "local" },
        sessionToken: sessionToken ?? (yield* made)
      }
    })
  )
}
