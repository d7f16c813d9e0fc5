import { Effect, Fiber, type Scope } from "effect"

/**
 * Runs an effect when it is first wanted, once, in a fiber of the scope: who stops waiting for it does not stop it for
 * the others.
 */
export const startOnce = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Effect.Effect<A, E, R>, never, Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) =>
    Effect.map(
      Effect.cached(Effect.uninterruptible(Effect.forkIn(Effect.interruptible(effect), scope))),
      Effect.flatMap((fiber) => Effect.flatten(Fiber.await(fiber)))
    )
  )
