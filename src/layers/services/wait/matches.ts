import type { AgentStatus } from "../../../schemas/Agent.ts"
import type { AgentEvent, AgentHistory, Unseen } from "./AgentSource.ts"

/** What is waited for: the end of work, a need of a person, or any change. */
export type Until = "idle" | "waiting" | "changed"

/** Statuses that do not pass by themselves, for who waits for idle; and those in which no agent comes to wait for a person. */
const settled: Readonly<Record<Exclude<Until, "changed">, ReadonlySet<AgentStatus>>> = {
  idle: new Set<AgentStatus>(["idle", "waiting", "failed", "stopped", "canceled", "offline", "interrupted", "deleted"]),
  waiting: new Set<AgentStatus>(["waiting", "failed", "stopped", "canceled", "offline", "interrupted", "deleted"])
}

/**
 * From where on changes count; `state`: how an agent stands counts, too, where it was told after that number. What came
 * up to `seen` had no room in the answer before: it is told by how the agents stand.
 */
export interface From {
  readonly position: number
  readonly seen: number
  readonly state: { readonly after: number } | undefined
}

/** An agent that is waited for, and the change that ended the wait for it, if there was one. */
export interface Watched {
  readonly latest: AgentEvent
  readonly match: AgentEvent | undefined
}

/** Those that are waited for; `pending`: who is there, and was never told. */
export interface Watch {
  readonly all: ReadonlyArray<Watched>
  readonly pending: ReadonlyArray<Unseen>
}

const isWanted = ({ status }: AgentEvent, until: Until): boolean => until === "changed" || settled[until].has(status)

/** Whether a change is one that is waited for: an agent that is told late has not changed, nor has one ended twice. */
const counts = (event: AgentEvent, until: Until): boolean =>
  isWanted(event, until) && event.kind !== (until === "changed" ? "first" : "return")

/** How the agents stand that are waited for (by their names in lower case; all by default). Pure. */
export const watched = (
  history: AgentHistory,
  {
    from,
    names,
    until
  }: { readonly from: From; readonly names: ReadonlyArray<string> | undefined; readonly until: Until }
): Watch => {
  const wanted = history.since(from.position).filter((event) => counts(event, until))
  const newest = new Map(wanted.map((event) => [event.name.toLowerCase(), event]))
  const { state } = from

  const matchOf = (latest: AgentEvent): AgentEvent | undefined => {
    const happened = newest.get(latest.name.toLowerCase())
    if (happened !== undefined) return happened
    if (latest.position > from.position && latest.position <= from.seen && isWanted(latest, until)) return latest
    if (state === undefined || !isWanted(latest, until)) return undefined
    return history.isToldAfter(latest, state.after) || latest.status === "deleted" ? latest : undefined
  }

  const agents =
    names === undefined
      ? history.latest.filter((event) => event.status !== "deleted" || newest.has(event.name.toLowerCase()))
      : names.flatMap((name) => history.named(name) ?? [])
  // Of a name that was given away again, what became of the one before is told, where that is new.
  const unseen = names === undefined ? history.unseen : names.flatMap((name) => history.unseenNamed(name) ?? [])
  const pending = unseen.filter(({ name }) => !newest.has(name.toLowerCase()))
  const isPending = new Set(pending.map(({ name }) => name.toLowerCase()))
  return {
    all: agents
      .filter(({ name }) => !isPending.has(name.toLowerCase()))
      .map((latest) => ({ latest, match: matchOf(latest) })),
    pending
  }
}
