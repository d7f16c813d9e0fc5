import { Clock, Context, DateTime, Deferred, Duration, Effect, Option, Random, Runtime, type Scope } from "effect"
import type { CoderFailure } from "../../../schemas/errors/Coder.ts"
import { AgentRepository } from "../../repositories/AgentRepository.ts"
import { late } from "../../repositories/translate.ts"
import { Deadline, TimeLimits, within } from "../../time/Deadline.ts"
import { AgentJournal } from "./AgentJournal.ts"

/** How agents are looked at while somebody waits for them. */
export class WatchLimits extends Context.Reference<WatchLimits>()(
  "fleet-mcp/layers/services/wait/Watcher/WatchLimits",
  {
    defaultValue: () => ({
      /** Between the beginnings of two looks at all agents, whoever waits. */
      pace: Duration.seconds(4),
      /** Changes, and deleted agents, that are remembered. */
      remembered: 5000
    })
  }
) {}

/** Why agents cannot be seen, and since when (epoch milliseconds). */
interface Blindness {
  readonly error: CoderFailure
  readonly since: number
}

/** One look at all agents, again and again, for all who wait in this process. It rests while nobody waits. */
export interface Watcher {
  readonly journal: AgentJournal
  /** The number of the look that began last. */
  readonly begun: () => number
  /** Why the newest look failed; none where it did not. */
  readonly blindness: () => Option.Option<Blindness>
  /** Keeps the looks going while an effect runs. */
  readonly during: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Done when a look that began after the one of that number has ended, well or badly; answers its number. */
  readonly lookAfter: (number: number) => Effect.Effect<number>
}

export const makeWatcher: Effect.Effect<Watcher, never, AgentRepository | Scope.Scope> = Effect.gen(function* () {
  const agents = yield* AgentRepository
  const { pace, remembered } = yield* WatchLimits
  const { read } = yield* TimeLimits
  const id = (yield* Random.nextIntBetween(0x1000_0000, 0xffff_ffff)).toString(16)
  const journal = new AgentJournal(id, remembered)
  const scope = yield* Effect.scope
  // Whoever makes it may be beyond interruption, and within a deadline; its looks are not.
  const runtime = yield* Effect.interruptible(Effect.runtime())

  let waiting = 0
  let running = false
  let begun = 0
  let ended = 0
  let beganAt = -Infinity
  let next = yield* Deferred.make<void>()
  let blindness: Option.Option<Blindness> = Option.none()

  const look = Effect.gen(function* () {
    const now = yield* DateTime.now
    begun += 1
    beganAt = now.epochMillis
    const action = "look at the agents"
    yield* agents.survey.pipe(
      within(read, () => late(action, read)),
      Effect.match({
        onSuccess: ({ gone, sightings }) => {
          blindness = Option.none()
          const evidence = { source: "build", detail: "its workspace is deleted", observed_at: now } as const
          const deleted = { status: "deleted", evidence, position: 0, build: 0, report: "", message: null } as const
          journal.note(
            sightings,
            gone.map((one) => ({ ...deleted, ...one }))
          )
        },
        onFailure: (error) => {
          const since = Option.match(blindness, { onNone: () => now.epochMillis, onSome: (before) => before.since })
          blindness = Option.some({ error, since })
        }
      })
    )
    ended = begun
    const done = next
    next = yield* Deferred.make<void>()
    yield* Deferred.succeed(done, undefined)
  }).pipe(
    Effect.catchAllDefect((defect) => Effect.logError("a look at the agents failed by a fault of fleet-mcp", defect))
  )

  /** In one step: whoever comes after it starts the looks again. */
  const isWanted = () => {
    running = waiting > 0
    return running
  }

  const looks = Effect.gen(function* () {
    while (isWanted()) {
      const rest = beganAt + Duration.toMillis(pace) - (yield* Clock.currentTimeMillis)
      if (rest > 0) yield* Effect.sleep(Duration.millis(rest))
      if (waiting > 0) yield* look
    }
  })

  const begin = Effect.sync(() => {
    waiting += 1
    if (running) return
    running = true
    Runtime.runFork(runtime, Effect.provideService(looks, Deadline, Option.none()), { scope })
  })

  return {
    journal,
    begun: () => begun,
    blindness: () => blindness,
    during: (effect) =>
      Effect.acquireUseRelease(
        begin,
        () => effect,
        () => Effect.sync(() => void (waiting -= 1))
      ),
    lookAfter: (number) =>
      Effect.suspend(() =>
        Effect.iterate(ended, {
          while: (seen) => seen <= number,
          body: () => Effect.map(Deferred.await(next), () => ended)
        })
      )
  }
})
