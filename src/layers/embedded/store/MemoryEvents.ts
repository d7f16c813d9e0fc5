import type { FleetEvent } from "../../../schemas/fleet/FleetEvent.ts"
import type { EventChange, EventRows } from "./EventLog.ts"

/** Events in this process, which end with it. */
export const memoryEvents = (): { readonly rows: EventRows; readonly keep: (change: EventChange) => void } => {
  const events: Array<FleetEvent> = []

  /** The place of the first event whose position is greater, of those that are in order. */
  const placeAfter = (position: number): number => {
    let [from, to] = [0, events.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if ((events[middle]?.position ?? Infinity) <= position) from = middle + 1
      else to = middle
    }
    return from
  }

  const placeOf = (position: number): number => placeAfter(position - 1)

  return {
    rows: {
      id: crypto.randomUUID().slice(0, 8),
      kept: { entries: [], dropped: 0 },
      page: (after, limit) => {
        const place = placeAfter(after)
        return events.slice(place, place + limit)
      },
      at: (positions) => positions.flatMap((position) => events[placeOf(position)] ?? [])
    },
    keep: ({ added, removed }) => {
      events.push(...added)
      for (const position of removed) events.splice(placeOf(position), 1)
    }
  }
}
