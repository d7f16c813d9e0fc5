import { Effect, Layer, Stream } from "effect"
import { interruptKey } from "../../src/schemas/agentapi/AgentApi.ts"
import { ConversationStore } from "../../src/layers/agenthost/ConversationStore.ts"
import type { Conversation } from "../../src/layers/agenthost/Conversation.ts"
import type { BuildRow } from "../../src/layers/embedded/store/Rows.ts"
import type { RowStore } from "../../src/layers/embedded/store/RowStore.ts"
import { layerStoredConversations } from "../../src/layers/embedded/store/StoredConversations.ts"
import type { ReadRows } from "../../src/layers/embedded/store/Tables.ts"
import type { Noted } from "./Backend.ts"

// The record of an embedded Coder: the rows of its store and the conversations of its agents, read where they are kept.

/** The conversations that a store has opened, also those that it has discarded since. */
export type Conversations = Map<string, Set<Conversation>>

/** A store of conversations above another one; what it opens is remembered. */
export const rememberingConversations = (opened: Conversations): Layer.Layer<ConversationStore, never, RowStore> =>
  Layer.effect(
    ConversationStore,
    Effect.map(ConversationStore, (store) => ({
      ...store,
      open: (id) =>
        Effect.tap(store.open(id), (conversation) =>
          Effect.sync(() => opened.set(id, (opened.get(id) ?? new Set()).add(conversation)))
        )
    }))
  ).pipe(Layer.provide(layerStoredConversations))

/** Waits until the rows are so. Each commit is looked at; Two minutes without what is wanted are a fault of the test. */
export const untilRows = (
  rows: RowStore["Type"],
  what: string,
  holds: (all: ReadRows) => boolean
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { already, position } = yield* rows.read(what, (all) => ({ already: holds(all), position: all.position }))
    if (already) return
    yield* rows.changes(position).pipe(
      Stream.filterEffect(() => rows.read(what, holds)),
      Stream.runHead,
      Effect.timeoutFail({ duration: "2 minutes", onTimeout: () => new Error(`never seen: ${what}`) })
    )
  }).pipe(Effect.orDie)

/** The workspaces of a name, deleted ones too, oldest first, with their builds. */
export const workspacesIn = (all: ReadRows, name: string) =>
  ["true", "false"]
    .flatMap((deleted) => all.workspaces.select("deleted", deleted))
    .filter((workspace) => workspace.name === name)
    .toSorted((a, b) => a.created_at.localeCompare(b.created_at))
    .map((workspace) => ({ workspace, builds: all.builds.select("workspace", workspace.id) }))

const words = {
  start: { going: "starting", done: "running" },
  stop: { going: "stopping", done: "stopped" },
  delete: { going: "deleting", done: "deleted" }
} as const

const statusOf = ({ job, transition }: BuildRow): string =>
  job.status === "succeeded"
    ? words[transition].done
    : job.status === "pending" || job.status === "running"
      ? words[transition].going
      : job.status

/** What is on record of the agent of a name; `keys` are counted where they arrive. */
export const readRecord = (
  rows: RowStore["Type"],
  conversations: Conversations,
  agent: { readonly name: string; readonly task: string; readonly keys: () => number }
): Effect.Effect<Noted> =>
  Effect.gen(function* () {
    const found = yield* rows.read("record", (all) => workspacesIn(all, agent.name))
    const newest = found[0]?.builds.at(-1)
    const said = yield* Effect.forEach(found, ({ workspace }) =>
      Effect.map(
        Effect.forEach(conversations.get(workspace.id) ?? [], ({ messages }) => messages),
        // One that was closed and opened again holds the same messages, which ids and times tell.
        (all) => [...new Map(all.flat().map((message) => [`${message.id} ${message.time}`, message])).values()]
      )
    )
    return {
      workspaces: found.map(({ workspace }) => workspace.id),
      builds: found.flatMap(({ builds }) => builds),
      prompts: said.flat().filter(({ content, role }) => role === "user" && content === agent.task).length,
      keys: agent.keys(),
      interrupted: said.flat().filter(({ content, role }) => role === "agent" && content.endsWith("[interrupted]"))
        .length,
      status: newest === undefined ? null : statusOf(newest)
    }
  }).pipe(Effect.orDie)

/** Requests that a server in this process is at work on, and the interrupt keys that it took. */
export const watchRequests = () => {
  const working = new Set<Promise<unknown>>()
  let keys = 0
  const note = async (body: string, answered: Promise<Response>): Promise<void> => {
    const { status } = await answered
    if (status === 200 && body.includes(JSON.stringify(interruptKey))) keys += 1
  }
  return {
    keys: () => keys,
    watch: (body: string, answered: Promise<Response>): void => {
      const noted = note(body, answered).finally(() => working.delete(noted))
      working.add(noted)
    },
    /** Waits until none is left. */
    done: Effect.promise(async () => {
      while (working.size > 0) await Promise.all(working)
    }).pipe(
      Effect.timeoutFail({ duration: "30 seconds", onTimeout: () => new Error("a request was never answered") }),
      Effect.orDie
    )
  }
}
