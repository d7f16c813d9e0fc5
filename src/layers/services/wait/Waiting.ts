import { Duration, Effect, Option } from "effect"
import { AgentNotFound } from "../../../schemas/errors/Agent.ts"
import type { CoderFailure } from "../../../schemas/errors/Coder.ts"
import { cut, listed } from "../../../schemas/Text.ts"
import { monotonicMillis } from "../../time/Monotonic.ts"
import type { AgentSource, Place } from "./AgentSource.ts"
import * as Cursor from "./Cursor.ts"
import { watched, type From, type Watch } from "./matches.ts"
import { standing, type makeTelling } from "./Telling.ts"
import type { WaitAnswer, WaitRequest } from "./WaitAnswer.ts"

/** A wait that has begun. */
export interface Begun extends Cursor.Subscription, Pick<WaitRequest, "mode" | "cursor"> {
  readonly source: AgentSource
  /** Where it goes on; none for who begins, and where the cursor is good for nothing. */
  readonly place: Option.Option<Place>
  /** When it began (milliseconds of the monotonic clock), and how long it may take. */
  readonly began: number
  readonly time: Duration.Duration
}

/** Waits with one source. */
export const makeWaiting =
  ({ limits, tell }: Effect.Effect.Success<typeof makeTelling>) =>
  (
    begun: Begun
  ): { readonly said: () => string; readonly answer: Effect.Effect<WaitAnswer, CoderFailure | AgentNotFound> } => {
    const { began, cursor, mode, names, place, source, time, until } = begun
    const { history } = source
    const wanted = names === undefined ? undefined : new Set(names)
    const { losses } = history
    const isFresh = Option.isNone(place)
    const isForeign = cursor !== undefined && isFresh
    /** Who goes on with a cursor was told of all up to there. */
    const told = Option.match(place, { onNone: () => -1, onSome: (at) => at.told })
    const watchedFrom = (from: From) => watched(history, { from, names, until })

    /** Of what was seen up to now: nothing that comes meanwhile is skipped by the cursor. */
    const answer = (done: boolean, { all, pending }: Watch, notes: ReadonlyArray<string>) => {
      const events = all
        .flatMap(({ latest, match }) =>
          done
            ? match === undefined || match.position <= told
              ? []
              : [{ event: match, latest }]
            : [{ event: latest, latest }]
        )
        .toSorted((a, b) => a.event.position - b.event.position)
      const shown = events.slice(0, limits.told)
      const more = events.length - shown.length
      const seen = history.position
      const end = { told: (done && more > 0 ? shown.at(-1)?.event.position : undefined) ?? seen, seen }
      const never = pending.length === 0 ? [] : [`Not seen yet: ${cut(nameList(pending), limits.message)}.`]
      return Effect.gen(function* () {
        return {
          done,
          agents: yield* tell(shown),
          more,
          reached: all.filter(({ match }) => match !== undefined).length,
          waited_for: all.length + pending.length,
          isEmpty: false,
          standing: standing(all),
          waited: Math.round(((yield* monotonicMillis) - began) / 1000),
          limit: Duration.toSeconds(time),
          note: [
            ...(isForeign ? [foreign] : []),
            ...(history.losses > losses ? [dropped] : []),
            ...notes,
            ...never
          ].join(" "),
          cursor: Cursor.write(history, end, begun)
        } satisfies WaitAnswer
      })
    }

    const isDone = ({ all, pending }: Watch): boolean =>
      mode === "any"
        ? all.some(({ match }) => match !== undefined)
        : pending.length === 0 && all.length > 0 && all.every(({ match }) => match !== undefined)

    /**
     * Names that nobody has. Deleted ones may be named by who goes on with a cursor, who was told of that; and by who
     * begins, where that was seen after the look of that number.
     */
    const unknown = (before: number): ReadonlyArray<string> =>
      (names ?? []).filter((name) => {
        if (history.unseenNamed(name) !== undefined) return false
        const latest = history.named(name)
        return latest === undefined || (isFresh && latest.status === "deleted" && !history.isToldAfter(latest, before))
      })

    /**
     * How agents stand counts for who begins, and for who waits for all. For who waits for a change it counts only
     * where changes may have been missed.
     */
    const stateFrom = (after: number) =>
      (until === "changed" ? isForeign : isFresh || mode === "all") ? { after } : undefined

    const hereFrom = (): From => ({ position: history.position, seen: history.position, state: undefined })

    /** From the cursor on. */
    const start = (state: From["state"]) =>
      Option.map(place, (at): From => ({ position: at.told, seen: at.seen, state }))

    /** Looks until it is done or the time is over; looks up to that number are too old. */
    const waiting = Effect.fn("WaitService.waiting")(function* (before: number) {
      const state = stateFrom(before)
      let from = Option.getOrUndefined(start(state))
      let number = before
      let isSeen = false
      for (;;) {
        const left = began + Duration.toMillis(time) - (yield* monotonicMillis)
        const looked = yield* Effect.timeoutOption(
          isSeen ? source.next(number) : source.renew(number),
          Duration.millis(Math.max(0, left))
        )
        if (Option.isNone(looked)) {
          const watch = watchedFrom(from ?? hereFrom())
          const notes = [...(isSeen ? [] : [notSeen]), ...unseen(watch)]
          return yield* answer(from !== undefined && isDone(watch), watch, notes)
        }
        number = looked.value
        const blind = source.blindness()
        if (Option.isSome(blind)) {
          if (lasts(blind.value)) return yield* blind.value
          continue
        }
        if (!isSeen) {
          const nobody = unknown(before)
          if (nobody.length > 0) return yield* new AgentNotFound({ agent_name: listed(nobody) })
          isSeen = true
        }
        // What happened before the end of the first look is what the next ones are compared with.
        from ??= { ...hereFrom(), state }
        const watch = watchedFrom(from)
        const { all, pending } = watch
        if (all.length + pending.length === 0) {
          return { ...(yield* answer(false, watch, ["There is no agent."])), isEmpty: true }
        }
        if (isDone(watch)) return yield* answer(true, watch, isFresh ? leftOut(watch) : [])
        const isOver = names !== undefined && all.every(({ latest }) => latest.status === "deleted")
        if (isOver && pending.length === 0) return yield* answer(false, watch, ["All of them are deleted."])
      }
    })

    /** Who may have ended long ago, and is not told because nothing was heard of it: the cursor does not tell it. */
    const leftOut = ({ all }: Watch): ReadonlyArray<string> => {
      const some = all.filter(({ latest, match }) => match === undefined && history.isUntold(latest))
      const who = nameList(some.map(({ latest }) => latest))
      return some.length === 0 ? [] : [`Not seen in the newest look, and not told: ${cut(who, limits.message)}.`]
    }

    const unseen = ({ all }: Watch): ReadonlyArray<string> => {
      const untold = all.filter(({ latest }) => history.isUntold(latest)).map(({ latest }) => latest)
      return [
        ...Option.match(source.blindness(), {
          onNone: () => [],
          onSome: (error) => [blindNote(error, limits.message)]
        }),
        ...(untold.length === 0
          ? []
          : [`Not seen in the newest look, and told as last seen: ${cut(nameList(untold), limits.message)}.`])
      ]
    }

    const all = Effect.gen(function* () {
      const watch = Option.map(start(undefined), watchedFrom)
      if (Option.isSome(watch) && isDone(watch.value)) return yield* answer(true, watch.value, [])
      // How an agent stands is asked of it anew: it may have a task since its last report.
      if (stateFrom(0) !== undefined) yield* source.doubt(wanted)
      return yield* source.during(wanted)(waiting(source.number()))
    })

    const said = () =>
      standing(watchedFrom(hereFrom()).all)
        .map(([status, count]) => `${count} ${status}`)
        .join(", ")

    return { said, answer: all }
  }

const foreign =
  "The cursor is of another server, of other agents, or too old: the agents were looked at anew, and all that has ended is told."

const dropped = "More happened meanwhile than is kept: how the agents stand is told, not all that they did."

/** What is said where nothing was seen at all. */
export const notSeen = "The agents were not seen in time."

/** Why agents cannot be seen. */
export const blindNote = ({ message }: CoderFailure, length: number): string =>
  `At the end the agents could not be seen: ${cut(message, length)}`

const nameList = (agents: ReadonlyArray<{ readonly name: string }>): string => listed(agents.map(({ name }) => name))

/** Errors that no waiting mends. */
export const lasts = ({ _tag }: CoderFailure): boolean => _tag !== "CoderUnavailable" && _tag !== "CoderRateLimited"
