import { Effect, Option, Schema } from "effect"
import { PatchAppStatus } from "../../../schemas/coder/Builds.ts"
import { CoderError } from "../../../schemas/coder/CoderError.ts"
import { Limits } from "../../config/Limits.ts"
import { uuidComplaint } from "./Lookup.ts"
import { WorkspaceStore } from "../store/WorkspaceStore.ts"
import { byteLength } from "../../../schemas/Text.ts"

/** As agents may send it: what the contract forbids is refused in Coder's own way. */
export const AnyAppStatus = Schema.Struct({ ...PatchAppStatus.fields, state: Schema.String })

const isReport = Schema.is(PatchAppStatus)

/**
 * Takes the report of the agent with that token. The complaints are Coder's (recording: statuses.json, "message too
 * long" and after); those about the token are from its source (`coderd/httpmw/workspaceagent.go`).
 */
export const reportStatus = Effect.fn("AppStatuses.reportStatus")(function* (
  token: string,
  report: typeof AnyAppStatus.Type
) {
  const store = yield* WorkspaceStore
  const agent = yield* agentOf(token)
  if (byteLength(report.message) > Limits.appStatusMessage) {
    const detail = "Message must be less than 160 characters."
    return yield* CoderError.answer(400, "Message is too long.", {
      detail,
      validations: [{ field: "message", detail }]
    })
  }
  if (!isReport(report)) {
    return yield* CoderError.answer(400, "Failed to parse request.", { detail: `Invalid state: ${report.state}` })
  }
  yield* Effect.catchTag(store.addAppStatus(agent.id, report), "AppMissing", ({ slug }) =>
    CoderError.answer(400, "Failed to get workspace app.", { detail: `No app found with slug "${slug}"` })
  )
})

/** The agent that a token belongs to. */
const agentOf = Effect.fn("AppStatuses.agentOf")(function* (token: string) {
  const store = yield* WorkspaceStore
  if (token === "") return yield* CoderError.answer(401, 'Cookie "coder_session_token" must be provided.')
  const complaint = uuidComplaint(token)
  if (complaint !== undefined) {
    const detail = `An agent token must be a valid UUIDv4. ${complaint}`
    return yield* CoderError.answer(401, "Workspace agent token invalid.", { detail })
  }
  return yield* Option.match(yield* store.agentByToken(token), {
    onSome: Effect.succeed,
    onNone: () =>
      CoderError.answer(401, "Workspace agent not authorized.", {
        detail:
          "The agent cannot authenticate until the workspace provision job has been completed. If the job is no longer running, this agent is invalid."
      })
  })
})
