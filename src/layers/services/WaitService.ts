import { Context, Duration, Effect, Layer, Option } from "effect"
import type { AgentStatus } from "../../schemas/Agent.ts"
import { AgentNotFound } from "../../schemas/errors/Agent.ts"
import type { CoderFailure } from "../../schemas/errors/Coder.ts"
import { cut, listed } from "../../schemas/Text.ts"
import { AgentRepository } from "../repositories/AgentRepository.ts"
import type { TaskRepository } from "../repositories/TaskRepository.ts"
import { monotonicMillis } from "../time/Monotonic.ts"
import * as Cursor from "./wait/Cursor.ts"
import { watched, type From, type Until, type Watch } from "./wait/matches.ts"
import { makeTelling, standing, type WaitedAgent } from "./wait/Telling.ts"
import { makeWatcher } from "./wait/Watcher.ts"
import { WaitProgress, WaitTime } from "./wait/WaitTime.ts"

export interface WaitRequest {
  /** Which agents; all by default, those created meanwhile included. */
  readonly names?: ReadonlyArray<string> | undefined
  readonly until: Until
  /** One of them, or all. */
  readonly mode: "any" | "all"
  /** At most so long; at most as long as the caller can bear (`WaitTime`). */
  readonly seconds?: number | undefined
  /** Of the answer before: what changed since is told, also what changed before this call. */
  readonly cursor?: string | undefined
}

export interface WaitAnswer {
  /** Whether what was waited for has come; else the time is over. */
  readonly done: boolean
  /** What changed, the oldest change first; where it is not done, how the agents stand. */
  readonly agents: ReadonlyArray<WaitedAgent>
  /** How many agents changed, or stand, that are not told here. */
  readonly more: number
  /** How many agents have come to what was waited for, of how many. */
  readonly reached: number
  readonly waited_for: number
  /** A look has shown that there is no agent at all. */
  readonly isEmpty: boolean
  /** How many agents have each status now. */
  readonly standing: ReadonlyArray<readonly [AgentStatus, number]>
  /** Seconds that it took, and that it might have taken. */
  readonly waited: number
  readonly limit: number
  /** What could not be seen, and why; what the cursor was not good for; else `""`. */
  readonly note: string
  readonly cursor: string
}

export type WaitFailure = CoderFailure | AgentNotFound

/** Waits for agents: whoever waits is told, also what happened while nobody waited. It touches no agent. */
export class WaitService extends Context.Tag("fleet-mcp/layers/services/WaitService")<
  WaitService,
  {
    readonly wait: (request: WaitRequest) => Effect.Effect<WaitAnswer, WaitFailure>
  }
>() {
  static readonly layer: Layer.Layer<WaitService, never, AgentRepository | TaskRepository> = Layer.scoped(
    this,
    Effect.gen(function* () {
      const agents = yield* AgentRepository
      const { limits, tell } = yield* makeTelling
      const watcher = yield* makeWatcher
      const { journal } = watcher

      const wait = Effect.fn("WaitService.wait")(function* (request: WaitRequest) {
        const { cursor, mode, until } = request
        const names =
          request.names === undefined ? undefined : [...new Set(request.names.map((name) => name.trim().toLowerCase()))]
        const subscription = { names, until }
        const wanted = names === undefined ? undefined : new Set(names)
        const { most, usual } = yield* WaitTime
        const progress = yield* WaitProgress
        const time = Duration.min(most, request.seconds === undefined ? usual : Duration.seconds(request.seconds))
        const began = yield* monotonicMillis
        const place = Option.flatMap(Option.fromNullable(cursor), (text) => Cursor.read(text, journal, subscription))
        const isFresh = Option.isNone(place)
        const isForeign = cursor !== undefined && isFresh
        /** Who goes on with a cursor was told of all up to there. */
        const told = Option.match(place, { onNone: () => -1, onSome: (at) => at.told })
        const watchedFrom = (from: From) => watched(journal, { from, names, until })

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
          const seen = journal.position
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
              note: [...(isForeign ? [foreign] : []), ...notes, ...never].join(" "),
              cursor: Cursor.write(journal, end, subscription)
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
            if (journal.unseenNamed(name) !== undefined) return false
            const latest = journal.named(name)
            return latest === undefined || (isFresh && latest.status === "deleted" && latest.look <= before)
          })

        /**
         * How agents stand counts for who begins, and for who waits for all. For who waits for a change it counts only
         * where changes may have been missed.
         */
        const stateFrom = (after: number) =>
          (until === "changed" ? isForeign : isFresh || mode === "all") ? { after } : undefined

        const hereFrom = (): From => ({ position: journal.position, seen: journal.position, state: undefined })

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
            const looked = yield* Effect.timeoutOption(watcher.lookAfter(number), Duration.millis(Math.max(0, left)))
            if (Option.isNone(looked)) {
              const watch = watchedFrom(from ?? hereFrom())
              const notes = [...(isSeen ? [] : [notSeen]), ...unseen(watch)]
              return yield* answer(from !== undefined && isDone(watch), watch, notes)
            }
            number = looked.value
            const blind = watcher.blindness()
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
          const some = all.filter(({ latest, match }) => match === undefined && journal.isUntold(latest))
          const who = nameList(some.map(({ latest }) => latest))
          return some.length === 0 ? [] : [`Not seen in the newest look, and not told: ${cut(who, limits.message)}.`]
        }

        const unseen = ({ all }: Watch): ReadonlyArray<string> => {
          const untold = all.filter(({ latest }) => journal.isUntold(latest)).map(({ latest }) => latest)
          return [
            ...Option.match(watcher.blindness(), {
              onNone: () => [],
              onSome: ({ message }) => [`At the end the agents could not be seen: ${cut(message, limits.message)}`]
            }),
            ...(untold.length === 0
              ? []
              : [`Not seen in the newest look, and told as last seen: ${cut(nameList(untold), limits.message)}.`])
          ]
        }

        const signs = Effect.gen(function* () {
          for (;;) {
            const said = standing(watchedFrom(hereFrom()).all).map(([status, count]) => `${count} ${status}`)
            yield* progress.tell(said.length === 0 ? "looking at the agents" : said.join(", "))
            yield* Effect.sleep(limits.progress)
          }
        })

        const watch = Option.map(start(undefined), watchedFrom)
        if (Option.isSome(watch) && isDone(watch.value)) return yield* answer(true, watch.value, [])
        // How an agent stands is asked of it anew: it may have a task since its last report.
        if (stateFrom(0) !== undefined) yield* agents.doubt(wanted)
        const begun = watcher.begun()
        return yield* Effect.raceFirst(watcher.during(wanted)(waiting(begun)), signs)
      })

      return { wait }
    })
  )
}

const foreign =
  "The cursor is of another server, of other agents, or too old: the agents were looked at anew, and all that has ended is told."

const notSeen = "The agents were not seen in time."

const nameList = (agents: ReadonlyArray<{ readonly name: string }>): string => listed(agents.map(({ name }) => name))

/** Errors that no waiting mends. */
const lasts = ({ _tag }: CoderFailure): boolean => _tag !== "CoderUnavailable" && _tag !== "CoderRateLimited"
