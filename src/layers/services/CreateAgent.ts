import { Duration, Effect, Option, Schema } from "effect"
import { AgentName, type Agent, type Stage } from "../../schemas/Agent.ts"
import type { Preset } from "../../schemas/coder/Templates.ts"
import type { CreateWorkspace, Workspace } from "../../schemas/coder/Workspaces.ts"
import {
  InvalidAgentName,
  type AgentNameTaken,
  type AgentUnreadable,
  type BuildFailed
} from "../../schemas/errors/Agent.ts"
import type { CoderFailure, DeadlineExceeded } from "../../schemas/errors/Coder.ts"
import {
  RoleNotFound,
  RoleSetsPrompt,
  type ProjectAmbiguous,
  type ProjectNotFound
} from "../../schemas/errors/Project.ts"
import type { InvalidTask } from "../../schemas/errors/Task.ts"
import type { Outcome } from "../../schemas/Outcome.ts"
import type { TaskDelivery } from "../../schemas/Task.ts"
import { CoderConfig } from "../config/CoderConfig.ts"
import { lookUntil, remaining, TimeLimits } from "../time/Deadline.ts"
import { AgentRepository, type FoundAgent } from "../repositories/AgentRepository.ts"
import { BuildRepository, isOver } from "../repositories/BuildRepository.ts"
import { ProjectRepository, type FoundProject } from "../repositories/ProjectRepository.ts"
import { TaskRepository } from "../repositories/TaskRepository.ts"
import { buildFailed } from "./buildFailed.ts"
import { checkTask } from "./checkTask.ts"
import { changing, sending } from "./deadlines.ts"

export interface CreateAgent {
  readonly name: string
  /** Display name or name of a project, or `organization/template`. */
  readonly project: string
  readonly task: string
  /** Default: the role marked as default, else the first. */
  readonly role?: string | undefined
  /** Wait, within the deadline, until the agent can take tasks. Default false. */
  readonly wait_ready?: boolean | undefined
}

export interface CreatedAgent {
  /** Null only where the outcome is `unknown`: no read could tell whether Coder created it. */
  readonly agent: Agent | null
  readonly outcome: Outcome
  readonly stage: Stage
  readonly task: TaskDelivery
  readonly message: string
}

export type CreateFailure =
  | CoderFailure
  | InvalidAgentName
  | InvalidTask
  | AgentNameTaken
  | AgentUnreadable
  | ProjectNotFound
  | ProjectAmbiguous
  | RoleNotFound
  | RoleSetsPrompt
  | BuildFailed
  | DeadlineExceeded

/** `AgentService.create`, apart because it is the longest of the agents' lives. */
export const makeCreate = Effect.gen(function* () {
  const agents = yield* AgentRepository
  const builds = yield* BuildRepository
  const projects = yield* ProjectRepository
  const tasks = yield* TaskRepository
  const { place, url } = yield* CoderConfig

  /** What is left for waiting, when a first message is to be sent and settled afterwards. */
  const timeToWait = Effect.map(Effect.all([remaining, TimeLimits]), ([left, { settle }]) =>
    Duration.subtract(left, Duration.times(settle, 2))
  )

  /** Looks at the agent until it is past its start or the time is up. */
  const waitUntilReady = (created: FoundAgent) =>
    Effect.gen(function* () {
      const build = yield* builds.watch(created.workspace.latest_build, yield* timeToWait)
      if (isOver(build) && build.status !== "running") {
        return yield* buildFailed(created.agent.name, build, yield* builds.logs(build))
      }
      let seen = created
      const look = Effect.gen(function* () {
        const now = Option.flatten(yield* Effect.option(agents.workspace(created.agent.name)))
        if (Option.isSome(now)) seen = yield* agents.look(now.value)
        return Option.liftPredicate(seen.agent, (agent) => stageOf(agent) === "ready")
      })
      yield* lookUntil(yield* timeToWait, look)
      return seen
    })

  /** The first task as the first message, for a version without a prompt parameter. */
  const deliver = (found: FoundAgent, task: string): Effect.Effect<TaskDelivery> =>
    !Option.exists(found.live, ({ takesTask }) => takesTask)
      ? Effect.succeed("not_delivered")
      : tasks.prepareMessage(found, task).pipe(
          Effect.flatMap(({ send }) => send),
          Effect.map((outcome): TaskDelivery => (outcome === "applied" ? "delivered" : "unknown")),
          Effect.catchAll((error) =>
            Effect.as(
              Effect.logWarning("The first task was not delivered", { agent: found.agent.name, error: error._tag }),
              "not_delivered" as const
            )
          )
        )

  const follow = <E>(
    request: CreateAgent,
    promptParameter: string | null,
    task: string,
    sent: Effect.Effect<Option.Option<Workspace>, E>
  ) =>
    Effect.gen(function* () {
      const workspace = yield* sent
      if (Option.isNone(workspace)) {
        const message = `Coder gave no answer, and no read could tell whether ${request.name} was created. Call show_agent before you try again.`
        return created(null, "unknown", "build_accepted", "unknown", message)
      }
      const accepted = yield* agents.look(workspace.value)
      const waited =
        request.wait_ready === true || promptParameter === null ? yield* waitUntilReady(accepted) : accepted
      const delivery = promptParameter === null ? yield* deliver(waited, task) : "in_build"
      const stage = stageOf(waited.agent)
      return created(
        waited.agent,
        "applied",
        stage,
        delivery,
        tell(waited.agent, place ?? url.origin, stage, delivery, task)
      )
    }).pipe(sending(`create the agent ${request.name}`))

  return Effect.fn("AgentService.create")(
    function* (request: CreateAgent) {
      if (!Schema.is(AgentName)(request.name)) return yield* new InvalidAgentName({ agent_name: request.name })
      const task = yield* checkTask(request.task)
      const found = yield* projects.find(request.project)
      const preset = yield* choosePreset(found, request.role)
      const { send } = yield* builds.prepareCreate(toPayload(request.name, found, preset, task))
      return yield* follow(request, found.version.promptParameter, task, send)
    },
    (effect, request) => changing(`create the agent ${request.name}`)(effect)
  )
})

const choosePreset = ({ project, version }: FoundProject, role: string | undefined) =>
  Effect.gen(function* () {
    const { presets, promptParameter } = version
    const preset =
      role === undefined
        ? (presets.find((one) => one.Default) ?? presets[0])
        : presets.find((one) => one.Name.toLowerCase() === role.trim().toLowerCase())
    if (preset === undefined && role !== undefined) {
      const available = presets.map((one) => one.Name)
      return yield* new RoleNotFound({
        role,
        project: project.name,
        available,
        note: available.length === 0 ? project.description : ""
      })
    }
    if (preset?.Parameters?.some((parameter) => parameter.Name === promptParameter) === true) {
      return yield* new RoleSetsPrompt({ role: preset.Name, project: project.name, parameter: promptParameter ?? "" })
    }
    return preset
  })

const toPayload = (name: string, found: FoundProject, preset: Preset | undefined, task: string): CreateWorkspace => ({
  name,
  template_id: found.project.id,
  ...(preset === undefined ? {} : { template_version_preset_id: preset.ID }),
  ...(found.version.promptParameter === null
    ? {}
    : { rich_parameter_values: [{ name: found.version.promptParameter, value: task }] })
})

/** How far an agent has come, from its status and what that was derived from. */
const stageOf = ({ evidence, status }: Agent): Stage => {
  switch (status) {
    case "pending":
      return "build_accepted"
    case "starting":
      return evidence.source === "build" ? "building" : "starting"
    case "idle":
    case "busy":
    case "waiting":
    case "unknown":
      return "ready"
    default:
      return "failed"
  }
}

const created = (
  agent: Agent | null,
  outcome: Outcome,
  stage: Stage,
  task: TaskDelivery,
  message: string
): CreatedAgent => ({
  agent,
  outcome,
  stage,
  task,
  message
})

const tell = (agent: Agent, place: string, stage: Stage, delivery: TaskDelivery, task: string): string => {
  const where = `Agent ${agent.name} on ${place}: stage ${stage} (${agent.evidence.detail}).`
  switch (delivery) {
    case "in_build":
      return `${where} Its task travels with the build. Call show_agent to watch it.`
    case "delivered":
      return `${where} Its task was seen in the conversation.`
    case "unknown":
      return `${where} Its task was sent, but not seen in the conversation. Call show_agent_log before you send it again.`
    case "not_delivered": {
      const call = JSON.stringify({ agent_name: agent.name, task_description: task })
      return `${where} Its task was NOT delivered. When show_agent says idle, call start_agent_task with ${call}`
    }
  }
}
