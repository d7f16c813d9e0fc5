import { Cause, Deferred, Effect, Exit, Fiber, FiberHandle, Option, type Scope } from "effect"
import type { Message } from "../../schemas/agentapi/AgentApi.ts"
import type { TaskQueue as QueueAnswer } from "../../schemas/agentapi/FleetExtension.ts"
import type { KeyUse } from "../../schemas/Idempotency.ts"
import type { Conversation, TurnBegin, TurnState } from "./Conversation.ts"
import { HostLimits } from "./HostLimits.ts"
import type { NotStored } from "./NotStored.ts"
import { Grace } from "./process/AgentProcess.ts"
import { type Caller, TaskVariables, TurnCaller } from "./process/TurnCaller.ts"
import { full, type Given, keyReused, notStored, PromptRefused, type TaskToGive } from "./PromptRefused.ts"
import { statusMessage, type StatusReporter } from "./StatusReporter.ts"
import { type Begun, makeQueue, started } from "./Queue.ts"
import type { KeyTaken } from "./TaskQueue.ts"

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
  /** Done when no turn has ended without being `stable` yet: what is stored of its end can be told now. */
  readonly settled: Effect.Effect<void>
  readonly messages: Effect.Effect<ReadonlyArray<Message>>
  /**
   * Stores a prompt and starts a turn with it. Of several at once one is taken. One that is taken is stored, and one that
   * cannot be is refused; where a stop comes before its turn has begun, its answer is "[interrupted]".
   */
  readonly prompt: (text: string) => Effect.Effect<void, PromptRefused>
  /**
   * The same for who says what is to become of it where the agent is at work. A task that waits begins when the turn before
   * it has ended well, with the surroundings of its caller; after one that has not, and after a new start of the agent, all
   * that wait are held until a task is given that lets them go on.
   */
  readonly give: (task: TaskToGive) => Effect.Effect<Given, PromptRefused>
  /** The tasks that wait. */
  readonly queue: Effect.Effect<typeof QueueAnswer.Type, NotStored>
  /** Takes a task out that waits; false where it does not. */
  readonly removeQueued: (id: number) => Effect.Effect<boolean, NotStored>
  /** Tells the turn, if there is one, to end, and does not wait for that. What waits is held. */
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
  /** Closed from when a turn ends until that can be told: its agent takes the next prompt, or is at the next task. */
  let ended: Effect.Latch | undefined
  /** The turn under way was told to end: nothing follows it. */
  let isInterrupted = false
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
  const queue = yield* makeQueue({ conversation, limits, isEnding: () => isStopped || isInterrupted })

  const settle = Effect.fn("AgentHost.settle")(function* (exit: Exit.Exit<TurnEnd>) {
    const swept = agent.sweep === undefined ? undefined : yield* agent.sweep
    const found = swept?.found ?? ""
    ended = Effect.unsafeMakeLatch(false)
    const lines = (line?: string) => {
      const all = [...(line === undefined ? [] : [line]), ...(found === "" ? [] : [`[${found}]`])]
      return all.length === 0 ? undefined : all.join(" ")
    }
    if (Exit.isSuccess(exit)) {
      const { state, message, lastLine } = exit.value
      yield* conversation.endTurn(state, lines(lastLine))
      yield* reporter.report({ state, message: statusMessage(message) })
      return state
    }
    if (Cause.isInterruptedOnly(exit.cause)) {
      yield* conversation.endTurn("interrupted", lines("[interrupted]"))
      if (isStopped) return "interrupted"
      const message = swept === undefined ? "interrupted" : `interrupted, and ${swept.fate}`
      yield* reporter.report({ state: "idle", message })
      return "interrupted"
    }
    yield* Effect.logError("a turn broke", exit.cause)
    yield* conversation.endTurn("failure", lines("[internal error]"))
    yield* reporter.report({ state: "failure", message: "internal error" })
    return "failure"
  })

  const working = (prompt: string) => reporter.report({ state: "working", message: statusMessage(prompt) })

  /** Works on a prompt that is recorded, and answers how that ended. */
  const work = ({ caller, text, variables }: Begun): Effect.Effect<TurnState> =>
    agent
      .turn(text, conversation.extend)
      .pipe(
        Effect.provideService(Grace, grace),
        Effect.provideService(TurnCaller, caller),
        Effect.provideService(TaskVariables, variables),
        Effect.interruptible,
        Effect.exit,
        Effect.flatMap(settle)
      )

  const next: Effect.Effect<Option.Option<Begun>> = Effect.tap(queue.next, (begun) =>
    Option.isSome(begun) ? working(begun.value.text) : Effect.void
  )

  const tellEnd = () => {
    ended?.unsafeOpen()
    ended = undefined
  }

  /** One turn after another, as long as each ends well and something waits. */
  const run = Effect.fn("AgentHost.run")(function* (first: Effect.Effect<Option.Option<Begun>>) {
    let begun = yield* first
    while (Option.isSome(begun)) {
      const how = yield* work(begun.value)
      begun = (yield* queue.goesOnAfter(how)) ? yield* next : Option.none()
      if (Option.isSome(begun)) tellEnd()
    }
  }, Effect.uninterruptible)

  /** In one step with the look whether it may. */
  const start = (first: Effect.Effect<Option.Option<Begun>>) => {
    isBusy = true
    isInterrupted = false
    fork(run(first)).addObserver(() => {
      isBusy = false
      tellEnd()
      goOn()
    })
  }

  /** Whatever came to wait while nothing was looking begins now. */
  const goOn = () => {
    if (!isStopped && !isBusy && queue.isDue()) start(next)
  }

  // The recording is part of the turn's fiber: whoever sees the prompt sees the turn.
  const record = (
    said: Begun,
    more: TurnBegin,
    recorded: Deferred.Deferred<void, KeyTaken | NotStored>
  ): Effect.Effect<Option.Option<Begun>> =>
    conversation.beginTurn(said.text, more).pipe(
      Effect.tap(() => (more.goesOn === true ? queue.letGo(said.caller) : Effect.void)),
      Effect.zipRight(working(said.text)),
      Effect.onExit((exit) => Deferred.done(recorded, exit)),
      Effect.as(said),
      // Whoever prompted has been told.
      Effect.option
    )

  const begin = Effect.fn("AgentHost.begin")(function* (said: Begun, more: TurnBegin) {
    const recorded = yield* Deferred.make<void, KeyTaken | NotStored>()
    yield* Effect.suspend(() => {
      if (isStopped) return new PromptRefused({ reason: "stopped" })
      if (isBusy) return new PromptRefused({ reason: "busy" })
      start(record(said, more, recorded))
      return Effect.void
    })
    return yield* Deferred.await(recorded)
  })

  const checked = Effect.fn("AgentHost.checked")(function* (text: string) {
    const said = text.trim()
    if (said === "") return yield* new PromptRefused({ reason: "empty" })
    const caller = yield* TurnCaller
    const refusal = agent.refusal?.(caller)
    if (refusal !== undefined) return yield* new PromptRefused({ reason: "forbidden", detail: refusal })
    return { caller, text: said, variables: yield* TaskVariables } satisfies Begun
  })

  const prompt = Effect.fn("AgentHost.prompt")(
    function* (text: string) {
      yield* begin(yield* checked(text), {})
    },
    Effect.catchTags({ KeyTaken: keyReused, NotStored: notStored }),
    Effect.uninterruptible
  )

  const wait = Effect.fn("AgentHost.wait")(function* (said: Begun, key: KeyUse | undefined) {
    if (isStopped) return yield* new PromptRefused({ reason: "stopped" })
    const given = yield* queue.add(said, key)
    goOn()
    return given
  })

  const begins = (said: Begun, { key, whenBusy }: TaskToGive) =>
    Effect.as(begin(said, { key, goesOn: whenBusy !== "reject" }), started)

  /** Waits where the agent is at work or others wait, also where it came to that just now. */
  const beginsOrWaits = (said: Begun, task: TaskToGive) =>
    Effect.flatMap(queue.state, ({ tasks }) =>
      isBusy || tasks.length > 0
        ? wait(said, task.key)
        : Effect.catchIf(
            begins(said, task),
            (error) => error._tag === "PromptRefused" && error.reason === "busy",
            () => wait(said, task.key)
          )
    )

  const oneKeyAtATime = yield* Effect.makeSemaphore(1)
  const give = Effect.fn("AgentHost.give")(
    function* (task: TaskToGive) {
      const said = yield* checked(task.text)
      const before = yield* queue.usedBefore(task.key)
      if (Option.isSome(before)) return before.value
      return yield* task.whenBusy === "queue" ? beginsOrWaits(said, task) : begins(said, task)
    },
    Effect.catchTags({ KeyTaken: keyReused, NotStored: notStored, QueueFull: full }),
    Effect.uninterruptible,
    oneKeyAtATime.withPermits(1)
  )

  return {
    agentType: agent.agentType,
    status: Effect.sync(() => (isBusy ? "running" : "stable")),
    settled: Effect.suspend(() => ended?.await ?? Effect.void),
    messages: conversation.messages,
    prompt,
    give,
    queue: Effect.map(queue.state, (state) => ({ ...state, limit: limits.queue })),
    removeQueued: conversation.queue.remove,
    interrupt: Effect.suspend(() => {
      if (isBusy) isInterrupted = true
      return Option.match(FiberHandle.unsafeGet(turns), { onNone: () => Effect.void, onSome: Fiber.interruptFork })
    }),
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
