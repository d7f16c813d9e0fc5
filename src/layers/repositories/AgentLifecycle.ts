import { Clock, Context, Duration, Effect, Layer, Option } from "effect"
import type { Build, Transition } from "../../schemas/coder/Builds.ts"
import type { CoderError } from "../../schemas/coder/CoderError.ts"
import type { CreateWorkspace, Workspace } from "../../schemas/coder/Workspaces.ts"
import { AgentNameTaken, BuildFailed, BuildInTheWay, type AgentUnreadable } from "../../schemas/errors/Agent.ts"
import type { CoderFailure } from "../../schemas/errors/Coder.ts"
import type { KeyUse } from "../../schemas/Idempotency.ts"
import type { Role } from "../../schemas/Role.ts"
import { cut, quotedLength, shownName, withoutControls } from "../../schemas/Text.ts"
import { CoderClient } from "../clients/CoderClient.ts"
import { lastLook, lookUntil, TimeLimits } from "../time/Deadline.ts"
import { AgentRepository } from "./AgentRepository.ts"
import { wire, type WorkspaceHandle } from "./FoundAgent.ts"
import type { FoundProject } from "./ProjectRepository.ts"
import { Seen, Unseen, type Settled } from "./Settled.ts"
import { translate } from "./translate.ts"

/** How much of a build is told. */
export class BuildLogLimits extends Context.Reference<BuildLogLimits>()(
  "fleet-mcp/layers/repositories/AgentLifecycle/BuildLogLimits",
  {
    defaultValue: () => ({
      /** Lines of a build's log, the last ones. */
      lines: 10,
      /** One line, or the reason of a failure (characters). */
      text: quotedLength
    })
  }
) {}

/** An agent to be created. */
export interface NewAgent {
  readonly name: string
  readonly project: FoundProject
  readonly role: Role | undefined
  /** The first task; it travels with the build where the project has a prompt parameter. */
  readonly task: string
  /** Remembered with what is made. */
  readonly key?: KeyUse | undefined
  /** An agent of that name with that task counts as made by this request, if it is not older. Default: none does. */
  readonly knownFor?: Duration.Duration | undefined
}

/**
 * A change in the life of an agent: a build of its workspace. Once Coder has accepted it, it goes on by itself.
 * `status` is Coder's word for it.
 */
export interface Change extends WorkspaceHandle {
  readonly transition: string
  readonly build_number: number
  readonly status: string
  readonly state: "at_work" | "succeeded" | "failed"
}

export type CreateFailure = CoderFailure | AgentNameTaken | AgentUnreadable
export type ChangeFailure = CoderFailure | BuildInTheWay | AgentUnreadable

type RequestBuild = (agent: WorkspaceHandle, key?: KeyUse) => Effect.Effect<Settled<Change>, ChangeFailure>

/**
 * The lives of agents: they are created, started, stopped and removed by builds of their workspaces. Every request is
 * sent once. Where its answer is no proof, it is settled by its natural key: the name of a workspace, the number of a
 * build. A failure is proof that the request was not carried out.
 */
export class AgentLifecycle extends Context.Tag("fleet-mcp/layers/repositories/AgentLifecycle")<
  AgentLifecycle,
  {
    /**
     * Looks whether the name is free. `send` then creates the agent; unseen is also a workspace of that name that may as
     * well be somebody else's. `before` is when the agent was created that counts as this one: nothing is sent then.
     */
    readonly create: (request: NewAgent) => Effect.Effect<
      {
        readonly send: Effect.Effect<Settled<Change>, CreateFailure>
        readonly before: Option.Option<string>
      },
      CreateFailure
    >
    readonly start: RequestBuild
    readonly stop: RequestBuild
    readonly remove: RequestBuild
    /** The change of that number; none where it is not known any more. */
    readonly numbered: (agent: WorkspaceHandle, build: number) => Effect.Effect<Option.Option<Change>, CoderFailure>
    /** The newest change of an agent, as it was when the agent was found. */
    readonly latest: (agent: WorkspaceHandle) => Change
    /** Looks at a change until it has ended or the time is up, and gives it as it was seen last; looks may fail. */
    readonly watch: (change: Change, time: Duration.Duration) => Effect.Effect<Change>
    /** The error of a change that failed, with its log, and what a look afterwards shows of the agent. */
    readonly failure: (change: Change) => Effect.Effect<BuildFailed>
    /** The last lines of a change's log, without empty ones; none where they cannot be read. */
    readonly log: (change: Change) => Effect.Effect<ReadonlyArray<string>>
    /** What the log of a change warns of, such as files that are not there; none where it cannot be read. */
    readonly warnings: (change: Change) => Effect.Effect<ReadonlyArray<string>>
  }
>() {
  static readonly layer: Layer.Layer<AgentLifecycle, never, CoderClient | AgentRepository> = Layer.effect(
    this,
    Effect.gen(function* () {
      const coder = yield* CoderClient
      const agents = yield* AgentRepository

      /**
       * Reads until the effect of a request is seen. Where Coder itself answered with an error, a successful read that
       * sees nothing settles it too: then this fails with `absent`. Where no answer came, Coder may still be at it.
       */
      const settle = <A, E, R>(error: CoderError, read: Effect.Effect<Option.Option<A>, E>, absent: R) =>
        Effect.flatMap(TimeLimits, (limits) =>
          lookUntil(
            limits.settle,
            Effect.option(Effect.timeout(read, limits.look)).pipe(
              Effect.filterOrFail(
                (seen) => Option.isNone(seen) || Option.isSome(seen.value) || !isCodersOwn(error),
                () => absent
              ),
              Effect.map(Option.flatten)
            )
          )
        )

      const create = Effect.fn("AgentLifecycle.create")(function* (request: NewAgent) {
        const { name } = request
        const payload = toPayload(request)
        const taken = (holder: Option.Option<WorkspaceHandle>) =>
          new AgentNameTaken({
            agent_name: name,
            build_status: Option.getOrNull(
              Option.map(holder, (one) => shownName(one[wire].workspace.latest_build.status))
            )
          })
        const before = yield* agents.holder(name)

        /**
         * Whether what has the name now is what was asked for: the name was free before the request, and template, preset
         * and first task are the same. Somebody else may have asked for the very same at the same time. Where the task
         * travels with the build that is no matter: there is one agent of that name with that task. Without it nothing
         * tells the two apart, and none is told: Coder gives back no field of a request that could carry a mark (values of
         * undeclared parameters vanish, `ttl_ms` and the schedule change what the workspace does), a request's id is in no
         * workspace, initiator and owner are the same user, and `created_at` is after the look either way.
         */
        const isOurs = ({ latest_build, template_id }: Workspace) => {
          const { rich_parameter_values: wanted } = payload
          const { template_version_preset_id: preset } = latest_build
          if (template_id !== payload.template_id || (request.role !== undefined && request.role.id !== preset)) {
            return Effect.succeedSome(false)
          }
          if (wanted === undefined) return Effect.succeedNone
          return Effect.map(coder.builds.parameters({ path: { build: latest_build.id } }), (parameters) =>
            Option.some(
              wanted.every((one) => parameters.some((its) => its.name === one.name && its.value === one.value))
            )
          )
        }

        /** What has the name, where that may count as made by this request. */
        const known = (holder: WorkspaceHandle) =>
          Effect.gen(function* () {
            const { workspace } = holder[wire]
            const age = (yield* Clock.currentTimeMillis) - Date.parse(workspace.created_at)
            const { knownFor = Duration.zero } = request
            if (!(age <= Duration.toMillis(knownFor))) return false
            return Option.getOrElse(yield* lastLook(() => Option.none<boolean>())(isOurs(workspace)), () => false)
          })

        const settled = (error: CoderError): Effect.Effect<Settled<Change>, CreateFailure> =>
          Effect.gen(function* () {
            const refusal = translate(`create the agent ${name}`)(error)
            if (error.status === 409 || isLostRace(error)) {
              return yield* taken(yield* lastLook(() => Option.none<WorkspaceHandle>())(agents.holder(name)))
            }
            if (error.notProcessed) return yield* refusal
            const found = yield* settle(error, agents.holder(name), refusal)
            if (Option.isNone(found)) return Unseen()
            const { workspace } = found.value[wire]
            const ours = yield* lastLook(() => Option.none<boolean>())(isOurs(workspace))
            if (Option.isNone(ours)) return Unseen()
            return ours.value ? Seen({ value: toChange(workspace) }) : yield* taken(found)
          })

        if (Option.isSome(before)) {
          if (!(yield* known(before.value))) return yield* taken(before)
          const { workspace } = before.value[wire]
          return {
            send: Effect.succeed<Settled<Change>>(Seen({ value: toChange(workspace) })),
            before: Option.some(workspace.created_at)
          }
        }
        const send = coder.workspaces.create({ path: { user: "me" }, payload }).pipe(
          Effect.map((workspace): Settled<Change> => Seen({ value: toChange(workspace) })),
          Effect.catchAll(settled),
          Effect.withSpan("AgentLifecycle.send")
        )
        return { send, before: Option.none<string>() }
      })

      const requestBuild =
        (transition: Transition): RequestBuild =>
        (agent, key) =>
          Effect.gen(function* () {
            const { workspace } = agent[wire]
            const before = workspace.latest_build.build_number
            const seen = (build: Build): Settled<Change> =>
              Seen({ value: toChange({ ...workspace, latest_build: build }) })
            const latest = Effect.mapError(
              Effect.map(byId(workspace), (now) => now.latest_build),
              translate(`look at the builds of ${workspace.name}`)
            )
            const inTheWay = (other: Build) =>
              new BuildInTheWay({
                agent_name: workspace.name,
                build_number: other.build_number,
                transition: other.transition,
                build_status: other.status
              })

            const settled = (error: CoderError): Effect.Effect<Settled<Change>, ChangeFailure> =>
              Effect.gen(function* () {
                const refusal = translate(`${transition} the agent ${workspace.name}`)(error)
                if (error.status === 409) {
                  const other = yield* lastLook(() => workspace.latest_build)(latest)
                  return yield* stateOf(other) === "at_work" ? inTheWay(other) : refusal
                }
                if (error.notProcessed) return yield* refusal
                const newer = Effect.map(
                  latest,
                  Option.liftPredicate((now) => now.build_number > before)
                )
                const found = yield* settle(error, newer, refusal)
                if (Option.isNone(found)) return Unseen()
                if (found.value.transition === transition) return seen(found.value)
                // Somebody else's build. It proves something only where it took the very next number, and Coder is done
                // with the request: else the request's own build may lie between the two, or still come.
                return isCodersOwn(error) && found.value.build_number === before + 1
                  ? yield* inTheWay(found.value)
                  : Unseen()
              })

            return yield* coder.builds
              .create({
                path: { workspace: workspace.id },
                payload: { transition, ...(key === undefined ? {} : { idempotency: key }) }
              })
              .pipe(Effect.map(seen), Effect.catchAll(settled))
          }).pipe(Effect.withSpan(`AgentLifecycle.${transition}`))

      const byId = ({ id }: Workspace) =>
        coder.workspaces.get({ path: { workspace: id }, urlParams: { include_deleted: true } })

      const watch = Effect.fn("AgentLifecycle.watch")(function* (change: Change, time: Duration.Duration) {
        if (change.state !== "at_work") return change
        const { workspace } = change[wire]
        const build = workspace.latest_build.id
        let seen = change
        const look = coder.builds.get({ path: { build } }).pipe(
          Effect.tap((now) => {
            seen = toChange({ ...workspace, latest_build: now })
          }),
          Effect.map(() => Option.liftPredicate(seen, ({ state }) => state !== "at_work")),
          Effect.catchAll(({ reason, retryAfterMillis = 0 }) =>
            Effect.logWarning("A look at a build failed", { build, reason }).pipe(
              Effect.zipRight(Effect.sleep(Duration.millis(retryAfterMillis))),
              Effect.as(Option.none())
            )
          )
        )
        yield* lookUntil(time, look)
        return seen
      })

      const numbered = ({ [wire]: { workspace } }: WorkspaceHandle, build_number: number) =>
        Effect.gen(function* () {
          if (workspace.latest_build.build_number === build_number) return Option.some(toChange(workspace))
          const builds = yield* coder.builds.list({ path: { workspace: workspace.id }, urlParams: {} })
          const found = builds.find((one) => one.build_number === build_number)
          if (found === undefined) return Option.none()
          const build = yield* coder.builds.get({ path: { build: found.id } })
          return Option.some(toChange({ ...workspace, latest_build: build }))
        }).pipe(Effect.mapError(translate(`look at the builds of ${workspace.name}`)))

      const linesOf = (change: Change, wanted: (level: string) => boolean) =>
        Effect.gen(function* () {
          const limits = yield* BuildLogLimits
          const build = change[wire].workspace.latest_build.id
          const lines = yield* coder.builds.logs({ path: { build }, urlParams: {} })
          return lines
            .filter((line) => wanted(line.log_level))
            .map((line) => cut(withoutControls(line.output), limits.text))
            .filter((line) => line !== "")
            .slice(-limits.lines)
        }).pipe(
          Effect.withSpan("AgentLifecycle.log"),
          lastLook((): ReadonlyArray<string> => [])
        )
      const log = (change: Change) => linesOf(change, () => true)

      const failure = Effect.fn("AgentLifecycle.failure")(function* (change: Change) {
        const { build_number, status: build_status, transition } = change
        const { workspace } = change[wire]
        const limits = yield* BuildLogLimits
        const afterwards = Effect.map(byId(workspace), (now): string | null => shownName(now.latest_build.status))
        return new BuildFailed({
          agent_name: workspace.name,
          build_number,
          transition,
          build_status,
          reason: cut(withoutControls(workspace.latest_build.job.error ?? "Coder gives no reason"), limits.text),
          log: yield* log(change),
          status_afterwards: yield* lastLook((): string | null => null)(afterwards)
        })
      })

      const latest = (agent: WorkspaceHandle) => toChange(agent[wire].workspace)

      return {
        create,
        start: requestBuild("start"),
        stop: requestBuild("stop"),
        remove: requestBuild("delete"),
        numbered,
        latest,
        watch,
        failure,
        log,
        warnings: (change) => linesOf(change, (level) => level === "warn")
      }
    })
  )
}

const toPayload = ({ key, name, project: { project, promptParameter }, role, task }: NewAgent): CreateWorkspace => ({
  name,
  template_id: project.id,
  ...(role === undefined ? {} : { template_version_preset_id: role.id }),
  ...(promptParameter === null ? {} : { rich_parameter_values: [{ name: promptParameter, value: task }] }),
  ...(key === undefined ? {} : { idempotency: key })
})

/** How builds end well, in Coder's words. */
const successes = new Set(["running", "stopped", "deleted"])

/** Nothing changes any more once a build is over; `failed` and `canceled` are as final as success. */
const stateOf = ({ job, status }: Build): Change["state"] => {
  if (!["succeeded", "failed", "canceled"].includes(job.status)) return "at_work"
  return successes.has(status) ? "succeeded" : "failed"
}

const toChange = (workspace: Workspace): Change => {
  const { build_number, status, transition } = workspace.latest_build
  return {
    transition: shownName(transition),
    build_number,
    status: shownName(status),
    state: stateOf(workspace.latest_build),
    [wire]: { workspace }
  }
}

/** Coder's answer to all but one of several creates at once (recording: create.json, "eight at once"). */
const isLostRace = (error: CoderError): boolean => error.detail?.includes("duplicate key") === true

/** An error of Coder itself: it is done with the request. A gateway's error tells nothing about Coder behind it. */
const isCodersOwn = ({ reason }: CoderError): boolean => reason === "status"
