import { Context, Duration, Effect, Layer, Option } from "effect"
import { AgentStatus, type Agent, type AgentView } from "../../schemas/Agent.ts"
import {
  BuildInTheWay,
  RestartIncomplete,
  UnknownFilterValue,
  type BuildFailed,
  type LookupFailure
} from "../../schemas/errors/Agent.ts"
import type { CoderFailure, DeadlineExceeded } from "../../schemas/errors/Coder.ts"
import type { NextStep } from "../../schemas/errors/NextStep.ts"
import type { Outcome } from "../../schemas/Outcome.ts"
import { shownName } from "../../schemas/Text.ts"
import { AgentLifecycle, type Change } from "../repositories/AgentLifecycle.ts"
import { AgentRepository, type FoundAgent, type LocatedAgent } from "../repositories/AgentRepository.ts"
import { Seen, type Settled } from "../repositories/Settled.ts"
import { CreateAgent, type CreatedAgent, type CreateFailure, type CreateRequest } from "./CreateAgent.ts"
import { changing, reading, sending, timeToWait, tookEffect } from "./deadlines.ts"
import { makeStopAgent, type StopFailure, type StoppedAgent } from "./StopAgent.ts"

/** How long the agents' lives are waited for. */
export class LifeLimits extends Context.Reference<LifeLimits>()("fleet-mcp/layers/services/AgentService/LifeLimits", {
  defaultValue: () => ({
    /** How long a deletion waits for the end of its build. */
    deletion: Duration.seconds(10)
  })
}) {}

/** Which agents a list shows. Names are compared without regard to case. */
export interface AgentFilter {
  readonly status?: string | undefined
  readonly project?: string | undefined
  /** At most so many agents; all by default. */
  readonly limit?: number | undefined
  /** So many of those that match come before the first one; 0 by default. */
  readonly offset?: number | undefined
}

export interface AgentList {
  readonly agents: ReadonlyArray<AgentView>
  /** How many match, shown or not. */
  readonly total_count: number
  /** Why there are no agents at all, where that may be the token's fault; else `""`. */
  readonly note: string
}

export interface DeletedAgent {
  readonly agent_name: string
  readonly outcome: Outcome
  /** Last lines of the delete build; they say where kept work lies. */
  readonly build_log: ReadonlyArray<string>
  readonly message: string
  readonly next: ReadonlyArray<NextStep>
}

export interface RestartedAgent {
  readonly agent: Agent
  readonly outcome: Outcome
  readonly message: string
  readonly next: ReadonlyArray<NextStep>
}

export type ListFailure = CoderFailure | UnknownFilterValue | DeadlineExceeded
export type ShowFailure = LookupFailure | DeadlineExceeded
export type DeleteFailure = LookupFailure | BuildInTheWay | BuildFailed | DeadlineExceeded
export type RestartFailure = LookupFailure | BuildInTheWay | BuildFailed | RestartIncomplete | DeadlineExceeded

/** The agents of the caller: who they are, what they do, and their lives from creation to deletion. */
export class AgentService extends Context.Tag("fleet-mcp/layers/services/AgentService")<
  AgentService,
  {
    readonly list: (filter: AgentFilter) => Effect.Effect<AgentList, ListFailure>
    readonly show: (name: string) => Effect.Effect<Agent, ShowFailure>
    readonly create: (request: CreateRequest) => Effect.Effect<CreatedAgent, CreateFailure>
    readonly delete: (name: string) => Effect.Effect<DeletedAgent, DeleteFailure>
    readonly restart: (name: string) => Effect.Effect<RestartedAgent, RestartFailure>
    /** Ends the agent's processes; its workspace stays. */
    readonly stop: (name: string) => Effect.Effect<StoppedAgent, StopFailure>
  }
>() {
  static readonly layer: Layer.Layer<AgentService, never, AgentLifecycle | AgentRepository | CreateAgent> =
    Layer.effect(
      this,
      Effect.gen(function* () {
        const agents = yield* AgentRepository
        const lifecycle = yield* AgentLifecycle
        const { create } = yield* CreateAgent
        const stop = yield* makeStopAgent

        const list = Effect.fn("AgentService.list")(
          function* ({ limit, offset = 0, project, status }: AgentFilter) {
            const wanted = status === undefined ? undefined : yield* readStatus(status)
            const wantedProject = project === undefined ? undefined : lower(shownName(project))
            const found = yield* agents.list
            const matches = found.agents.filter(
              (agent) =>
                (wanted === undefined || agent.status === wanted) &&
                (wantedProject === undefined || lower(agent.project) === wantedProject)
            )
            return {
              agents: matches.slice(offset, limit === undefined ? undefined : offset + limit),
              total_count: matches.length,
              note: found.note
            }
          },
          (effect) => reading("list the agents")(effect)
        )

        const show = Effect.fn("AgentService.show")(
          function* (name: string) {
            return (yield* agents.find(name)).agent
          },
          (effect, name) => reading(`show the agent ${name}`)(effect)
        )

        const sendDelete = (agent: LocatedAgent, sent: Settled<Change>) =>
          Effect.gen(function* () {
            if (sent._tag === "Unseen") {
              return deleted(agent.name, "unknown", [], noAnswer("the deletion began"), ["look_at_agent"])
            }
            yield* tookEffect
            const { deletion } = yield* LifeLimits
            const change = yield* lifecycle.watch(sent.value, deletion)
            if (change.state === "failed") return yield* yield* lifecycle.failure(change)
            const log = yield* lifecycle.log(change)
            return change.state === "succeeded"
              ? deleted(agent.name, "applied", log, "The agent and its workspace are deleted.", [])
              : deleted(agent.name, "unknown", log, stillDeleting(change, deletion), ["wait"])
          })

        const remove = Effect.fn("AgentService.delete")(
          function* (name: string) {
            const agent = yield* agents.locate(name)
            return yield* Effect.flatMap(lifecycle.remove(agent), (sent) => sendDelete(agent, sent)).pipe(
              sending(`delete the agent ${name}`)
            )
          },
          (effect, name) => changing(`delete the agent ${name}`)(effect)
        )

        /** Waits for the end of a stop; `outcome` is told where the time is over first. */
        const stopEnds = (name: string, begun: Change, outcome: Outcome) =>
          Effect.gen(function* () {
            const change = yield* lifecycle.watch(begun, yield* timeToWait(1))
            if (change.state !== "at_work") return change
            return yield* halfDone(name, change, "the time of the call was over.", ["wait"], outcome)
          })

        /** Stops an agent that is not stopped yet. */
        const stopFirst = (name: string, latest: Change): Effect.Effect<Settled<Change>, RestartFailure> =>
          Effect.gen(function* () {
            if (isStopped(latest)) return Seen({ value: latest })
            const sent = yield* lifecycle.stop(latest)
            if (sent._tag === "Unseen") return sent
            yield* tookEffect
            const change = yield* stopEnds(name, sent.value, "applied")
            return change.state === "succeeded" ? Seen({ value: change }) : yield* yield* lifecycle.failure(change)
          })

        const sendRestart = (before: FoundAgent, latest: Change) =>
          Effect.gen(function* () {
            const { name } = before.agent
            const stopped = yield* stopFirst(name, latest)
            if (stopped._tag === "Unseen") {
              return restarted(before.agent, "unknown", `${noAnswer("the stop began")} No start was sent.`, [
                "look_at_agent",
                "restart_agent"
              ])
            }
            const start = lifecycle.start(stopped.value)
            const sent = yield* isStopped(latest)
              ? start
              : Effect.mapError(start, ({ message, next }) => halfDone(name, stopped.value, message, next, "applied"))
            if (sent._tag === "Unseen") {
              const { agent } = yield* agents.look(stopped.value)
              return restarted(agent, "unknown", `The agent is stopped. ${noAnswer("the start began")}`, [
                "look_at_agent"
              ])
            }
            yield* tookEffect
            const change = yield* lifecycle.watch(sent.value, yield* timeToWait(1))
            if (change.state === "failed") return yield* yield* lifecycle.failure(change)
            const after = yield* agents.look(change)
            const done = isStopped(latest) ? "started" : "stopped and started"
            const ended = isStopped(latest) ? "" : saidAtLast(yield* lifecycle.log(stopped.value))
            const message = `The agent was ${done} (build ${change.build_number} is ${change.status}).${ended}`
            const told = toldOfConversation(before, after)
            return restarted(after.agent, "applied", `${message}${told.words}`, told.next)
          })

        const restart = Effect.fn("AgentService.restart")(
          function* (name: string) {
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
            return yield* sendRestart(before, ended).pipe(sending(`restart the agent ${name}`))
          },
          (effect, name) => changing(`restart the agent ${name}`)(effect)
        )

        return { list, show, create, delete: remove, restart, stop }
      })
    )
}

/** Whether the agent is stopped, and nothing is left to be stopped. */
const isStopped = ({ state, transition }: Change): boolean => transition === "stop" && state === "succeeded"

/** The last that a stop said, of what it ended. */
const saidAtLast = (log: ReadonlyArray<string>): string => {
  const line = log.findLast((each) => each.trim() !== "")
  return line === undefined ? "" : ` The stop said: ${line}.`
}

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

const noAnswer = (what: string): string => `Coder gave no answer, and no read could tell whether ${what}.`

const stillDeleting = ({ build_number, status }: Change, waited: Duration.Duration): string =>
  `The deletion was accepted (build ${build_number}) and is ${status} after ${Duration.toSeconds(waited)} s.`

const lower = (text: string): string => text.trim().toLowerCase()

const readStatus = (status: string): Effect.Effect<AgentStatus, UnknownFilterValue> =>
  Effect.mapError(
    Effect.fromNullable(AgentStatus.literals.find((one) => one === lower(status))),
    () => new UnknownFilterValue({ filter: "status_filter", value: status, allowed: AgentStatus.literals })
  )

const deleted = (
  agent_name: string,
  outcome: Outcome,
  build_log: ReadonlyArray<string>,
  message: string,
  next: ReadonlyArray<NextStep>
): DeletedAgent => ({ agent_name, outcome, build_log, message, next })

const restarted = (agent: Agent, outcome: Outcome, message: string, next: ReadonlyArray<NextStep>): RestartedAgent => ({
  agent,
  outcome,
  message,
  next
})
