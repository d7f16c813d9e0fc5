import { Option } from "effect"
import type { AgentStatus, Evidence } from "../../../schemas/Agent.ts"
import type { Sighting } from "../../repositories/AgentSurvey.ts"

/**
 * What a change is to who waits for an end. `first`: an agent that was there before is told for the first time, which is
 * no change; `return`: it is back in the status in which it was told before, without a turn, which is no end.
 */
export type Kind = "change" | "first" | "return"

/** A change of an agent as it was seen here. Positions count up from 1, one a change. */
export interface AgentEvent {
  readonly position: number
  /** The number of the newest look that told this. */
  readonly look: number
  readonly kind: Kind
  /** Of the workspace. */
  readonly id: string
  readonly name: string
  readonly status: AgentStatus
  readonly evidence: Evidence
  readonly build: number
  readonly report: string
  readonly message: number | null
}

/** An agent that is there, and of which no look has told anything yet. */
export interface Unseen {
  readonly id: string
  readonly name: string
}

const isAtWork = (status: AgentStatus): boolean => status === "busy"

/** What an agent is called while it cannot be reached, whatever it does. */
const unreached: ReadonlySet<AgentStatus> = new Set<AgentStatus>(["offline", "degraded", "unknown"])

/** Whether a turn went by between two looks that both found the agent without work. */
const wentOn = (before: AgentEvent, { message, report }: Sighting): boolean => {
  if (isAtWork(before.status)) return false
  if (message !== null && before.message !== null) return message > before.message
  return report !== "" && report !== before.report
}

const keyOf = (name: string): string => name.toLowerCase()

/**
 * What was seen of all agents since this journal began: the changes, of which the oldest are forgotten, how each agent
 * stands, and who is there but was never told. It belongs to one process: positions mean nothing in another journal, which
 * its `id` tells.
 */
export class AgentJournal {
  readonly id: string
  readonly #kept: number
  #events: ReadonlyArray<AgentEvent> = []
  #latest = new Map<string, AgentEvent>()
  /** How each agent stood when it could be reached last, by name. */
  #reached = new Map<string, AgentEvent>()
  #unseen: ReadonlyMap<string, Unseen> = new Map()
  /** Agents that could not be told when they were looked at last, by id. */
  #untold: ReadonlySet<string> = new Set()
  #position = 0

  /** `kept`: how many changes, and how many deleted agents, are remembered. */
  constructor(id: string, kept: number) {
    this.id = id
    this.#kept = kept
  }

  /** The position of the newest change; 0 where nothing was seen yet. */
  get position(): number {
    return this.#position
  }

  /** How each agent stands, deleted ones included; of several that had a name, the newest. */
  get latest(): ReadonlyArray<AgentEvent> {
    return [...this.#latest.values()]
  }

  /** Who is there and was never told. */
  get unseen(): ReadonlyArray<Unseen> {
    return [...this.#unseen.values()]
  }

  named(name: string): AgentEvent | undefined {
    return this.#latest.get(keyOf(name))
  }

  unseenNamed(name: string): Unseen | undefined {
    return this.#unseen.get(keyOf(name))
  }

  isUntold({ id }: AgentEvent): boolean {
    return this.#untold.has(id)
  }

  /** Whether all changes after a position are still known. */
  reaches(position: number): boolean {
    return position <= this.#position && position >= (this.#events[0]?.position ?? 1) - 1
  }

  /** The changes after a position, oldest first. */
  since(position: number): ReadonlyArray<AgentEvent> {
    return this.#events.filter((event) => event.position > position)
  }

  /** Takes note of what the look of that number saw, and of who is gone. */
  note(
    look: number,
    sightings: ReadonlyArray<Sighting>,
    gone: ReadonlyArray<{ readonly id: string; readonly name: string; readonly evidence: Evidence }>
  ): void {
    for (const one of gone) {
      if (this.named(one.name)?.id === one.id) this.#add({ ...one, ...deleted, look })
    }
    this.#untold = new Set(sightings.filter(({ state }) => Option.isNone(state)).map(({ id }) => id))
    for (const sighting of sightings) this.#see(look, sighting)
    const never = sightings.filter(({ id, name }) => this.named(name)?.id !== id)
    this.#unseen = new Map(never.map(({ id, name }) => [keyOf(name), { id, name }]))
    this.#forget()
  }

  #see(look: number, sighting: Sighting): void {
    if (Option.isNone(sighting.state)) return
    const before = this.named(sighting.name)
    const same = before?.id === sighting.id ? before : undefined
    const { evidence, status } = sighting.state.value
    const { build, id, name, report } = sighting
    const message = sighting.message ?? same?.message ?? null
    const seen = { id, name, status, evidence, build, report, message, look }
    if (same === undefined) {
      this.#add({ ...seen, kind: this.unseenNamed(name)?.id === id ? "first" : "change" })
    } else if (same.status !== status || same.build !== build || wentOn(same, sighting)) {
      this.#add({ ...seen, kind: this.#isReturn(sighting, status) ? "return" : "change" })
    } else {
      this.#keep({ ...seen, kind: same.kind, position: same.position })
    }
  }

  #isReturn(sighting: Sighting, status: AgentStatus): boolean {
    const before = this.#reached.get(keyOf(sighting.name))
    return (
      before?.id === sighting.id &&
      before.build === sighting.build &&
      before.status === status &&
      !unreached.has(status) &&
      !wentOn(before, sighting)
    )
  }

  #add(event: Omit<AgentEvent, "position">): void {
    this.#position += 1
    const placed = { ...event, position: this.#position }
    this.#events = [...this.#events, placed].slice(-this.#kept)
    this.#keep(placed)
  }

  #keep(event: AgentEvent): void {
    this.#latest.set(keyOf(event.name), event)
    if (!unreached.has(event.status)) this.#reached.set(keyOf(event.name), event)
  }

  #forget(): void {
    const all = [...this.#latest].filter(([, { status }]) => status === "deleted")
    for (const [name] of all.slice(0, Math.max(0, all.length - this.#kept))) {
      this.#latest.delete(name)
      this.#reached.delete(name)
    }
  }
}

const deleted = { kind: "change", status: "deleted", build: 0, report: "", message: null } as const
