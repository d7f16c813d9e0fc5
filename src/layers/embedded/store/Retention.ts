import { Option } from "effect"
import { latestBuild } from "./BuildStates.ts"
import { isActive } from "./Rows.ts"
import { textKey, type Rows, type Writing } from "./Tables.ts"
import { removeQueue } from "./QueueRows.ts"
import { removeTranscript } from "./TranscriptRows.ts"

/** Removes the rows of a value that are too many, the oldest first. */
const keep = <Row extends { readonly id: string | number }, Index extends string>(
  table: Writing<Row, Index>,
  index: Index,
  value: string,
  limit: number
): void => {
  const surplus = Math.max(0, table.count(index, value) - limit)
  for (const { id } of table.select(index, value, { first: surplus })) table.remove(String(id))
}

export const keepStatuses = (rows: Rows, workspaceId: string, limit: number): void =>
  keep(rows.statuses, "workspace", workspaceId, limit)

export const keepBuildLog = (rows: Rows, buildId: string, limit: number): void =>
  keep(rows.buildLogs, "build", buildId, limit)

export const keepAgentLog = (rows: Rows, agentId: string, limit: number): void =>
  keep(rows.agentLogs, "agent", agentId, limit)

export const keepTurns = (rows: Rows, workspaceId: string, limit: number): void => {
  const surplus = Math.max(0, rows.turns.count("workspace", workspaceId) - limit)
  for (const { message_id } of rows.turns.select("workspace", workspaceId, { first: surplus })) {
    rows.turns.remove(textKey(workspaceId, message_id))
  }
}

const removeBuild = (rows: Rows, buildId: string): void => {
  keepBuildLog(rows, buildId, 0)
  for (const { id } of rows.agents.select("build", buildId)) {
    keepAgentLog(rows, id, 0)
    rows.agents.remove(id)
  }
  rows.builds.remove(buildId)
}

/** Forgets the oldest builds of a workspace, with all that belongs to them. The latest stays. */
export const keepBuilds = (rows: Rows, workspaceId: string, limit: number): void => {
  const surplus = Math.max(0, rows.builds.count("workspace", workspaceId) - Math.max(1, limit))
  for (const { id } of rows.builds.select("workspace", workspaceId, { first: surplus })) removeBuild(rows, id)
}

/** Forgets the workspaces that were deleted longest ago, with all that belongs to them; never one whose build runs. */
export const keepDeleted = (rows: Rows, limit: number): void => {
  const deleted = rows.workspaces.select("deleted", "true")
  if (deleted.length <= limit) return
  const surplus = deleted
    .filter(({ id }) => !Option.exists(latestBuild(rows, id), isActive))
    .toSorted((a, b) => (a.updated_at < b.updated_at ? -1 : 1))
    .slice(0, deleted.length - limit)
  for (const { id } of surplus) {
    for (const build of rows.builds.select("workspace", id)) removeBuild(rows, build.id)
    keepStatuses(rows, id, 0)
    keepTurns(rows, id, 0)
    removeTranscript(rows, id)
    removeQueue(rows, id)
    rows.workspaces.remove(id)
  }
}
