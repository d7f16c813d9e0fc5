import { Context, Deferred, Duration, Effect, Fiber, Option, Runtime, type Scope } from "effect"
import type { CoderFailure } from "../../../schemas/errors/Coder.ts"
import { AgentEvents, type AgentNews, type News } from "../../repositories/AgentEvents.ts"
import { Deadline } from "../../time/Deadline.ts"
import type { AgentSource, Place } from "./AgentSource.ts"
import { JournalView } from "./JournalView.ts"
import { WatchLimits } from "./Watcher.ts"

/** How a journal is followed while somebody waits. */
export class FollowLimits extends Context.Reference<FollowLimits>()(
  "fleet-mcp/layers/services/wait/Follower/FollowLimits",
  {
    defaultValue: () => ({
      /** One request for what comes; the server's own limit is the same. */
      wait: Duration.seconds(20)
    })
  }
) {}

/**
 * Follows the journal of an embedded Coder while anybody waits: one request at a time for all of them, answered when
 * something happens, and one for each who begins to wait, answered at once. Numbers are those of answers.
 */
export const makeFollower = (first: News): Effect.Effect<AgentSource, never, AgentEvents | Scope.Scope> =>
  Effect.gen(function* () {
    const events = yield* AgentEvents
    const { pace, remembered } = yield* WatchLimits
    const limits = yield* FollowLimits
    const scope = yield* Effect.scope
    // Whoever makes it may be beyond interruption, and within a deadline; its requests are not.
    const runtime = yield* Effect.interruptible(Effect.runtime())
    const view = new JournalView(remembered, first)
    let number = 0
    let next = yield* Deferred.make<void>()
    let blindness: Option.Option<CoderFailure> = Option.none()
    let waiting = 0
    let following: Fiber.RuntimeFiber<void> | undefined

    const here = () => ({ journal: view.id, position: view.position })

    const told = Effect.gen(function* () {
      const done = next
      next = yield* Deferred.make<void>()
      yield* Deferred.succeed(done, undefined)
    })

    const see = (news: News) =>
      Effect.suspend(() => {
        number += 1
        view.note(news, number)
        blindness = Option.none()
        return told
      })

    const fail = (error: CoderFailure) =>
      Effect.suspend(() => {
        number += 1
        blindness = Option.some(error)
        return told
      })

    const pauseOf = (error: CoderFailure): Duration.Duration =>
      error._tag === "CoderRateLimited" ? Duration.max(pace, Duration.millis(error.retry_after_ms)) : pace

    const ask = (time: Duration.Duration) =>
      Effect.tap(
        Effect.suspend(() => events.after(here(), time)),
        see
      )

    /** All that has happened by now. */
    const catchUp = Effect.gen(function* () {
      let hasMore = true
      while (hasMore) hasMore = (yield* ask(Duration.zero)).hasMore
    })

    const follow = ask(limits.wait).pipe(
      Effect.catchAll((error) => Effect.zipRight(fail(error), Effect.sleep(pauseOf(error)))),
      Effect.catchAllDefect((defect) =>
        Effect.zipRight(
          Effect.logError("the journal could not be followed by a fault of fleet-mcp", defect),
          Effect.sleep(pace)
        )
      ),
      Effect.forever
    )

    const begin = Effect.sync(() => {
      waiting += 1
      following ??= Runtime.runFork(runtime, Effect.provideService(follow, Deadline, Option.none()), { scope })
    })

    const leave = Effect.suspend(() => {
      waiting -= 1
      if (waiting > 0 || following === undefined) return Effect.void
      const fiber = following
      following = undefined
      return Fiber.interruptFork(fiber)
    })

    /** Reads the changes between an earlier position and those that are known; false where they are not all there. */
    const readFrom = (from: number) =>
      Effect.gen(function* () {
        if (view.covers(from)) return true
        const { id: journal, from: known } = view
        const older: Array<AgentNews> = []
        for (let position = from; position < known;) {
          const news = yield* events.after({ journal, position }, Duration.zero)
          if (news.lost !== null) return false
          older.push(...news.events.filter(({ changed }) => changed))
          if (older.length > remembered) return false
          position = news.hasMore ? news.position : known
        }
        // Somebody else may have read them meanwhile, or the journal began anew.
        if (view.id === journal && view.from === known) view.extend(from, older)
        return view.covers(from)
      })

    return {
      history: view,
      number: () => number,
      blindness: () => blindness,
      renew: () =>
        Effect.gen(function* () {
          if (Option.isSome(blindness)) yield* Effect.sleep(pauseOf(blindness.value))
          yield* Effect.catchAll(catchUp, fail)
          return number
        }),
      next: (after) =>
        Effect.suspend(() =>
          Effect.iterate(number, {
            while: (seen) => seen <= after,
            body: () => Effect.map(Deferred.await(next), () => number)
          })
        ),
      during: () => (effect) =>
        Effect.acquireUseRelease(
          begin,
          () => effect,
          () => leave
        ),
      doubt: () => Effect.void,
      reaches: Effect.fn("Follower.reaches")(function* (history: string, { seen, told: from }: Place) {
        yield* catchUp
        if (history !== view.id || from > view.position) return false
        return (yield* readFrom(from)) || (yield* readFrom(seen))
      })
    }
  })
