import { Option } from "effect"
import type { AgentStand, EventKind, FleetEvent } from "../../../schemas/fleet/FleetEvent.ts"
import { cut, quotedLength } from "../../../schemas/Text.ts"
import { latestBuild, statusOf } from "./BuildStates.ts"
import { queueOf } from "./QueueRows.ts"
import type { AgentRow, TurnRow } from "./Rows.ts"
import type { Change, ReadRows, TextRemoval } from "./Tables.ts"

/** What happened to an agent, where it has no place in the journal yet. */
export type NewEvent = Omit<FleetEvent, "position" | "at" | "since">

interface Standing {
  readonly name: string
  readonly stand: AgentStand
}

const agentOf = ({ app, lifecycle_state, status }: AgentRow): AgentStand["agent"] => ({
  status,
  lifecycle_state,
  app: app === null ? null : { slug: app.slug, health: app.health }
})

const turnOf = ({ begun_at, ended, message_id, task }: TurnRow): AgentStand["turn"] => ({
  message_id,
  task,
  begun_at,
  ended
})

/** How the agent of a workspace stands; none where it has no build. */
const standingOf = (rows: ReadRows, workspaceId: string): Standing | undefined => {
  const workspace = Option.getOrUndefined(rows.workspaces.get(workspaceId))
  const build = Option.getOrUndefined(latestBuild(rows, workspaceId))
  if (workspace === undefined || build === undefined) return undefined
  const [agent] = rows.agents.select("build", build.id, { last: 1 })
  const [report] = rows.statuses.select("workspace", workspaceId, { last: 1 })
  const [turn] = rows.turns.select("workspace", workspaceId, { last: 1 })
  const { error } = build.job
  const queue = queueOf(rows, workspaceId)
  return {
    name: workspace.name,
    stand: {
      build: {
        number: build.build_number,
        created_at: build.created_at,
        transition: build.transition,
        status: statusOf(build),
        error: error === undefined ? null : cut(error, quotedLength)
      },
      agent: agent === undefined ? null : agentOf(agent),
      report:
        report === undefined
          ? null
          : {
              created_at: report.created_at,
              state: report.state,
              message: report.message,
              needs_user_attention: report.needs_user_attention === true
            },
      turn: turn === undefined ? null : turnOf(turn),
      waiting: queue.held === null ? queue.tasks.length : 0
    }
  }
}

const isLost = ({ lifecycle_state, status }: AgentRow): boolean =>
  status === "disconnected" || status === "timeout" || lifecycle_state === "start_error" || lifecycle_state === "off"

const turnKind = (before: Option.Option<TurnRow>, now: TurnRow): EventKind => {
  if (Option.isNone(before)) return "turn_begun"
  return before.value.ended === null && now.ended !== null ? "turn_ended" : "output"
}

/** Whose agent a change of a row is about, and what it is for it; none where the change is none of an agent. */
const meaningOf = (
  rows: ReadRows,
  change: Change
): { readonly workspaceId: string; readonly kind: EventKind } | undefined => {
  switch (change.table) {
    case "workspaces": {
      const row = Option.getOrUndefined(change.row)
      const was = Option.exists(rows.workspaces.get(change.key), ({ deleted }) => deleted)
      return row?.deleted === true && !was ? { workspaceId: row.id, kind: "deleted" } : undefined
    }
    case "builds":
      return Option.getOrUndefined(
        Option.map(change.row, ({ workspace_id }) => ({ workspaceId: workspace_id, kind: "build" }))
      )
    case "agents":
      return Option.getOrUndefined(
        Option.map(change.row, (row) => ({ workspaceId: row.workspace_id, kind: isLost(row) ? "lost" : "agent" }))
      )
    case "statuses":
      return Option.getOrUndefined(
        Option.map(change.row, ({ workspace_id }) => ({ workspaceId: workspace_id, kind: "report" }))
      )
    case "turns":
      return Option.getOrUndefined(
        Option.map(change.row, (row) => ({
          workspaceId: row.workspace_id,
          kind: turnKind(rows.turns.get(change.key), row)
        }))
      )
    case "queues": {
      const isHeld = Option.exists(change.row, ({ held }) => held !== null)
      const wasHeld = Option.exists(rows.queues.get(change.key), ({ held }) => held !== null)
      return isHeld === wasHeld ? undefined : { workspaceId: change.key, kind: "queue" }
    }
    case "queuedTasks":
      return Option.isSome(change.row)
        ? undefined
        : Option.getOrUndefined(
            Option.map(rows.queuedTasks.get(change.key), ({ workspace_id }) => ({
              workspaceId: workspace_id,
              kind: "queue"
            }))
          )
    default:
      return undefined
  }
}

/** An agent as it is, for a journal that knows nothing of it. */
export const knownEvent = (rows: ReadRows, workspaceId: string): NewEvent | undefined => {
  const found = standingOf(rows, workspaceId)
  if (found === undefined) return undefined
  return { kind: "known", workspace_id: workspaceId, name: found.name, before: found.stand, now: found.stand }
}

/**
 * Makes events of the changes of one transaction: whoever changes rows cannot forget to tell of it. Rows that go by
 * themselves, since there are too many, are no events.
 */
export const eventRecorder = (rows: ReadRows) => {
  const changes: Array<{
    readonly workspaceId: string
    readonly kind: EventKind
    readonly before: Standing | undefined
  }> = []
  return {
    /** Takes note of a change that is about to be made. */
    note: (change: Change | TextRemoval): void => {
      if ("owner" in change) return
      const meaning = meaningOf(rows, change)
      if (meaning !== undefined) changes.push({ ...meaning, before: standingOf(rows, meaning.workspaceId) })
    },
    /** What happened, in order, once all changes are made. */
    events: (): ReadonlyArray<NewEvent> =>
      changes.flatMap(({ before, kind, workspaceId }, index) => {
        const later = changes.slice(index + 1).filter((other) => other.workspaceId === workspaceId)
        // The task whose turn begins waits no more, and that is all.
        if (kind === "queue" && later.some((other) => other.kind === "turn_begun")) return []
        const [next] = later
        // A workspace that is forgotten with this change has been before.
        const now = next === undefined ? (standingOf(rows, workspaceId) ?? before) : next.before
        if (now === undefined) return []
        const { name, stand } = now
        return [{ kind, workspace_id: workspaceId, name, before: before?.stand ?? null, now: stand }]
      })
  }
}
