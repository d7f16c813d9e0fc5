import { DatabaseSync } from "@photostructure/sqlite"
import { copyFileSync, existsSync, rmSync } from "node:fs"
import type { Ledger } from "./Ledger.ts"

interface Workspace {
  readonly id: string
  readonly name: string
  readonly deleted: boolean
}
interface Build {
  readonly id: string
  readonly workspace_id: string
  readonly transition: string
  readonly parameters: ReadonlyArray<{ readonly value: string }>
  readonly job: { readonly status: string }
}
interface Turn {
  readonly workspace_id: string
  readonly task: string
}
interface Message {
  readonly workspace_id: string
  readonly id: number
  readonly role: string
}
interface Part {
  readonly workspace_id: string
  readonly message_id: number
  readonly text: string
}

/** What the store of a supervisor held when it was killed. */
export interface StoreCopy {
  /** What SQLite finds wrong with the file. */
  readonly problems: ReadonlyArray<string>
  readonly workspaces: ReadonlyArray<Workspace>
  readonly builds: ReadonlyArray<Build>
  readonly agents: ReadonlyArray<{ readonly id: string; readonly build_id: string }>
  readonly turns: ReadonlyArray<Turn>
  readonly messages: ReadonlyArray<Message>
  readonly parts: ReadonlyArray<Part>
}

/** Reads a copy of it, so that nothing but the heir opens the store itself. */
export const readStore = (store: string): StoreCopy => {
  const copy = `${store}.copy`
  for (const end of ["", "-wal", "-shm"]) rmSync(copy + end, { force: true })
  for (const end of ["", "-wal"]) if (existsSync(store + end)) copyFileSync(store + end, copy + end)
  const database = new DatabaseSync(copy)
  try {
    const all = (sql: string) =>
      database.prepare(sql).all() as unknown as ReadonlyArray<Readonly<Record<string, string>>>
    const has = all("SELECT name FROM sqlite_schema").length > 0
    const rows = (table: string): ReadonlyArray<unknown> =>
      has ? all(`SELECT row FROM ${table} ORDER BY place`).map(({ row = "" }): unknown => JSON.parse(row)) : []
    return {
      problems: all("PRAGMA integrity_check")
        .map(({ integrity_check = "" }) => integrity_check)
        .filter((found) => found !== "ok"),
      workspaces: rows("workspaces") as ReadonlyArray<Workspace>,
      builds: rows("builds") as ReadonlyArray<Build>,
      agents: rows("agents") as StoreCopy["agents"],
      turns: rows("turns") as ReadonlyArray<Turn>,
      messages: rows("messages") as ReadonlyArray<Message>,
      parts: rows("parts") as ReadonlyArray<Part>
    }
  } finally {
    database.close()
  }
}

/** References that lead nowhere: half a commit. */
export const brokenReferences = ({ agents, builds, messages, parts, turns, workspaces }: StoreCopy) => {
  const workspaceIds = new Set(workspaces.map(({ id }) => id))
  const buildIds = new Set(builds.map(({ id }) => id))
  const messageIds = new Set(messages.map(({ id, workspace_id }) => `${workspace_id}/${id}`))
  return [
    ...workspaces
      .filter(({ id }) => !builds.some((build) => build.workspace_id === id))
      .map(({ name }) => `${name}: no build`),
    ...builds.filter((build) => !workspaceIds.has(build.workspace_id)).map(({ id }) => `build ${id}: no workspace`),
    ...agents.filter((agent) => !buildIds.has(agent.build_id)).map(({ id }) => `agent ${id}: no build`),
    ...turns.filter((turn) => !workspaceIds.has(turn.workspace_id)).map(({ task }) => `turn ${task}: no workspace`),
    ...parts
      .filter((part) => !messageIds.has(`${part.workspace_id}/${part.message_id}`))
      .map((part) => `part of message ${part.message_id} of ${part.workspace_id}: no message`)
  ]
}

/** The tasks of which a turn has begun, as far as they are kept. */
export const tasksBegun = ({ turns }: StoreCopy): ReadonlySet<string> =>
  new Set(turns.flatMap(({ task }) => /^echo (T\d+\.)/.exec(task)?.[1] ?? []))

/** What was acknowledged and is not in the store. */
export const lostIn = (copy: StoreCopy, ledger: Ledger): ReadonlyArray<string> => {
  const byName = new Map(copy.workspaces.map((workspace) => [workspace.name, workspace]))
  const byBuild = new Map(copy.builds.map((build) => [build.id, build]))
  const asked = new Map<string, Array<string>>()
  const users = new Set(
    copy.messages.filter(({ role }) => role === "user").map(({ id, workspace_id }) => `${workspace_id}/${id}`)
  )
  for (const { message_id, text, workspace_id } of copy.parts) {
    if (users.has(`${workspace_id}/${message_id}`)) asked.set(workspace_id, [...(asked.get(workspace_id) ?? []), text])
  }
  const buildsOf = (agent: string) => copy.builds.filter((build) => build.workspace_id === byName.get(agent)?.id)

  return ledger.entries.flatMap((entry) => {
    const { agent, what } = entry
    const workspace = byName.get(agent)
    const lost = (why: string) => [`${what} ${agent}: ${why}`]
    if (what === "deleted") return workspace === undefined || workspace.deleted ? [] : lost("it is there")
    // It may be gone with everything about it, at any time.
    if (ledger.deleting.has(agent)) return []
    if (workspace === undefined || workspace.deleted) return lost("there is no such agent")
    switch (what) {
      case "created": {
        const isGiven = buildsOf(agent).some(({ parameters }) =>
          parameters.some(({ value }) => value.includes(entry.task))
        )
        return isGiven ? [] : lost(`no build has its task ${entry.task}`)
      }
      case "task":
        return asked.get(workspace.id)?.some((text) => text.includes(entry.task)) === true
          ? []
          : lost(`its conversation has no task ${entry.task}`)
      case "stopped":
        return byBuild.get(entry.build)?.job.status === "succeeded"
          ? []
          : lost(`build ${entry.build} has not succeeded`)
      default: {
        const { build } = entry
        const found =
          build === undefined ? buildsOf(agent).find(({ transition }) => transition === what) : byBuild.get(build)
        return found?.transition === what ? [] : lost(`no such build`)
      }
    }
  })
}
