import { Schema } from "effect"

const about = {
  /** Where it stands in the journal. Positions rise from 1; several events may have one position, in their order. */
  position: Schema.Number,
  /** The id of the agent's workspace: a name may be used again. */
  agent_id: Schema.String,
  agent_name: Schema.String,
  /** RFC 3339; null where it was not noted. */
  at: Schema.NullOr(Schema.String)
}

/**
 * A change of an agent:
 * - `build`: a build is at a new state; `status` is that of its job;
 * - `agent`: its workspace agent or its app is at a new state;
 * - `turn_begun`, `turn_ended`: it took a task, or is done with it, well, not well or interrupted;
 * - `output`: it has said more in this turn, now so many bytes: told now and then;
 * - `report`: it reported about its work;
 * - `deleted`: it is gone, and its name is free.
 */
export const Event = Schema.Union(
  Schema.Struct({
    ...about,
    kind: Schema.Literal("build"),
    build_number: Schema.Number,
    transition: Schema.String,
    status: Schema.String
  }),
  Schema.Struct({
    ...about,
    kind: Schema.Literal("agent"),
    status: Schema.String,
    lifecycle_state: Schema.String,
    /** Null where it has no app. */
    health: Schema.NullOr(Schema.String)
  }),
  Schema.Struct({ ...about, kind: Schema.Literal("turn_begun"), message_id: Schema.Number, task: Schema.String }),
  Schema.Struct({
    ...about,
    kind: Schema.Literal("turn_ended"),
    message_id: Schema.Number,
    task: Schema.String,
    state: Schema.Literal("complete", "failure", "interrupted")
  }),
  Schema.Struct({ ...about, kind: Schema.Literal("output"), message_id: Schema.Number, bytes: Schema.Number }),
  Schema.Struct({ ...about, kind: Schema.Literal("report"), state: Schema.String, message: Schema.String }),
  Schema.Struct({ ...about, kind: Schema.Literal("deleted") })
)
export type Event = typeof Event.Type
