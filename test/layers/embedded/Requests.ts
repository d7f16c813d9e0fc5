import { HttpClient, HttpClientRequest } from "@effect/platform"
import { assert } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import type { Build, Transition } from "../../../src/schemas/coder/Builds.ts"
import type { Preset, Template } from "../../../src/schemas/coder/Templates.ts"
import type { Workspace } from "../../../src/schemas/coder/Workspaces.ts"
import { CoderConfig } from "../../../src/layers/config/CoderConfig.ts"

/** An answer as it is on the wire; `body` is the JSON, or the text where it is none. */
export interface Answer<A = unknown> {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: A
}

export interface RequestOptions {
  /** JSON, or a text that is sent as it is. */
  readonly body?: unknown
  /** In place of the session token in its header. */
  readonly headers?: Readonly<Record<string, string>>
}

type Method = "GET" | "POST" | "PATCH" | "PUT" | "DELETE" | "HEAD"

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Sends a request as it is told, and answers what comes; `A` is what the test takes the body for. */
export const send = <A = unknown>(
  method: Method,
  path: string,
  options: RequestOptions = {}
): Effect.Effect<Answer<A>, never, CoderConfig | HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const { sessionToken, url } = yield* CoderConfig
    // The span of a request would hold its token.
    const http = HttpClient.withTracerDisabledWhen(yield* HttpClient.HttpClient, () => true)
    const headers = options.headers ?? { "coder-session-token": Redacted.value(sessionToken) }
    const json = typeof options.body === "string" ? options.body : JSON.stringify(options.body)
    const request = HttpClientRequest.make(method)(new URL(path, url), { headers }).pipe(
      options.body === undefined ? (same) => same : HttpClientRequest.bodyText(json, "application/json")
    )
    const response = yield* http.execute(request)
    return { status: response.status, headers: response.headers, body: parse(yield* response.text) as A }
  }).pipe(Effect.orDie)

export const get = <A = unknown>(path: string) => Effect.map(send<A>("GET", path), ({ body }) => body)

/** The one template, and the preset of its role `shell`. */
export const theProject = Effect.gen(function* () {
  const [template] = yield* get<ReadonlyArray<typeof Template.Type>>("/api/v2/templates")
  assert(template !== undefined)
  const presets = yield* get<ReadonlyArray<Preset> | null>(
    `/api/v2/templateversions/${template.active_version_id}/presets`
  )
  return { template, preset: presets?.[0] }
})

type WorkspaceBody = typeof Workspace.Type
type BuildBody = typeof Build.Type

export const create = (name: string, prompt = "") =>
  Effect.flatMap(theProject, ({ template }) =>
    send<WorkspaceBody>("POST", "/api/v2/users/me/workspaces", {
      body: { name, template_id: template.id, rich_parameter_values: [{ name: "AI Prompt", value: prompt }] }
    })
  )

export const startBuild = (workspaceId: string, transition: Transition) =>
  send<BuildBody>("POST", `/api/v2/workspaces/${workspaceId}/builds`, { body: { transition } })

// In real time, also where a test has a clock of its own: processes do not wait for that.
const moment = Effect.async<void>((resume) => void setTimeout(() => resume(Effect.void), 10))

/** Asks again and again until the answer is as wanted, for at most 10 s. */
export const until = <A, R>(ask: Effect.Effect<A, never, R>, wanted: (answer: A) => boolean) =>
  Effect.zipLeft(ask, moment).pipe(Effect.filterOrFail(wanted), Effect.retry({ times: 1000 }), Effect.orDie)

export const byId = (id: string) => get<WorkspaceBody>(`/api/v2/workspaces/${id}?include_deleted=true`)

/** The workspace once its latest build has ended. */
export const built = (id: string) =>
  until(byId(id), ({ latest_build }) => ["succeeded", "failed", "canceled"].includes(latest_build.job.status))

export const agentOf = ({ latest_build }: WorkspaceBody) => latest_build.resources[0]?.agents?.[0]
export const appOf = (workspace: WorkspaceBody) => agentOf(workspace)?.apps[0]

/** The workspace once its agent takes tasks. */
export const ready = (id: string) => until(byId(id), (workspace) => appOf(workspace)?.health === "healthy")

/** Creates a workspace and waits until its agent takes tasks. */
export const createReady = (name: string, prompt = "") =>
  Effect.flatMap(create(name, prompt), ({ body }) => ready(body.id))

/** Runs a build to its end. */
export const build = (workspaceId: string, transition: Transition) =>
  Effect.gen(function* () {
    const { body } = yield* startBuild(workspaceId, transition)
    const path = `/api/v2/workspacebuilds/${body.id}`
    return yield* until(get<BuildBody>(path), ({ job }) => job.completed_at !== undefined)
  })

export const logOf = (buildId: string) =>
  Effect.map(get<ReadonlyArray<{ readonly output: string }>>(`/api/v2/workspacebuilds/${buildId}/logs`), (lines) =>
    lines.map(({ output }) => output).filter((output) => output !== "")
  )

export const messagesOf = (name: string) =>
  Effect.map(
    get<{ readonly messages: ReadonlyArray<{ readonly role: string; readonly content: string }> }>(
      `/@local/${name}/apps/ccw/messages`
    ),
    ({ messages }) => messages
  )

/** The conversation once the agent waits for a prompt. */
export const idle = (name: string) =>
  Effect.zipRight(
    until(get<{ readonly status: string }>(`/@local/${name}/apps/ccw/status`), ({ status }) => status === "stable"),
    messagesOf(name)
  )
