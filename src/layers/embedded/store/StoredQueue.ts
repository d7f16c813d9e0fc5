import { DateTime, Effect, Either, Option } from "effect"
import type { QueuedTask } from "../../../schemas/agentapi/FleetExtension.ts"
import { NotStored } from "../../agenthost/NotStored.ts"
import { KeyTaken, QueueFull, type TaskQueue, type UsedKey } from "../../agenthost/TaskQueue.ts"
import { keyOf, useKey } from "./KeyRows.ts"
import { addTask, hold, queueOf, removeTask } from "./QueueRows.ts"
import type { KeyRow } from "./Rows.ts"
import type { RowStore } from "./RowStore.ts"
import { StoreFailed } from "./StoreFailed.ts"
import type { StoreLimits } from "./StoreLimits.ts"
import type { Rows } from "./Tables.ts"

/** A failure of the store, for who knows of conversations alone. */
export const notStored = ({ message }: StoreFailed): NotStored => new NotStored({ reason: message })

const usedBy =
  (workspaceId: string) =>
  ({ fingerprint, task, used_at, workspace_id }: KeyRow): UsedKey => ({
    fingerprint,
    usedAt: used_at,
    task: Option.filter(Option.fromNullable(task), () => workspace_id === workspaceId)
  })

/** The queue of a workspace as rows. */
export const storedQueue = (store: RowStore["Type"], workspaceId: string, limits: StoreLimits["Type"]): TaskQueue => {
  const change = <A, E>(operation: string, step: (rows: Rows, now: string) => Either.Either<A, E>) =>
    Effect.flatMap(DateTime.now, (now) =>
      Effect.mapError(
        store.transaction(operation, (rows) => step(rows, DateTime.formatIso(now))),
        (error) => (error instanceof StoreFailed ? notStored(error) : error)
      )
    )

  return {
    state: Effect.mapError(
      store.read("queue", (rows) => queueOf(rows, workspaceId)),
      notStored
    ),
    add: ({ key, limit, text }) =>
      change("addTask", (rows, now): Either.Either<QueuedTask, KeyTaken | QueueFull> => {
        if (rows.queuedTasks.count("workspace", workspaceId) >= limit) return Either.left(new QueueFull({ limit }))
        const task = addTask(rows, workspaceId, text, now)
        const use = { workspace_id: workspaceId, build_numbers: [], task: { state: "queued", id: task.id } } as const
        return key === undefined || useKey(rows, key, use, now, limits)
          ? Either.right(task)
          : Either.left(new KeyTaken({ key: key.key }))
      }),
    remove: (id) => change("removeTask", (rows) => Either.right(removeTask(rows, workspaceId, id))),
    hold: (reason) => change("holdQueue", (rows, now) => Either.right(hold(rows, workspaceId, reason, now))),
    used: (key) =>
      Effect.flatMap(DateTime.now, (now) =>
        Effect.mapBoth(
          store.read("usedKey", (rows) => keyOf(rows, key, DateTime.formatIso(now), limits)),
          { onFailure: notStored, onSuccess: Option.map(usedBy(workspaceId)) }
        )
      )
  }
}
