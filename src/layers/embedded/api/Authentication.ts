import { HttpServerRequest } from "@effect/platform"
import { Effect, Layer, Option } from "effect"
import { CoderError } from "../../../schemas/coder/CoderError.ts"
import {
  AgentSession,
  CallingAgent,
  CrossSiteRefused,
  tokenName,
  UserSession
} from "../../../schemas/coder/Security.ts"
import { WorkspaceStore } from "../store/WorkspaceStore.ts"
import { Callers } from "./Callers.ts"
import { storeFailed } from "./CoderBody.ts"
import { changesByCookie, credentialOf } from "./Credential.ts"
import { uuidComplaint } from "./Lookup.ts"

const signedOut = "You are signed out or your session has expired. Please sign in again to continue."

/** Refuses a request without a token of the user (recording: platform.json, "me without token" and after). */
export const checkUser = (
  request: HttpServerRequest.HttpServerRequest,
  callers: Callers["Type"]
): Effect.Effect<void, CoderError> => {
  const refused = (detail: string) => CoderError.answer(401, signedOut, { detail })
  const credential = credentialOf(request)
  if (credential === undefined) return refused(`Cookie "${tokenName}" or query parameter must be provided.`)
  if (callers.isKnown(credential.token)) return Effect.void
  const parts = credential.token.split("-").length
  return refused(
    parts === 2
      ? "API key is invalid."
      : `Invalid API key format: incorrect amount of API key parts, expected 2 got ${parts}`
  )
}

/** Refuses a change whose token came as a cookie. */
const sameSite = (request: HttpServerRequest.HttpServerRequest): Effect.Effect<void, CrossSiteRefused> =>
  changesByCookie(request) ? new CrossSiteRefused() : Effect.void

/**
 * One check for every way to carry a token. The platform would try the ways in turn until one passes; Coder takes the
 * first that is given, and a wrong one is not made up for by the next.
 */
const whatever = <A>(check: A) => ({
  cookie: () => check,
  query: () => check,
  header: () => check,
  bearer: () => check
})

/** Lets through who carries a token of the user. */
export const userSession: Layer.Layer<UserSession, never, Callers> = Layer.effect(
  UserSession,
  Effect.map(Callers, (callers) =>
    whatever(
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        yield* checkUser(request, callers)
        yield* sameSite(request)
      })
    )
  )
)

/**
 * Lets through who carries the token of an agent whose build is the latest. The complaints are from Coder's source
 * (`coderd/httpmw/workspaceagent.go`).
 */
export const agentSession: Layer.Layer<AgentSession, never, WorkspaceStore> = Layer.effect(
  AgentSession,
  Effect.map(WorkspaceStore, (store) =>
    whatever(
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const credential = credentialOf(request)
        if (credential === undefined) return yield* CoderError.answer(401, `Cookie "${tokenName}" must be provided.`)
        const complaint = uuidComplaint(credential.token)
        if (complaint !== undefined) {
          const detail = `An agent token must be a valid UUIDv4. ${complaint}`
          return yield* CoderError.answer(401, "Workspace agent token invalid.", { detail })
        }
        const agent = yield* Effect.catchTag(store.agentByToken(credential.token), "StoreFailed", storeFailed)
        if (Option.isNone(agent)) return yield* agentUnknown
        yield* sameSite(request)
        return CallingAgent.of({ id: agent.value.id })
      })
    )
  )
)

const agentUnknown = CoderError.answer(401, "Workspace agent not authorized.", {
  detail:
    "The agent cannot authenticate until the workspace provision job has been completed. If the job is no longer running, this agent is invalid."
})
