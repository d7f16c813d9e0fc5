import { Hash, Option } from "effect"
import type { AgentJournal } from "./AgentJournal.ts"

/** What one cursor goes on with: these agents (all where there are no names) and what is waited for. */
export interface Subscription {
  readonly names: ReadonlyArray<string> | undefined
  readonly until: string
}

/**
 * How far a client was told: what stands after `told` was not told yet, and what happens after `seen` is news. The two
 * differ where an answer had no room for all.
 */
export interface Place {
  readonly told: number
  readonly seen: number
}

const shape = /^([0-9a-f]{8})\.(\d{1,15})(?:-(\d{1,15}))?\.([0-9a-f]{8})$/

const markOf = ({ names, until }: Subscription): string =>
  (Hash.string(`${until} ${names === undefined ? "*" : names.toSorted().join(" ")}`) >>> 0)
    .toString(16)
    .padStart(8, "0")

/** A cursor: a place in a journal, which journal that is, and what was waited for. */
export const write = (journal: AgentJournal, { seen, told }: Place, subscription: Subscription): string =>
  `${journal.id}.${told}${seen > told ? `-${seen}` : ""}.${markOf(subscription)}`

/**
 * Where a cursor goes on. None where it is of another process, of another subscription, or so old that
 * changes since are forgotten: only a fresh look misses nothing then.
 */
export const read = (cursor: string, journal: AgentJournal, subscription: Subscription): Option.Option<Place> => {
  const [, id, told, seen = told, mark] = shape.exec(cursor.trim()) ?? []
  const isKnown =
    id === journal.id && mark === markOf(subscription) && Number(told) <= Number(seen) && journal.reaches(Number(seen))
  return isKnown ? Option.some({ told: Number(told), seen: Number(seen) }) : Option.none()
}
