import { Option } from "effect"
import type { AgentStatus, Evidence } from "../../../schemas/Agent.ts"
import type { Sighting } from "../../repositories/AgentSurvey.ts"
import type { AgentEvent, AgentHistory, Unseen } from "./AgentSource.ts"

/** A change of an agent as it was seen here. Positions count up from 1, one a change. */
interface SeenEvent extends AgentEvent {
  /** The number of the newest look that told this. */
  readonly look: number
  readonly report: string
  readonly message: number | null
}

const isAtWork = (status: AgentStatus): boolean => status === "busy"

/** What an agent is called while it cannot be reached, whatever it does. */
const unreached: ReadonlySet<AgentStatus> = new Set<AgentStatus>(["offline", "degraded", "unknown"])

/** Whether a turn went by between two looks that both found the agent without work. */
const wentOn = (before: SeenEvent, { message, report }: Sighting): boolean => {
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
export class AgentJournal implements AgentHistory {
  readonly id: string
  readonly #kept: number
  #events: ReadonlyArray<SeenEvent> = []
  #latest = new Map<string, SeenEvent>()
  /** How each agent stood when it could be reached last, by name. */
  #reached = new Map<string, SeenEvent>()
  #unseen: ReadonlyMap<string, Unseen> = new Map()
  /** Agents that could not be told when they were looked at last, by id. */
  #untold: ReadonlySet<string> = new Set()
  #position = 0

  /** `kept`: how many changes, and how many deleted agents, are remembered. */
  constructor(id: string, kept: number) {
    this.id = id
    this.#kept = kept
  }

  get position(): number {
    return this.#position
  }

  get latest(): ReadonlyArray<SeenEvent> {
    return [...this.#latest.values()]
  }

  get unseen(): ReadonlyArray<Unseen> {
    return [...this.#unseen.values()]
  }

  named(name: string): SeenEvent | undefined {
    return this.#latest.get(keyOf(name))
  }

  unseenNamed(name: string): Unseen | undefined {
    return this.#unseen.get(keyOf(name))
  }

  isUntold({ id }: AgentEvent): boolean {
    return this.#untold.has(id)
  }

  /** A fresh look sees how each stands: what changed between two looks is not missed. */
  readonly losses = 0

  isToldAfter({ name, position }: AgentEvent, look: number): boolean {
    const told = this.named(name)
    return told?.position === position && told.look > look
  }

  /** Whether all changes after a position are still known. */
  reaches(position: number): boolean {
    return position <= this.#position && position >= (this.#events[0]?.position ?? 1) - 1
  }

  since(position: number): ReadonlyArray<SeenEvent> {
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

  #add(event: Omit<SeenEvent, "position">): void {
    this.#position += 1
    const placed = { ...event, position: this.#position }
    this.#events = [...this.#events, placed].slice(-this.#kept)
    this.#keep(placed)
  }

  #keep(event: SeenEvent): void {
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
