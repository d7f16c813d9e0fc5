import { Array, Option, Order } from "effect"
import { queueOf } from "./QueueRows.ts"
import type { BuildRow, BuildState, JobStatus } from "./Rows.ts"
import type { Reading, ReadRows } from "./Tables.ts"
import { earliest } from "./Timestamps.ts"

export const latestBuild = (rows: ReadRows, workspaceId: string): Option.Option<BuildRow> =>
  Array.last(rows.builds.select("workspace", workspaceId, { last: 1 }))

/** A build with what belongs to it. */
export const stateOf = (rows: ReadRows, build: BuildRow): Option.Option<BuildState> =>
  Option.map(rows.workspaces.get(build.workspace_id), (workspace) => ({
    workspace,
    build,
    agent: rows.agents.select("build", build.id, { last: 1 })[0] ?? null,
    statuses: rows.statuses.select("workspace", workspace.id),
    queue: queueOf(rows, workspace.id)
  }))

/** The latest build of a workspace, with what belongs to it. */
export const latestState = (rows: ReadRows, workspaceId: string): Option.Option<BuildState> =>
  Option.flatMap(latestBuild(rows, workspaceId), (build) => stateOf(rows, build))

/** The newest time that is stored, of those that the order of anything depends on. */
export const newestTime = (rows: ReadRows): string =>
  [...rows.workspaces.select("deleted", "false"), ...rows.workspaces.select("deleted", "true")]
    .flatMap(({ id, updated_at }) => [
      updated_at,
      ...last(rows.statuses, id).map(({ created_at }) => created_at),
      ...last(rows.builds, id).flatMap((build) => [
        build.updated_at,
        ...rows.buildLogs.select("build", build.id, { last: 1 }).map(({ created_at }) => created_at)
      ])
    ])
    .reduce(Order.max(Order.string), earliest)

const last = <Row>(table: Reading<Row, "workspace">, workspaceId: string): ReadonlyArray<Row> =>
  table.select("workspace", workspaceId, { last: 1 })

const succeeded = { start: "running", stop: "stopped", delete: "deleted" } as const
const running = { start: "starting", stop: "stopping", delete: "deleting" } as const

/** The status of a build follows from its transition and its job. */
export const statusOf = ({ job, transition }: Pick<BuildRow, "transition"> & { job: { status: JobStatus } }): string =>
  job.status === "succeeded" ? succeeded[transition] : job.status === "running" ? running[transition] : job.status
