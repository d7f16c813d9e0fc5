import { Effect, Option, type Scope } from "effect"
import type { CoderFailure } from "../../../schemas/errors/Coder.ts"
import { AgentEvents } from "../../repositories/AgentEvents.ts"
import type { AgentRepository } from "../../repositories/AgentRepository.ts"
import type { AgentSource } from "./AgentSource.ts"
import { makeFollower } from "./Follower.ts"
import { makeWatcher } from "./Watcher.ts"

/** Whether somebody answered, who may be a Coder that knows no journal. */
const isAnswered = (error: CoderFailure): boolean =>
  error._tag === "CoderUnavailable" && error.fault !== "no_answer" && error.fault !== "untrusted_certificate"

/**
 * Where those who wait are told from: the journal, where the Coder at hand keeps one, and else looks at the agents. Which
 * one it is the Coder says once, when it is first asked; until it has, looks serve where it answers at all.
 */
export const makeSource: Effect.Effect<
  Effect.Effect<AgentSource, CoderFailure>,
  never,
  AgentEvents | AgentRepository | Scope.Scope
> = Effect.map(
  Effect.all([AgentEvents, makeWatcher, Effect.context<AgentEvents | Scope.Scope>()]),
  ([events, looks, context]) => {
    let chosen: AgentSource | undefined

    const choose = Effect.gen(function* () {
      const standing = yield* events.standing
      const made = Option.isNone(standing) ? looks : yield* makeFollower(standing.value)
      chosen ??= made
      return chosen
    }).pipe(
      Effect.provide(context),
      Effect.catchIf(isAnswered, () => Effect.succeed(looks))
    )

    return Effect.suspend(() => (chosen === undefined ? choose : Effect.succeed(chosen)))
  }
)
