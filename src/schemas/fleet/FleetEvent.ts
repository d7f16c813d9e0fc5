import { Schema } from "effect"

/**
 * What happened to an agent:
 * - `known`: nothing; it was there before its journal began;
 * - `build`: a build began, went on or ended: create, start, stop, delete;
 * - `agent`: its workspace agent connects, starts, or is ready;
 * - `lost`: its workspace agent is gone, never came, or could not start;
 * - `turn_begun`, `turn_ended`: a run of the agent from a prompt to its end; the end says how;
 * - `output`: a turn has said more. Coarse: not each piece of output is an event;
 * - `queue`: the tasks that wait for it are held, go on, or are fewer;
 * - `report`: it reported about its work;
 * - `deleted`: its workspace is deleted.
 */
export const EventKind = Schema.Literal(
  "known",
  "build",
  "agent",
  "lost",
  "turn_begun",
  "output",
  "turn_ended",
  "queue",
  "report",
  "deleted"
)
export type EventKind = typeof EventKind.Type

/** What an agent's build, workspace agent, newest turn and newest report are at one moment. Times are RFC 3339. */
export const AgentStand = Schema.Struct({
  build: Schema.Struct({
    number: Schema.Number,
    created_at: Schema.String,
    transition: Schema.String,
    /** As Coder has it: `running` for a start that succeeded. */
    status: Schema.String,
    error: Schema.NullOr(Schema.String)
  }),
  /** Null where the latest build has none. */
  agent: Schema.NullOr(
    Schema.Struct({
      status: Schema.String,
      lifecycle_state: Schema.String,
      /** Null where it shows no app that is AgentAPI. */
      app: Schema.NullOr(Schema.Struct({ slug: Schema.String, health: Schema.String }))
    })
  ),
  /** Over all builds, as Coder has it. */
  report: Schema.NullOr(
    Schema.Struct({
      created_at: Schema.String,
      state: Schema.String,
      message: Schema.String,
      needs_user_attention: Schema.Boolean
    })
  ),
  turn: Schema.NullOr(
    Schema.Struct({
      /** The prompt's, in the conversation. */
      message_id: Schema.Number,
      task: Schema.String,
      begun_at: Schema.String,
      /** Null while it runs. */
      ended: Schema.NullOr(Schema.Struct({ at: Schema.String, state: Schema.String }))
    })
  ),
  /** How many tasks begin by themselves, one after another, when its turn has ended; those that are held do not. */
  waiting: Schema.Number
})
export type AgentStand = typeof AgentStand.Type

/** A change of an agent, whole by itself. */
export const FleetEvent = Schema.Struct({
  /** Rises from event to event, with gaps; about the milliseconds since 1970. */
  position: Schema.Number,
  at: Schema.String,
  kind: EventKind,
  workspace_id: Schema.String,
  name: Schema.String,
  /** Null for the first event of an agent. */
  before: Schema.NullOr(AgentStand),
  now: AgentStand,
  /** The position of its newest event that was no report and no output. */
  since: Schema.Number
})
export type FleetEvent = typeof FleetEvent.Type
