import { HttpApiBuilder } from "@effect/platform"
import { Context, Duration, Effect, Option, Stream } from "effect"
import { CoderError } from "../../../../schemas/coder/CoderError.ts"
import type { FleetEvent } from "../../../../schemas/fleet/FleetEvent.ts"
import { EmbeddedApi, type EventPage } from "../../../../schemas/fleet/JournalApi.ts"
import { AgentHosts } from "../../engine/AgentHosts.ts"
import { RowStore } from "../../store/RowStore.ts"
import { storeFailed } from "../CoderBody.ts"

/** How events are waited for. */
export class EventLimits extends Context.Reference<EventLimits>()(
  "fleet-mcp/layers/embedded/api/handlers/Journal/EventLimits",
  {
    defaultValue: () => ({
      /** One request. Clients give up after 30 s. */
      wait: Duration.seconds(20),
      /** Requests that wait at once. One more is refused; those that do not wait never are. */
      waiting: 256,
      /** The end of a turn is told when its agent takes the next prompt, after so long at most. */
      settle: Duration.seconds(2),
      /** Agents of which that is waited for at once. */
      settling: 64
    })
  }
) {}

const tooMany = CoderError.answer(429, "Too many clients wait for events.")

/** Tells what happens to agents. */
export const journalHandlers = HttpApiBuilder.group(EmbeddedApi, "journal", (handlers) =>
  Effect.gen(function* () {
    const { journal } = yield* RowStore
    const hosts = yield* AgentHosts
    const limits = yield* EventLimits
    const places = yield* Effect.makeSemaphore(limits.waiting)

    /** Has those who hear of the end of a turn find its agent ready for the next. */
    const settled = (events: ReadonlyArray<FleetEvent>) => {
      const ended = events.filter(({ kind }) => kind === "turn_ended").map(({ workspace_id }) => workspace_id)
      return Effect.forEach(new Set(ended), hosts.settled, { discard: true, concurrency: limits.settling }).pipe(
        Effect.raceFirst(Effect.sleep(limits.settle))
      )
    }

    const anew = (lost: EventPage["lost"]) =>
      Effect.gen(function* () {
        const { events, position } = yield* journal.standing
        yield* settled(events)
        const page: EventPage = { journal: journal.id, position, lost, standing: events, events: [], has_more: false }
        return page
      })

    /** Until there is something after a position, or the time is over. */
    const awaited = (after: number, time: Duration.Duration) =>
      journal
        .changes(after)
        .pipe(
          Stream.take(1),
          Stream.runDrain,
          Effect.raceFirst(Effect.sleep(time)),
          places.withPermitsIfAvailable(1),
          Effect.flatMap(Option.match({ onNone: () => tooMany, onSome: () => Effect.void }))
        )

    const pageAfter = (after: number) =>
      Effect.gen(function* () {
        const { events, hasMore } = yield* journal.since(after)
        yield* settled(events)
        const position = events.at(-1)?.position ?? after
        const page: EventPage = { journal: journal.id, position, lost: null, standing: null, events, has_more: hasMore }
        return page
      })

    const eventsAfter = (after: number, time: Duration.Duration) =>
      Effect.gen(function* () {
        const page = yield* pageAfter(after)
        if (page.events.length > 0 || Duration.isZero(time)) return page
        yield* awaited(after, time)
        return yield* pageAfter(after)
      })

    return handlers.handle("events", ({ urlParams: { after, journal: id = journal.id, wait = 0 } }) => {
      if (after === undefined) return Effect.catchTag(anew(null), "StoreFailed", storeFailed)
      const time = Duration.min(limits.wait, Duration.seconds(wait))
      const page = id === journal.id ? eventsAfter(after, time) : anew("unknown")
      return page.pipe(
        Effect.catchTag("EventsLost", ({ reason }) => anew(reason)),
        Effect.catchTag("StoreFailed", storeFailed)
      )
    })
  })
)
