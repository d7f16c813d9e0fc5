import { Effect, Runtime, type Fiber, type Scope } from "effect"

/**
 * Runs an effect when it is first wanted, once, in a fiber of the scope: who stops waiting for it does not stop it for
 * the others.
 */
export const startOnce = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Effect.Effect<A, E>, never, R | Scope.Scope> =>
  Effect.map(Effect.all([Effect.interruptible(Effect.runtime<R>()), Effect.scope]), ([runtime, scope]) => {
    let fiber: Fiber.RuntimeFiber<A, E> | undefined
    return Effect.suspend(() => {
      fiber ??= Runtime.runFork(runtime, effect, { scope })
      return fiber.unsafePoll() ?? Effect.flatten(fiber.await)
    })
  })
