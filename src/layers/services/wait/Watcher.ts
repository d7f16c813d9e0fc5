import { Context, DateTime, Deferred, Duration, Effect, Option, Random, Runtime, type Scope } from "effect"
import { CoderUnavailable, type CoderFailure } from "../../../schemas/errors/Coder.ts"
import { AgentRepository } from "../../repositories/AgentRepository.ts"
import type { Wanted } from "../../repositories/AgentSurvey.ts"
import { late } from "../../repositories/translate.ts"
import { Deadline, TimeLimits, within } from "../../time/Deadline.ts"
import { monotonicMillis } from "../../time/Monotonic.ts"
import { AgentJournal } from "./AgentJournal.ts"
import type { AgentSource } from "./AgentSource.ts"

/** How agents are looked at while somebody waits for them. */
export class WatchLimits extends Context.Reference<WatchLimits>()(
  "fleet-mcp/layers/services/wait/Watcher/WatchLimits",
  {
    defaultValue: () => ({
      /**
       * Between the beginnings of two looks at the agents, whoever waits; so much for each page of the list. Longer where
       * Coder asks for that.
       */
      pace: Duration.seconds(4),
      /** Changes, and deleted agents, that are remembered. */
      remembered: 5000
    })
  }
) {}

const action = "look at the agents"

const fault = new CoderUnavailable({
  action,
  reason: "a fault of fleet-mcp, whose log has the details",
  request_id: null,
  fault: "no_answer"
})

/** Looks at the agents, again and again, while anybody waits. Numbers are those of looks. */
export const makeWatcher: Effect.Effect<AgentSource, never, AgentRepository | Scope.Scope> = Effect.gen(function* () {
  const agents = yield* AgentRepository
  const { pace, remembered } = yield* WatchLimits
  const { read } = yield* TimeLimits
  const id = (yield* Random.nextIntBetween(0x1000_0000, 0xffff_ffff)).toString(16)
  const journal = new AgentJournal(id, remembered)
  const scope = yield* Effect.scope
  // Whoever makes it may be beyond interruption, and within a deadline; its looks are not.
  const runtime = yield* Effect.interruptible(Effect.runtime())

  const waiting = new Set<{ readonly wanted: Wanted }>()
  let running = false
  let begun = 0
  let ended = 0
  let beganAt = -Infinity
  /** From the beginning of the newest look to that of the next one. */
  let pause = pace
  let next = yield* Deferred.make<void>()
  let blindness: Option.Option<CoderFailure> = Option.none()

  const union = (): Wanted => {
    const all = [...waiting].map(({ wanted }) => wanted)
    return all.includes(undefined) ? undefined : new Set(all.flatMap((wanted) => [...(wanted ?? [])]))
  }

  const see = Effect.gen(function* () {
    const observed_at = yield* DateTime.now
    const { gone, pages, sightings } = yield* agents.survey(union()).pipe(within(read, () => late(action, read)))
    const evidence = { source: "build", detail: "its workspace is deleted", observed_at } as const
    journal.note(
      begun,
      sightings,
      gone.map((one) => ({ ...one, evidence }))
    )
    blindness = Option.none()
    pause = Duration.times(pace, pages)
  }).pipe(
    Effect.catchAll((error) =>
      Effect.sync(() => {
        blindness = Option.some(error)
        pause = error._tag === "CoderRateLimited" ? Duration.max(pace, Duration.millis(error.retry_after_ms)) : pace
      })
    ),
    Effect.catchAllDefect((defect) => {
      blindness = Option.some(fault)
      pause = pace
      return Effect.logError("a look at the agents failed by a fault of fleet-mcp", defect)
    })
  )

  const end = Effect.gen(function* () {
    ended = begun
    const done = next
    next = yield* Deferred.make<void>()
    yield* Deferred.succeed(done, undefined)
  })

  const look = Effect.gen(function* () {
    begun += 1
    beganAt = yield* monotonicMillis
    yield* Effect.ensuring(see, end)
  })

  /** In one step: whoever comes after it starts the looks again. */
  const isWanted = () => {
    running = waiting.size > 0
    return running
  }

  const looks = Effect.gen(function* () {
    while (isWanted()) {
      const rest = beganAt + Duration.toMillis(pause) - (yield* monotonicMillis)
      if (rest > 0) yield* Effect.sleep(Duration.millis(rest))
      if (waiting.size > 0) yield* look
    }
  })

  const begin = (wanted: Wanted) =>
    Effect.sync(() => {
      const one = { wanted }
      waiting.add(one)
      if (!running) {
        running = true
        Runtime.runFork(runtime, Effect.provideService(looks, Deadline, Option.none()), { scope })
      }
      return one
    })

  const lookAfter = (number: number) =>
    Effect.suspend(() =>
      Effect.iterate(ended, {
        while: (seen) => seen <= number,
        body: () => Effect.map(Deferred.await(next), () => ended)
      })
    )

  return {
    history: journal,
    number: () => begun,
    blindness: () => blindness,
    during: (wanted) => (effect) =>
      Effect.acquireUseRelease(
        begin(wanted),
        () => effect,
        (one) => Effect.sync(() => void waiting.delete(one))
      ),
    renew: lookAfter,
    next: lookAfter,
    doubt: agents.doubt,
    reaches: (history, { seen }) => Effect.sync(() => history === journal.id && journal.reaches(seen))
  }
})
