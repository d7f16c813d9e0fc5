import { Effect, Redacted } from "effect"
import { serve } from "../support/ScriptedCoder.ts"
import { bodyOf, recorded } from "./Recordings.ts"

// A Coder server on a real socket of the loopback whose every answer was recorded. Its list is composed of workspaces
// that were recorded one at a time, so each gets an id and a name of its own; nothing else of them is changed.

/** The token that the server wants: in the header on `/api`, in the cookie on apps. */
export const token = Redacted.make("ada-token")

type Json = Readonly<Record<string, unknown>>

interface Composed {
  readonly name: string
  readonly workspace: Json
  /** The recorded answer of AgentAPI's `/status`, where the app is asked. */
  readonly status?: string
}

const object = (value: unknown): Json => {
  if (typeof value !== "object" || value === null) throw new Error("a recorded answer is no object")
  return value as Json
}

/** A recorded workspace, or one with a recorded build as its latest, under a name of its own. */
const compose = (name: string, workspaceKey: string, more: { build?: string; status?: string } = {}): Composed => {
  const workspace = object(bodyOf(workspaceKey))
  const build = more.build === undefined ? {} : { latest_build: bodyOf(more.build) }
  return {
    name,
    workspace: { ...workspace, ...build, name },
    ...(more.status === undefined ? {} : { status: more.status })
  }
}

const { latest_build: _, ...broken } = object(bodyOf("agent: ready"))

/** The caller's workspaces. */
export const workspaces: ReadonlyArray<Composed> = [
  compose("never-connected", "agent: never connected"),
  compose("ready", "agent: ready", { status: "agentapi: status" }),
  compose("at-work", "agent: ready", { status: "agentapi: status right after" }),
  compose("silent", "agent: ready", { status: "app-proxy: nothing listens" }),
  compose("signed-out", "agent: ready", { status: "app-proxy: no token" }),
  compose("reporting", "statuses: order in the workspace"),
  compose("stopped", "restart: stopped: no agents, stale latest_app_status"),
  compose("started-again", "restart: started: latest_app_status is from before the stop"),
  compose("just-created", "create: with preset, prompt and an undeclared parameter"),
  compose("stop-requested", "statuses: order in the workspace", { build: "restart: stop build" }),
  compose("start-requested", "restart: stopped: no agents, stale latest_app_status", { build: "restart: start build" }),
  compose("starting", "builds: deleted, by id with include_deleted", { build: "builds: running start build" }),
  compose("canceling", "builds: deleted, by id with include_deleted", { build: "builds: the build while canceling" }),
  compose("canceled", "builds: deleted, by id with include_deleted", { build: "builds: the build when canceled" }),
  compose("delete-requested", "builds: deleted, by id with include_deleted", { build: "builds: delete it" }),
  compose("deleted", "builds: deleted, by id with include_deleted"),
  compose("failed-start", "builds: workspace of a failed start"),
  compose("failed-delete", "builds: workspace of a failed delete"),
  compose("task", "tasks: the workspace of the task"),
  compose("personal", "builds: stopped workspace"),
  { name: "broken", workspace: { ...broken, name: "broken" } }
]

/** Templates that are projects only because they are configured as such. */
export const configuredProjects = ["claude-code-2", "fail", "hang", "undeletable"]

const idOf = (index: number): string => `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`

const answer = (key: string): Answer => {
  const { body, headers, status, text } = recorded(key).response
  const type = String(headers["content-type"])
  return { status, type, body: text ?? JSON.stringify(body) }
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

const ok = (body: unknown): Answer => ({
  status: 200,
  type: "application/json; charset=utf-8",
  body: JSON.stringify(body)
})

/** The one version whose parameters and presets were recorded; the others have none, as `plain` has. */
const claudeCode = "c1776330-b64c-4ecf-aef8-431af8750feb"

const answerTo = (all: ReadonlyArray<Composed>, method: string, { pathname, searchParams }: URL): Answer => {
  const is = (pattern: RegExp): string | undefined => {
    const found = pattern.exec(pathname)
    return method !== "GET" || found === null ? undefined : decodeURIComponent(found[1] ?? "")
  }
  const shown = ({ workspace }: Composed, index: number) => ({ ...workspace, id: idOf(index) })
  if (is(/^\/api\/v2\/users\/me$/) !== undefined) return answer("platform: me")
  if (is(/^\/api\/v2\/templates$/) !== undefined) return answer("templates: list")
  if (is(/^\/api\/v2\/workspaces$/) !== undefined) {
    if (searchParams.get("q") !== "owner:me") return answer("list: unknown key")
    const offset = Number(searchParams.get("offset"))
    const page = all.map(shown).slice(offset, offset + Number(searchParams.get("limit")))
    return ok({ workspaces: page, count: all.length })
  }
  const name = is(/^\/api\/v2\/users\/me\/workspace\/([^/]+)$/)
  if (name !== undefined) {
    const index = all.findIndex((one) => one.name === name.toLowerCase())
    const found = all[index]
    return found === undefined ? answer("create: by name, missing") : ok(shown(found, index))
  }
  const parameters = is(/^\/api\/v2\/templateversions\/([^/]+)\/rich-parameters$/)
  if (parameters !== undefined) {
    return answer(parameters === claudeCode ? "templates: rich parameters" : "templates: rich parameters, none")
  }
  const presets = is(/^\/api\/v2\/templateversions\/([^/]+)\/presets$/)
  if (presets !== undefined) return answer(presets === claudeCode ? "templates: presets" : "templates: presets, none")
  // Nothing before the stop tells that it was one.
  if (is(/^\/api\/v2\/workspaces\/[^/]+\/builds$/) !== undefined) return ok([])
  const app = is(/^\/@ada\/([^/]+)\/apps\/ccw\/status$/)
  if (app !== undefined) {
    const status = all.find((one) => one.name === app)?.status
    return answer(status ?? "app-proxy: unknown app")
  }
  const conversation = is(/^\/@ada\/([^/]+)\/apps\/ccw\/messages$/)
  if (conversation !== undefined) {
    const status = all.find((one) => one.name === conversation)?.status ?? "app-proxy: unknown app"
    return answer(messagesAt[status] ?? status)
  }
  return answer("platform: no such route")
}

/** What the conversation held when that status was recorded. */
const messagesAt: Readonly<Record<string, string>> = {
  "agentapi: status": "agentapi: messages at start",
  "agentapi: status right after": "agentapi: messages while running"
}

/** The server, as long as the scope is open; by default with `workspaces`. It knows what it was asked. */
export const recordedServer = (all: ReadonlyArray<Composed> = workspaces) =>
  Effect.map(
    serve((request, response) => {
      const url = new URL(request.url ?? "/", "http://localhost")
      const app = url.pathname.startsWith("/@")
      const { cookie, "coder-session-token": header } = request.headers
      const secret = Redacted.value(token)
      const authorized = app
        ? cookie === `coder_session_token=${secret}` && header === undefined
        : header === secret && cookie === undefined
      const refused = app ? "app-proxy: no token" : "platform: me without token"
      const { body, status, type } = authorized ? answerTo(all, request.method ?? "", url) : answer(refused)
      response.writeHead(status, { "content-type": type }).end(body)
    }),
    ({ received, url }) => ({
      url,
      /** Requests to `/api` since the last look, as `METHOD /path?query`. */
      asked: (() => {
        let seen = 0
        return () => {
          const fresh = received.slice(seen)
          seen = received.length
          return fresh
            .filter(({ path }) => path.startsWith("/api/"))
            .map(({ method, path, query }) => `${method} ${path}${query.size === 0 ? "" : `?${query.toString()}`}`)
        }
      })()
    })
  )

/** So many workspaces as this. */
export const manyWorkspaces = (count: number): ReadonlyArray<Composed> =>
  Array.from({ length: count }, (_, index) => compose(`agent-${index}`, "agent: never connected"))
