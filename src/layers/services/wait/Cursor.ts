import { Hash, Option } from "effect"
import type { AgentHistory, Place } from "./AgentSource.ts"
import type { Until } from "./matches.ts"

/** What one cursor goes on with: these agents (all where there are no names) and what is waited for. */
export interface Subscription {
  readonly names: ReadonlyArray<string> | undefined
  readonly until: Until
}

const shape = /^([0-9a-f]{8})\.(\d{1,15})(?:-(\d{1,15}))?\.([0-9a-f]{8})$/

const markOf = ({ names, until }: Subscription): string =>
  (Hash.string(`${until} ${names === undefined ? "*" : names.toSorted().join(" ")}`) >>> 0)
    .toString(16)
    .padStart(8, "0")

/** A cursor: a place in a history, which history that is, and what was waited for. */
export const write = ({ id }: AgentHistory, { seen, told }: Place, subscription: Subscription): string =>
  `${id}.${told}${seen > told ? `-${seen}` : ""}.${markOf(subscription)}`

/** What a cursor says; none where it says nothing, or is of another subscription. */
export const read = (
  cursor: string,
  subscription: Subscription
): Option.Option<{ readonly history: string; readonly place: Place }> => {
  const [, history, told, seen = told, mark] = shape.exec(cursor.trim()) ?? []
  return history !== undefined && mark === markOf(subscription) && Number(told) <= Number(seen)
    ? Option.some({ history, place: { told: Number(told), seen: Number(seen) } })
    : Option.none()
}
