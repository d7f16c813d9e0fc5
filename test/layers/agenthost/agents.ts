import { DateTime, Deferred, Effect, Ref } from "effect"
import type { CodingAgent, TurnEnd } from "../../../src/layers/agenthost/AgentHost.ts"
import type { Conversation } from "../../../src/layers/agenthost/Conversation.ts"
import { HostLimits } from "../../../src/layers/agenthost/HostLimits.ts"
import { makeTranscript } from "../../../src/layers/agenthost/Transcript.ts"
import { QueueFull, type TaskQueue } from "../../../src/layers/agenthost/TaskQueue.ts"
import type { StatusReport } from "../../../src/layers/agenthost/StatusReporter.ts"

/** An agent that says "working on it" and then waits to be told how its turn ends. Interrupted, it cleans up. */
export const fakeAgent = (cleanUp: Effect.Effect<void> = Effect.void) =>
  Effect.gen(function* () {
    const end = yield* Deferred.make<TurnEnd>()
    const prompts = yield* Ref.make<ReadonlyArray<string>>([])
    const agent: CodingAgent = {
      agentType: "claude",
      greeting: "Hello.",
      turn: (prompt, emit) =>
        Ref.update(prompts, (before) => [...before, prompt]).pipe(
          Effect.zipRight(emit("working on it")),
          Effect.zipRight(Deferred.await(end)),
          Effect.onInterrupt(() => cleanUp)
        )
    }
    return {
      agent,
      prompts,
      end: (how: TurnEnd) => Deferred.succeed(end, how)
    }
  })

/** A conversation that nobody stores; no task waits in it. */
const conversing = Effect.map(HostLimits, (limits): Conversation => {
  const transcript = makeTranscript(limits)
  const queue: TaskQueue = {
    state: Effect.succeed({ tasks: [], held: null, last_id: 0 }),
    add: ({ limit }) => new QueueFull({ limit }),
    remove: () => Effect.succeed(false),
    hold: () => Effect.void,
    used: () => Effect.succeedNone
  }
  const say = (...said: ReadonlyArray<readonly ["agent" | "user", string]>) =>
    Effect.map(DateTime.now, (now) =>
      transcript
        .draft(
          DateTime.formatIso(now),
          said.map(([role, content]) => ({ role, content }))
        )
        .accept()
    )
  return {
    messages: Effect.sync(transcript.messages),
    isEmpty: Effect.sync(transcript.isEmpty),
    greet: (text) => say(["agent", text]),
    beginTurn: (prompt) => say(["user", prompt], ["agent", ""]),
    beginNext: Effect.succeedNone,
    queue,
    extend: (output) => Effect.sync(() => transcript.extend(output)),
    endTurn: (_, lastLine) => Effect.sync(() => (lastLine === undefined ? undefined : transcript.close(lastLine))),
    close: Effect.void
  }
})

export const hosting = Effect.gen(function* () {
  const reports = yield* Ref.make<ReadonlyArray<StatusReport>>([])
  const conversation = yield* conversing
  const reporter = { report: (report: StatusReport) => Ref.update(reports, (before) => [...before, report]) }
  return { conversation, reporter, reports }
})
