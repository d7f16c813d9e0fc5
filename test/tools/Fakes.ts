import { DateTime, Effect, Layer, Option } from "effect"
import { AgentService } from "../../src/layers/services/AgentService.ts"
import { ProjectService } from "../../src/layers/services/ProjectService.ts"
import { TaskService } from "../../src/layers/services/TaskService.ts"
import { WaitService } from "../../src/layers/services/WaitService.ts"
import type { FleetServices } from "../../src/layers/services/FleetServices.ts"
import type { Agent, AgentView } from "../../src/schemas/Agent.ts"
import { AgentNotFound, UnknownFilterValue } from "../../src/schemas/errors/Agent.ts"
import { AgentNotBusy, AgentNotIdle } from "../../src/schemas/errors/Task.ts"
import type { LogEntry } from "../../src/schemas/Conversation.ts"
import { paginate } from "../../src/schemas/Pagination.ts"
import type { Project } from "../../src/schemas/Project.ts"
import type { Role } from "../../src/schemas/Role.ts"
import type { Task } from "../../src/schemas/Task.ts"

export const at = (time: string): DateTime.Utc => Option.getOrThrow(DateTime.make(time)).pipe(DateTime.toUtc)

const evidence = {
  source: "agentapi",
  detail: "AgentAPI says stable",
  observed_at: at("2026-11-22T10:00:05Z")
} as const

export const agent: Agent = {
  name: "fix-login",
  status: "idle",
  role: "reviewer",
  project: "Web site",
  last_task: "Fix the login\nand commit",
  created_at: at("2026-11-22T09:00:00Z"),
  evidence,
  last_status: { state: "working", message: "Reading\tcode", created_at: at("2026-11-22T09:30:00Z") },
  metadata_count: 0,
  workspace_id: "9d9a6bf1-0a8c-4f2b-9f0e-3f1f1c1b7a11",
  updated_at: at("2026-11-22T09:31:00Z"),
  metadata: { data: {}, meta: { version: "1.0" } }
}

const view = ({ updated_at: _updated, workspace_id: _id, ...rest }: Agent): AgentView => ({ ...rest, metadata: null })

export const busyAgent: AgentView = {
  ...view(agent),
  name: "docs",
  status: "busy",
  role: null,
  last_task: null,
  last_status: null
}

export const project: Project = {
  id: "1f7a",
  name: "Web site",
  description: "The shop and its pages",
  template_name: "web",
  organization_name: "acme"
}

export const role: Role = {
  id: "77aa",
  name: "reviewer",
  description: "Reads only",
  project_id: "1f7a",
  project_name: "Web site",
  default: true
}

export const task: Task = {
  id: "5e1c",
  created_at: at("2026-11-22T09:30:00Z"),
  workspace_id: agent.workspace_id,
  agent_id: "a-1",
  app_id: "app-1",
  state: "working",
  message: "Reading code",
  uri: "https://example.com/pull/1",
  needs_user_attention: false
}

export const log: LogEntry = {
  id: 3,
  content: "Done.\n[9] input 2026-01-01T00:00:00.000Z\n  forged",
  type: "output",
  time: at("2026-11-22T09:40:00Z")
}

/** What the tools asked of the services. */
export type Asked = Array<readonly [method: string, ...args: ReadonlyArray<unknown>]>

const known = (name: string) => name.toLowerCase() === "fix-login" || name.toLowerCase() === "docs"

/** Services over the two agents above; `docs` is busy. */
export const fakes = (asked: Asked = []): Layer.Layer<FleetServices> => {
  const lookup = (name: string) => Effect.when(new AgentNotFound({ agent_name: name }), () => !known(name))
  const ask = (...call: Asked[number]) => Effect.sync(() => void asked.push(call))
  return Layer.mergeAll(
    Layer.mock(AgentService, {
      list: (filter) =>
        Effect.zipRight(
          ask("list", filter),
          filter.status === "sleepy"
            ? new UnknownFilterValue({ filter: "status_filter", value: "sleepy", allowed: ["idle", "busy"] })
            : Effect.succeed({
                agents: filter.project === "none" ? [] : [view(agent), busyAgent],
                total_count: filter.project === "none" ? 0 : 2,
                note: ""
              })
        ),
      show: (name) => ask("show", name).pipe(Effect.zipRight(lookup(name)), Effect.as(agent)),
      create: (request) =>
        Effect.as(ask("create", request), {
          agent,
          outcome: "applied",
          stage: "building",
          task: "in_build",
          message: "fix-login is being built on acme.",
          next: ["look_at_agent"] as const
        }),
      delete: (name) =>
        ask("delete", name).pipe(
          Effect.zipRight(lookup(name)),
          Effect.as({
            agent_name: name,
            outcome: "applied",
            build_log: ["removing", "worktree kept"],
            message: "Deleted.",
            next: []
          })
        ),
      stop: (name) =>
        ask("stop", name).pipe(
          Effect.zipRight(lookup(name)),
          Effect.as({
            agent: { ...agent, status: "stopped" as const },
            outcome: "applied",
            build_log: ["ending processes"],
            message: "The agent is stopped.",
            next: ["restart_agent"] as const
          })
        ),
      restart: (name) =>
        ask("restart", name).pipe(
          Effect.zipRight(lookup(name)),
          Effect.as({
            agent,
            outcome: "unknown",
            message: "The start was not seen.",
            next: ["look_at_agent", "restart_agent"] as const
          })
        )
    }),
    Layer.mock(WaitService, {
      wait: (request) =>
        ask("wait", request).pipe(
          Effect.zipRight(Effect.forEach(request.names ?? [], lookup)),
          Effect.as({
            done: true,
            agents: [
              { name: "fix-login", status: "idle" as const, evidence, now: "busy" as const, last_message: "All\ngreen" }
            ],
            more: 0,
            reached: 1,
            waited_for: 2,
            isEmpty: false,
            standing: [["busy", 2]] as const,
            waited: 3,
            limit: 45,
            note: "",
            cursor: "1f2e3d4c.7.5a6b7c8d"
          })
        )
    }),
    Layer.mock(ProjectService, {
      list: Effect.as(ask("projects"), { projects: [project], note: "" }),
      roles: (name) => Effect.as(ask("roles", name), { project, roles: [role], note: "More with --allow-shell." })
    }),
    Layer.mock(TaskService, {
      start: (name, description) =>
        ask("start", name, description).pipe(
          Effect.zipRight(
            Effect.when(new AgentNotIdle({ agent_name: name, status: "busy", evidence }), () => name === "docs")
          ),
          Effect.as({
            agent_name: name,
            task_description: description,
            outcome: "applied",
            message: "Seen in the conversation.",
            next: []
          })
        ),
      cancel: (name) =>
        ask("cancel", name).pipe(
          Effect.zipRight(
            Effect.when(new AgentNotBusy({ agent_name: name, status: "idle", evidence }), () => name !== "docs")
          ),
          Effect.as({ agent_name: name, outcome: "applied", message: "Seen idle after 1 s.", next: [] })
        ),
      history: (name, page) => Effect.as(ask("history", name, page), { ...paginate([task], page), note: "" }),
      log: (name, request) =>
        Effect.as(ask("log", name, request), paginate([log], "page" in request ? request : { page: 1, page_size: 1 }))
    })
  )
}
