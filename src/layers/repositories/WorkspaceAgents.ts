import { Option } from "effect"
import type { AgentStatus } from "../../schemas/Agent.ts"
import type { AppSummary, BuildSummary } from "../../schemas/coder/Builds.ts"
import type { LeftOut } from "../../schemas/coder/mending.ts"
import type { FleetOptions } from "../config/FleetConfig.ts"

// The workspace agents of a build, and the app among theirs that is AgentAPI: pure functions.

type WorkspaceAgentSummary = NonNullable<BuildSummary["resources"][number]["agents"]>[number]

/** The agents of a build, without sub-agents (dev containers), which say nothing about the coding agent. */
export const mainAgents = <A extends { readonly parent_id?: string | null }>(build: {
  readonly resources: ReadonlyArray<{ readonly agents?: ReadonlyArray<A> }>
}): ReadonlyArray<A> =>
  build.resources.flatMap((resource) => resource.agents ?? []).filter((agent) => (agent.parent_id ?? null) === null)

const isChecked = ({ healthcheck }: AppSummary): boolean => healthcheck.url.endsWith(":3284/status")
const isCalled = ({ display_name }: AppSummary): boolean => display_name === "Claude Code"

/** The slug of AgentAPI's app in the claude-code module up to v4. */
const usualSlug = "ccw"

/**
 * The app that is AgentAPI: the configured slug, else `ccw` (claude-code module up to v4), else the app whose health
 * check asks AgentAPI's port 3284 for `/status`, else the one called `Claude Code`. Never a `command` app.
 */
export const agentApp = (build: BuildSummary, options: FleetOptions): Option.Option<AppSummary> => {
  const apps = mainAgents(build)
    .flatMap((agent) => agent.apps)
    .filter((app) => app.command === undefined)
  const bySlug = (slug: string) => apps.find((app) => app.slug === slug)
  return Option.fromNullable(
    options.appSlug === undefined
      ? (bySlug(usualSlug) ?? apps.find(isChecked) ?? apps.find(isCalled))
      : bySlug(options.appSlug)
  )
}

/**
 * True where the app that is AgentAPI may be among what could not be read: no app that was read has its slug, and what
 * was left out is an app that may have it, or holds apps.
 */
export const mayHideApp = (build: BuildSummary, leftOut: ReadonlyArray<LeftOut>, options: FleetOptions): boolean => {
  const found = Option.getOrUndefined(agentApp(build, options))
  if (found !== undefined && found.slug === (options.appSlug ?? usualSlug)) return false
  return leftOut.some(
    ({ kind, name }) =>
      kind === "resources" ||
      kind === "agents" ||
      (kind === "apps" && (options.appSlug === undefined || name === "" || name === options.appSlug))
  )
}

const kinds: Readonly<Record<string, string>> = {
  resources: "a resource",
  agents: "a workspace agent",
  apps: "an app",
  statuses: "a report",
  metadata: "a fact of a resource",
  latest_app_status: "its newest report"
}

/** What could not be read, in words. */
export const unread = (leftOut: ReadonlyArray<LeftOut>): string =>
  [...new Set(leftOut.map(({ kind, name }) => `${kinds[kind] ?? kind}${name === "" ? "" : ` (${name})`}`))].join(", ")

/** The workspace agent that an app belongs to. */
export const carrierOf = (
  agents: ReadonlyArray<WorkspaceAgentSummary>,
  app: AppSummary | undefined
): WorkspaceAgentSummary | undefined => (app === undefined ? undefined : agents.find(({ apps }) => apps.includes(app)))

const isLost = ({ status }: WorkspaceAgentSummary): boolean => status === "timeout" || status === "disconnected"

/** It has ended, and will not come back by itself: `off` is the last of Coder's states of a workspace agent. */
const hasEnded = ({ lifecycle_state, status }: WorkspaceAgentSummary): boolean =>
  status === "disconnected" && lifecycle_state === "off"

const lostText = (agent: WorkspaceAgentSummary): string => {
  const lost = hasEnded(agent) ? "has ended" : "has lost its connection"
  return `workspace agent ${agent.name} ${agent.status === "timeout" ? "never connected in time" : lost}`
}

/**
 * The status where one of these is lost or not there yet, and why; undefined where all are there. `work` is the newest
 * report, in words, where it says that the agent was at work.
 */
export const connection = (
  agents: ReadonlyArray<WorkspaceAgentSummary>,
  work: Option.Option<string>
): { readonly status: AgentStatus; readonly detail: string } | undefined => {
  const lost = agents.find(isLost)
  if (lost !== undefined && hasEnded(lost) && Option.isSome(work)) {
    return { status: "interrupted", detail: `${lostText(lost)} while it was at work; it reported ${work.value}` }
  }
  if (lost !== undefined) return { status: "offline", detail: lostText(lost) }
  const coming = agents.find(
    (agent) =>
      agent.status === "connecting" || agent.lifecycle_state === "created" || agent.lifecycle_state === "starting"
  )
  if (coming === undefined) return undefined
  const what = coming.status === "connecting" ? "has not connected yet" : "runs its startup script"
  return { status: "starting", detail: `workspace agent ${coming.name} ${what}` }
}

/**
 * What does not make the agent unusable, but is told: a startup script that failed or runs late, another workspace agent
 * that is lost, parts of the workspace that could not be read.
 */
export const warningOf = (agents: ReadonlyArray<WorkspaceAgentSummary>, leftOut: ReadonlyArray<LeftOut>): string => {
  const lost = agents.find(isLost)
  const failed = agents.find(({ lifecycle_state }) => ["start_error", "start_timeout"].includes(lifecycle_state))
  return [
    ...(lost === undefined ? [] : [`; ${lostText(lost)}`]),
    ...(failed === undefined
      ? []
      : [
          `; the startup script of ${failed.name} ${failed.lifecycle_state === "start_error" ? "failed" : "is still running"}`
        ]),
    ...(leftOut.length === 0 ? [] : [`; could not be read: ${unread(leftOut)}`])
  ].join("")
}
