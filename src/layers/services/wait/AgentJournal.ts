import { Option } from "effect"
import type { AgentStatus, Evidence } from "../../../schemas/Agent.ts"
import type { Sighting } from "../../repositories/AgentSurvey.ts"

/** A change of an agent as it was seen here. Positions count up from 1, one a change. */
export interface AgentEvent {
  readonly position: number
  /** Of the workspace. */
  readonly id: string
  readonly name: string
  readonly status: AgentStatus
  readonly evidence: Evidence
  readonly build: number
  readonly report: string
  readonly message: number | null
}

const isAtWork = (status: AgentStatus): boolean => status === "busy"

/** Whether a turn went by between two looks that both found the agent without work. */
const wentOn = (before: AgentEvent, { message, report }: Sighting): boolean => {
  if (isAtWork(before.status)) return false
  if (message !== null && before.message !== null) return message > before.message
  return report !== "" && report !== before.report
}

/**
 * What was seen of all agents since this journal began: the changes, of which the oldest are forgotten, and how each agent
 * stands. It belongs to one process: positions mean nothing in another journal, which its `id` tells.
 */
export class AgentJournal {
  readonly id: string
  readonly #kept: number
  #events: ReadonlyArray<AgentEvent> = []
  #latest = new Map<string, AgentEvent>()
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

  named(name: string): AgentEvent | undefined {
    return this.#latest.get(name.toLowerCase())
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

  /** Takes note of what a survey saw, and of who is gone. */
  note(sightings: ReadonlyArray<Sighting>, gone: ReadonlyArray<AgentEvent>): void {
    for (const event of gone) {
      if (this.named(event.name)?.id === event.id) this.#add(event)
    }
    this.#untold = new Set(sightings.filter(({ state }) => Option.isNone(state)).map(({ id }) => id))
    for (const sighting of sightings) this.#see(sighting)
    this.#forget()
  }

  #see(sighting: Sighting): void {
    const before = this.named(sighting.name)
    const same = before?.id === sighting.id ? before : undefined
    if (Option.isNone(sighting.state)) return
    const { evidence, status } = sighting.state.value
    const message = sighting.message ?? same?.message ?? null
    const event = { ...sighting, message, status, evidence, position: 0 }
    const isNew =
      same === undefined || same.status !== status || same.build !== sighting.build || wentOn(same, sighting)
    if (isNew) this.#add(event)
    else this.#latest.set(sighting.name.toLowerCase(), { ...event, position: same.position })
  }

  #add(event: AgentEvent): void {
    this.#position += 1
    const { build, evidence, id, message, name, report, status } = event
    const placed = { position: this.#position, id, name, status, evidence, build, report, message }
    this.#events = [...this.#events, placed].slice(-this.#kept)
    this.#latest.set(name.toLowerCase(), placed)
  }

  #forget(): void {
    const deleted = [...this.#latest].filter(([, { status }]) => status === "deleted")
    for (const [name] of deleted.slice(0, Math.max(0, deleted.length - this.#kept))) this.#latest.delete(name)
  }
}
