import { Context, Duration, Effect, Layer, Option } from "effect"
import { AgentNameTaken, BuildInTheWay, type AgentUnreadable } from "../../schemas/errors/Agent.ts"
import type { CoderFailure } from "../../schemas/errors/Coder.ts"
import type { Build, BuildLog, Transition } from "../../schemas/coder/Builds.ts"
import type { CoderError } from "../../schemas/coder/CoderError.ts"
import type { CreateWorkspace, Workspace } from "../../schemas/coder/Workspaces.ts"
import { cut, withoutControls } from "../../schemas/Text.ts"
import { CoderClient } from "../clients/CoderClient.ts"
import { lastLook, lookUntil, TimeLimits } from "../time/Deadline.ts"
import { Limits } from "../config/Limits.ts"
import { AgentRepository } from "./AgentRepository.ts"
import { translate } from "./translate.ts"

type CreateFailure = CoderFailure | AgentNameTaken | AgentUnreadable
type Create = Effect.Effect<Option.Option<Workspace>, CreateFailure>

/**
 * Builds: the only way in which workspaces come, change and go. Every mutation is sent once. Where its answer is no
 * proof, it is settled by its natural key: the name of a workspace, the number of a build. None = no read could tell.
 */
export class BuildRepository extends Context.Tag("fleet-mcp/layers/repositories/BuildRepository")<
  BuildRepository,
  {
    /** Looks whether the name is free. `send` then creates the workspace. */
    readonly prepareCreate: (request: CreateWorkspace) => Effect.Effect<{ readonly send: Create }, CreateFailure>
    readonly build: (
      workspace: Workspace,
      transition: Transition
    ) => Effect.Effect<Option.Option<Build>, CoderFailure | BuildInTheWay | AgentUnreadable>
    /** Looks at a build until it is over or the time is up, and gives it as it was seen last; a look that fails is repeated. */
    readonly watch: (build: Build, time: Duration.Duration) => Effect.Effect<Build>
    /** The last lines of a build's log; none where they cannot be read. */
    readonly logs: (build: Build) => Effect.Effect<ReadonlyArray<BuildLog>>
  }
>() {
  static readonly layer: Layer.Layer<BuildRepository, never, CoderClient | AgentRepository> = Layer.effect(
    this,
    Effect.gen(function* () {
      const coder = yield* CoderClient
      const agents = yield* AgentRepository

      /**
       * Reads until the effect of a mutation is seen. Where Coder itself answered with an error, a successful read that
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

      const prepareCreate = Effect.fn("BuildRepository.prepareCreate")(function* (request: CreateWorkspace) {
        const taken = (workspace: Option.Option<Workspace>) =>
          new AgentNameTaken({
            agent_name: request.name,
            build_status: Option.getOrNull(Option.map(workspace, (one) => one.latest_build.status))
          })
        const before = yield* agents.workspace(request.name)
        if (Option.isSome(before)) return yield* taken(before)

        /** The name was free before the request: what has it now, with all that was asked for, is what was asked for. */
        const isOurs = (workspace: Workspace) =>
          workspace.template_id === request.template_id &&
          (request.template_version_preset_id === undefined ||
            request.template_version_preset_id === workspace.latest_build.template_version_preset_id)
            ? Effect.map(coder.builds.parameters({ path: { build: workspace.latest_build.id } }), (parameters) =>
                (request.rich_parameter_values ?? []).every(({ name, value }) =>
                  parameters.some((parameter) => parameter.name === name && parameter.value === value)
                )
              )
            : Effect.succeed(false)

        const holder = lastLook(() => Option.none<Workspace>())(agents.workspace(request.name))

        const settled = (error: CoderError) =>
          Effect.gen(function* () {
            const refusal = translate(`create the agent ${request.name}`)(error)
            if (error.status === 409 || isLostRace(error)) return yield* taken(yield* holder)
            if (error.notProcessed) return yield* refusal
            const found = yield* settle(error, agents.workspace(request.name), refusal)
            if (Option.isNone(found)) return found
            const ours = yield* lastLook(() => Option.none<boolean>())(Effect.asSome(isOurs(found.value)))
            if (Option.isNone(ours)) return Option.none<Workspace>()
            return ours.value ? found : yield* taken(found)
          })

        const create = coder.workspaces
          .create({ path: { user: "me" }, payload: request })
          .pipe(Effect.asSome, Effect.catchAll(settled), Effect.withSpan("BuildRepository.create"))
        return { send: create }
      })

      const send = Effect.fn("BuildRepository.build")(function* (workspace: Workspace, transition: Transition) {
        const action = `${transition} the agent ${workspace.name}`
        const before = workspace.latest_build.build_number
        const latest = Effect.map(
          coder.workspaces.get({ path: { workspace: workspace.id }, urlParams: { include_deleted: true } }),
          (now) => now.latest_build
        ).pipe(Effect.mapError(translate(`look at the builds of ${workspace.name}`)))

        const inTheWay = (other: Build) =>
          new BuildInTheWay({
            agent_name: workspace.name,
            build_number: other.build_number,
            transition: other.transition,
            build_status: other.status
          })

        const settled = (error: CoderError) =>
          Effect.gen(function* () {
            const refusal = translate(action)(error)
            if (error.status === 409) {
              const other = yield* lastLook(() => workspace.latest_build)(latest)
              return yield* isOver(other) ? refusal : inTheWay(other)
            }
            if (error.notProcessed) return yield* refusal
            const newer = Effect.map(
              latest,
              Option.liftPredicate((now) => now.build_number > before)
            )
            const found = yield* settle(error, newer, refusal)
            if (Option.isSome(found) && found.value.transition !== transition) return yield* inTheWay(found.value)
            return found
          })

        return yield* coder.builds
          .create({ path: { workspace: workspace.id }, payload: { transition } })
          .pipe(Effect.asSome, Effect.catchAll(settled))
      })

      const watch = Effect.fn("BuildRepository.watch")(function* (build: Build, time: Duration.Duration) {
        if (isOver(build)) return build
        let seen = build
        const look = coder.builds.get({ path: { build: build.id } }).pipe(
          Effect.tap((now) => {
            seen = now
          }),
          Effect.map(Option.liftPredicate(isOver)),
          Effect.catchAll(({ reason, retryAfterMillis = 0 }) =>
            Effect.logWarning("A look at a build failed", { build: build.id, reason }).pipe(
              Effect.zipRight(Effect.sleep(Duration.millis(retryAfterMillis))),
              Effect.as(Option.none())
            )
          )
        )
        yield* lookUntil(time, look)
        return seen
      })

      const logs = (build: Build) =>
        coder.builds.logs({ path: { build: build.id }, urlParams: {} }).pipe(
          Effect.map((lines) =>
            lines
              .filter((line) => line.output !== "")
              .slice(-Limits.quotedLogLines)
              .map((line) => ({ ...line, output: cut(withoutControls(line.output), Limits.quotedText) }))
          ),
          lastLook((): ReadonlyArray<BuildLog> => [])
        )

      return { prepareCreate, build: send, watch, logs }
    })
  )
}

/** Coder's answer to all but one of several creates at once (recording: create.json, "eight at once"). */
const isLostRace = (error: CoderError): boolean => error.detail?.includes("duplicate key") === true

/** An error of Coder itself: it is done with the request. A gateway's error tells nothing about Coder behind it. */
const isCodersOwn = ({ reason, status }: CoderError): boolean =>
  reason === "status" && ![502, 503, 504].includes(status ?? 0)

/** True once nothing will change any more; `failed` and `canceled` are as final as success. */
export const isOver = (build: Build): boolean => ["succeeded", "failed", "canceled"].includes(build.job.status)
