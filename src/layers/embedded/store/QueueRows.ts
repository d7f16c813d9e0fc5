import { Array, Option } from "effect"
import { byteLength } from "../../../schemas/Text.ts"
import { statusMessage } from "../../agenthost/StatusReporter.ts"
import type { HoldReason, QueueState } from "../../agenthost/TaskQueue.ts"
import type { QueuedTask } from "../../../schemas/agentapi/FleetExtension.ts"
import { type ReadRows, type Rows, textKey } from "./Tables.ts"

// The queue of a workspace as rows. Tasks are in the order of their ids, which is that of their coming.

/** The queue of a workspace; an empty one where it never had a task. */
export const queueOf = (rows: ReadRows, workspaceId: string): QueueState => {
  const queue = Option.getOrUndefined(rows.queues.get(workspaceId))
  return {
    tasks: rows.queuedTasks
      .select("workspace", workspaceId)
      .map(({ bytes, id, queued_at, task }) => ({ id, task, bytes, queued_at })),
    held: queue?.held ?? null,
    last_id: queue?.last_id ?? 0
  }
}

/** The task whose turn it is. */
export const firstTask = (
  rows: ReadRows,
  workspaceId: string
): Option.Option<{ readonly id: number; readonly text: string }> =>
  Option.flatMap(Array.head(rows.queuedTasks.select("workspace", workspaceId, { first: 1 })), ({ id }) =>
    Option.map(rows.queuedTexts.get(textKey(workspaceId, id)), ({ text }) => ({ id, text }))
  )

/** Puts a task at the end, and has the queue go on. */
export const addTask = (rows: Rows, workspace_id: string, text: string, queued_at: string): QueuedTask => {
  const id = queueOf(rows, workspace_id).last_id + 1
  const task = { id, task: statusMessage(text), bytes: byteLength(text), queued_at }
  rows.queues.put({ workspace_id, last_id: id, held: null })
  rows.queuedTasks.put({ workspace_id, ...task })
  rows.queuedTexts.put({ workspace_id, id, text })
  return task
}

/** Takes a task out; false where it is not there. Nothing holds a queue in which none waits. */
export const removeTask = (rows: Rows, workspaceId: string, id: number): boolean => {
  const key = textKey(workspaceId, id)
  if (Option.isNone(rows.queuedTasks.get(key))) return false
  rows.queuedTasks.remove(key)
  rows.queuedTexts.remove(key)
  if (rows.queuedTasks.count("workspace", workspaceId) === 0) letGo(rows, workspaceId)
  return true
}

/** Notes that none of the tasks begins by itself, unless there is none or that is noted already. */
export const hold = (rows: Rows, workspaceId: string, reason: HoldReason, at: string): void => {
  const queue = Option.getOrUndefined(rows.queues.get(workspaceId))
  if (queue === undefined || queue.held !== null || rows.queuedTasks.count("workspace", workspaceId) === 0) return
  rows.queues.put({ ...queue, held: { reason, at } })
}

/** The workspaces whose tasks go on. */
export const goingOn = (rows: ReadRows, workspaceIds: ReadonlyArray<string>): ReadonlyArray<string> =>
  workspaceIds.filter((id) => {
    const { held, tasks } = queueOf(rows, id)
    return held === null && tasks.length > 0
  })

/** Has the tasks begin by themselves again. */
export const letGo = (rows: Rows, workspaceId: string): void => {
  const queue = Option.getOrUndefined(rows.queues.get(workspaceId))
  if (queue?.held !== undefined && queue.held !== null) rows.queues.put({ ...queue, held: null })
}

/** Removes the queue of a workspace with all that waits, also where that cannot be read. */
export const removeQueue = (rows: Rows, workspaceId: string): void => {
  for (const { id } of rows.queuedTasks.select("workspace", workspaceId)) {
    rows.queuedTasks.remove(textKey(workspaceId, id))
  }
  rows.queuedTexts.removeOf(workspaceId)
  rows.queues.remove(workspaceId)
}
