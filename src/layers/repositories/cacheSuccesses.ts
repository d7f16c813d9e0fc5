import { Cache, Duration, Exit, type Effect } from "effect"

/** A cache that keeps successes for ever and failures not at all; concurrent lookups of one key share one run. */
export const cacheSuccesses = <Key, A, E>(
  capacity: number,
  lookup: (key: Key) => Effect.Effect<A, E>
): Effect.Effect<Cache.Cache<Key, A, E>> =>
  Cache.makeWith({
    capacity,
    lookup,
    timeToLive: Exit.match({ onFailure: () => Duration.zero, onSuccess: () => Duration.infinity })
  })
