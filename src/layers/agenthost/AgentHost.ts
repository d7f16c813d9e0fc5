import { Cause, Deferred, Effect, Exit, Fiber, FiberHandle, Option, Schema, type Scope } from "effect"
import type { Message } from "../../schemas/agentapi/AgentApi.ts"
import type { Conversation } from "./Conversation.ts"
import { HostLimits } from "./HostLimits.ts"
import { Grace } from "./process/AgentProcess.ts"
import { type Caller, TurnCaller } from "./process/TurnCaller.ts"
import { statusMessage, type StatusReporter } from "./StatusReporter.ts"

/** How a turn ended. */
export interface TurnEnd {
  readonly state: "complete" | "failure"
  /** For the status report. */
  readonly message: string
  /** Closes the turn's message in the conversation, also where its output was cut. */
  readonly lastLine?: string | undefined
}

/** A coding agent, as the host sees it: something that can be prompted. */
export interface CodingAgent {
  /** AgentAPI's `agent_type`. */
  readonly agentType: string
  /** What it says before the first prompt. */
  readonly greeting?: string | undefined
  /** Why this caller may not prompt it. Default: everybody may. */
  readonly refusal?: ((caller: Option.Option<Caller>) => string | undefined) | undefined
  /**
   * Works on a prompt, to the end. `emit` takes output as it comes. To interrupt the effect is to interrupt the turn;
   * when that is done, no process of it is left.
   */
  readonly turn: (prompt: string, emit: (text: string) => Effect.Effect<void>) => Effect.Effect<TurnEnd>
  /** Ends what of its processes has outlived a turn, however it ended. */
  readonly sweep?: Effect.Effect<Swept> | undefined
}

/** What has become of the processes of a turn. */
export interface Swept {
  /** What was found and ended, and what could not be; `""` for nothing. */
  readonly found: string
  /** Whether anything is left of them, to follow "and". */
  readonly fate: string
}

/**
 * The prompt was not taken: it is empty, or its caller may not, or the agent is at work, or it was stopped, or the prompt could not be stored,
 * for a reason that `detail` tells.
 */
export class PromptRefused extends Schema.TaggedError<PromptRefused>()("PromptRefused", {
  reason: Schema.Literal("empty", "busy", "stopped", "not_stored", "forbidden"),
  detail: Schema.optionalWith(Schema.String, { exact: true })
}) {
  override get message() {
    if (this.reason === "forbidden") return this.detail ?? "this caller may not prompt it"
    if (this.reason === "empty") return "message must not be empty"
    // AgentAPI's words (recording: agentapi.json).
    if (this.reason === "busy") return "message can only be sent when the agent is waiting for user input"
    return this.reason === "stopped" ? "the agent was stopped" : (this.detail ?? "it could not be stored")
  }
}

export interface AgentHostOptions {
  readonly agent: CodingAgent
  /** One that has messages already is continued. */
  readonly conversation: Conversation
  readonly reporter: StatusReporter
}

/** Runs one coding agent, one turn at a time, and behaves as AgentAPI does. */
export interface AgentHost {
  readonly agentType: string
  /**
   * `stable` = ready for a prompt: nothing of the last turn runs any more, and all of it has been recorded. From before
   * a prompt is recorded until its turn has ended and been recorded, it is `running`.
   */
  readonly status: Effect.Effect<"running" | "stable">
  readonly messages: Effect.Effect<ReadonlyArray<Message>>
  /**
   * Stores a prompt and starts a turn with it. Of several at once one is taken. One that is taken is stored, and one that
   * cannot be is refused; where a stop comes before its turn has begun, its answer is "[interrupted]".
   */
  readonly prompt: (text: string) => Effect.Effect<void, PromptRefused>
  /** Tells the turn, if there is one, to end, and does not wait for that. */
  readonly interrupt: Effect.Effect<void>
  /** Ends the turn, if there is one, and waits until its processes are gone; takes no prompt afterwards. */
  readonly stop: Effect.Effect<void>
}

const make = Effect.fn("AgentHost.make")(function* ({ agent, conversation, reporter }: AgentHostOptions) {
  const exiting = yield* Deferred.make<void>()
  // Read and changed in one step: of two prompts one is taken, and none after a stop. A closed handle has no fiber any
  // more while the turn's still ends.
  let isStopped = false
  let isBusy = false
  const forbidPrompts = Effect.sync(() => {
    isStopped = true
  })

  const turns = yield* FiberHandle.make<void>()
  const fork = yield* FiberHandle.runtime(turns)()
  // Runs before the finalizer of `turns`, which ends the turn.
  yield* Effect.addFinalizer(() => Effect.zipRight(forbidPrompts, Deferred.succeed(exiting, undefined)))

  const usualGrace = yield* Grace
  const limits = yield* HostLimits
  const exitGrace = Effect.zipRight(Deferred.await(exiting), Effect.sleep(limits.exitGrace))
  const grace = Effect.raceFirst(usualGrace, exitGrace)

  if (yield* conversation.isEmpty) yield* conversation.greet(agent.greeting ?? "")

  const settle = Effect.fn("AgentHost.settle")(function* (exit: Exit.Exit<TurnEnd>) {
    const swept = agent.sweep === undefined ? undefined : yield* agent.sweep
    const found = swept?.found ?? ""
    const lines = (line?: string) => {
      const all = [...(line === undefined ? [] : [line]), ...(found === "" ? [] : [`[${found}]`])]
      return all.length === 0 ? undefined : all.join(" ")
    }
    if (Exit.isSuccess(exit)) {
      const { state, message, lastLine } = exit.value
      yield* conversation.endTurn(state, lines(lastLine))
      return yield* reporter.report({ state, message: statusMessage(message) })
    }
    if (Cause.isInterruptedOnly(exit.cause)) {
      yield* conversation.endTurn("interrupted", lines("[interrupted]"))
      if (isStopped) return
      const message = swept === undefined ? "interrupted" : `interrupted, and ${swept.fate}`
      return yield* reporter.report({ state: "idle", message })
    }
    yield* Effect.logError("a turn broke", exit.cause)
    yield* conversation.endTurn("failure", lines("[internal error]"))
    return yield* reporter.report({ state: "failure", message: "internal error" })
  })

  const record = Effect.fn("AgentHost.record")(function* (prompt: string) {
    yield* Effect.mapError(
      conversation.beginTurn(prompt),
      ({ message }) => new PromptRefused({ reason: "not_stored", detail: message })
    )
    yield* reporter.report({ state: "working", message: statusMessage(prompt) })
  })

  const work = (prompt: string): Effect.Effect<void> =>
    agent
      .turn(prompt, conversation.extend)
      .pipe(Effect.provideService(Grace, grace), Effect.interruptible, Effect.exit, Effect.flatMap(settle))

  // The recording is part of the turn's fiber: whoever sees the prompt sees the turn.
  const turn = (prompt: string, recorded: Deferred.Deferred<void, PromptRefused>): Effect.Effect<void> =>
    record(prompt).pipe(
      Effect.onExit((exit) => Deferred.done(recorded, exit)),
      Effect.zipRight(work(prompt)),
      // Whoever prompted has been told.
      Effect.catchTag("PromptRefused", () => Effect.void),
      Effect.uninterruptible
    )

  const begin = (prompt: string, recorded: Deferred.Deferred<void, PromptRefused>, caller: Option.Option<Caller>) =>
    Effect.suspend(() => {
      if (isStopped) return new PromptRefused({ reason: "stopped" })
      if (isBusy) return new PromptRefused({ reason: "busy" })
      isBusy = true
      fork(Effect.provideService(turn(prompt, recorded), TurnCaller, caller)).addObserver(() => {
        isBusy = false
      })
      return Effect.void
    })

  const prompt = Effect.fn("AgentHost.prompt")(function* (text: string) {
    const said = text.trim()
    if (said === "") return yield* new PromptRefused({ reason: "empty" })
    const caller = yield* TurnCaller
    const refusal = agent.refusal?.(caller)
    if (refusal !== undefined) return yield* new PromptRefused({ reason: "forbidden", detail: refusal })
    const recorded = yield* Deferred.make<void, PromptRefused>()
    yield* begin(said, recorded, caller)
    return yield* Deferred.await(recorded)
  }, Effect.uninterruptible)

  return {
    agentType: agent.agentType,
    status: Effect.sync(() => (isBusy ? "running" : "stable")),
    messages: conversation.messages,
    prompt,
    interrupt: Effect.suspend(() =>
      Option.match(FiberHandle.unsafeGet(turns), { onNone: () => Effect.void, onSome: Fiber.interruptFork })
    ),
    stop: Effect.uninterruptible(Effect.zipRight(forbidPrompts, FiberHandle.clear(turns)))
  } satisfies AgentHost
})

/**
 * A host in the scope at hand. Closing the scope means that the server exits: it ends the turn with
 * `exitGrace` of {@link HostLimits}, and leaves no process.
 */
export const AgentHost: {
  readonly make: (options: AgentHostOptions) => Effect.Effect<AgentHost, never, Scope.Scope>
} = { make }
