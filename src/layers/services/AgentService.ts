import { Context, Duration, Effect, Layer, Option } from "effect"
import { AgentStatus, type Agent, type AgentView } from "../../schemas/Agent.ts"
import type { Build } from "../../schemas/coder/Builds.ts"
import type { Workspace } from "../../schemas/coder/Workspaces.ts"
import {
  BuildInTheWay,
  RestartIncomplete,
  UnknownFilterValue,
  type BuildFailed,
  type LookupFailure
} from "../../schemas/errors/Agent.ts"
import type { CoderFailure, DeadlineExceeded } from "../../schemas/errors/Coder.ts"
import type { Outcome } from "../../schemas/Outcome.ts"
import type { CoderConfig } from "../config/CoderConfig.ts"
import { remaining, TimeLimits } from "../time/Deadline.ts"
import { Limits } from "../config/Limits.ts"
import { AgentRepository, type FoundAgent } from "../repositories/AgentRepository.ts"
import { BuildRepository, isOver } from "../repositories/BuildRepository.ts"
import { ProjectRepository } from "../repositories/ProjectRepository.ts"
import { TaskRepository } from "../repositories/TaskRepository.ts"
import { makeCreate, type CreateAgent, type CreatedAgent, type CreateFailure } from "./CreateAgent.ts"
import { changing, reading, sending } from "./deadlines.ts"
import { buildFailed } from "./buildFailed.ts"

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
}

export interface DeletedAgent {
  readonly agent_name: string
  readonly outcome: Outcome
  /** Last lines of the delete build; they say where kept work lies. */
  readonly build_log: ReadonlyArray<string>
  readonly message: string
}

export interface RestartedAgent {
  readonly agent: Agent
  readonly outcome: Outcome
  readonly message: string
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
    readonly create: (request: CreateAgent) => Effect.Effect<CreatedAgent, CreateFailure>
    readonly delete: (name: string) => Effect.Effect<DeletedAgent, DeleteFailure>
    readonly restart: (name: string) => Effect.Effect<RestartedAgent, RestartFailure>
  }
>() {
  static readonly layer: Layer.Layer<
    AgentService,
    never,
    AgentRepository | BuildRepository | CoderConfig | ProjectRepository | TaskRepository
  > = Layer.effect(
    this,
    Effect.gen(function* () {
      const agents = yield* AgentRepository
      const builds = yield* BuildRepository
      const create = yield* makeCreate

      /** What is left for waiting, when what comes after is to be settled too. */
      const timeToWait = Effect.map(Effect.all([remaining, TimeLimits]), ([left, { settle }]) =>
        Duration.subtract(left, settle)
      )

      const failed = (name: string, build: Build) =>
        Effect.flatMap(builds.logs(build), (logs) => buildFailed(name, build, logs))

      const list = Effect.fn("AgentService.list")(
        function* ({ limit, offset = 0, project, status }: AgentFilter) {
          const wanted = status === undefined ? undefined : yield* readStatus(status)
          const matches = (yield* agents.list).filter(
            (agent) =>
              (wanted === undefined || agent.status === wanted) &&
              (project === undefined || lower(agent.project) === lower(project))
          )
          return {
            agents: matches.slice(offset, limit === undefined ? undefined : offset + limit),
            total_count: matches.length
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

      const sendDelete = (workspace: Workspace) =>
        Effect.gen(function* () {
          const sent = yield* builds.build(workspace, "delete")
          if (Option.isNone(sent)) return deleted(workspace.name, "unknown", [], noAnswer("the deletion began"))
          const build = yield* builds.watch(sent.value, Limits.deleteWait)
          if (isOver(build) && build.status !== "deleted") return yield* failed(workspace.name, build)
          const log = (yield* builds.logs(build)).map((line) => line.output)
          return isOver(build)
            ? deleted(workspace.name, "applied", log, "The agent and its workspace are deleted.")
            : deleted(workspace.name, "unknown", log, stillDeleting(build))
        })

      const remove = Effect.fn("AgentService.delete")(
        function* (name: string) {
          const { workspace } = yield* agents.find(name)
          return yield* sendDelete(workspace).pipe(sending(`delete the agent ${name}`))
        },
        (effect, name) => changing(`delete the agent ${name}`)(effect)
      )

      /** Waits for the end of a stop build. */
      const stopEnds = (workspace: Workspace, stop: Build) =>
        Effect.gen(function* () {
          const build = yield* builds.watch(stop, yield* timeToWait)
          if (isOver(build)) return build
          return yield* halfDone(workspace.name, build, "the time of the call was over.")
        })

      /** Brings a workspace to a stop. None = no read could tell. */
      const stop = (workspace: Workspace) =>
        Effect.gen(function* () {
          if (workspace.latest_build.status === "stopped") return Option.some(workspace.latest_build)
          const sent = yield* builds.build(workspace, "stop")
          if (Option.isNone(sent)) return sent
          const build = yield* stopEnds(workspace, sent.value)
          return build.status === "stopped" ? Option.some(build) : yield* failed(workspace.name, build)
        })

      const sendRestart = (before: FoundAgent) =>
        Effect.gen(function* () {
          const stopped = yield* stop(before.workspace)
          if (Option.isNone(stopped)) {
            return restarted(
              before.agent,
              "unknown",
              `${noAnswer("the stop began")} No start was sent; restart_agent goes on from there.`
            )
          }
          const workspace = { ...before.workspace, latest_build: stopped.value }
          const start = builds.build(workspace, "start")
          const sent = yield* before.workspace.latest_build.status === "stopped"
            ? start
            : Effect.mapError(start, ({ message }) => halfDone(workspace.name, stopped.value, message))
          if (Option.isNone(sent)) {
            const { agent } = yield* agents.describe(workspace)
            return restarted(agent, "unknown", `The agent is stopped. ${noAnswer("the start began")}`)
          }
          const build = yield* builds.watch(sent.value, yield* timeToWait)
          if (isOver(build) && build.status !== "running") return yield* failed(workspace.name, build)
          const { agent } = yield* agents.describe({ ...workspace, latest_build: build })
          const done = before.workspace.latest_build.status === "stopped" ? "started" : "stopped and started"
          const message = `The agent was ${done} (build ${build.build_number} is ${build.status}); it is ${agent.status}.`
          return restarted(agent, "applied", message)
        })

      const restart = Effect.fn("AgentService.restart")(
        function* (name: string) {
          const found = yield* agents.find(name)
          const latest = found.workspace.latest_build
          if (!isOver(latest) && latest.transition !== "stop") {
            const { build_number, status: build_status, transition } = latest
            return yield* new BuildInTheWay({ agent_name: found.agent.name, build_number, transition, build_status })
          }
          // A stop at work is not ours: waiting for it can still be interrupted.
          const workspace = { ...found.workspace, latest_build: yield* stopEnds(found.workspace, latest) }
          return yield* sendRestart({ ...found, workspace }).pipe(sending(`restart the agent ${name}`))
        },
        (effect, name) => changing(`restart the agent ${name}`)(effect)
      )

      return { list, show, create, delete: remove, restart }
    })
  )
}

const halfDone = (agent_name: string, { build_number, status }: Build, reason: string): RestartIncomplete =>
  new RestartIncomplete({ agent_name, build_number, build_status: status, reason })

const noAnswer = (what: string): string =>
  `Coder gave no answer, and no read could tell whether ${what}. Call show_agent to see where it stands.`

const stillDeleting = (build: Build): string =>
  `The deletion was accepted (build ${build.build_number}) and is ${build.status} after ${Duration.toSeconds(Limits.deleteWait)} s. Call show_agent until the agent is gone.`

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
  message: string
): DeletedAgent => ({
  agent_name,
  outcome,
  build_log,
  message
})

const restarted = (agent: Agent, outcome: Outcome, message: string): RestartedAgent => ({ agent, outcome, message })
