import { Effect, Option } from "effect"
import type { Agent } from "../../schemas/Agent.ts"
import {
  AgentNotFound,
  BuildInTheWay,
  RestartIncomplete,
  type BuildFailed,
  type LookupFailure
} from "../../schemas/errors/Agent.ts"
import type { DeadlineExceeded } from "../../schemas/errors/Coder.ts"
import { IdempotencyNotSupported, type IdempotencyKeyReused } from "../../schemas/errors/Idempotency.ts"
import type { NextStep } from "../../schemas/errors/NextStep.ts"
import type { KeyUse } from "../../schemas/Idempotency.ts"
import type { Outcome } from "../../schemas/Outcome.ts"
import { AgentLifecycle, type Change } from "../repositories/AgentLifecycle.ts"
import { AgentRepository, type FoundAgent } from "../repositories/AgentRepository.ts"
import type { Used } from "../repositories/IdempotencyKeys.ts"
import { Seen, type Settled } from "../repositories/Settled.ts"
import { changing, noAnswer, sending, timeToWait, tookEffect } from "./deadlines.ts"
import { doneBefore, type Keyed, makeOnce } from "./Once.ts"

export interface RestartedAgent {
  readonly agent: Agent
  readonly outcome: Outcome
  readonly message: string
  readonly next: ReadonlyArray<NextStep>
}

export type RestartFailure =
  | LookupFailure
  | BuildInTheWay
  | BuildFailed
  | RestartIncomplete
  | IdempotencyKeyReused
  | IdempotencyNotSupported
  | DeadlineExceeded

/** The last that a stop said, of what it ended. */
const saidAtLast = (log: ReadonlyArray<string>): string => {
  const line = log.findLast((each) => each.trim() !== "")
  return line === undefined ? "" : ` The stop said: ${line}.`
}

/** What `AgentService.restart` does: a stop build, where the agent is not stopped, and a start build. */
export const makeRestartAgent = Effect.gen(function* () {
  const agents = yield* AgentRepository
  const lifecycle = yield* AgentLifecycle
  const once = yield* makeOnce

  /** Waits for the end of a stop; `outcome` is told where the time is over first. */
  const stopEnds = (name: string, begun: Change, outcome: Outcome) =>
    Effect.gen(function* () {
      const change = yield* lifecycle.watch(begun, yield* timeToWait(1))
      if (change.state !== "at_work") return change
      return yield* halfDone(name, change, "the time of the call was over.", ["wait"], outcome)
    })

  /** Stops an agent that is not stopped yet. */
  const stopFirst = (name: string, latest: Change, key?: KeyUse): Effect.Effect<Settled<Change>, RestartFailure> =>
    Effect.gen(function* () {
      if (isStopped(latest)) return Seen({ value: latest })
      const sent = yield* lifecycle.stop(latest, key)
      if (sent._tag === "Unseen") return sent
      yield* tookEffect
      const change = yield* stopEnds(name, sent.value, "applied")
      return change.state === "succeeded" ? Seen({ value: change }) : yield* yield* lifecycle.failure(change)
    })

  const sendRestart = (before: FoundAgent, latest: Change, key?: KeyUse) =>
    Effect.gen(function* () {
      const { name } = before.agent
      const stopped = yield* stopFirst(name, latest, key)
      if (stopped._tag === "Unseen") {
        return restarted(before.agent, "unknown", `${noAnswer("the stop began")} No start was sent.`, [
          "look_at_agent",
          "restart_agent"
        ])
      }
      const start = lifecycle.start(stopped.value, key)
      const sent = yield* isStopped(latest)
        ? start
        : Effect.mapError(start, ({ message, next }) => halfDone(name, stopped.value, message, next, "applied"))
      if (sent._tag === "Unseen") {
        const { agent } = yield* agents.look(stopped.value)
        return restarted(agent, "unknown", `The agent is stopped. ${noAnswer("the start began")}`, ["look_at_agent"])
      }
      yield* tookEffect
      const { after, change } = yield* started(sent.value)
      const done = isStopped(latest) ? "started" : "stopped and started"
      const ended = isStopped(latest) ? "" : saidAtLast(yield* lifecycle.log(stopped.value))
      const message = `The agent was ${done} (build ${change.build_number} is ${change.status}).${ended}`
      const told = toldOfConversation(before, after)
      const queue = toldOfQueue(after)
      return restarted(after.agent, "applied", `${message}${told.words}${queue.words}`, [...told.next, ...queue.next])
    })

  /** Waits for a start; fails where that does. */
  const started = (start: Change) =>
    Effect.gen(function* () {
      const change = yield* lifecycle.watch(start, yield* timeToWait(1))
      if (change.state === "failed") return yield* yield* lifecycle.failure(change)
      return { change, after: yield* agents.look(change) }
    })

  const restartNow = (name: string, keyed: Keyed | undefined) =>
    Effect.gen(function* (): Effect.fn.Return<RestartedAgent, RestartFailure> {
      if (keyed?.isRemembered === false) return yield* unsupported()
      const located = yield* agents.locate(name)
      const latest = lifecycle.latest(located)
      if (latest.state === "at_work" && latest.transition !== "stop") {
        const { build_number, status: build_status, transition } = latest
        return yield* new BuildInTheWay({ agent_name: located.name, build_number, transition, build_status })
      }
      // A stop at work is not ours: waiting for it can still be interrupted.
      const ended = yield* stopEnds(located.name, latest, "not_applied")
      // What its conversation holds is seen now or never.
      const before = yield* agents.look(located)
      return yield* sendRestart(before, ended, keyed?.use).pipe(sending(`restart the agent ${name}`))
    })

  /** What a restart came to that was begun before; one that came as far as its stop goes on, if nothing came since. */
  const again = (name: string, { buildNumbers, usedAt, workspaceId }: Used, key: KeyUse) =>
    Effect.gen(function* (): Effect.fn.Return<RestartedAgent, RestartFailure> {
      const handle = yield* agents.byId(workspaceId)
      if (Option.isNone(handle)) return yield* new AgentNotFound({ agent_name: name })
      const number = buildNumbers.at(-1) ?? 0
      const last = yield* lifecycle.numbered(handle.value, number)
      const told = doneBefore(usedAt)
      if (Option.isNone(last)) {
        const { agent } = yield* agents.look(handle.value)
        return restarted(agent, "applied", `The agent was restarted (build ${number}).${told}`, [])
      }
      const build = last.value
      if (build.transition === "stop") {
        const latest = lifecycle.latest(handle.value)
        if (latest.build_number !== number) {
          const since = `build ${latest.build_number} (${latest.transition}) has come since.`
          return yield* halfDone(name, build, since, ["look_at_agent"], "applied")
        }
        return yield* Effect.flatMap(agents.look(handle.value), (before) =>
          Effect.flatMap(stopEnds(name, latest, "applied"), (ended) => sendRestart(before, ended, key))
        ).pipe(sending(`restart the agent ${name}`))
      }
      const { after, change } = yield* started(build)
      const message = `The agent was restarted (build ${change.build_number} is ${change.status}).${told}`
      return restarted(after.agent, "applied", message, [])
    })

  return Effect.fn("AgentService.restart")(
    (name: string, key?: string) =>
      once<RestartedAgent, RestartFailure>({
        key,
        act: "restart_agent",
        args: { agent_name: name.toLowerCase() },
        fresh: (keyed) => restartNow(name, keyed),
        replay: (used, use) => again(name, used, use)
      }),
    (effect, name): Effect.Effect<RestartedAgent, RestartFailure> => changing(`restart the agent ${name}`)(effect)
  )
})

const unsupported = () =>
  new IdempotencyNotSupported({
    reason: "no build of Coder's tells which call asked for it, so nothing would tell whether that restart was made"
  })

/** Whether the agent is stopped, and nothing is left to be stopped. */
const isStopped = ({ state, transition }: Change): boolean => transition === "stop" && state === "succeeded"

/** What became of the conversation: AgentAPI may keep it, or begin a new one with the first task of the build. */
const toldOfConversation = (
  before: FoundAgent,
  after: FoundAgent
): { readonly words: string; readonly next: ReadonlyArray<NextStep> } => {
  const was = Option.getOrNull(before.live)?.conversation ?? null
  const is = Option.getOrNull(after.live)?.conversation ?? null
  const had = was === null || !was.prompted ? "" : ` The conversation before had ${was.messages} messages`
  if (is === null) {
    return had !== "" && before.takesPrompt
      ? {
          words: `${had}: where the template gives the first task to the agent at each start, that runs again now, in a new conversation.`,
          next: ["look_at_agent"]
        }
      : { words: "", next: [] }
  }
  const isNew = was !== null && is.began !== was.began
  const gone = had !== "" && isNew ? `${had}, and is gone.` : ""
  if (is.promptedSinceBuild) {
    return {
      words: ` Its first task runs again: the template gives it to the agent at each start.${gone}`,
      next: ["cancel_task"]
    }
  }
  const mayRun = gone !== "" && after.takesPrompt && !is.prompted
  return mayRun
    ? { words: `${gone} Its first task may run again.`, next: ["look_at_agent"] }
    : { words: gone, next: [] }
}

const halfDone = (
  agent_name: string,
  { build_number, status }: Change,
  reason: string,
  next: ReadonlyArray<NextStep>,
  outcome: Outcome
): RestartIncomplete =>
  new RestartIncomplete({
    agent_name,
    build_number,
    build_status: status,
    reason,
    next: [...next.filter((step) => step !== "try_again" && step !== "change_request"), "restart_agent"],
    outcome
  })

/** What waits does not begin by itself after a new start. */
const toldOfQueue = ({
  agent: { queue }
}: FoundAgent): { readonly words: string; readonly next: ReadonlyArray<NextStep> } => {
  if (queue === undefined) return { words: "", next: [] }
  const count = queue.tasks.length
  return {
    words: count === 1 ? " One queued task is kept, and held." : ` ${count} queued tasks are kept, and held.`,
    next: ["let_queue_go_on"]
  }
}

const restarted = (agent: Agent, outcome: Outcome, message: string, next: ReadonlyArray<NextStep>): RestartedAgent => ({
  agent,
  outcome,
  message,
  next
})
