import { Clock, Context, Duration, Effect, Layer, Option } from "effect"
import type { AgentStatus } from "../../schemas/Agent.ts"
import { AgentNotFound } from "../../schemas/errors/Agent.ts"
import type { CoderFailure } from "../../schemas/errors/Coder.ts"
import { cut, listed } from "../../schemas/Text.ts"
import { AgentRepository } from "../repositories/AgentRepository.ts"
import type { TaskRepository } from "../repositories/TaskRepository.ts"
import * as Cursor from "./wait/Cursor.ts"
import { watched, type From, type Until, type Watched } from "./wait/matches.ts"
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
        const { most, usual } = yield* WaitTime
        const progress = yield* WaitProgress
        const time = Duration.min(most, request.seconds === undefined ? usual : Duration.seconds(request.seconds))
        const began = yield* Clock.currentTimeMillis
        const position = Option.flatMap(Option.fromNullable(cursor), (text) => Cursor.read(text, journal, subscription))
        const isForeign = cursor !== undefined && Option.isNone(position)

        /** Of what was seen up to now: nothing that comes meanwhile is skipped by the cursor. */
        const answer = (done: boolean, all: ReadonlyArray<Watched>, notes: ReadonlyArray<string>) => {
          const events = all
            .flatMap(({ latest, match }) => (done && match === undefined ? [] : [{ event: match ?? latest, latest }]))
            .toSorted((a, b) => a.event.position - b.event.position)
          const shown = events.slice(0, limits.told)
          const more = events.length - shown.length
          const last = done && more > 0 ? shown.at(-1)?.event.position : undefined
          const end = last ?? journal.position
          return Effect.gen(function* () {
            return {
              done,
              agents: yield* tell(done ? shown : shown.map(({ latest }) => ({ event: latest, latest }))),
              more,
              standing: standing(all),
              waited: Math.round(((yield* Clock.currentTimeMillis) - began) / 1000),
              limit: Duration.toSeconds(time),
              note: [...(isForeign ? [foreign] : []), ...notes].join(" "),
              cursor: Cursor.write(journal, end, subscription)
            } satisfies WaitAnswer
          })
        }

        const isDone = (all: ReadonlyArray<Watched>): boolean =>
          mode === "any" ? all.some(({ match }) => match !== undefined) : all.every(({ match }) => match !== undefined)

        const unknownOf = (from: From): ReadonlyArray<string> =>
          (names ?? []).filter((name) => {
            const latest = journal.named(name)
            return latest === undefined || (latest.status === "deleted" && latest.position <= from.position)
          })

        const isFresh = Option.isNone(position)

        /** Looks until it is done or the time is over; looks up to that number are too old. */
        const waiting = Effect.fn("WaitService.waiting")(function* (start: From, before: number) {
          let from = start
          let number = before
          let isNamed = false
          for (;;) {
            const left = began + Duration.toMillis(time) - (yield* Clock.currentTimeMillis)
            const looked = yield* Effect.timeoutOption(watcher.lookAfter(number), Duration.millis(Math.max(0, left)))
            const blind = watcher.blindness()
            if (Option.isNone(looked)) {
              const all = watched(journal, { from: { ...from, state: false }, names, until })
              const notes = unseen(all)
              return mode === "any" && isDone(all)
                ? yield* answer(true, all, notes)
                : yield* answer(false, all, isNamed || !isFresh ? notes : [notSeen, ...notes])
            }
            number = looked.value
            if (Option.isSome(blind)) {
              if (!isNamed && lasts(blind.value.error)) return yield* blind.value.error
              continue
            }
            if (!isNamed) {
              const unknown = unknownOf(from)
              if (unknown.length > 0) return yield* new AgentNotFound({ agent_name: listed(unknown) })
              isNamed = true
              // For who waits for any change, this look is what the next ones are compared with.
              if (isFresh && until === "changed") from = { position: journal.position, state: isForeign }
            }
            const all = watched(journal, { from, names, until })
            if (all.length === 0) return yield* answer(false, all, ["There is no agent."])
            if (isDone(all)) return yield* answer(true, all, [])
          }
        })

        const unseen = (all: ReadonlyArray<Watched>): ReadonlyArray<string> => {
          const untold = all.filter(({ latest }) => journal.isUntold(latest)).map(({ latest }) => latest.name)
          return [
            ...Option.match(watcher.blindness(), {
              onNone: () => [],
              onSome: ({ error }) => [`At the end the agents could not be seen: ${cut(error.message, limits.message)}`]
            }),
            ...(untold.length === 0
              ? []
              : [`Not seen in the newest look, and told as last seen: ${cut(listed(untold), limits.message)}.`])
          ]
        }

        const signs = Effect.gen(function* () {
          for (;;) {
            const all = watched(journal, { from: { position: journal.position, state: false }, names, until })
            const said = standing(all).map(([status, count]) => `${count} ${status}`)
            yield* progress.tell(said.length === 0 ? "looking at the agents" : said.join(", "))
            yield* Effect.sleep(limits.progress)
          }
        })

        const from: From = {
          position: Option.getOrElse(position, () => journal.position),
          state: isFresh || mode === "all"
        }
        if (!from.state) {
          const all = watched(journal, { from, names, until })
          if (isDone(all)) return yield* answer(true, all, [])
        }
        // How an agent stands is asked of it anew: it may have a task since its last report.
        if (from.state) yield* agents.doubt(names === undefined ? undefined : new Set(names))
        const begun = watcher.begun()
        return yield* Effect.raceFirst(watcher.during(waiting(from, begun)), signs)
      })

      return { wait }
    })
  )
}

const foreign =
  "The cursor is of another server, of other agents, or too old: the agents were looked at anew, and all that has ended is told."

const notSeen = "The agents were not seen in time."

/** Errors that no waiting mends. */
const lasts = ({ _tag }: CoderFailure): boolean => _tag !== "CoderUnavailable" && _tag !== "CoderRateLimited"
