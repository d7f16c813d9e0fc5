import { Context, Duration, Effect, Layer, Option, Schema } from "effect"
import { AgentName, type Agent, type Stage } from "../../schemas/Agent.ts"
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
import { AgentLifecycle, type Change } from "../repositories/AgentLifecycle.ts"
import { AgentRepository, type FoundAgent } from "../repositories/AgentRepository.ts"
import { ProjectRepository, type FoundProject } from "../repositories/ProjectRepository.ts"
import { TaskRepository } from "../repositories/TaskRepository.ts"
import { lookUntil, remaining, TimeLimits } from "../time/Deadline.ts"
import { checkTask } from "./checkTask.ts"
import { changing, sending, tookEffect } from "./deadlines.ts"

export interface CreateRequest {
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
  /** Null where the outcome is `unknown`. */
  readonly stage: Stage | null
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

/** How agents come to be: what `AgentService.create` does, apart because it is the longest of their lives. */
export class CreateAgent extends Context.Tag("fleet-mcp/layers/services/CreateAgent")<
  CreateAgent,
  {
    readonly create: (request: CreateRequest) => Effect.Effect<CreatedAgent, CreateFailure>
  }
>() {
  static readonly layer: Layer.Layer<
    CreateAgent,
    never,
    AgentLifecycle | AgentRepository | CoderConfig | ProjectRepository | TaskRepository
  > = Layer.effect(
    this,
    Effect.gen(function* () {
      const agents = yield* AgentRepository
      const lifecycle = yield* AgentLifecycle
      const projects = yield* ProjectRepository
      const tasks = yield* TaskRepository
      const { place, url } = yield* CoderConfig

      /** What is left for waiting, when a first message is to be sent and settled afterwards. */
      const timeToWait = Effect.map(Effect.all([remaining, TimeLimits]), ([left, { settle }]) =>
        Duration.subtract(left, Duration.times(settle, 2))
      )

      /** Looks at the agent until it is past its start or the time is up. */
      const waitUntilReady = (name: string, accepted: Change) =>
        Effect.gen(function* () {
          const start = yield* lifecycle.watch(accepted, yield* timeToWait)
          if (start.state === "failed") return yield* yield* lifecycle.failure(start)
          let seen = yield* agents.look(start)
          const look = Effect.gen(function* () {
            const now = Option.flatten(yield* Effect.option(agents.holder(name)))
            if (Option.isSome(now)) seen = yield* agents.look(now.value)
            return Option.liftPredicate(seen.agent, (agent) => stageOf(agent) === "ready")
          })
          yield* lookUntil(yield* timeToWait, look)
          return seen
        })

      /** The first task as the first message, for a project without a prompt parameter. */
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

      const create = Effect.fn("CreateAgent.create")(
        function* (request: CreateRequest) {
          const { name, wait_ready = false } = request
          if (!Schema.is(AgentName)(name)) return yield* new InvalidAgentName({ agent_name: name })
          const task = yield* checkTask(request.task)
          const project = yield* projects.find(request.project)
          const role = yield* chooseRole(project, request.role)
          const { send } = yield* lifecycle.create({ name, project, role, task })
          const withBuild = project.promptParameter !== null

          return yield* Effect.gen(function* () {
            const sent = yield* send
            if (sent._tag === "Unseen") return unseen(name)
            yield* tookEffect
            const found = yield* wait_ready || !withBuild ? waitUntilReady(name, sent.value) : agents.look(sent.value)
            const delivery = withBuild ? "in_build" : yield* deliver(found, task)
            return created(found.agent, place ?? url.origin, delivery, task)
          }).pipe(sending(`create the agent ${name}`))
        },
        (effect, { name }) => changing(`create the agent ${name}`)(effect)
      )

      return { create }
    })
  )
}

const chooseRole = ({ project, promptParameter, roles }: FoundProject, wanted: string | undefined) =>
  Effect.gen(function* () {
    const found =
      wanted === undefined
        ? (roles.find(({ role }) => role.default) ?? roles[0])
        : roles.find(({ role }) => role.name.toLowerCase() === wanted.trim().toLowerCase())
    if (found === undefined && wanted !== undefined) {
      const available = roles.map(({ role }) => role.name)
      return yield* new RoleNotFound({
        role: wanted,
        project: project.name,
        available,
        note: available.length === 0 ? project.description : ""
      })
    }
    if (found?.setsPrompt === true) {
      return yield* new RoleSetsPrompt({
        role: found.role.name,
        project: project.name,
        parameter: promptParameter ?? ""
      })
    }
    return found?.role
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

const unseen = (name: string): CreatedAgent => ({
  agent: null,
  outcome: "unknown",
  stage: null,
  task: "unknown",
  message: `Coder gave no answer, and no read could tell whether ${name} was created. Call show_agent before you try again.`
})

const created = (agent: Agent, place: string, delivery: TaskDelivery, task: string): CreatedAgent => {
  const stage = stageOf(agent)
  const where = `Agent ${agent.name} on ${place}: stage ${stage} (${agent.evidence.detail}).`
  return {
    agent,
    outcome: "applied",
    stage,
    task: delivery,
    message: `${where} ${toldOf(agent.name, delivery, task)}`
  }
}

const toldOf = (agent_name: string, delivery: TaskDelivery, task: string): string => {
  switch (delivery) {
    case "in_build":
      return "Its task travels with the build. Call show_agent to watch it."
    case "delivered":
      return "Its task was seen in the conversation."
    case "unknown":
      return "Its task was sent, but not seen in the conversation. Call show_agent_log before you send it again."
    case "not_delivered": {
      const call = JSON.stringify({ agent_name, task_description: task })
      return `Its task was NOT delivered. When show_agent says idle, call start_agent_task with ${call}`
    }
  }
}
