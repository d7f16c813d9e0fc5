import { Effect, Option } from "effect"
import { CoderError } from "../../../schemas/coder/CoderError.ts"
import { notFound, storeFailed } from "./CoderBody.ts"
import { Deployment } from "../Deployment.ts"
import type { BuildState } from "../store/Rows.ts"
import { WorkspaceStore } from "../store/WorkspaceStore.ts"

const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** What is wrong with a text as a UUID, in Coder's words (recording: platform.json, "malformed id"). */
export const uuidComplaint = (text: string): string | undefined => {
  if (uuidForm.test(text)) return undefined
  return text.length === 36 ? "invalid UUID format" : `invalid UUID length: ${text.length}`
}

/** An id from a path, in lower case; 400 if it is none. */
export const uuid = (text: string): Effect.Effect<string, CoderError> => {
  const detail = uuidComplaint(text)
  return detail === undefined
    ? Effect.succeed(text.toLowerCase())
    : CoderError.answer(400, `Invalid UUID "${text}".`, { detail })
}

/** 404 where there is nothing. */
export const orNotFound = <A>(found: Option.Option<A>): Effect.Effect<A, CoderError> =>
  Option.match(found, { onNone: () => notFound, onSome: Effect.succeed })

/** Users are `me`, a user name or an id. There is only one. */
export const isCaller = (given: string): Effect.Effect<void, CoderError, Deployment> =>
  Effect.flatMap(Deployment, ({ user }) =>
    ["me", user.username, user.id].includes(given.toLowerCase()) ? Effect.void : notFound
  )

/** A workspace by the id of a path, deleted or not. */
export const workspaceById = (id: string): Effect.Effect<BuildState, CoderError, WorkspaceStore> =>
  Effect.gen(function* () {
    const store = yield* WorkspaceStore
    return yield* orNotFound(yield* Effect.catchTag(store.workspace(yield* uuid(id)), "StoreFailed", storeFailed))
  })

/** A build by the id of a path, also when its workspace is deleted. */
export const buildById = (id: string): Effect.Effect<BuildState, CoderError, WorkspaceStore> =>
  Effect.gen(function* () {
    const store = yield* WorkspaceStore
    return yield* orNotFound(yield* Effect.catchTag(store.build(yield* uuid(id)), "StoreFailed", storeFailed))
  })
