import { Context, DateTime, Effect, Layer, Option } from "effect"
import { interruptKey, type AgentApiStatus, type AgentApp, type Message } from "../../schemas/agentapi/AgentApi.ts"
import type { CoderError } from "../../schemas/coder/CoderError.ts"
import type { LogEntry } from "../../schemas/Conversation.ts"
import { CoderUnauthorized } from "../../schemas/errors/Coder.ts"
import { AgentRefused, AgentUnreachable } from "../../schemas/errors/Task.ts"
import type { Outcome } from "../../schemas/Outcome.ts"
import type { Task } from "../../schemas/Task.ts"
import { cut, withoutControls } from "../../schemas/Text.ts"
import { AgentApiClient } from "../clients/AgentApiClient.ts"
import { lookUntil, TimeLimits } from "../time/Deadline.ts"
import { Limits } from "../config/Limits.ts"
import { mainAgents, timeOf } from "./AgentState.ts"
import { wire, type FoundAgent } from "./FoundAgent.ts"
import { words } from "./translate.ts"

/** What reading from an agent can end in. */
export type AgentFailure = AgentUnreachable | CoderUnauthorized

/** What agents report, what was said to them and by them, and the ways to speak to them. */
export class TaskRepository extends Context.Tag("fleet-mcp/layers/repositories/TaskRepository")<
  TaskRepository,
  {
    /** The reports of the latest build, newest first. */
    readonly history: (agent: FoundAgent) => ReadonlyArray<Task>
    /** The conversation, newest first. */
    readonly log: (agent: FoundAgent) => Effect.Effect<ReadonlyArray<LogEntry>, AgentFailure>
    /** What AgentAPI says right now. */
    readonly status: (agent: FoundAgent) => Effect.Effect<AgentApiStatus, AgentFailure>
    /**
     * Reads the conversation. `send` then sends the prompt once, and tells whether it was seen there; refused = it is
     * not there.
     */
    readonly prepareMessage: (
      agent: FoundAgent,
      text: string
    ) => Effect.Effect<{ readonly send: Effect.Effect<Outcome, AgentFailure | AgentRefused> }, AgentFailure>
    /** Presses the interrupt key once. `unknown` = no answer told whether it arrived. */
    readonly interrupt: (agent: FoundAgent) => Effect.Effect<Outcome, AgentFailure | AgentRefused>
  }
>() {
  static readonly layer: Layer.Layer<TaskRepository, never, AgentApiClient> = Layer.effect(
    this,
    Effect.gen(function* () {
      const agentApi = yield* AgentApiClient

      const messages = (app: AgentApp) =>
        Effect.flatMap(agentApi.of(app), (api) => Effect.map(api.messages(), (answer) => answer.messages))

      const log = Effect.fn("TaskRepository.log")(function* (agent: FoundAgent) {
        const app = yield* appOf(agent)
        const all = yield* Effect.mapError(messages(app), unreachable(app))
        return all.map(toLogEntry).toReversed()
      })

      const status = Effect.fn("TaskRepository.status")(function* (agent: FoundAgent) {
        const app = yield* appOf(agent)
        const api = yield* agentApi.of(app)
        return yield* Effect.mapError(api.status(), unreachable(app))
      })

      const prepareMessage = Effect.fn("TaskRepository.prepareMessage")(function* (agent: FoundAgent, text: string) {
        const app = yield* appOf(agent)
        const api = yield* agentApi.of(app)
        const before = (yield* Effect.mapError(messages(app), unreachable(app))).at(-1)?.id ?? -1
        const seen = Effect.map(messages(app), (all) =>
          all.some((message) => message.id > before && message.role === "user" && sameText(message.content, text))
        )
        const send = api.message({ payload: { content: text, type: "user" } }).pipe(
          Effect.matchEffect({
            onSuccess: () => waitUntilSeen(seen),
            onFailure: (error): Effect.Effect<Outcome, AgentFailure | AgentRefused> =>
              refused(error) ? Effect.fail(refusal(app, error)) : waitUntilSeen(seen)
          }),
          Effect.withSpan("TaskRepository.send")
        )
        return { send }
      })

      const interrupt = Effect.fn("TaskRepository.interrupt")(function* (agent: FoundAgent) {
        const app = yield* appOf(agent)
        const api = yield* agentApi.of(app)
        return yield* api.message({ payload: { content: interruptKey, type: "raw" } }).pipe(
          Effect.as<Outcome>("applied"),
          Effect.catchAll((error): Effect.Effect<Outcome, AgentFailure | AgentRefused> =>
            refused(error) ? Effect.fail(refusal(app, error)) : Effect.succeed("unknown")
          )
        )
      })

      return { history, log, status, prepareMessage, interrupt }
    })
  )
}

const appOf = ({ agent, [wire]: { app } }: FoundAgent): Effect.Effect<AgentApp, AgentUnreachable> =>
  Effect.mapError(
    app,
    () =>
      new AgentUnreachable({
        agent_name: agent.name,
        reason: `it shows no AgentAPI app (status ${agent.status}: ${agent.evidence.detail})`
      })
  )

const history = ({ [wire]: { workspace } }: FoundAgent): ReadonlyArray<Task> =>
  mainAgents(workspace.latest_build)
    .flatMap((agent) => agent.apps)
    .flatMap((app) => app.statuses)
    .map((status): Task => ({
      ...status,
      message: withoutControls(status.message),
      uri: withoutControls(status.uri),
      created_at: timeOf(status.created_at),
      needs_user_attention: status.needs_user_attention ?? false
    }))
    .toSorted((a, b) => DateTime.Order(b.created_at, a.created_at) || (a.id < b.id ? 1 : -1))

const toLogEntry = (message: Message): LogEntry => ({
  id: message.id,
  content: withoutControls(message.content),
  type: message.role === "user" ? "input" : "output",
  time: timeOf(message.time)
})

/** AgentAPI trims what it is given, and a terminal may wrap it. */
const sameText = (a: string, b: string): boolean =>
  a.replaceAll(/\s+/g, " ").trim() === b.replaceAll(/\s+/g, " ").trim()

const waitUntilSeen = (seen: Effect.Effect<boolean, CoderError>): Effect.Effect<Outcome> =>
  Effect.flatMap(TimeLimits, ({ look, settle }) =>
    lookUntil(settle, Effect.map(Effect.option(Effect.timeout(seen, look)), Option.filter(Boolean)))
  ).pipe(Effect.map((found) => (Option.isSome(found) ? "applied" : "unknown")))

/**
 * AgentAPI's refusals that leave nothing behind (recording: agentapi.json). Other 500s can come after the text was
 * typed.
 */
const refused = (error: CoderError): boolean =>
  error.notProcessed || /can only be sent when the agent is waiting|must not be empty/.test(error.detail ?? "")

const refusal = (app: AgentApp, error: CoderError): AgentFailure | AgentRefused =>
  error.reason === "status" && error.status !== 401
    ? new AgentRefused({ agent_name: app.workspace_name, reason: words(error) })
    : unreachable(app)(error)

/** Coder's proxy answers in HTML, and sends an expired token to the sign-in page (recording: app-proxy.json). */
const unreachable =
  (app: AgentApp) =>
  (error: CoderError): AgentFailure => {
    if (error.reason === "redirect" || error.status === 401) {
      return new CoderUnauthorized({ detail: `${cut(words(error), Limits.quotedText)}.` })
    }
    const reason =
      error.reason === "not_json" && error.status !== null
        ? (proxyPages.get(error.status) ?? words(error))
        : words(error)
    return new AgentUnreachable({ agent_name: app.workspace_name, reason })
  }

const proxyPages = new Map([
  [400, "its workspace is stopped"],
  [403, "Coder does not allow apps on paths"],
  [404, "Coder finds no such app, or the workspace agent is not connected"],
  [502, "the workspace agent is not connected, or nothing listens behind the app"]
])
