import { DateTime, Effect, Option } from "effect"
import type { KeyUse } from "../../schemas/Idempotency.ts"
import type { Conversation, TurnState } from "./Conversation.ts"
import type { HostLimits } from "./HostLimits.ts"
import type { NotStored } from "./NotStored.ts"
import type { Caller } from "./process/TurnCaller.ts"
import { type Given, PromptRefused } from "./PromptRefused.ts"
import type { Hold, HoldReason, KeyTaken, QueueFull, QueueState, UsedKey } from "./TaskQueue.ts"

/** A prompt, and whose surroundings its turn has. */
export interface Begun {
  readonly text: string
  readonly caller: Option.Option<Caller>
  /** Names of variables that were set where it was given. */
  readonly variables: ReadonlyArray<string>
}

/** A task that has begun at once. */
export const started: Given = { state: "started", id: null, ahead: 0, usedAt: null }

/** What waits for its turn in one host, and whether it goes on: that is known here, and stored for when there is no host. */
export interface Queue {
  readonly state: Effect.Effect<QueueState, NotStored>
  /** Has a task wait, and all that wait go on; those without surroundings of their own get this caller's. */
  readonly add: (said: Begun, key: KeyUse | undefined) => Effect.Effect<Given, KeyTaken | NotStored | QueueFull>
  readonly letGo: (caller: Option.Option<Caller>) => Effect.Effect<void>
  /** Whether something may wait that nobody has looked for since it came. */
  readonly isDue: () => boolean
  /** The next one, whose turn is recorded as begun. It is tried again where that cannot be stored, unless all ends. */
  readonly next: Effect.Effect<Option.Option<Begun>>
  /** Whether the next one follows a turn that has ended so; where not, what waits is held. */
  readonly goesOnAfter: (how: TurnState) => Effect.Effect<boolean>
  /** What the key was used for before; refused where that was something else. */
  readonly usedBefore: (key: KeyUse | undefined) => Effect.Effect<Option.Option<Given>, NotStored | PromptRefused>
}

const givenBefore = ({ fingerprint, task, usedAt }: UsedKey, key: KeyUse): Effect.Effect<Given, PromptRefused> =>
  Option.match(
    Option.filter(task, () => fingerprint === key.fingerprint),
    {
      onNone: () =>
        new PromptRefused({ reason: "key_reused", detail: `the key was used for something else at ${usedAt}` }),
      onSome: ({ id, state }) => Effect.succeed({ state, id, ahead: 0, usedAt })
    }
  )

/** What waits in a conversation. `isEnding`: the turn under way was told to end. */
export const makeQueue = Effect.fn("Queue.make")(function* ({
  conversation: { beginNext, queue },
  isEnding,
  limits
}: {
  readonly conversation: Pick<Conversation, "beginNext" | "queue">
  readonly limits: Pick<HostLimits["Type"], "queue" | "queueRetry">
  readonly isEnding: () => boolean
}) {
  // In memory alone: values of the environment are stored nowhere.
  const callers = new Map<number, Option.Option<Caller>>()
  let releasedBy: Option.Option<Caller> = Option.none()
  let held: Hold | null = null
  let isDue = false

  const isoNow = Effect.map(DateTime.now, DateTime.formatIso)

  const hold = Effect.fn("Queue.hold")(function* (reason: HoldReason) {
    held ??= { reason, at: yield* isoNow }
    isDue = false
    // Whoever comes after this host holds it in any case.
    yield* Effect.catchAll(queue.hold(reason), ({ message }) =>
      Effect.logWarning(`It was not stored that the tasks that wait are held: ${message}`)
    )
  })

  const letGo = (caller: Option.Option<Caller>) =>
    Effect.sync(() => {
      held = null
      isDue = true
      releasedBy = caller
    })

  const state = Effect.map(queue.state, (stored): QueueState => ({
    ...stored,
    held: stored.tasks.length === 0 ? null : held
  }))

  // Nothing runs unasked that was left by another host.
  const before = yield* Effect.option(queue.state)
  held = Option.getOrNull(before)?.held ?? null
  if (Option.exists(before, ({ tasks }) => tasks.length > 0)) yield* hold("interrupted")

  const pause = Effect.exit(Effect.interruptible(Effect.sleep(limits.queueRetry)))

  const next = Effect.gen(function* () {
    isDue = false
    for (;;) {
      if (isEnding()) {
        yield* hold("interrupted")
        return Option.none()
      }
      const begun = yield* Effect.either(beginNext)
      if (begun._tag === "Right") {
        return Option.map(begun.right, ({ id, text }): Begun => {
          const caller = callers.get(id)
          callers.delete(id)
          // The names are not kept: what is missing after a restart of everything cannot be told of it.
          return { text, caller: caller ?? releasedBy, variables: [] }
        })
      }
      yield* Effect.logWarning(`The next task waits for the store: ${begun.left.message}`)
      yield* pause
    }
  })

  return {
    state,
    add: Effect.fn("Queue.add")(function* ({ caller, text }, key) {
      const task = yield* queue.add({ text, key, limit: limits.queue })
      callers.set(task.id, caller)
      yield* letGo(caller)
      const { tasks } = yield* queue.state
      const ahead = tasks.filter(({ id }) => id < task.id).length
      return { state: "queued", id: task.id, ahead, usedAt: null }
    }),
    letGo,
    isDue: () => isDue,
    next,
    goesOnAfter: Effect.fn("Queue.goesOnAfter")(function* (how) {
      if (how === "complete" && !isEnding()) return held === null
      yield* hold(how === "failure" ? "failed" : "interrupted")
      return false
    }),
    usedBefore: (key) =>
      key === undefined
        ? Effect.succeedNone
        : Effect.flatMap(queue.used(key.key), (used) =>
            Effect.transposeOption(Option.map(used, (one) => givenBefore(one, key)))
          )
  } satisfies Queue
})
