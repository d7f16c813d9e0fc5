import { Chunk, Data, DateTime, Deferred, Duration, Effect, Either, FiberId, Option, Stream } from "effect"
import type { FleetEvent } from "../../../schemas/fleet/FleetEvent.ts"
import type { NewEvent } from "./EventRecorder.ts"
import { StoreFailed } from "./StoreFailed.ts"

/**
 * The events after a position are not all there: some of them were `dropped` since, or the position is one that this
 * journal has never given (`unknown`). Whoever gets this looks at the agents anew.
 */
export class EventsLost extends Data.TaggedError("EventsLost")<{
  readonly position: number
  readonly reason: "dropped" | "unknown"
}> {}

/** How many events are kept, whichever is reached first. */
export interface EventCapacity {
  readonly events: number
  readonly age: Duration.Duration
}

/** What is known of an event without its text. */
export interface EventEntry extends Pick<FleetEvent, "position" | "workspace_id" | "since"> {
  /** Milliseconds since 1970. */
  readonly at: number
}

/** Where events are. What it cannot read it tells by throwing `StoreFailed`. */
export interface EventRows {
  /** Which journal it is. */
  readonly id: string
  /** All that is kept, in order, and the position up to which some was dropped. */
  readonly kept: { readonly entries: ReadonlyArray<EventEntry>; readonly dropped: number }
  /** Those after a position, so many at most. */
  readonly page: (after: number, limit: number) => ReadonlyArray<FleetEvent>
  readonly at: (positions: ReadonlyArray<number>) => ReadonlyArray<FleetEvent>
}

/** What a commit changes of the events that are kept. */
export interface EventChange {
  readonly added: ReadonlyArray<FleetEvent>
  readonly removed: ReadonlyArray<number>
  /** Up to where some is not there any more, where that is new. */
  readonly dropped: number | undefined
}

/** How all agents stand, and the position after which events tell what came since. */
export interface EventStanding {
  readonly position: number
  /** The newest event of each agent, those that are deleted too. */
  readonly events: ReadonlyArray<FleetEvent>
}

/** The journal of all agents of a store. */
export interface Journal {
  /** That of another store is another one. */
  readonly id: string
  readonly standing: Effect.Effect<EventStanding, StoreFailed>
  /** The events after a position that there are by now: a page of them, and whether there are more. */
  readonly since: (
    position: number
  ) => Effect.Effect<
    { readonly events: ReadonlyArray<FleetEvent>; readonly hasMore: boolean },
    EventsLost | StoreFailed
  >
  /** Those that are kept, then those to come: each once, in order, none left out. */
  readonly changes: (after: number) => Stream.Stream<FleetEvent, EventsLost | StoreFailed>
}

/** Events of one page. */
const pageSize = 500

/** What could not be read is a failure of the store. */
const reading = <A, E>(read: () => Effect.Effect<A, E | StoreFailed>): Effect.Effect<A, E | StoreFailed> =>
  Effect.suspend(() => {
    try {
      return read()
    } catch (error) {
      if (error instanceof StoreFailed) return error
      throw error
    }
  })

/**
 * Keeps so many events, the newest of each agent that the store knows however old it is, and always the newest of all.
 * There is no queue for a subscriber: each reads on when it is ready, and learns when it fell behind.
 */
export const makeEventLog = ({ age, events: most }: EventCapacity, rows: EventRows) => {
  let { dropped } = rows.kept
  const entries = rows.kept.entries.filter((entry) => entry.position > dropped)
  let position = entries.at(-1)?.position ?? dropped
  const newest = new Map(rows.kept.entries.map((entry) => [entry.workspace_id, entry]))
  /** Those that are too old, and kept as the newest of their agents. */
  const pinned = new Map(
    rows.kept.entries.filter((entry) => entry.position <= dropped).map((entry) => [entry.workspace_id, entry])
  )
  // What those wait for who have seen everything.
  let next: Deferred.Deferred<void> | undefined

  const placed = (made: ReadonlyArray<NewEvent>, now: number): ReadonlyArray<FleetEvent> => {
    const since = new Map<string, number>()
    const at = DateTime.formatIso(DateTime.unsafeMake(now))
    let last = position
    return made.map((event) => {
      // A clock that is set back has no part in the order.
      last = Math.max(last + 1, Math.floor(now))
      const { kind, workspace_id } = event
      const before = since.get(workspace_id) ?? newest.get(workspace_id)?.since
      const from = before === undefined || (kind !== "report" && kind !== "output") ? last : before
      since.set(workspace_id, from)
      return { ...event, position: last, at, since: from }
    })
  }

  /** What comes of new events, and of workspaces that are forgotten; it counts when `apply` is called. */
  const plan = (made: ReadonlyArray<NewEvent>, forgotten: ReadonlyArray<string>, now: number) => {
    const added = placed(made, now)
    const fresh = added.map(({ position: own, since, workspace_id }): EventEntry => {
      return { position: own, workspace_id, since, at: now }
    })
    const latest = new Map(fresh.map((entry) => [entry.workspace_id, entry.position]))
    const gone = new Set(forgotten)
    const isNewest = ({ position: own, workspace_id }: EventEntry) =>
      !gone.has(workspace_id) && (latest.get(workspace_id) ?? newest.get(workspace_id)?.position) === own
    const total = entries.length + fresh.length
    const old: Array<EventEntry> = []
    while (old.length < total - 1) {
      const entry = entries[old.length] ?? fresh[old.length - entries.length]
      if (entry === undefined || (total - old.length <= most && now - entry.at <= Duration.toMillis(age))) break
      old.push(entry)
    }
    const pins = old.filter(isNewest)
    const unpinned = [...latest.keys(), ...gone].flatMap((id) => pinned.get(id) ?? [])
    const removed = [...old.filter((entry) => !isNewest(entry)), ...unpinned].map((entry) => entry.position)
    const change: EventChange = { added, removed, dropped: old.at(-1)?.position }
    const apply = () => {
      entries.push(...fresh)
      entries.splice(0, old.length)
      position = added.at(-1)?.position ?? position
      dropped = change.dropped ?? dropped
      for (const { workspace_id } of unpinned) pinned.delete(workspace_id)
      for (const entry of pins) pinned.set(entry.workspace_id, entry)
      for (const entry of fresh) newest.set(entry.workspace_id, entry)
      for (const id of gone) newest.delete(id)
      if (added.length === 0) return
      const waiting = next
      next = undefined
      if (waiting !== undefined) Deferred.unsafeDone(waiting, Effect.void)
    }
    return { change, apply }
  }

  const found = (after: number): Either.Either<ReadonlyArray<FleetEvent>, EventsLost> => {
    if (after > position) return Either.left(new EventsLost({ position: after, reason: "unknown" }))
    if (after < dropped) return Either.left(new EventsLost({ position: after, reason: "dropped" }))
    return Either.right(after === position ? [] : rows.page(after, pageSize))
  }

  // To look, and to wait where nothing is there, is one step: nothing comes in between.
  const comingAfter = (seen: number): Effect.Effect<ReadonlyArray<FleetEvent>, EventsLost | StoreFailed> =>
    reading(() => {
      const events = found(seen)
      if (Either.isLeft(events) || events.right.length > 0) return events
      next ??= Deferred.unsafeMake(FiberId.none)
      return Effect.zipRight(Deferred.await(next), comingAfter(seen))
    })

  const journal: Journal = {
    id: rows.id,
    standing: reading(() =>
      Effect.succeed({ position, events: rows.at([...newest.values()].map((entry) => entry.position)) })
    ),
    since: (after) =>
      reading(() =>
        Either.map(found(after), (events) => ({ events, hasMore: (events.at(-1)?.position ?? position) < position }))
      ),
    changes: (from) =>
      Stream.paginateChunkEffect(from, (seen) =>
        Effect.map(comingAfter(seen), (events) => [
          Chunk.unsafeFromArray(events),
          Option.some(events.at(-1)?.position ?? seen)
        ])
      )
  }
  return { journal, plan, knows: (workspaceId: string): boolean => newest.has(workspaceId) }
}
