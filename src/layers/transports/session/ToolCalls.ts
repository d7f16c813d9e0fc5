import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js"
import { Clock, Duration, Effect, Option, Random, type Context } from "effect"
import type { BackendNotConfigured } from "../../../schemas/errors/Coder.ts"
import type { Tool } from "../../../tools/Tool.ts"
import { Deadline, TimeLimits } from "../../time/Deadline.ts"
import { once } from "../../time/Shared.ts"
import * as CallResult from "./CallResult.ts"
import { CallLimits } from "./CallLimits.ts"

/** Tells the client that a call is alive, and for how many seconds it has been. */
export type Notify = (seconds: number) => Effect.Effect<void>

const signsOfLife = (notify: Notify, interval: Duration.Duration) => {
  const step = Duration.toSeconds(interval)
  const next = (seconds: number) => Effect.as(Effect.delay(notify(seconds), interval), seconds + step)
  return Effect.iterate(step, { while: () => true, body: next })
}

const withSignsOfLife =
  (notify: Notify | undefined, interval: Duration.Duration) =>
  <A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    notify === undefined
      ? call
      : Effect.flatMap(Effect.fork(signsOfLife(notify, interval)), (fiber) =>
          Effect.ensuring(call, fiber.interruptAsFork(fiber.id()))
        )

/** Innermost: the services' own context may hold a deadline of whoever made them. */
const by = (deadline: number) => Effect.provideService(Deadline, Option.some(deadline))

const report = (tool: Tool<unknown>) => (cause: unknown) =>
  Effect.gen(function* () {
    const id = (yield* Random.nextIntBetween(0x1000_0000, 0xffff_ffff)).toString(16)
    yield* Effect.annotateLogs(Effect.logError("a tool call failed by a fault", cause), { tool: tool.name, id })
    return CallResult.defect(tool, id)
  })

// Loaded when there is something to tell: the start of the program is without its words.
const told = (error: BackendNotConfigured) =>
  Effect.flatMap(
    Effect.promise(() => import("../../../tools/Messages.ts")),
    ({ tell }) => Effect.fail(tell(error))
  )

/**
 * Runs tool calls of one session: so many at once as `CallLimits` says, the others wait their turn. A call's time begins
 * when it arrives (`TimeLimits`): since those before it end by theirs, none waits longer than a call may take. One whose
 * turn comes too late is answered as busy.
 */
export const make = <R>(services: Effect.Effect<Context.Context<R>, BackendNotConfigured>) =>
  Effect.gen(function* () {
    const ready = yield* once(Effect.catchAll(services, told))
    const { concurrent, leastTime, progress } = yield* CallLimits
    const limits = yield* TimeLimits
    const atOnce = yield* Effect.makeSemaphore(concurrent)

    const run = (tool: Tool<R>, args: unknown, deadline: number) =>
      ready.pipe(
        Effect.flatMap((context) => Effect.provide(by(deadline)(tool.call(args)), context)),
        Effect.match({
          onSuccess: CallResult.success,
          onFailure: (error) => CallResult.failure(tool, error)
        }),
        Effect.tap(({ isError = false }) =>
          Effect.annotateLogs(Effect.logDebug("tool call"), { tool: tool.name, isError })
        ),
        Effect.catchAllCause(report(tool)),
        Effect.flatMap(CallResult.bounded)
      )

    return (tool: Tool<R>, args: unknown, notify: Notify | undefined): Effect.Effect<CallToolResult> =>
      Effect.flatMap(Clock.currentTimeMillis, (arrived) => {
        const time = Duration.toMillis(tool.hints.readOnlyHint ? limits.read : limits.change)
        const deadline = arrived + time
        const inTurn = Effect.flatMap(Clock.currentTimeMillis, (now) =>
          deadline - now < Math.min(Duration.toMillis(leastTime), time / 2)
            ? Effect.succeed(CallResult.busy(tool, Math.round((now - arrived) / 1000), concurrent))
            : run(tool, args, deadline)
        )
        return atOnce.withPermits(1)(inTurn)
      }).pipe(withSignsOfLife(notify, progress), Effect.withSpan(`tools.${tool.name}`, { captureStackTrace: false }))
  })
