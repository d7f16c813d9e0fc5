import { Context, Effect, Layer, Option, Schema } from "effect"
import { queueMetadataKey, TaskQueue } from "../../../schemas/agentapi/FleetExtension.ts"
import type { App, Build, Resource, WorkspaceAgent } from "../../../schemas/coder/Builds.ts"
import type { Workspace } from "../../../schemas/coder/Workspaces.ts"
import { HostLimits } from "../../agenthost/HostLimits.ts"
import { Catalog } from "../engine/Catalog.ts"
import { Faults } from "../engine/Faults.ts"
import { Deployment } from "../Deployment.ts"
import { statusOf } from "../store/BuildStates.ts"
import type { AgentRow, AppRow, BuildState, WorktreeRow } from "../store/Rows.ts"

/** AgentAPI's usual place in a workspace. Nothing listens there: the app proxy asks the agent host directly. */
const agentApiUrl = "http://localhost:3284"

/** What Coder shows of what is stored. */
export class Views extends Context.Tag("fleet-mcp/layers/embedded/api/Views")<
  Views,
  {
    readonly build: (state: BuildState) => typeof Build.Type
    /** Of the latest build of a workspace. */
    readonly workspace: (latest: BuildState) => typeof Workspace.Type
  }
>() {
  static readonly layer: Layer.Layer<Views, never, Catalog | Deployment> = Layer.effect(
    this,
    Effect.gen(function* () {
      const { nameOf } = yield* Catalog
      const { organization, user } = yield* Deployment
      const { listed } = yield* Faults
      const { queue: limit } = yield* HostLimits

      const app = ({ display_name, health, id, slug }: AppRow, { statuses }: BuildState): typeof App.Type => ({
        id,
        slug,
        display_name,
        url: `${agentApiUrl}/`,
        health,
        healthcheck: { url: `${agentApiUrl}/status` },
        statuses: listed(statuses.filter((status) => status.app_id === id).toReversed())
      })

      const agent = (row: AgentRow, state: BuildState): WorkspaceAgent => ({
        id: row.id,
        parent_id: null,
        name: "main",
        status: row.status,
        lifecycle_state: row.lifecycle_state,
        apps: row.app === null ? [] : [app(row.app, state)]
      })

      // A build shows resources once it has succeeded; a stop leaves the worktree, a delete nothing.
      const resources = (state: BuildState): ReadonlyArray<Resource> => {
        const { worktree } = state.workspace
        const { job, transition } = state.build
        if (job.status !== "succeeded" || transition === "delete" || worktree === null) return []
        return [
          {
            type: "git_worktree",
            name: "worktree",
            ...(state.agent === null ? {} : { agents: [agent(state.agent, state)] }),
            metadata: [...metadataOf(worktree), ...queueMetadata(state, limit)]
          }
        ]
      }

      const build = (state: BuildState): typeof Build.Type => {
        const { job, parameters: _, transition, ...fields } = state.build
        return {
          ...fields,
          transition,
          status: statusOf(state.build),
          job: { ...job, created_at: fields.created_at },
          resources: resources(state),
          ...(job.status === "succeeded" ? { has_ai_task: false } : {})
        }
      }

      return {
        build,
        workspace: (latest) => {
          const { created_at, id, name, template_id, updated_at } = latest.workspace
          const { display_name, template_name } = Option.getOrElse(nameOf(template_id), () => unknownTemplate)
          return {
            id,
            name,
            created_at,
            updated_at,
            owner_id: user.id,
            owner_name: user.username,
            organization_name: organization.name,
            template_id,
            template_name,
            template_display_name: display_name,
            latest_build: build(latest),
            latest_app_status: latest.statuses.at(-1) ?? null
          }
        }
      }
    })
  )
}

/** Of an agent whose project this configuration does not name any more. */
const unknownTemplate = { template_name: "unknown", display_name: "unknown" }

const metadataOf = ({ base_commit, branch, directory, repository }: WorktreeRow) =>
  Object.entries({ branch, base_commit, directory, repository }).map(([key, value]) => ({
    key,
    value,
    sensitive: false
  }))

/** Told here too, since an agent that is stopped or cut off cannot be asked. */
const queueMetadata = ({ queue }: BuildState, limit: number) =>
  queue.tasks.length === 0 ? [] : [{ key: queueMetadataKey, value: encodeQueue({ ...queue, limit }), sensitive: false }]

const encodeQueue = Schema.encodeSync(Schema.parseJson(TaskQueue))
