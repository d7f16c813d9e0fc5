import { Context, Duration, Effect, Layer } from "effect"
import { AgentStatus, type Agent, type AgentView } from "../../schemas/Agent.ts"
import {
  UnknownFilterValue,
  type BuildFailed,
  type BuildInTheWay,
  type LookupFailure
} from "../../schemas/errors/Agent.ts"
import type { CoderFailure, DeadlineExceeded } from "../../schemas/errors/Coder.ts"
import type { NextStep } from "../../schemas/errors/NextStep.ts"
import type { Outcome } from "../../schemas/Outcome.ts"
import { shownName } from "../../schemas/Text.ts"
import { AgentLifecycle, type Change } from "../repositories/AgentLifecycle.ts"
import { AgentRepository, type LocatedAgent } from "../repositories/AgentRepository.ts"
import type { IdempotencyKeys } from "../repositories/IdempotencyKeys.ts"
import type { Settled } from "../repositories/Settled.ts"
import { CreateAgent, type CreatedAgent, type CreateFailure, type CreateRequest } from "./CreateAgent.ts"
import { changing, noAnswer, reading, sending, tookEffect } from "./deadlines.ts"
import { makeRestartAgent, type RestartedAgent, type RestartFailure } from "./RestartAgent.ts"
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

export type ListFailure = CoderFailure | UnknownFilterValue | DeadlineExceeded
export type ShowFailure = LookupFailure | DeadlineExceeded
export type DeleteFailure = LookupFailure | BuildInTheWay | BuildFailed | DeadlineExceeded

/** The agents of the caller: who they are, what they do, and their lives from creation to deletion. */
export class AgentService extends Context.Tag("fleet-mcp/layers/services/AgentService")<
  AgentService,
  {
    readonly list: (filter: AgentFilter) => Effect.Effect<AgentList, ListFailure>
    readonly show: (name: string) => Effect.Effect<Agent, ShowFailure>
    readonly create: (request: CreateRequest) => Effect.Effect<CreatedAgent, CreateFailure>
    readonly delete: (name: string) => Effect.Effect<DeletedAgent, DeleteFailure>
    /** With a key: whoever comes with it again within 24 hours is told what came of that. */
    readonly restart: (name: string, idempotencyKey?: string) => Effect.Effect<RestartedAgent, RestartFailure>
    /** Ends the agent's processes; its workspace stays. */
    readonly stop: (name: string) => Effect.Effect<StoppedAgent, StopFailure>
  }
>() {
  static readonly layer: Layer.Layer<
    AgentService,
    never,
    AgentLifecycle | AgentRepository | CreateAgent | IdempotencyKeys
  > = Layer.effect(
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

      const restart = yield* makeRestartAgent
      return { list, show, create, delete: remove, restart, stop }
    })
  )
}

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
