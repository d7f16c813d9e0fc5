import { Hash, Option } from "effect"
import type { AgentJournal } from "./AgentJournal.ts"

/** What one cursor goes on with: these agents (all where there are no names) and what is waited for. */
export interface Subscription {
  readonly names: ReadonlyArray<string> | undefined
  readonly until: string
}

const shape = /^([0-9a-f]{8})\.(\d{1,15})\.([0-9a-f]{8})$/

const markOf = ({ names, until }: Subscription): string =>
  (Hash.string(`${until} ${names === undefined ? "*" : names.toSorted().join(" ")}`) >>> 0)
    .toString(16)
    .padStart(8, "0")

/** A cursor: a position of a journal, which journal that is, and what was waited for. */
export const write = (journal: AgentJournal, position: number, subscription: Subscription): string =>
  `${journal.id}.${position}.${markOf(subscription)}`

/**
 * The position from which a cursor goes on. None where it is of another process, of another subscription, or so old that
 * changes since are forgotten: only a fresh look misses nothing then.
 */
export const read = (cursor: string, journal: AgentJournal, subscription: Subscription): Option.Option<number> => {
  const [, id, position, mark] = shape.exec(cursor.trim()) ?? []
  return id === journal.id && mark === markOf(subscription) && journal.reaches(Number(position))
    ? Option.some(Number(position))
    : Option.none()
}
