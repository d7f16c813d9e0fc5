import { HttpApiEndpoint, HttpApiGroup } from "@effect/platform"
import { Schema } from "effect"
import { CoderApi } from "../coder/CoderApi.ts"
import { queryInteger } from "../coder/QueryInteger.ts"
import { UserSession } from "../coder/Security.ts"
import { AnswerSize, AnswerTime } from "../EndpointPolicy.ts"
import { FleetEvent } from "./FleetEvent.ts"

/** Events after a position; where that says nothing here, how all agents stand. */
export const EventPage = Schema.Struct({
  /** Which journal this is: positions of another one mean nothing in it. */
  journal: Schema.String,
  /** What comes next has a greater one. */
  position: Schema.Number,
  /**
   * Why there are no events after the position that was asked for: some were `dropped`, or it is `unknown` to this
   * journal. Null where there are.
   */
  lost: Schema.NullOr(Schema.Literal("dropped", "unknown")),
  /** The newest event of each agent, the deleted ones that are known still among them; null where there are events after. */
  standing: Schema.NullOr(Schema.Array(FleetEvent)),
  /** Oldest first, 500 at most. */
  events: Schema.Array(FleetEvent),
  /** There are more by now. */
  has_more: Schema.Boolean
})
export type EventPage = typeof EventPage.Type

const position = Schema.NumberFromString.pipe(Schema.int(), Schema.between(0, Number.MAX_SAFE_INTEGER))

/**
 * What happens to agents, as it happens: an extension of ours beside Coder's contract, under a path that Coder answers
 * with 404. Without `after`, how all agents stand; with it, the events after it, and where there are none yet it waits
 * for the first, `wait` seconds at most (the server's own limit is 20). `journal` says which one the position is of.
 */
export const JournalGroup = HttpApiGroup.make("journal")
  .add(
    HttpApiEndpoint.get("events", "/api/v2/fleet/events")
      .setUrlParams(
        Schema.Struct({
          journal: Schema.optional(Schema.String),
          after: Schema.optional(position),
          wait: Schema.optional(queryInteger("wait"))
        })
      )
      .addSuccess(EventPage)
      .annotate(AnswerSize, "many")
      .annotate(AnswerTime, "event")
  )
  .middleware(UserSession)

/** The contract of the embedded Coder: Coder's, with the journal. */
export const EmbeddedApi = CoderApi.add(JournalGroup)
