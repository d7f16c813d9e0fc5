import { Option } from "effect"
import type { Event } from "../../../schemas/Event.ts"
import type { TurnRow } from "./Rows.ts"
import type { Change, Commit } from "./Tables.ts"

type About = Pick<Event, "position" | "agent_id" | "agent_name">

const turnEvent = (about: About, { begun_at, ended, message_id, output, task }: TurnRow): Event => {
  if (ended !== null) {
    return { ...about, kind: "turn_ended", at: ended.at, message_id, task, state: ended.state }
  }
  // The mark of a turn is moved for the first time when it has said something.
  if (output.bytes === 0) return { ...about, kind: "turn_begun", at: begun_at, message_id, task }
  return { ...about, kind: "output", at: output.at, message_id, bytes: output.bytes }
}

/** The workspace that a change is about, and what it tells of its agent; none where it tells nothing of its own. */
const eventOf = (change: Change): Option.Option<readonly [workspaceId: string, (about: About) => Event]> => {
  switch (change.table) {
    case "builds":
      return Option.map(change.row, ({ build_number, job: { status }, transition, updated_at, workspace_id }) => [
        workspace_id,
        (about) => ({ ...about, kind: "build", at: updated_at, build_number, transition, status })
      ])
    case "agents":
      return Option.map(change.row, ({ app, lifecycle_state, status, workspace_id }) => [
        workspace_id,
        (about) => ({ ...about, kind: "agent", at: null, status, lifecycle_state, health: app?.health ?? null })
      ])
    case "turns":
      return Option.map(change.row, (turn) => [turn.workspace_id, (about) => turnEvent(about, turn)])
    case "statuses":
      return Option.map(change.row, ({ created_at, message, state, workspace_id }) => [
        workspace_id,
        (about) => ({ ...about, kind: "report", at: created_at, state, message })
      ])
    case "workspaces":
      return Option.filterMap(change.row, ({ deleted, id, updated_at }) =>
        deleted ? Option.some([id, (about) => ({ ...about, kind: "deleted", at: updated_at })] as const) : Option.none()
      )
    case "buildLogs":
    case "agentLogs":
    case "transcripts":
    case "messages":
    case "parts":
    case "projects":
      return Option.none()
  }
}

/**
 * What a commit tells of agents, in order. What is removed because it is too much is no event. `nameOf` answers the name
 * of a workspace; one that is forgotten has none, and nothing is told of it.
 */
export const eventsOf = (
  { changes, position }: Commit,
  nameOf: (workspaceId: string) => Option.Option<string>
): ReadonlyArray<Event> =>
  changes.flatMap((change) =>
    Option.toArray(
      Option.flatMap(eventOf(change), ([agent_id, tell]) =>
        Option.map(nameOf(agent_id), (agent_name) => tell({ position, agent_id, agent_name }))
      )
    )
  )
