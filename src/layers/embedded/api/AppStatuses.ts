import { Effect, Schema } from "effect"
import { PatchAppStatus, reportMessageBytes } from "../../../schemas/coder/Builds.ts"
import { CoderError } from "../../../schemas/coder/CoderError.ts"
import { byteLength } from "../../../schemas/Text.ts"
import { WorkspaceStore } from "../store/WorkspaceStore.ts"

/** As agents may send it: what the contract forbids is refused in Coder's own way. */
export const AnyAppStatus = Schema.Struct({ ...PatchAppStatus.fields, state: Schema.String })

const isReport = Schema.is(PatchAppStatus)

/** Takes the report of an agent. The complaints are Coder's (recording: statuses.json, "message too long" and after). */
export const reportStatus = Effect.fn("AppStatuses.reportStatus")(function* (
  agentId: string,
  report: typeof AnyAppStatus.Type
) {
  const store = yield* WorkspaceStore
  if (byteLength(report.message) > reportMessageBytes) {
    const detail = "Message must be less than 160 characters."
    return yield* CoderError.answer(400, "Message is too long.", {
      detail,
      validations: [{ field: "message", detail }]
    })
  }
  if (!isReport(report)) {
    return yield* CoderError.answer(400, "Failed to parse request.", { detail: `Invalid state: ${report.state}` })
  }
  yield* Effect.catchTag(store.addAppStatus(agentId, report), "AppMissing", ({ slug }) =>
    CoderError.answer(400, "Failed to get workspace app.", { detail: `No app found with slug "${slug}"` })
  )
})
