import { Effect } from "effect"
import type { Agent } from "../../schemas/Agent.ts"
import { AgentNotRunning, BuildInTheWay, type BuildFailed, type LookupFailure } from "../../schemas/errors/Agent.ts"
import type { DeadlineExceeded } from "../../schemas/errors/Coder.ts"
import type { NextStep } from "../../schemas/errors/NextStep.ts"
import type { Outcome } from "../../schemas/Outcome.ts"
import { AgentLifecycle, type Change } from "../repositories/AgentLifecycle.ts"
import { AgentRepository, type WorkspaceHandle } from "../repositories/AgentRepository.ts"
import { changing, sending, timeToWait, tookEffect } from "./deadlines.ts"

export interface StoppedAgent {
  readonly agent: Agent
  /** `unknown` where nobody could tell whether the stop began, or it was not over in time. */
  readonly outcome: Outcome
  /** Last lines of the stop build. */
  readonly build_log: ReadonlyArray<string>
  readonly message: string
  readonly next: ReadonlyArray<NextStep>
}

export type StopFailure = LookupFailure | AgentNotRunning | BuildInTheWay | BuildFailed | DeadlineExceeded

/** What `AgentService.stop` does: one stop build, and nothing where the agent is stopped already. */
export const makeStopAgent = Effect.gen(function* () {
  const agents = yield* AgentRepository
  const lifecycle = yield* AgentLifecycle

  /** The newest change, over; a stop at work that is not ours is waited for. */
  const settledChange = (name: string, agent: WorkspaceHandle) =>
    Effect.gen(function* () {
      const latest = lifecycle.latest(agent)
      const isStop = latest.transition === "stop"
      const change = isStop ? yield* lifecycle.watch(latest, yield* timeToWait(1)) : latest
      if (change.state === "at_work") return yield* inTheWay(name, change)
      if (isStop && change.state === "succeeded") {
        return yield* new AgentNotRunning({ agent_name: name, build_number: change.build_number })
      }
      return change
    })

  const sendStop = (latest: Change) =>
    Effect.gen(function* () {
      const sent = yield* lifecycle.stop(latest)
      if (sent._tag === "Unseen") {
        const { agent } = yield* agents.look(latest)
        const message = "Coder gave no answer, and no read could tell whether the stop began."
        return stopped(agent, "unknown", [], message, ["look_at_agent"])
      }
      yield* tookEffect
      const change = yield* lifecycle.watch(sent.value, yield* timeToWait(1))
      if (change.state === "failed") return yield* yield* lifecycle.failure(change)
      const log = yield* lifecycle.log(change)
      const { agent } = yield* agents.look(change)
      const build = `build ${change.build_number}`
      return change.state === "succeeded"
        ? stopped(agent, "applied", log, `The agent is stopped (${build}); its workspace and what it made are kept.`, [
            "restart_agent"
          ])
        : stopped(agent, "unknown", log, `The stop was accepted (${build}) and is still ${change.status}.`, ["wait"])
    })

  /** Where somebody else's stop came first, it is waited for as one that was seen before. */
  const stopOnce = (name: string, latest: Change): Effect.Effect<StoppedAgent, StopFailure> =>
    Effect.catchIf(
      sendStop(latest),
      (error) => error._tag === "BuildInTheWay" && error.transition === "stop",
      () =>
        Effect.gen(function* () {
          const now = yield* agents.refresh(latest)
          return yield* stopOnce(name, yield* settledChange(name, now))
        })
    )

  return Effect.fn("AgentService.stop")(
    function* (name: string) {
      const located = yield* agents.locate(name)
      const latest = yield* settledChange(located.name, located)
      return yield* stopOnce(located.name, latest).pipe(sending(`stop the agent ${name}`))
    },
    (effect, name): Effect.Effect<StoppedAgent, StopFailure> => changing(`stop the agent ${name}`)(effect)
  )
})

const inTheWay = (agent_name: string, { build_number, status, transition }: Change): BuildInTheWay =>
  new BuildInTheWay({ agent_name, build_number, transition, build_status: status })

const stopped = (
  agent: Agent,
  outcome: Outcome,
  build_log: ReadonlyArray<string>,
  message: string,
  next: ReadonlyArray<NextStep>
): StoppedAgent => ({ agent, outcome, build_log, message, next })
