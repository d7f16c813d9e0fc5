import type { Option, Schema } from "effect"
import { AppStatus } from "../../../schemas/coder/Builds.ts"
import {
  AgentLogRow,
  AgentRow,
  BuildLogRow,
  BuildRow,
  KeyRow,
  MessageRow,
  PartRow,
  ProjectRow,
  QueuedTaskRow,
  QueuedTextRow,
  QueueRow,
  TranscriptRow,
  TurnRow,
  WorkspaceRow
} from "./Rows.ts"

/** What a driver has to know of a table. Rows are plain data: each survives JSON. */
export interface Table<Name extends string, Row, Index extends string> {
  readonly name: Name
  readonly row: Schema.Schema<Row>
  /** The primary key of a row. It never changes. */
  readonly key: (row: Row) => string
  /** What rows can be selected by; `null` for a row that an index leaves out. */
  readonly indexes: Readonly<Record<Index, (row: Row) => string | null>>
  /**
   * Rows of text, of which there can be very many: commits do not tell of them, and they are read from where they are
   * kept when their workspace is first asked for. Their index is `workspace`, and their keys are made by `textKey`.
   */
  readonly isText?: true
}

/** A table of text. */
interface TextTable<Name extends string, Row, Index extends string> extends Table<Name, Row, Index> {
  readonly isText: true
}

/** The key of a row of text. */
export const textKey = (workspaceId: string, id: number): string => `${workspaceId}/${id}`

/** The workspace that a key of `textKey` belongs to. */
export const ownerOf = (key: string): string => key.slice(0, key.lastIndexOf("/"))

const table = <Name extends string, Row, Index extends string>(
  descriptor: Table<Name, Row, Index>
): Table<Name, Row, Index> => descriptor

const textTable = <Name extends string, Row, Index extends string>(
  descriptor: Table<Name, Row, Index>
): TextTable<Name, Row, Index> => ({ ...descriptor, isText: true })

/** The tables of the embedded Coder. */
export const tables = {
  workspaces: table({
    name: "workspaces",
    row: WorkspaceRow,
    key: ({ id }) => id,
    indexes: {
      /** Those that are not deleted, by name in lower case. */
      name: ({ deleted, name }) => (deleted ? null : name.toLowerCase()),
      /** `true` or `false`. */
      deleted: ({ deleted }) => String(deleted)
    }
  }),
  builds: table({
    name: "builds",
    row: BuildRow,
    key: ({ id }) => id,
    indexes: { workspace: ({ workspace_id }) => workspace_id }
  }),
  agents: table({
    name: "agents",
    row: AgentRow,
    key: ({ id }) => id,
    indexes: { build: ({ build_id }) => build_id, token: ({ token }) => token }
  }),
  statuses: table({
    name: "statuses",
    row: AppStatus,
    key: ({ id }) => id,
    indexes: { workspace: ({ workspace_id }) => workspace_id }
  }),
  buildLogs: table({
    name: "buildLogs",
    row: BuildLogRow,
    key: ({ id }) => String(id),
    indexes: { build: ({ build_id }) => build_id }
  }),
  agentLogs: table({
    name: "agentLogs",
    row: AgentLogRow,
    key: ({ id }) => String(id),
    indexes: { agent: ({ agent_id }) => agent_id }
  }),
  projects: table({
    name: "projects",
    row: ProjectRow,
    key: ({ id }) => id,
    indexes: { all: () => "all" }
  }),
  turns: table({
    name: "turns",
    row: TurnRow,
    key: ({ message_id, workspace_id }) => textKey(workspace_id, message_id),
    indexes: { workspace: ({ workspace_id }) => workspace_id }
  }),
  queues: table({
    name: "queues",
    row: QueueRow,
    key: ({ workspace_id }) => workspace_id,
    indexes: { workspace: ({ workspace_id }) => workspace_id }
  }),
  queuedTasks: table({
    name: "queuedTasks",
    row: QueuedTaskRow,
    key: ({ id, workspace_id }) => textKey(workspace_id, id),
    indexes: { workspace: ({ workspace_id }) => workspace_id }
  }),
  keys: table({
    name: "keys",
    row: KeyRow,
    key: ({ key }) => key,
    indexes: { all: () => "all" }
  }),
  transcripts: textTable({
    name: "transcripts",
    row: TranscriptRow,
    key: ({ workspace_id }) => textKey(workspace_id, 0),
    indexes: { workspace: ({ workspace_id }) => workspace_id }
  }),
  messages: textTable({
    name: "messages",
    row: MessageRow,
    key: ({ id, workspace_id }) => textKey(workspace_id, id),
    indexes: { workspace: ({ workspace_id }) => workspace_id }
  }),
  parts: textTable({
    name: "parts",
    row: PartRow,
    key: ({ id, workspace_id }) => textKey(workspace_id, id),
    indexes: { workspace: ({ workspace_id }) => workspace_id }
  }),
  queuedTexts: textTable({
    name: "queuedTexts",
    row: QueuedTextRow,
    key: ({ id, workspace_id }) => textKey(workspace_id, id),
    indexes: { workspace: ({ workspace_id }) => workspace_id }
  })
}

/** Whether commits tell of a change. */
export const isJournaled = ({ table: name }: Change): boolean => tables[name].isText !== true

type Tables = typeof tables
type TableName = keyof Tables

/** The rows of a table, as a transaction sees them. */
export interface Reading<Row, Index extends string> {
  readonly get: (key: string) => Option.Option<Row>
  /** The rows with that value, in the order in which they were first put: all, or so many of the first or the last. */
  readonly select: (
    index: Index,
    value: string,
    range?: { readonly first: number } | { readonly last: number }
  ) => ReadonlyArray<Row>
  readonly count: (index: Index, value: string) => number
}

export interface Writing<Row, Index extends string> extends Reading<Row, Index> {
  /** Adds a row, or takes the place of the one with its key. */
  readonly put: (row: Row) => void
  /** Does nothing where there is no such row. */
  readonly remove: (key: string) => void
}

export interface TextWriting<Row, Index extends string> extends Writing<Row, Index> {
  /** Removes all rows of a workspace, and reads none of them: also those that cannot be read. */
  readonly removeOf: (workspaceId: string) => void
}

/** Everything that is stored, at one moment. */
export type ReadRows = {
  readonly [Name in TableName]: Tables[Name] extends Table<Name, infer Row, infer Index> ? Reading<Row, Index> : never
} & {
  /** That of the newest commit; 0 before the first. The next commit has the next number. */
  readonly position: number
}

/** Everything that is stored, and what a transaction makes of it. */
export type Rows = {
  readonly [Name in TableName]: Tables[Name] extends TextTable<Name, infer Row, infer Index>
    ? TextWriting<Row, Index>
    : Tables[Name] extends Table<Name, infer Row, infer Index>
      ? Writing<Row, Index>
      : never
} & Pick<ReadRows, "position">

/** A row that was put or, if there is none, removed. */
export interface RowChange<Name extends string, Row> {
  readonly table: Name
  readonly key: string
  readonly row: Option.Option<Row>
}

/** All rows of text of a workspace were removed. */
export interface TextRemoval {
  readonly table: TableName
  readonly owner: string
}

export type Change = {
  readonly [Name in TableName]: Tables[Name] extends Table<Name, infer Row, string> ? RowChange<Name, Row> : never
}[TableName]

/** What one transaction changed, in order, without text. Positions count from 1, without gaps. */
export interface Commit {
  readonly position: number
  readonly changes: ReadonlyArray<Change>
}
