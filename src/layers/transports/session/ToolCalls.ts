import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js"
import { Duration, Effect, Random, type Context } from "effect"
import type { BackendNotConfigured } from "../../../schemas/errors/Coder.ts"
import * as Messages from "../../../tools/Messages.ts"
import type { Tool } from "../../../tools/Tool.ts"
import { Limits } from "../../config/Limits.ts"
import { once } from "../../time/Shared.ts"
import * as CallResult from "./CallResult.ts"

/** Tells the client that a call is alive, and for how many seconds it has been. */
export type Notify = (seconds: number) => Effect.Effect<void>

const signsOfLife = (notify: Notify) => {
  const step = Duration.toSeconds(Limits.progressInterval)
  const next = (seconds: number) => Effect.as(Effect.delay(notify(seconds), Limits.progressInterval), seconds + step)
  return Effect.iterate(step, { while: () => true, body: next })
}

const withSignsOfLife =
  (notify: Notify | undefined) =>
  <A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    notify === undefined
      ? call
      : Effect.flatMap(Effect.fork(signsOfLife(notify)), (fiber) =>
          Effect.ensuring(call, fiber.interruptAsFork(fiber.id()))
        )

const report = (tool: Tool<unknown>) => (cause: unknown) =>
  Effect.gen(function* () {
    const id = (yield* Random.nextIntBetween(0x1000_0000, 0xffff_ffff)).toString(16)
    yield* Effect.annotateLogs(Effect.logError("a tool call failed by a fault", cause), { tool: tool.name, id })
    return CallResult.defect(tool, id)
  })

/** Runs tool calls of one session: so many at once as `Limits` says, the others wait their turn. */
export const make = <R>(services: Effect.Effect<Context.Context<R>, BackendNotConfigured>) =>
  Effect.gen(function* () {
    const ready = yield* once(Effect.mapError(services, Messages.tell))
    const places = yield* Effect.makeSemaphore(Limits.concurrentCalls)
    return (tool: Tool<R>, args: unknown, notify: Notify | undefined): Effect.Effect<CallToolResult> =>
      ready.pipe(
        Effect.flatMap((context) => Effect.provide(tool.call(args), context)),
        Effect.match({
          onSuccess: CallResult.success,
          onFailure: (error) => CallResult.failure(tool, error)
        }),
        Effect.tap(({ isError = false }) =>
          Effect.annotateLogs(Effect.logDebug("tool call"), { tool: tool.name, isError })
        ),
        Effect.catchAllCause(report(tool)),
        Effect.flatMap(CallResult.bounded),
        places.withPermits(1),
        withSignsOfLife(notify),
        Effect.withSpan(`tools.${tool.name}`, { captureStackTrace: false })
      )
  })
