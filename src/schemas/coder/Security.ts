import { HttpApiMiddleware, HttpApiSchema, HttpApiSecurity } from "@effect/platform"
import { Context, Schema } from "effect"
import { CoderError } from "./CoderError.ts"

/** The name under which a cookie or a query carries a token. */
export const tokenName = "coder_session_token"

/** Where Coder looks for a token, in its order: the first that is given counts (`coderd/httpmw/apikey.go`). */
const carriers = {
  cookie: HttpApiSecurity.apiKey({ in: "cookie", key: tokenName }),
  query: HttpApiSecurity.apiKey({ in: "query", key: tokenName }),
  header: HttpApiSecurity.apiKey({ in: "header", key: "coder-session-token" }),
  bearer: HttpApiSecurity.bearer
} as const

/** A change was asked for with a token from a cookie, which a browser also sends for the page of a stranger. */
export class CrossSiteRefused extends Schema.TaggedError<CrossSiteRefused>(
  "fleet-mcp/schemas/coder/Security/CrossSiteRefused"
)("CrossSiteRefused", {}, HttpApiSchema.annotations({ status: 400 })) {}

/**
 * Wants the token of a user.
 *
 * @effect-expect-leaking HttpServerRequest ParsedSearchParams RouteContext
 */
export class UserSession extends HttpApiMiddleware.Tag<UserSession>()("fleet-mcp/schemas/coder/Security/UserSession", {
  security: carriers,
  failure: Schema.Union(CoderError, CrossSiteRefused)
}) {}

/** The agent that a request comes from. */
export class CallingAgent extends Context.Tag("fleet-mcp/schemas/coder/Security/CallingAgent")<
  CallingAgent,
  { readonly id: string }
>() {}

/**
 * Wants the token of an agent: the UUID that its start gave it.
 *
 * @effect-expect-leaking HttpServerRequest ParsedSearchParams RouteContext
 */
export class AgentSession extends HttpApiMiddleware.Tag<AgentSession>()(
  "fleet-mcp/schemas/coder/Security/AgentSession",
  { security: carriers, failure: Schema.Union(CoderError, CrossSiteRefused), provides: CallingAgent }
) {}
