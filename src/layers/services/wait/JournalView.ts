import type { AgentNews, News } from "../../repositories/AgentEvents.ts"
import type { AgentEvent, AgentHistory, Unseen } from "./AgentSource.ts"

/** How an agent stands, and the number of the answer that told it; 0 where it stood so from the beginning. */
interface Known {
  readonly event: AgentEvent
  readonly number: number
}

const keyOf = (name: string): string => name.toLowerCase()

const eventOf = ({ build, evidence, id, name, status }: AgentNews, position: number): AgentEvent => ({
  position,
  kind: "change",
  id,
  name,
  status,
  evidence,
  build
})

const byPosition = (a: AgentEvent, b: AgentEvent): number => a.position - b.position

/**
 * A part of the journal of an embedded Coder, as far as this process has read it: how all agents stand, and what changed
 * after `covers` begins. Positions are those of the journal, and good in every process.
 */
export class JournalView implements AgentHistory {
  readonly #kept: number
  #id = ""
  #events: ReadonlyArray<AgentEvent> = []
  #latest = new Map<string, Known>()
  /** All changes after it are known. */
  #from = 0
  #position = 0
  #losses = 0
  readonly unseen: ReadonlyArray<Unseen> = []

  /** `kept`: how many changes are remembered. */
  constructor(kept: number, first: News) {
    this.#kept = kept
    this.#begin(first, 0)
    this.#losses = 0
  }

  get id(): string {
    return this.#id
  }

  get position(): number {
    return this.#position
  }

  get latest(): ReadonlyArray<AgentEvent> {
    return [...this.#latest.values()].map(({ event }) => event)
  }

  get losses(): number {
    return this.#losses
  }

  /** Where the changes begin that are known. */
  get from(): number {
    return this.#from
  }

  named(name: string): AgentEvent | undefined {
    return this.#latest.get(keyOf(name))?.event
  }

  unseenNamed(): undefined {
    return undefined
  }

  isUntold(): boolean {
    return false
  }

  /** How agents stand is as new as the newest answer; a deletion is as old as the answer that told it. */
  isToldAfter({ id, name, status }: AgentEvent, number: number): boolean {
    const known = this.#latest.get(keyOf(name))
    return known?.event.id === id && (status !== "deleted" || known.number > number)
  }

  since(position: number): ReadonlyArray<AgentEvent> {
    return this.#events.filter((event) => event.position > position)
  }

  /** Whether all changes after a position are known, up to now. */
  covers(position: number): boolean {
    return position >= this.#from && position <= this.#position
  }

  /** Takes note of an answer. Two that were asked for at once may tell the same. */
  note(news: News, number: number): void {
    if (news.standing !== null) return this.#begin(news, number)
    // An answer from before it began anew.
    if (news.journal !== this.#id) return
    const changes: Array<AgentEvent> = []
    for (const one of news.events) {
      if (one.position <= this.#position) continue
      const before = this.named(one.name)
      const stood = before?.id === one.id ? before.position : one.since
      const event = eventOf(one, one.changed ? one.position : stood)
      if (one.changed) changes.push(event)
      this.#latest.set(keyOf(one.name), { event, number })
    }
    this.#position = Math.max(this.#position, news.position)
    this.#keep([...this.#events, ...changes])
  }

  /** Takes note of what happened between an earlier position and those that are known. */
  extend(from: number, older: ReadonlyArray<AgentNews>): void {
    const changes = older
      .filter(({ changed, position }) => changed && position > from && position <= this.#from)
      .map((one) => eventOf(one, one.position))
    const newest = new Map(changes.map((event) => [event.id, event.position]))
    for (const [key, { event, number }] of this.#latest) {
      if (event.position <= from || event.position > this.#from) continue
      this.#latest.set(key, { event: { ...event, position: newest.get(event.id) ?? from }, number })
    }
    this.#from = from
    this.#keep([...changes, ...this.#events])
  }

  /** How all agents stand, where what they did meanwhile is not known. Who stands otherwise than before has changed. */
  #begin({ journal, position, standing }: News, number: number): void {
    const isFirst = this.#id === ""
    const before = this.#latest
    this.#latest = new Map()
    const changes: Array<AgentEvent> = []
    const ordered = (standing ?? []).map((one) => eventOf(one, one.since)).toSorted(byPosition)
    for (const event of ordered) {
      const known = before.get(keyOf(event.name))
      const isSame =
        known?.event.id === event.id && known.event.status === event.status && known.event.build === event.build
      this.#latest.set(keyOf(event.name), { event, number: isSame ? known.number : number })
      if (!isFirst && !(isSame && known.event.position >= event.position)) changes.push(event)
    }
    if (!isFirst) this.#losses += 1
    const earlier = journal === this.#id ? this.#events : []
    this.#id = journal
    this.#position = position
    this.#from = position
    this.#events = [...earlier, ...changes].toSorted(byPosition).slice(-this.#kept)
  }

  #keep(events: ReadonlyArray<AgentEvent>): void {
    const surplus = events.length - this.#kept
    if (surplus > 0) this.#from = Math.max(this.#from, events[surplus - 1]?.position ?? 0)
    this.#events = surplus > 0 ? events.slice(surplus) : events
  }
}
