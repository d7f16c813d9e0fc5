import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js"
import { Clock, Duration, Effect, Option, Random, type Context } from "effect"
import type { BackendNotConfigured } from "../../../schemas/errors/Coder.ts"
import type { Tool } from "../../../tools/Tool.ts"
import { Deadline, TimeLimits } from "../../time/Deadline.ts"
import { once } from "../../time/Shared.ts"
import { WaitProgress, WaitTime } from "../../services/wait/WaitTime.ts"
import * as CallResult from "./CallResult.ts"
import { CallLimits } from "./CallLimits.ts"
import type { Patience } from "./Patience.ts"

/** Tells the client that a call is alive, for how many seconds it has been, and what there is to say. */
export type Notify = (seconds: number, message?: string) => Effect.Effect<void>

/** Who has called: how it is told of progress, if it wants that, and how long it can bear to wait. */
export interface CallerOfTool {
  readonly notify: Notify | undefined
  readonly patience: Patience
}

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

/** The same for a wait, which has no deadline but the patience of its caller. */
const waitingFor =
  ({ notify, patience }: CallerOfTool, arrived: number) =>
  <A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    call.pipe(
      Effect.provideService(Deadline, Option.none()),
      Effect.provideService(WaitTime, patience),
      Effect.provideService(WaitProgress, {
        tell: (message) =>
          notify === undefined
            ? Effect.void
            : Effect.flatMap(Clock.currentTimeMillis, (now) => notify(Math.floor((now - arrived) / 1000), message))
      })
    )

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
 * turn comes too late is answered as busy. Waits run beside them, as long as their callers can bear, and have a bound of
 * their own: one too many is answered as busy at once.
 */
export const make = <R>(services: Effect.Effect<Context.Context<R>, BackendNotConfigured>) =>
  Effect.gen(function* () {
    const ready = yield* once(Effect.catchAll(services, told))
    const { concurrent, leastTime, progress, waits } = yield* CallLimits
    const limits = yield* TimeLimits
    const atOnce = yield* Effect.makeSemaphore(concurrent)
    const waitsAtOnce = yield* Effect.makeSemaphore(waits)

    const run = (
      tool: Tool<R>,
      args: unknown,
      within: <A, E>(call: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
    ) =>
      ready.pipe(
        Effect.flatMap((context) => Effect.provide(within(tool.call(args)), context)),
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

    const wait = (tool: Tool<R>, args: unknown, caller: CallerOfTool) =>
      Effect.flatMap(Clock.currentTimeMillis, (arrived) =>
        waitsAtOnce.withPermitsIfAvailable(1)(run(tool, args, waitingFor(caller, arrived)))
      ).pipe(Effect.map(Option.getOrElse(() => CallResult.tooManyWaits(tool, waits))))

    const callInTurn = (tool: Tool<R>, args: unknown, notify: Notify | undefined) =>
      Effect.flatMap(Clock.currentTimeMillis, (arrived) => {
        const time = Duration.toMillis(tool.hints.readOnlyHint ? limits.read : limits.change)
        const deadline = arrived + time
        const inTurn = Effect.flatMap(Clock.currentTimeMillis, (now) =>
          deadline - now < Math.min(Duration.toMillis(leastTime), time / 2)
            ? Effect.succeed(CallResult.busy(tool, Math.round((now - arrived) / 1000), concurrent))
            : run(tool, args, by(deadline))
        )
        return atOnce.withPermits(1)(inTurn)
      }).pipe(withSignsOfLife(notify, progress))

    return (tool: Tool<R>, args: unknown, caller: CallerOfTool): Effect.Effect<CallToolResult> =>
      (tool.waits ? wait(tool, args, caller) : callInTurn(tool, args, caller.notify)).pipe(
        Effect.withSpan(`tools.${tool.name}`, { captureStackTrace: false })
      )
  })
