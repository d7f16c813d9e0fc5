import { Deferred, Duration, Effect, FiberId, Option, Runtime, type Scope } from "effect"
import { Deadline, within } from "./Deadline.ts"

/** Work that callers share, by key. */
export interface SharedOptions<Key, A, E, R> {
  /** Results kept; the one that was not asked for longest goes first. Lookups under way are not counted. */
  readonly capacity: number
  readonly lookup: (key: Key) => Effect.Effect<A, E, R>
  /** The deadline of a lookup, from its own start. */
  readonly time: Duration.Duration
  readonly onTimeout: (key: Key) => E
}

/**
 * A lookup whose callers share one run for each key. It runs in the scope at hand, with nothing of any caller: neither
 * its deadline nor its fiber's values. Callers only wait: one that ends ends nobody else, and a run that nobody waits
 * for any more goes on within its own time. A success is kept for ever, a failure not at all. A key is compared by
 * identity.
 */
export const shared = <Key, A, E, R>({
  capacity,
  lookup,
  onTimeout,
  time
}: SharedOptions<Key, A, E, R>): Effect.Effect<(key: Key) => Effect.Effect<A, E>, never, R | Scope.Scope> =>
  withoutDeadlines((key: Key) => within(time, () => onTimeout(key))(lookup(key)), capacity)

/**
 * An effect that runs when it is first wanted, and again only where it failed; otherwise as `shared`. It brings a
 * deadline of its own.
 */
export const once = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Effect.Effect<A, E>, never, R | Scope.Scope> =>
  Effect.map(
    withoutDeadlines(() => effect, 1),
    (get) => get(undefined)
  )

const withoutDeadlines = <Key, A, E, R>(
  lookup: (key: Key) => Effect.Effect<A, E, R>,
  capacity: number
): Effect.Effect<(key: Key) => Effect.Effect<A, E>, never, R | Scope.Scope> =>
  // Whoever makes it may be beyond interruption; its lookups are not.
  Effect.map(Effect.all([Effect.interruptible(Effect.runtime<R>()), Effect.scope]), ([runtime, scope]) => {
    const running = new Map<Key, Deferred.Deferred<A, E>>()
    const kept = new Map<Key, Effect.Effect<A, E>>()

    const keep = (key: Key, result: Effect.Effect<A, E>): Effect.Effect<A, E> => {
      kept.delete(key)
      kept.set(key, result)
      for (const oldest of kept.keys()) {
        if (kept.size <= capacity) break
        kept.delete(oldest)
      }
      return result
    }

    const start = (key: Key): Effect.Effect<A, E> => {
      const result = Deferred.unsafeMake<A, E>(FiberId.none)
      running.set(key, result)
      const work = Effect.provideService(
        Effect.suspend(() => lookup(key)),
        Deadline,
        Option.none()
      )
      Runtime.runFork(runtime, work, { scope }).addObserver((exit) => {
        running.delete(key)
        if (exit._tag === "Success") keep(key, exit)
        Deferred.unsafeDone(result, exit)
      })
      return Deferred.await(result)
    }

    return (key) =>
      Effect.suspend(() => {
        const found = kept.get(key)
        if (found !== undefined) return keep(key, found)
        const under = running.get(key)
        return under === undefined ? start(key) : Deferred.await(under)
      })
  })
