import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import { Deferred, Duration, Effect, Ref, Schema, type Context } from "effect"
import { remaining } from "../../../../src/layers/time/Deadline.ts"
import { WaitProgress, WaitTime } from "../../../../src/layers/services/wait/WaitTime.ts"
import { McpSession, type McpSessionOptions } from "../../../../src/layers/transports/session/McpSession.ts"
import type { FleetError } from "../../../../src/schemas/errors/FleetError.ts"
import { PageOutOfRange } from "../../../../src/schemas/errors/Task.ts"
import * as Tool from "../../../../src/tools/Tool.ts"

// Tools that do nothing but what a session has to cope with.

export interface Stage {
  readonly entered: Ref.Ref<number>
  readonly begun: Deferred.Deferred<void>
  readonly release: Deferred.Deferred<void>
  readonly interrupted: Deferred.Deferred<void>
  readonly finished: Deferred.Deferred<void>
}

export const makeStage: Effect.Effect<Stage> = Effect.all({
  entered: Ref.make(0),
  begun: Deferred.make<void>(),
  release: Deferred.make<void>(),
  interrupted: Deferred.make<void>(),
  finished: Deferred.make<void>()
})

const refusal = new PageOutOfRange({ page: 9, pages: 3 })

const changes = { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false }

const tool = <E extends FleetError>(name: string, hints: Tool.Hints, program: Effect.Effect<string, E>) =>
  Tool.make({
    name,
    title: name,
    description: name,
    input: Schema.Struct({ text: Schema.optionalWith(Schema.String, { exact: true }) }),
    output: Schema.Struct({ said: Schema.String }),
    hints,
    program: ({ text }) => Effect.map(program, (said) => ({ said: text ?? said })),
    text: ({ said }) => `said: ${said}`
  })

/** What a wait is given by its session: how long its caller bears it, its deadline, and who is told how it stands. */
const waitingTool = ({ entered, release }: Stage) =>
  Tool.make({
    name: "wait_long",
    title: "wait_long",
    description: "wait_long",
    waits: true,
    input: Schema.Struct({}),
    output: Schema.Struct({ said: Schema.String }),
    hints: Tool.readOnly,
    program: () =>
      Effect.gen(function* () {
        yield* Ref.update(entered, (count) => count + 1)
        const { most, usual } = yield* WaitTime
        const left = yield* remaining
        yield* Effect.flatMap(WaitProgress, ({ tell }) => tell("2 busy"))
        yield* Deferred.await(release)
        return {
          said: `${Duration.toSeconds(usual)} s, at most ${Duration.toSeconds(most)} s; ${Duration.isFinite(left)}`
        }
      }),
    text: ({ said }) => said
  })

const timeLeft = Effect.map(remaining, (left) => `${Duration.toSeconds(left)} s left`)

export const stageTools = ({ begun, entered, finished, interrupted, release }: Stage) => {
  const wait = Ref.update(entered, (count) => count + 1).pipe(
    Effect.zipRight(Deferred.succeed(begun, undefined)),
    Effect.zipRight(Deferred.await(release)),
    Effect.as("released")
  )
  return [
    tool("echo", Tool.readOnly, Effect.succeed("hello")),
    tool(
      "wait",
      Tool.readOnly,
      Effect.onInterrupt(wait, () => Deferred.succeed(interrupted, undefined))
    ),
    tool("change", changes, Effect.uninterruptible(Effect.tap(wait, () => Deferred.succeed(finished, undefined)))),
    waitingTool({ begun, entered, finished, interrupted, release }),
    tool("time_to_change", changes, timeLeft),
    tool("time_to_read", Tool.readOnly, timeLeft),
    tool("refuse", changes, refusal),
    tool("refuse_read", Tool.readOnly, refusal),
    tool("crash", Tool.readOnly, Effect.dieMessage("secret-of-the-crash")),
    tool("crash_change", changes, Effect.dieMessage("secret-of-the-crash")),
    tool("give_up", Tool.readOnly, Effect.interrupt)
  ]
}

export const nothing: Effect.Effect<Context.Context<never>> = Effect.context<never>()

/** A client of the SDK, connected to a session over linked transports in memory. */
export const connect = <R>(
  options: Omit<McpSessionOptions<R>, "place"> & { readonly place?: string },
  clientName = "test"
) =>
  Effect.gen(function* () {
    const [ours, theirs] = InMemoryTransport.createLinkedPair()
    const session = yield* McpSession.make(ours, { place: "in this test.", ...options })
    const client = new Client({ name: clientName, version: "1" })
    yield* Effect.acquireRelease(
      Effect.promise(() => client.connect(theirs)),
      () => Effect.promise(() => client.close())
    )
    return { client, session, transport: theirs }
  })

/** The answer of a call: its text, whether it is an error, and its keys. */
export const call = (client: Client, name: string, args: Record<string, unknown> = {}) =>
  Effect.promise(() => client.callTool({ name, arguments: args })).pipe(
    Effect.map(({ content, isError, structuredContent }) => ({
      text: (content as ReadonlyArray<{ readonly text: string }>).map(({ text }) => text).join("\n"),
      isError: isError === true,
      structured: structuredContent
    }))
  )
