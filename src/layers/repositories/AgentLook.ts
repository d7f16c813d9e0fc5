import { Context, DateTime, Duration, Effect, Option, Ref } from "effect"
import type { AgentApp } from "../../schemas/agentapi/AgentApi.ts"
import { CoderError } from "../../schemas/coder/CoderError.ts"
import type { WorkspaceSummary } from "../../schemas/coder/Workspaces.ts"
import { AgentApiClient } from "../clients/AgentApiClient.ts"
import { CoderClient } from "../clients/CoderClient.ts"
import { FleetConfig } from "../config/FleetConfig.ts"
import { TimeLimits } from "../time/Deadline.ts"
import { shared } from "../time/Shared.ts"
import { noAnswer } from "./AgentFailure.ts"
import { freshReport, reportState, timeOf, workspaceState, type AgentState } from "./AgentState.ts"
import { ageOf, FirstTaskLimits, liveState, type Dialogue, type LiveAnswer, type LiveState } from "./LiveState.ts"

/** Builds whose parameters are kept: they never change. */
const parameterCache = 1000
/** How long they are waited for. */
const parameterTime = Duration.millis(500)

/** How much a look at agents may cost. */
export class LookLimits extends Context.Reference<LookLimits>()("fleet-mcp/layers/repositories/AgentLook/LookLimits", {
  defaultValue: () => ({
    /** Agents asked at once for a list, how long one may take to answer, and how long all of them together. */
    listConcurrency: 16,
    listEach: Duration.millis(750),
    listAll: Duration.millis(1500),
    /** One agent that is shown. */
    one: Duration.millis(1500),
    /** Agents of which it is remembered that the list before asked them, and dialogues that an Escape did not move. */
    remembered: 4096
  })
}) {}

/** What was seen of an agent: its status, and where it answered itself, that answer. */
export interface Look {
  readonly state: AgentState
  readonly live: Option.Option<LiveState>
}

/** An agent to look at. */
export interface LookRequest {
  readonly workspace: WorkspaceSummary
  readonly app: Option.Option<AgentApp>
  /** The parameter that carries the first task; null where the version has none, or where that is not known. */
  readonly promptParameter: string | null
}

const told = (state: AgentState): Look => ({ state, live: Option.none() })

/** Adds to a bounded set, whose oldest members go. */
const remember = (members: ReadonlySet<string>, more: ReadonlyArray<string>, limit: number): ReadonlySet<string> =>
  new Set([...members, ...more].slice(-limit))

const dialogueKey = ({ latest_build }: WorkspaceSummary, message: number | undefined, { text }: Dialogue): string =>
  `${latest_build.id} ${message} ${text}`

/**
 * Looks at agents: what the workspace tells, then the agent's own answer, then its reports. What an agent answers beats
 * what it reported.
 */
export const makeAgentLook = Effect.gen(function* () {
  const agentApi = yield* AgentApiClient
  const coder = yield* CoderClient
  const options = yield* FleetConfig
  const askedLast = yield* Ref.make<ReadonlySet<string>>(new Set())
  const leftOver = yield* Ref.make<ReadonlySet<string>>(new Set())

  const { read } = yield* TimeLimits
  const parameters = yield* shared({
    capacity: parameterCache,
    lookup: (build: string) => coder.builds.parameters({ path: { build } }),
    time: read,
    onTimeout: () =>
      new CoderError({ reason: "timeout", status: null, message: "the parameters of a build were not read in time" })
  })

  /** Whether a build carries a first task; where that cannot be read, as if it did. */
  const carriesTask = (build: string, promptParameter: string) =>
    parameters(build).pipe(
      Effect.map((values) => values.some(({ name, value }) => name === promptParameter && value.trim() !== "")),
      // The agent has answered: that Coder does not must not hide it.
      Effect.timeout(parameterTime),
      Effect.orElseSucceed(() => true)
    )

  const ask = Effect.fn("AgentLook.ask")(function* (app: AgentApp) {
    const api = yield* agentApi.of(app)
    const status = yield* api.status()
    // Our own host says all of it in its status; its conversation may be large.
    const messages = status.agent_type === "shell" ? [] : (yield* api.messages()).messages
    return { status, messages, at: yield* DateTime.now } satisfies LiveAnswer
  })

  const understand = (answer: LiveAnswer, warning: string, { promptParameter, workspace }: LookRequest) =>
    Effect.gen(function* () {
      const { wait } = yield* FirstTaskLimits
      const old = yield* leftOver
      // A first task that is overdue is not looked for: the agent takes the next one.
      const due = Duration.lessThanOrEqualTo(ageOf(answer, workspace), wait)
      const untold = answer.status.agent_type !== "shell" && answer.messages.every(({ role }) => role !== "user")
      const hasFirstTask =
        promptParameter !== null && due && untold && (yield* carriesTask(workspace.latest_build.id, promptParameter))
      return liveState(answer, {
        workspace,
        warning,
        firstTask: hasFirstTask,
        isLeftOver: (dialogue) =>
          !dialogue.certain && old.has(dialogueKey(workspace, answer.messages.at(-1)?.id, dialogue))
      })
    })

  /** Asks the agent where it is the one to ask; fails where it does not answer. */
  const lookWith = <E>(
    request: LookRequest,
    asked: (app: AgentApp) => Effect.Effect<LiveAnswer, E>
  ): Effect.Effect<Look, E> =>
    Effect.gen(function* () {
      const now = yield* DateTime.now
      const where = workspaceState(request.workspace, options, now)
      if (where._tag === "Told") return told(where.state)
      if (where._tag === "Reports" || Option.isNone(request.app)) {
        return told(reportState(request.workspace, `it shows no AgentAPI app to ask${where.warning}`, now))
      }
      const state = yield* Effect.flatMap(asked(request.app.value), (answer) =>
        understand(answer, where.warning, request)
      )
      return { state, live: Option.some(state) }
    })

  /** Waits for the agent's answer as long as a request may take. */
  const attend = (request: LookRequest): Effect.Effect<Look, CoderError> => lookWith(request, ask)

  /** The same, where an agent that does not answer in time is told by its reports. */
  const glance = (request: LookRequest, time: Duration.Duration): Effect.Effect<Look> =>
    lookWith(request, (app) =>
      ask(app).pipe(
        Effect.mapError((error) =>
          error.reason === "too_large"
            ? `AgentAPI has more to say than can be read: ${noAnswer(error)}`
            : `AgentAPI did not answer: ${noAnswer(error)}`
        ),
        Effect.timeoutFail({ duration: time, onTimeout: () => "AgentAPI did not answer in time" })
      )
    ).pipe(Effect.catchAll((reason) => withoutAnswer(request, reason)))

  const withoutAnswer = ({ workspace }: LookRequest, reason: string): Effect.Effect<Look> =>
    Effect.map(DateTime.now, (now) => {
      const where = workspaceState(workspace, options, now)
      return told(where._tag === "Told" ? where.state : reportState(workspace, `${reason}${where.warning}`, now))
    })

  /**
   * One agent, with `LookLimits.one` for its answer. A dialogue of the terminal is told although AgentAPI says
   * `stable` or `running`.
   */
  const one = (request: LookRequest): Effect.Effect<Look> =>
    Effect.flatMap(LookLimits, (limits) => glance(request, limits.one))

  /**
   * Many agents, in order. Asked first are those whom the list before did not ask, of these those without a report, then
   * those with the oldest. An agent for whom no time is left is told by its reports.
   */
  const many = Effect.fn("AgentLook.many")(function* (requests: ReadonlyArray<LookRequest>) {
    const limits = yield* LookLimits
    const before = yield* askedLast
    const now = yield* DateTime.now
    const end = DateTime.addDuration(now, limits.listAll)
    const askable = ({ workspace }: LookRequest) => workspaceState(workspace, options, now)._tag === "Ask"
    const order = requests
      .map((request, index) => ({ request, index }))
      .filter(({ request }) => askable(request))
      .toSorted((a, b) => urgency(a.request, before) - urgency(b.request, before))
    const looks = new Map<number, Look>()
    const asked: Array<string> = []
    yield* Effect.forEach(
      order,
      ({ index, request }) =>
        Effect.gen(function* () {
          const left = DateTime.distance(yield* DateTime.now, end)
          if (left <= 0) return
          asked.push(request.workspace.id)
          looks.set(index, yield* glance(request, Duration.min(limits.listEach, Duration.millis(left))))
        }),
      { concurrency: limits.listConcurrency, discard: true }
    )
    yield* Ref.set(askedLast, remember(new Set(), asked, limits.remembered))
    return yield* Effect.forEach(requests, (request, index) => {
      const look = looks.get(index)
      return look === undefined
        ? withoutAnswer(request, "no time was left to ask it: ask for it alone")
        : Effect.succeed(look)
    })
  })

  /**
   * Remembers that one Escape did not move a dialogue that was uncertain: until the next message it is taken for what is
   * left of an older one.
   */
  const takeForOld = (workspace: WorkspaceSummary, { lastMessage }: LiveState, dialogue: Dialogue) =>
    Effect.flatMap(LookLimits, ({ remembered }) =>
      Ref.update(leftOver, (keys) => remember(keys, [dialogueKey(workspace, lastMessage, dialogue)], remembered))
    )

  /** Whether its AgentAPI is the one to ask. */
  const isAskable = ({ app, workspace }: LookRequest): boolean =>
    Option.isSome(app) && workspaceState(workspace, options, DateTime.unsafeMake(0))._tag === "Ask"

  return { attend, one, many, takeForOld, glance, reported: withoutAnswer, isAskable }
})

const urgency = ({ workspace }: LookRequest, askedLast: ReadonlySet<string>): number => {
  const later = askedLast.has(workspace.id) ? 1e15 : 0
  return later + Option.match(freshReport(workspace), { onNone: () => 0, onSome: reportedAt })
}

const reportedAt = ({ created_at }: { readonly created_at: string }): number => {
  const at = timeOf(created_at)
  return at === null ? 0 : DateTime.toEpochMillis(at)
}
