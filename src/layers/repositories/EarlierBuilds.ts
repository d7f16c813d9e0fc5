import { Context, Duration, Effect } from "effect"
import type { BuildSummary } from "../../schemas/coder/Builds.ts"
import type { WorkspaceSummary } from "../../schemas/coder/Workspaces.ts"
import { CoderUnavailable } from "../../schemas/errors/Coder.ts"
import { CoderClient } from "../clients/CoderClient.ts"
import { TimeLimits } from "../time/Deadline.ts"
import { shared } from "../time/Shared.ts"
import { late, translate } from "./translate.ts"

/** How far back an agent is looked for that does not run, and that nothing but its app makes one. */
export class EarlierBuildLimits extends Context.Reference<EarlierBuildLimits>()(
  "fleet-mcp/layers/repositories/EarlierBuilds/EarlierBuildLimits",
  {
    defaultValue: () => ({
      /** Builds of a workspace that are looked at, the newest. */
      builds: 10,
      /** Workspaces looked at at once for a list, and how long for all of them; what was not seen by then is listed. */
      concurrency: 4,
      list: Duration.millis(1500),
      /** Answers kept, one a workspace and its newest build. */
      kept: 1000
    })
  }
) {}

/** How a build is judged. */
interface BuildRules {
  /** It made its workspace an agent. */
  readonly isAgentBuild: (build: BuildSummary) => boolean
  /** What could not be read of it may have done so. */
  readonly isUnsure: (build: BuildSummary) => boolean
}

/**
 * Looks into the earlier builds of workspaces that do not run: what made one an agent, its app, stands in builds that ran
 * only.
 */
export const makeEarlierBuilds = ({ isAgentBuild, isUnsure }: BuildRules) =>
  Effect.gen(function* () {
    const coder = yield* CoderClient
    const { read } = yield* TimeLimits
    const earlierLimits = yield* EarlierBuildLimits
    const earlierAction = "read the earlier builds of a workspace"
    const earlier = yield* shared({
      capacity: earlierLimits.kept,
      time: read,
      onTimeout: () => late(earlierAction, read),
      lookup: (workspaceAndBuild: string) =>
        coder.builds
          .list({
            path: { workspace: workspaceAndBuild.split(" ", 1).join("") },
            urlParams: { limit: earlierLimits.builds }
          })
          .pipe(
            Effect.mapError(translate(earlierAction)),
            Effect.flatMap((builds) => {
              if (builds.some(isAgentBuild)) return Effect.succeed(true)
              return builds.some(isUnsure) ? Effect.fail(unsure(earlierAction)) : Effect.succeed(false)
            })
          )
    })

    /** Whether an earlier build made it an agent: one that does not run shows no app. */
    const wasAgent = ({ id, latest_build }: WorkspaceSummary) =>
      latest_build.status === "running" ? Effect.succeed(false) : earlier(`${id} ${latest_build.build_number}`)

    /** Which of these were agents by an earlier build, as far as that is seen in time. */
    const whichWere = (workspaces: ReadonlyArray<WorkspaceSummary>) =>
      Effect.suspend(() => {
        const seen = new Map<string, boolean>()
        const look = (one: WorkspaceSummary) =>
          Effect.ignore(Effect.map(wasAgent(one), (was) => void seen.set(one.id, was)))
        return Effect.forEach(workspaces, look, { concurrency: earlierLimits.concurrency, discard: true }).pipe(
          Effect.timeoutOption(earlierLimits.list),
          Effect.as(seen)
        )
      })

    return { wasAgent, whichWere }
  })

const unsure = (action: string): CoderUnavailable =>
  new CoderUnavailable({
    action,
    reason: "apps of a build could not be read, and may be those of an agent",
    request_id: null,
    fault: "answer"
  })
