import { HttpApiBuilder } from "@effect/platform"
import { HttpApiDecodeError } from "@effect/platform/HttpApiError"
import { Effect, Schema } from "effect"
import { CoderApi } from "../../../../schemas/coder/CoderApi.ts"
import { CallingAgent } from "../../../../schemas/coder/Security.ts"
import { AnyAppStatus, reportStatus } from "../AppStatuses.ts"
import { storeFailed } from "../CoderBody.ts"

/** What agents report. */
export const agentsHandlers = HttpApiBuilder.group(CoderApi, "agents", (handlers) =>
  handlers.handleRaw("appStatus", ({ request }) =>
    Effect.gen(function* () {
      const { id } = yield* CallingAgent
      const body = yield* Effect.orDie(request.json)
      const report = yield* Effect.catchTag(Schema.decodeUnknown(AnyAppStatus)(body), "ParseError", (error) =>
        HttpApiDecodeError.refailParseError(error)
      )
      yield* Effect.catchTag(reportStatus(id, report), "StoreFailed", storeFailed)
    })
  )
)
