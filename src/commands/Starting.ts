import { Context, Duration, Effect, ExecutionStrategy, Exit, Scope } from "effect"
import { within } from "../layers/time/Deadline.ts"
import { BackendNotConfigured } from "../schemas/errors/Coder.ts"

/** How long the start of the fleet's services may take, its modules included. */
export class StartLimit extends Context.Reference<StartLimit>()("fleet-mcp/commands/Starting/StartLimit", {
  defaultValue: () => Duration.seconds(20)
}) {}

const tooSlow = (limit: Duration.Duration) =>
  new BackendNotConfigured({
    problem: `The fleet did not start within ${Duration.toSeconds(limit)} s.`,
    remedy: "Call again; if that does not help, look at the disk that fleet-mcp and its state directory are on."
  })

/**
 * Runs a start that lasts as long as the scope at hand, within `StartLimit`. One that fails, is interrupted or takes too
 * long leaves nothing behind: what it had acquired is released before its error is told, and what it still acquires
 * afterwards at once.
 */
export const starting = <A, E, R>(
  start: Effect.Effect<A, E, R>
): Effect.Effect<A, E | BackendNotConfigured, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const limit = yield* StartLimit
      const own = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
      return yield* restore(
        // Disconnected: an acquisition that hangs cannot be interrupted.
        within(limit, () => tooSlow(limit))(Effect.disconnect(Scope.extend(start, own)))
      ).pipe(Effect.onError((cause) => Scope.close(own, Exit.failCause(cause))))
    })
  )
