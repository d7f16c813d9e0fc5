import { Context, Duration, Effect, Layer, Option, Stream } from "effect"
import type { AgentNotFound } from "../../schemas/errors/Agent.ts"
import type { CoderFailure } from "../../schemas/errors/Coder.ts"
import type { AgentEvents } from "../repositories/AgentEvents.ts"
import type { AgentRepository } from "../repositories/AgentRepository.ts"
import type { TaskRepository } from "../repositories/TaskRepository.ts"
import { monotonicMillis } from "../time/Monotonic.ts"
import * as Cursor from "./wait/Cursor.ts"
import { makeSource } from "./wait/Source.ts"
import { makeTelling } from "./wait/Telling.ts"
import type { WaitAnswer, WaitRequest } from "./wait/WaitAnswer.ts"
import { blindNote, lasts, makeWaiting, notSeen } from "./wait/Waiting.ts"
import { WaitProgress, WaitTime } from "./wait/WaitTime.ts"
import { WatchLimits } from "./wait/Watcher.ts"

export type { WaitAnswer, WaitRequest }

export type WaitFailure = CoderFailure | AgentNotFound

/**
 * Waits for agents: whoever waits is told, also what happened while nobody waited. It touches no agent. Where the Coder
 * at hand keeps a journal it is told by that, and else by looks at the agents.
 */
export class WaitService extends Context.Tag("fleet-mcp/layers/services/WaitService")<
  WaitService,
  {
    readonly wait: (request: WaitRequest) => Effect.Effect<WaitAnswer, WaitFailure>
    /** One at once, and one whenever any agent may be otherwise than before; also where agents cannot be seen, with why. */
    readonly changes: Stream.Stream<Option.Option<CoderFailure>, CoderFailure>
  }
>() {
  static readonly layer: Layer.Layer<WaitService, never, AgentEvents | AgentRepository | TaskRepository> = Layer.scoped(
    this,
    Effect.gen(function* () {
      const telling = yield* makeTelling
      const { limits } = telling
      const waiting = makeWaiting(telling)
      const choose = yield* makeSource
      const { pace } = yield* WatchLimits

      /** Tries again what no journal and no look could tell just now; never ends where that lasts. */
      const patiently = <A>(effect: Effect.Effect<A, CoderFailure>, note: (error: CoderFailure) => void) =>
        effect.pipe(
          Effect.tapError((error) =>
            lasts(error)
              ? Effect.void
              : Effect.zipRight(
                  Effect.sync(() => note(error)),
                  Effect.sleep(pace)
                )
          ),
          Effect.retry({ until: (error) => lasts(error) })
        )

      const wait = Effect.fn("WaitService.wait")(function* (request: WaitRequest) {
        const { cursor } = request
        const names =
          request.names === undefined ? undefined : [...new Set(request.names.map((name) => name.trim().toLowerCase()))]
        const subscription = { names, until: request.until }
        const { mode, until } = request
        const { most, usual } = yield* WaitTime
        const progress = yield* WaitProgress
        const time = Duration.min(most, request.seconds === undefined ? usual : Duration.seconds(request.seconds))
        const began = yield* monotonicMillis
        const read = Option.flatMap(Option.fromNullable(cursor), (text) => Cursor.read(text, subscription))
        let blind: CoderFailure | undefined
        let said = () => ""

        const start = Effect.gen(function* () {
          const source = yield* choose
          const reached = Option.match(read, {
            onNone: () => Effect.succeed(false),
            onSome: ({ history, place }) => source.reaches(history, place)
          })
          return { source, place: (yield* reached) ? Option.map(read, ({ place }) => place) : Option.none() }
        })

        const signs = Effect.gen(function* () {
          for (;;) {
            yield* progress.tell(said() || "looking at the agents")
            yield* Effect.sleep(limits.progress)
          }
        })

        /** Nothing was told, so the cursor is as good as it was. */
        const nothing = Effect.map(monotonicMillis, (now): WaitAnswer => ({
          done: false,
          agents: [],
          more: 0,
          reached: 0,
          waited_for: names?.length ?? 0,
          isEmpty: false,
          standing: [],
          waited: Math.round((now - began) / 1000),
          limit: Duration.toSeconds(time),
          note: [notSeen, ...(blind === undefined ? [] : [blindNote(blind, limits.message)])].join(" "),
          cursor: cursor ?? ""
        }))

        const started = patiently(start, (error) => {
          blind = error
        }).pipe(Effect.timeoutOption(time))
        const whole = Effect.flatMap(
          started,
          Option.match({
            onNone: () => nothing,
            onSome: (from) => {
              const begun = waiting({ ...from, ...subscription, began, cursor, mode, time, until })
              said = begun.said
              return begun.answer
            }
          })
        )
        return yield* Effect.raceFirst(whole, signs)
      })

      const changes = Stream.unwrapScoped(
        Effect.gen(function* () {
          const source = yield* patiently(choose, () => undefined)
          const before = source.number()
          yield* Effect.forkScoped(source.during(undefined)(Effect.never))
          const told = Stream.unfoldEffect({ number: before, isFirst: true }, ({ isFirst, number }) =>
            Effect.flatMap(isFirst ? source.renew(number) : source.next(number), (seen) => {
              const blindness = source.blindness()
              if (Option.isSome(blindness) && lasts(blindness.value)) return Effect.fail(blindness.value)
              const { losses, position } = source.history
              return Effect.succeedSome([
                { blindness, losses, position },
                { number: seen, isFirst: false }
              ] as const)
            })
          )
          return Stream.map(Stream.changesWith(told, isSameSight), ({ blindness }) => blindness)
        })
      )

      return { wait, changes }
    })
  )
}

interface Sight {
  readonly blindness: Option.Option<CoderFailure>
  readonly losses: number
  readonly position: number
}

/** Whether nothing that is known has changed. */
const isSameSight = (a: Sight, b: Sight): boolean =>
  a.position === b.position && a.losses === b.losses && Option.isSome(a.blindness) === Option.isSome(b.blindness)
