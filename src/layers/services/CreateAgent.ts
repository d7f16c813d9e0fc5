import { Context, Effect, Layer, Option, Schema } from "effect"
import { AgentName, type Agent, type Stage } from "../../schemas/Agent.ts"
import {
  InvalidAgentName,
  type AgentNameTaken,
  type AgentUnreadable,
  type BuildFailed
} from "../../schemas/errors/Agent.ts"
import type { CoderFailure, DeadlineExceeded } from "../../schemas/errors/Coder.ts"
import type { NextStep } from "../../schemas/errors/NextStep.ts"
import { IdempotencyNotSupported, type IdempotencyKeyReused } from "../../schemas/errors/Idempotency.ts"
import {
  RoleNotFound,
  RoleSetsPrompt,
  type ProjectAmbiguous,
  type ProjectNotFound
} from "../../schemas/errors/Project.ts"
import type { InvalidTask } from "../../schemas/errors/Task.ts"
import type { Outcome } from "../../schemas/Outcome.ts"
import type { TaskDelivery } from "../../schemas/Task.ts"
import { cut, quotedLength, shownName } from "../../schemas/Text.ts"
import { CoderConfig } from "../config/CoderConfig.ts"
import { FleetConfig, type FleetOptions } from "../config/FleetConfig.ts"
import { AgentLifecycle, type Change } from "../repositories/AgentLifecycle.ts"
import { AgentRepository, type FoundAgent } from "../repositories/AgentRepository.ts"
import type { IdempotencyKeys, Used } from "../repositories/IdempotencyKeys.ts"
import { ProjectRepository, type FoundProject } from "../repositories/ProjectRepository.ts"
import { TaskRepository } from "../repositories/TaskRepository.ts"
import { lookUntil } from "../time/Deadline.ts"
import { checkTask } from "./checkTask.ts"
import { doneBefore, type Keyed, KeyLimits, makeOnce } from "./Once.ts"
import { changing, sending, timeToWait, tookEffect } from "./deadlines.ts"

export interface CreateRequest {
  readonly name: string
  /** Display name or name of a project, or `organization/template`. */
  readonly project: string
  readonly task: string
  /** Default: the role marked as default, else the first. */
  readonly role?: string | undefined
  /** Wait, within the deadline, until the agent is past its start, at work or not. Default false. */
  readonly wait_ready?: boolean | undefined
  /** Names this act: whoever comes with it again within 24 hours is told what came of it. */
  readonly idempotency_key?: string | undefined
}

export interface CreatedAgent {
  /**
   * Null where the outcome is `unknown`: no read could tell whether Coder created it; and where it was created before, with
   * the same idempotency key, and is forgotten since.
   */
  readonly agent: Agent | null
  readonly outcome: Outcome
  /** Null where the agent is, and of one that is deleted since. */
  readonly stage: Stage | null
  readonly task: TaskDelivery
  readonly message: string
  readonly next: ReadonlyArray<NextStep>
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
  | IdempotencyKeyReused
  | IdempotencyNotSupported
  | DeadlineExceeded

/** A new agent as it was seen, and what its build warned of. */
interface StartedAgent {
  readonly found: FoundAgent
  readonly warnings: ReadonlyArray<string>
}

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
    AgentLifecycle | AgentRepository | CoderConfig | FleetConfig | IdempotencyKeys | ProjectRepository | TaskRepository
  > = Layer.effect(
    this,
    Effect.gen(function* () {
      const agents = yield* AgentRepository
      const lifecycle = yield* AgentLifecycle
      const projects = yield* ProjectRepository
      const tasks = yield* TaskRepository
      const { displayName, url } = yield* CoderConfig
      const options = yield* FleetConfig
      const { knownFor } = yield* KeyLimits
      const once = yield* makeOnce
      const place = displayName ?? url.origin

      /** A first message is to be sent and settled afterwards. */
      const timeToStart = timeToWait(2)

      /** Looks at the agent until it is past its start or the time is up. */
      const waitUntilReady = (accepted: Change, arrived: (seen: FoundAgent) => boolean) =>
        Effect.gen(function* () {
          const start = yield* lifecycle.watch(accepted, yield* timeToStart)
          if (start.state === "failed") return yield* yield* lifecycle.failure(start)
          const warnings = start.state === "succeeded" ? yield* lifecycle.warnings(start) : []
          let seen = yield* agents.look(start)
          const look = Effect.gen(function* () {
            const now = yield* Effect.option(agents.refresh(accepted))
            if (Option.isSome(now)) seen = yield* agents.look(now.value)
            return Option.liftPredicate(seen, arrived)
          })
          yield* lookUntil(yield* timeToStart, look)
          return { found: seen, warnings } satisfies StartedAgent
        })

      /** As it is now, without waiting. */
      const asItIs = (accepted: Change) =>
        Effect.map(agents.look(accepted), (found): StartedAgent => ({ found, warnings: [] }))

      /** The first task as the first message, for a project without a prompt parameter. */
      const deliver = (found: FoundAgent, task: string): Effect.Effect<TaskDelivery> =>
        !Option.exists(found.live, ({ takesTask }) => takesTask)
          ? Effect.succeed("not_delivered")
          : tasks.prepareMessage(found, task).pipe(
              Effect.flatMap(({ send }) => Effect.ensuring(send, agents.outdate(found))),
              Effect.map((outcome): TaskDelivery => (outcome === "applied" ? "delivered" : "unknown")),
              Effect.catchAll((error) =>
                Effect.as(
                  Effect.logWarning("The first task was not delivered", { agent: found.agent.name, error: error._tag }),
                  "not_delivered" as const
                )
              )
            )

      const make = (request: CreateRequest, task: string, keyed: Keyed | undefined) =>
        Effect.gen(function* (): Effect.fn.Return<CreatedAgent, CreateFailure> {
          const { name, wait_ready = false } = request
          const project = yield* projects.find(request.project)
          const role = yield* chooseRole(project, request.role)
          const withBuild = project.promptParameter !== null
          if (keyed?.isRemembered === false && !withBuild) return yield* unsupported()
          const { before, send } = yield* lifecycle.create({
            name,
            project,
            role,
            task,
            ...(keyed === undefined ? {} : keyed.isRemembered ? { key: keyed.use } : { knownFor })
          })

          return yield* Effect.gen(function* () {
            const sent = yield* send
            if (sent._tag === "Unseen") return unseen(name, withBuild)
            yield* tookEffect
            const waits = wait_ready || !withBuild
            const { found, warnings } = yield* waits
              ? waitUntilReady(sent.value, withBuild ? isReady : canBeTold)
              : asItIs(sent.value)
            const delivery = withBuild ? "in_build" : yield* deliver(found, task)
            const told = delivery === "not_delivered" && found.lacksAgentApi ? undeliverable(options) : toldOf[delivery]
            return created(found.agent, place, delivery, { ...told, warnings, before: Option.getOrUndefined(before) })
          }).pipe(sending(`create the agent ${name}`))
        })

      /** The agent that was created before, as it is now. Only who gives the task with the build remembers keys. */
      const again = ({ name, wait_ready = false }: CreateRequest, { usedAt, workspaceId }: Used) =>
        Effect.gen(function* (): Effect.fn.Return<CreatedAgent, CreateFailure> {
          const handle = yield* agents.byId(workspaceId)
          if (Option.isNone(handle)) return forgotten(name, place, usedAt)
          const latest = lifecycle.latest(handle.value)
          const waits = wait_ready && latest.build_number === 1
          const { found, warnings } = yield* waits ? waitUntilReady(latest, isReady) : asItIs(latest)
          return created(found.agent, place, "in_build", { ...toldOf.in_build, warnings, before: usedAt })
        })

      const create = Effect.fn("CreateAgent.create")(
        function* (request: CreateRequest) {
          const { idempotency_key: key, name, project, role = null } = request
          if (!Schema.is(AgentName)(name)) return yield* new InvalidAgentName({ agent_name: name })
          const task = yield* checkTask(request.task)
          return yield* once<CreatedAgent, CreateFailure>({
            key,
            act: "create_agent",
            args: { name: name.toLowerCase(), project, role, task },
            fresh: (keyed) => make(request, task, keyed),
            replay: (used) => again(request, used)
          })
        },
        (effect, { name }): Effect.Effect<CreatedAgent, CreateFailure> => changing(`create the agent ${name}`)(effect)
      )

      return { create }
    })
  )
}

const isReady = ({ agent }: FoundAgent): boolean => stageOf(agent) === "ready"

/** A first message can be sent, or never will be: a screen that is half drawn takes none yet. */
const canBeTold = ({ agent, lacksAgentApi, live }: FoundAgent): boolean =>
  Option.exists(live, ({ takesTask }) => takesTask) || lacksAgentApi || stageOf(agent) === "failed"

const chooseRole = ({ project, promptParameter, roles }: FoundProject, wanted: string | undefined) =>
  Effect.gen(function* () {
    const found =
      wanted === undefined
        ? (roles.find(({ role }) => role.default) ?? roles[0])
        : roles.find(({ role }) => role.name.toLowerCase() === shownName(wanted.trim()).toLowerCase())
    if (found === undefined && wanted !== undefined) {
      const available = roles.map(({ role }) => role.name)
      return yield* new RoleNotFound({
        role: wanted,
        project: project.name,
        available,
        note: available.length === 0 ? cut(project.description, quotedLength) : ""
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

const unsupported = () =>
  new IdempotencyNotSupported({
    reason: "the task of such an agent does not travel with its build, so nothing would tell whether it was given"
  })

const forgotten = (name: string, coder: string, at: string): CreatedAgent => ({
  agent: null,
  outcome: "applied",
  stage: null,
  task: "in_build",
  message: `Agent ${name} was created on ${coder}, and is deleted and forgotten since.${doneBefore(at)}`,
  next: []
})

const unseen = (name: string, withBuild: boolean): CreatedAgent => ({
  agent: null,
  outcome: "unknown",
  stage: null,
  task: withBuild ? "unknown" : "not_delivered",
  message: [
    `Coder gave no answer, and no read could tell whether ${name} was created: look before you try again.`,
    ...(withBuild ? [] : [`The task was not sent: an agent of that name may be one that somebody else asked for.`])
  ].join(" "),
  next: withBuild ? ["look_at_agent"] : ["look_at_agent", "start_task"]
})

/** What became of the first task, and what to do about it. */
interface ToldTask {
  readonly message: string
  readonly next: ReadonlyArray<NextStep>
}

const created = (
  agent: Agent,
  coder: string,
  task: TaskDelivery,
  {
    before,
    message,
    next,
    warnings
  }: ToldTask & {
    readonly warnings: ReadonlyArray<string>
    /** When that was done, where it was before. */
    readonly before: string | undefined
  }
): CreatedAgent => ({
  agent,
  outcome: "applied",
  stage: agent.status === "deleted" ? null : stageOf(agent),
  task,
  message: [
    `Agent ${agent.name} was created on ${coder}.${before === undefined ? "" : doneBefore(before)}`,
    message,
    ...warnings.map(asSentence)
  ].join(" "),
  next
})

const asSentence = (text: string): string => (text.endsWith(".") ? text : `${text}.`)

const toldOf: Readonly<Record<TaskDelivery, ToldTask>> = {
  in_build: { message: "Its task travels with the build.", next: ["look_at_agent"] },
  delivered: { message: "Its task was seen in the conversation, and the agent at work on it or its answer.", next: [] },
  unknown: {
    message: "Its task was sent once, but the agent was not seen at work on it: look before you send it again.",
    next: ["read_log"]
  },
  not_delivered: { message: "Its task was NOT delivered.", next: ["start_task"] }
}

/** What a template lacks whose agents nobody can give a task: the next look would show nothing else. */
const undeliverable = ({ appSlug, promptParameter = "AI Prompt" }: FleetOptions): ToldTask => {
  const app = appSlug === undefined ? "" : ` of the slug ${JSON.stringify(appSlug)}`
  const how = appSlug === undefined ? "an app whose health check asks port 3284 for /status" : "that app"
  return {
    message: `Its task was NOT delivered, and cannot be: its template has neither a prompt parameter nor an AgentAPI app${app}.
Add to the template a parameter ${JSON.stringify(promptParameter)}, or ${how}, and create the agent anew.`,
    next: []
  }
}
