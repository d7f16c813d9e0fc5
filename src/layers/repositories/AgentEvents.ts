import { Context, Duration, Effect, Layer, Option } from "effect"
import type { CoderError } from "../../schemas/coder/CoderError.ts"
import type { CoderFailure } from "../../schemas/errors/Coder.ts"
import type { FleetEvent } from "../../schemas/fleet/FleetEvent.ts"
import type { EventPage } from "../../schemas/fleet/JournalApi.ts"
import { shownName } from "../../schemas/Text.ts"
import { JournalClient } from "../clients/JournalClient.ts"
import { FleetConfig } from "../config/FleetConfig.ts"
import type { AgentState } from "./AgentState.ts"
import { standState } from "./JournalState.ts"
import { translate } from "./translate.ts"

/** What happened to an agent, as its journal tells it. */
export interface AgentNews extends AgentState {
  readonly position: number
  /** Of its workspace. */
  readonly id: string
  readonly name: string
  readonly build: number
  /** Another status than before, or another build. */
  readonly changed: boolean
  /** The position of its newest event that was more than a report or output. */
  readonly since: number
}

/** A place in a journal: positions of another journal mean nothing in it. */
export interface JournalPlace {
  readonly journal: string
  readonly position: number
}

/** What a journal tells after a place. */
export interface News extends JournalPlace {
  /** The place that was asked for is not in this journal (`unknown`), or not all that came after it is known (`dropped`). */
  readonly lost: "dropped" | "unknown" | null
  /** How all agents stand, by the newest of each; null where there are only events. */
  readonly standing: ReadonlyArray<AgentNews> | null
  readonly events: ReadonlyArray<AgentNews>
  /** More has happened by now. */
  readonly hasMore: boolean
}

/** Whether an answer proves that there is no journal: whoever answered knows no such thing, or is no Coder of ours. */
const hasNone = ({ reason, status }: CoderError): boolean =>
  reason === "not_json" ||
  reason === "redirect" ||
  reason === "unexpected" ||
  ((reason === "status" || reason === "gateway") && status !== 401 && status !== 429 && (status ?? 0) < 500)

const action = "read what happened to the agents"

/** The journal of the agents, where the Coder at hand keeps one: what happened, and what happens. */
export class AgentEvents extends Context.Tag("fleet-mcp/layers/repositories/AgentEvents")<
  AgentEvents,
  {
    /** How all agents stand; none where this Coder keeps no journal. One request. */
    readonly standing: Effect.Effect<Option.Option<News>, CoderFailure>
    /** What happened after a place; where nothing did, the first that does within that time (20 s at most). One request. */
    readonly after: (place: JournalPlace, wait: Duration.Duration) => Effect.Effect<News, CoderFailure>
  }
>() {
  static readonly layer: Layer.Layer<AgentEvents, never, JournalClient | FleetConfig> = Layer.effect(
    this,
    Effect.gen(function* () {
      const client = yield* JournalClient
      const options = yield* FleetConfig

      const newsOf = (event: FleetEvent): AgentNews => {
        const { before, name, now, position, since, workspace_id } = event
        const state = standState(event, now, options)
        const changed =
          before === null ||
          before.build.number !== now.build.number ||
          standState(event, before, options).status !== state.status
        return { ...state, position, since, changed, id: workspace_id, name: shownName(name), build: now.build.number }
      }

      const toNews = ({ events, has_more, journal, lost, position, standing }: EventPage): News => ({
        journal,
        position,
        lost,
        standing: standing === null ? null : standing.map(newsOf),
        events: events.map(newsOf),
        hasMore: has_more
      })

      const standing = client.events({ urlParams: {} }).pipe(
        Effect.map((page) => Option.some(toNews(page))),
        Effect.catchIf(hasNone, () => Effect.succeedNone),
        Effect.mapError(translate(action))
      )

      return {
        standing,
        after: ({ journal, position }, wait) =>
          client
            .events({ urlParams: { journal, after: position, wait: Math.floor(Duration.toSeconds(wait)) } })
            .pipe(Effect.map(toNews), Effect.mapError(translate(action)))
      }
    })
  )
}
