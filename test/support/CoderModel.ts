import { json, html, type Answer, type Handler, type Received } from "./ScriptedCoder.ts"
import { secrets } from "./Secrets.ts"

// A small Coder in memory, in the shapes of the recordings, that holds the truth: what was created, built, typed and
// said. Builds and agents go on with the clock of the requests.

export const token = secrets.coderToken
export const me = { id: "4e9eaed9-22fd-4e24-961c-8c10b0aeed80", username: "ada" }

const iso = (millis: number): string => new Date(millis).toISOString()

export interface ModelTemplate {
  readonly id: string
  readonly name: string
  readonly display_name: string
  readonly description?: string
  readonly organization_name?: string
  readonly deprecated?: boolean
  readonly deprecation_message?: string
  readonly version: string
}

export interface ModelVersion {
  readonly parameters: ReadonlyArray<string>
  readonly presets: ReadonlyArray<{
    readonly ID: string
    readonly Name: string
    readonly Default?: boolean
    readonly Parameters?: ReadonlyArray<{ readonly Name: string; readonly Value: string }> | null
  }> | null
}

export interface ModelBuild {
  readonly id: string
  readonly number: number
  readonly transition: "start" | "stop" | "delete"
  readonly created: number
  /** How long it runs; never ends when infinite. */
  readonly millis: number
  readonly result: "succeeded" | "failed" | "canceled"
  readonly error?: string | undefined
  readonly version: string
  readonly preset: string | null
  readonly parameters: ReadonlyArray<{ readonly name: string; readonly value: string }>
  readonly log: ReadonlyArray<string>
}

export interface Report {
  readonly state: string
  readonly message: string
  readonly at: number
  readonly needs_user_attention?: boolean
}

export interface ModelWorkspace {
  readonly id: string
  readonly name: string
  owner: { readonly id: string; readonly username: string }
  readonly template: ModelTemplate
  readonly created: number
  readonly builds: Array<ModelBuild>
  readonly reports: Array<Report>
  /** What AgentAPI has been told, and what it does. */
  readonly agent: {
    messages: Array<{ id: number; role: "agent" | "user"; content: string; time: string }>
    runningUntil: number
    readonly keys: Array<string>
  }
}

export interface ModelOptions {
  /** How long builds run, by transition. */
  readonly buildMillis?: Partial<Record<ModelBuild["transition"], number>>
  /** How builds of a transition end. */
  readonly results?: Partial<Record<ModelBuild["transition"], "succeeded" | "failed" | "canceled">>
  /** From the end of a start build to the moment when the agent is ready. */
  readonly startupMillis?: number
  /** Lifecycle and connection of agents that are past their start. */
  readonly connection?: { readonly status: string; readonly lifecycle_state: string }
  /** The AgentAPI app of every workspace; null = none. */
  readonly app?: { readonly slug?: string; readonly health?: string; readonly display_name?: string } | null
  /** How long an agent works on a message, and needs to stop after an ESC. */
  readonly workMillis?: number
  readonly escMillis?: number
  readonly transport?: string | null
  /** What a second create of a name, told apart only inside the database, is answered with. */
  readonly race?: boolean
  readonly version?: ModelVersion
  readonly hasAiTask?: boolean
  /** The token may see nothing (scope `application_connect`); `itself` says whether its own user is an exception. */
  readonly blind?: { readonly itself: boolean }
  /** From the moment when an agent is ready until the first task of its build is typed; never when infinite. */
  readonly firstTaskMillis?: number
}

const standard: ModelVersion = {
  parameters: ["AI Prompt", "system_prompt"],
  presets: [
    { ID: "preset-coder", Name: "coder", Default: true, Parameters: [{ Name: "system_prompt", Value: "You write." }] },
    { ID: "preset-reviewer", Name: "reviewer", Parameters: null }
  ]
}

/** Screens of Claude Code as AgentAPI tells them: at the start, and after a turn. */
export const welcomeScreen = " ▐▛███▜▌   Claude Code v2.1.332\n▝▜█████▛▘  a model\n  ▘▘ ▝▝    /work"
export const answerScreen = "● Done."

const notFound = json(404, { message: "Resource not found or you do not have access to this resource" })

export class CoderModel {
  readonly templates: Array<ModelTemplate> = [
    { id: "template-1", name: "claude-code", display_name: "Claude Code", version: "version-1" }
  ]
  readonly versions = new Map<string, ModelVersion>()
  readonly workspaces: Array<ModelWorkspace> = []
  readonly options: ModelOptions
  /** Changes how a workspace is shown. */
  patch: (workspace: Record<string, unknown>, row: ModelWorkspace) => Record<string, unknown> = (workspace) => workspace
  #ids = 0

  constructor(options: ModelOptions = {}) {
    this.options = options
    this.versions.set("version-1", options.version ?? standard)
  }

  #id(kind: string): string {
    this.#ids += 1
    return `${kind}-${this.#ids}`
  }

  // --- truth -------------------------------------------------------------------------------------------------------

  /** A workspace of the caller that is there and running, made without any request. */
  add(name: string, more: Partial<Pick<ModelWorkspace, "owner" | "template">> & { readonly at?: number } = {}) {
    const [template] = this.templates
    if (template === undefined) throw new Error("no template")
    const at = more.at ?? Date.UTC(2025, 11, 31)
    const row = this.#create(name, more.template ?? template, { at, millis: 0, result: "succeeded" })
    row.owner = more.owner ?? me
    return row
  }

  named(name: string, now = Infinity): ModelWorkspace | undefined {
    return this.workspaces.find(
      (one) => one.name.toLowerCase() === name.toLowerCase() && this.status(latest(one), now) !== "deleted"
    )
  }

  get(name: string): ModelWorkspace {
    const found = this.workspaces.find((one) => one.name === name)
    if (found === undefined) throw new Error(`the model has no workspace ${name}`)
    return found
  }

  transitions(name: string): ReadonlyArray<string> {
    return this.get(name).builds.map((one) => one.transition)
  }

  /** Prompts that reached the agent. */
  prompts(name: string): ReadonlyArray<string> {
    return this.get(name)
      .agent.messages.filter((one) => one.role === "user")
      .map((one) => one.content)
  }

  build(
    row: ModelWorkspace,
    transition: ModelBuild["transition"],
    at: number,
    more: Partial<Pick<ModelBuild, "millis" | "result" | "error">> = {}
  ): ModelBuild {
    const last = row.builds.at(-1)
    const result = more.result ?? this.options.results?.[transition] ?? "succeeded"
    const build: ModelBuild = {
      id: this.#id("build"),
      number: row.builds.length + 1,
      transition,
      created: at,
      millis: more.millis ?? this.options.buildMillis?.[transition] ?? 1000,
      result,
      error: more.error ?? (result === "failed" ? "terraform apply: exit status 1" : undefined),
      version: last?.version ?? row.template.version,
      preset: last?.preset ?? null,
      parameters: last?.parameters ?? [],
      log: ["Setting up", "", `doing ${transition}\u001b[0m`, ...(result === "failed" ? ["Error: no capacity"] : [])]
    }
    row.builds.push(build)
    if (transition === "start") {
      row.agent.messages = [{ id: 0, role: "agent", content: welcomeScreen, time: iso(at) }]
      row.agent.runningUntil = 0
    }
    return build
  }

  #create(
    name: string,
    template: ModelTemplate,
    build: { readonly at: number; readonly millis?: number; readonly result?: ModelBuild["result"] },
    preset: string | null = "preset-coder",
    parameters: ModelBuild["parameters"] = []
  ): ModelWorkspace {
    const row: ModelWorkspace = {
      id: this.#id("workspace"),
      name,
      owner: me,
      template,
      created: build.at,
      builds: [],
      reports: [],
      agent: { messages: [], runningUntil: 0, keys: [] }
    }
    this.workspaces.push(row)
    this.build(row, "start", build.at, build)
    row.builds[0] = { ...latest(row), preset, parameters }
    return row
  }

  // --- the wire ----------------------------------------------------------------------------------------------------

  #over = (build: ModelBuild, now: number) => now >= build.created + build.millis

  status(build: ModelBuild, now: number): string {
    if (!this.#over(build, now)) return { start: "starting", stop: "stopping", delete: "deleting" }[build.transition]
    if (build.result !== "succeeded") return build.result
    return { start: "running", stop: "stopped", delete: "deleted" }[build.transition]
  }

  #appStatus = (row: ModelWorkspace, report: Report, index: number) => ({
    id: `report-${index}`,
    created_at: iso(report.at),
    workspace_id: row.id,
    agent_id: `agent-of-${row.id}`,
    app_id: `app-of-${row.id}`,
    state: report.state,
    message: report.message,
    uri: "",
    icon: "",
    ...(report.needs_user_attention === undefined ? {} : { needs_user_attention: report.needs_user_attention })
  })

  #resources(row: ModelWorkspace, build: ModelBuild, now: number) {
    if (build.transition !== "start" || this.status(build, now) !== "running") return []
    const ready = now >= build.created + build.millis + (this.options.startupMillis ?? 0)
    const app = this.options.app === undefined ? {} : this.options.app
    return [
      {
        type: "docker_container",
        name: "dev",
        agents: [
          {
            id: `agent-of-${row.id}`,
            parent_id: null,
            name: "main",
            ...(ready
              ? (this.options.connection ?? { status: "connected", lifecycle_state: "ready" })
              : { status: "connecting", lifecycle_state: "created" }),
            environment_variables: { ANTHROPIC_API_KEY: "CANARY-environment" },
            apps:
              app === null
                ? []
                : [
                    {
                      id: `app-of-${row.id}`,
                      slug: app.slug ?? "ccw",
                      display_name: app.display_name ?? "Claude Code",
                      url: "http://localhost:3284/",
                      health: app.health ?? "healthy",
                      healthcheck: { url: "http://localhost:3284/status", interval: 1, threshold: 20 },
                      statuses: row.reports.map((report, index) => this.#appStatus(row, report, index))
                    }
                  ]
          }
        ]
      }
    ]
  }

  showBuild(row: ModelWorkspace, build: ModelBuild, now: number) {
    const over = this.#over(build, now)
    return {
      id: build.id,
      created_at: iso(build.created),
      updated_at: iso(over ? build.created + build.millis : build.created),
      workspace_id: row.id,
      template_version_id: build.version,
      template_version_preset_id: build.preset,
      build_number: build.number,
      transition: build.transition,
      status: this.status(build, now),
      reason: "initiator",
      job: {
        id: `job-${build.id}`,
        status: over ? build.result : "running",
        created_at: iso(build.created),
        ...(over ? { completed_at: iso(build.created + build.millis) } : {}),
        ...(over && build.error !== undefined ? { error: build.error } : {})
      },
      resources: this.#resources(row, build, now),
      has_ai_task: this.options.hasAiTask ?? false
    }
  }

  show(row: ModelWorkspace, now: number): Record<string, unknown> {
    const index = row.reports.reduce((best, report, at) => (report.at >= (row.reports[best]?.at ?? 0) ? at : best), 0)
    const report = row.reports[index]
    return this.patch(
      {
        id: row.id,
        name: row.name,
        created_at: iso(row.created),
        updated_at: iso(row.created),
        owner_id: row.owner.id,
        owner_name: row.owner.username,
        organization_name: row.template.organization_name ?? "coder",
        template_id: row.template.id,
        template_name: row.template.name,
        template_display_name: row.template.display_name,
        latest_build: this.showBuild(row, latest(row), now),
        latest_app_status: report === undefined ? null : this.#appStatus(row, report, index)
      },
      row
    )
  }

  readonly handler: Handler = (request) => {
    const { path } = request
    if (path.startsWith("/@")) return this.#agentApi(request)
    if (request.headers["coder-session-token"] !== token || request.headers["cookie"] !== undefined) {
      return json(401, { message: "You are signed out or your session has expired.", detail: "API key is invalid." })
    }
    const route = `${request.method} ${path.replace("/api/v2", "")}`
    for (const [pattern, answer] of this.#routes) {
      const match = pattern.exec(route)
      if (match !== null) return answer(request, decodeURIComponent(match[1] ?? ""))
    }
    return json(404, { message: "Route not found." })
  }

  readonly #routes: ReadonlyArray<readonly [RegExp, (request: Received, id: string) => Answer]> = [
    [/^GET \/users\/me$/, () => (this.options.blind?.itself === false ? notFound : json(200, me))],
    [
      /^GET \/templates$/,
      ({ query }) => json(200, this.options.blind === undefined ? this.#listTemplates(query.get("q")) : [])
    ],
    [/^GET \/templateversions\/([^/]+)\/rich-parameters$/, (_, id) => this.#parameters(id)],
    [/^GET \/templateversions\/([^/]+)\/presets$/, (_, id) => this.#presets(id)],
    [/^GET \/workspaces$/, (request) => this.#list(request)],
    [/^GET \/workspaces\/([^/]+)$/, ({ at }, id) => this.#shown(this.#byId(id), at)],
    [/^GET \/users\/me\/workspace\/([^/]+)$/, ({ at }, name) => this.#shown(this.named(name, at), at)],
    [/^POST \/users\/me\/workspaces$/, (request) => this.#postWorkspace(request)],
    [/^GET \/workspaces\/([^/]+)\/builds$/, (request, id) => this.#listBuilds(request, id)],
    [/^POST \/workspaces\/([^/]+)\/builds$/, (request, id) => this.#postBuild(request, id)],
    [
      /^GET \/workspacebuilds\/([^/]+)$/,
      ({ at }, id) => this.#withBuild(id, (row, build) => this.showBuild(row, build, at))
    ],
    [/^GET \/workspacebuilds\/([^/]+)\/parameters$/, (_, id) => this.#withBuild(id, (_, build) => build.parameters)],
    [/^GET \/workspacebuilds\/([^/]+)\/logs$/, (_, id) => this.#withBuild(id, (_, build) => logOf(build))]
  ]

  #byId = (id: string) => this.workspaces.find((one) => one.id === id)

  #shown = (row: ModelWorkspace | undefined, now: number): Answer =>
    row === undefined ? notFound : json(200, this.show(row, now))

  #withBuild(id: string, view: (row: ModelWorkspace, build: ModelBuild) => unknown): Answer {
    for (const row of this.workspaces) {
      const build = row.builds.find((one) => one.id === id)
      if (build !== undefined) return json(200, view(row, build))
    }
    return notFound
  }

  #listTemplates = (q: string | null) =>
    this.templates
      .filter((one) => (q === "deprecated:true" ? one.deprecated === true : true))
      .map((one) => ({
        id: one.id,
        name: one.name,
        display_name: one.display_name,
        description: one.description ?? "",
        organization_id: `id-of-${one.organization_name ?? "coder"}`,
        organization_name: one.organization_name ?? "coder",
        active_version_id: one.version,
        deprecated: one.deprecated ?? false,
        deprecation_message: one.deprecation_message ?? ""
      }))

  #parameters(id: string): Answer {
    const version = this.versions.get(id)
    if (version === undefined) return notFound
    const rest = {
      type: "string",
      description: "",
      default_value: "",
      required: false,
      mutable: true,
      ephemeral: false
    }
    return json(
      200,
      version.parameters.map((name) => ({ name, ...rest }))
    )
  }

  #presets(id: string): Answer {
    const version = this.versions.get(id)
    if (version === undefined) return notFound
    const presets = version.presets?.map((one) => ({
      Description: "",
      Default: false,
      Parameters: null,
      Icon: "",
      ...one
    }))
    return { status: 200, text: JSON.stringify(presets ?? null), headers: { "content-type": "application/json" } }
  }

  #list({ at, query }: Received): Answer {
    if (query.get("q") !== "owner:me") return json(400, { message: "Invalid workspace search query." })
    const mine = this.workspaces.filter(
      (one) => this.options.blind === undefined && one.owner.id === me.id && this.status(latest(one), at) !== "deleted"
    )
    const offset = Number(query.get("offset") ?? 0)
    const page = mine.slice(offset, offset + Number(query.get("limit") ?? mine.length))
    return json(200, { workspaces: page.map((one) => this.show(one, at)), count: mine.length })
  }

  #postWorkspace({ at, body }: Received): Answer {
    const { name, rich_parameter_values, template_id, template_version_preset_id } = body as {
      name: string
      template_id: string
      template_version_preset_id?: string
      rich_parameter_values?: ReadonlyArray<{ name: string; value: string }>
    }
    const template = this.templates.find((one) => one.id === template_id)
    if (template === undefined) {
      return json(400, {
        message: `Template "${template_id}" doesn't exist.`,
        validations: [{ field: "template_id", detail: "template not found" }]
      })
    }
    if (this.named(name, at) !== undefined) {
      return this.options.race === true
        ? json(500, {
            message: "Internal server error",
            detail:
              'execute transaction: insert workspace: pq: duplicate key value violates unique constraint "workspaces_owner_id_lower_idx"'
          })
        : json(409, {
            message: `Workspace "${name}" already exists.`,
            validations: [{ field: "name", detail: "This value is already in use and should be unique." }]
          })
    }
    const declared = this.versions.get(template.version)?.parameters ?? []
    const values = (rich_parameter_values ?? []).filter((one) => declared.includes(one.name))
    const row = this.#create(name, template, { at }, template_version_preset_id ?? null, values)
    return json(201, this.show(row, at))
  }

  #listBuilds({ at, query }: Received, id: string): Answer {
    const row = this.#byId(id)
    if (row === undefined) return notFound
    const newest = row.builds.toReversed().slice(0, Number(query.get("limit") ?? row.builds.length))
    return json(
      200,
      newest.map((build) => this.showBuild(row, build, at))
    )
  }

  #postBuild({ at, body }: Received, id: string): Answer {
    const row = this.#byId(id)
    if (row === undefined) return notFound
    const { transition } = body as { transition: ModelBuild["transition"] }
    if (!this.#over(latest(row), at)) return json(409, { message: "A workspace build is already active." })
    if (this.status(latest(row), at) === "deleted" && transition !== "delete") {
      return json(409, { message: `Cannot ${transition} a deleted workspace!` })
    }
    return json(201, this.showBuild(row, this.build(row, transition, at), at))
  }

  #typeFirstTask({ agent, builds }: ModelWorkspace, at: number): void {
    const { created, millis, parameters } = builds.at(-1) ?? { created: 0, millis: 0, parameters: [] }
    const task = parameters.find(({ name }) => name === "AI Prompt")?.value.trim() ?? ""
    const typed = created + millis + (this.options.startupMillis ?? 0) + (this.options.firstTaskMillis ?? 0)
    if (task === "" || at < typed || agent.messages.some(({ role }) => role === "user")) return
    const id = agent.messages.length
    agent.messages.push({ id, role: "user", content: task, time: iso(typed) })
    agent.messages.push({ id: id + 1, role: "agent", content: "", time: iso(typed) })
  }

  #agentApi({ at, body, headers, method, path }: Received): Answer {
    if (headers["coder-session-token"] !== undefined) throw new Error("the token's header reached a workspace")
    if (headers["cookie"] !== `coder_session_token=${token}`) return html(303, { location: "/login" })
    const [, owner, name, slug, what] = /^\/@([^/]+)\/([^/]+)\/apps\/([^/]+)\/(\w+)$/.exec(path) ?? []
    const row = this.named(name ?? "", at)
    if (row === undefined || row.owner.username !== owner || slug !== (this.options.app?.slug ?? "ccw"))
      return html(404)
    if (this.status(latest(row), at) !== "running") return html(400)
    const { agent } = row
    this.#typeFirstTask(row, at)
    if (method === "GET" && what === "messages") return json(200, { messages: screenOf(agent, at) })
    if (method === "GET" && what === "status") {
      const transport = this.options.transport === undefined ? "pty" : this.options.transport
      return json(200, {
        status: at < agent.runningUntil ? "running" : "stable",
        agent_type: "claude",
        ...(transport === null ? {} : { transport })
      })
    }
    if (method !== "POST" || what !== "message") return html(404)
    const { content, type } = body as { content: string; type: "user" | "raw" }
    if (type === "raw") {
      agent.keys.push(content)
      if (at < agent.runningUntil) agent.runningUntil = at + (this.options.escMillis ?? 3000)
      return json(200, { ok: true })
    }
    if (at < agent.runningUntil) return notWaiting
    agent.messages.push({ id: agent.messages.length, role: "user", content: content.trim(), time: iso(at) })
    agent.messages.push({ id: agent.messages.length, role: "agent", content: "", time: iso(at) })
    agent.runningUntil = at + (this.options.workMillis ?? 60_000)
    return json(200, { ok: true })
  }
}

/** AgentAPI's answer to a prompt while it works (recording: agentapi.json). */
export const notWaiting: Answer = {
  status: 500,
  text: JSON.stringify({
    title: "Internal Server Error",
    status: 500,
    detail: "unexpected error occurred",
    errors: [{ message: "failed to send message: message can only be sent when the agent is waiting for user input" }]
  }),
  headers: { "content-type": "application/problem+json" }
}

/** The agent has answered once it works no more. */
const screenOf = ({ messages, runningUntil }: ModelWorkspace["agent"], at: number) =>
  messages.map((message, index) =>
    index > 0 && message.role === "agent" && message.content === "" && at >= runningUntil
      ? { ...message, content: answerScreen }
      : message
  )

const logOf = (build: ModelBuild) =>
  build.log.map((output, index) => ({
    id: index + 1,
    created_at: iso(build.created),
    log_source: "provisioner",
    log_level: "info",
    stage: "Applying",
    output
  }))

const latest = (row: ModelWorkspace): ModelBuild => {
  const build = row.builds.at(-1)
  if (build === undefined) throw new Error(`the workspace ${row.name} has no build`)
  return build
}
