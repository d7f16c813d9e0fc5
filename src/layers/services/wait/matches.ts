import type { AgentStatus } from "../../../schemas/Agent.ts"
import type { AgentEvent, AgentJournal } from "./AgentJournal.ts"

/** What is waited for: the end of work, a need of a person, or any change. */
export type Until = "idle" | "waiting" | "changed"

/** Statuses that do not pass by themselves, for who waits for idle; and those in which no agent comes to wait for a person. */
const settled: Readonly<Record<Exclude<Until, "changed">, ReadonlySet<AgentStatus>>> = {
  idle: new Set<AgentStatus>(["idle", "waiting", "failed", "stopped", "canceled", "offline", "interrupted", "deleted"]),
  waiting: new Set<AgentStatus>(["waiting", "failed", "stopped", "canceled", "offline", "interrupted", "deleted"])
}

/** From where on the changes count; `state`: how an agent stands counts, too. */
export interface From {
  readonly position: number
  readonly state: boolean
}

/** An agent that is waited for, and the change that ended the wait for it, if there was one. */
export interface Watched {
  readonly latest: AgentEvent
  readonly match: AgentEvent | undefined
}

const isWanted = ({ status }: AgentEvent, until: Until): boolean => until === "changed" || settled[until].has(status)

/** How the agents stand that are waited for (by their names in lower case; all by default). Pure. */
export const watched = (
  journal: AgentJournal,
  {
    from,
    names,
    until
  }: { readonly from: From; readonly names: ReadonlyArray<string> | undefined; readonly until: Until }
): ReadonlyArray<Watched> => {
  const wanted = journal.since(from.position).filter((event) => isWanted(event, until))
  const newest = new Map(wanted.map((event) => [event.name.toLowerCase(), event]))
  const agents =
    names === undefined
      ? journal.latest.filter((event) => event.status !== "deleted" || newest.has(event.name.toLowerCase()))
      : names.flatMap((name) => journal.named(name) ?? [])
  return agents.map((latest) => {
    const happened = newest.get(latest.name.toLowerCase())
    const stands = from.state && isWanted(latest, until) && !journal.isUntold(latest) ? latest : undefined
    return { latest, match: happened ?? stands }
  })
}
