import { HttpClient } from "@effect/platform"
import { Clock, Duration, Effect, Exit, Fiber, Layer, Option, Redacted, TestClock } from "effect"
import { CoderConfig } from "../../src/layers/config/CoderConfig.ts"
import { FleetConfig, type FleetOptions } from "../../src/layers/config/FleetConfig.ts"
import * as FleetMcp from "../../src/layers/FleetMcp.ts"
import { CoderModel, token, type ModelOptions } from "./CoderModel.ts"
import { clientOf, Proxy } from "./ScriptedCoder.ts"

/** When the tests of a fleet begin. */
export const begin = Date.UTC(2026, 0, 1)

/** A fleet over a Coder in memory, with a proxy between the two. */
export interface TestFleet {
  readonly coder: CoderModel
  readonly proxy: Proxy
  readonly layer: Layer.Layer<FleetMcp.FleetServices>
}

export const url = new URL("http://coder.test")

export const fleetOver = (
  client: HttpClient.HttpClient,
  options: FleetOptions = {},
  sessionToken: Redacted.Redacted = Redacted.make(token)
) =>
  FleetMcp.layer.pipe(
    Layer.provide([
      Layer.succeed(HttpClient.HttpClient, client),
      CoderConfig.layer({ url, sessionToken }),
      FleetConfig.layer(options)
    ])
  )

export const makeFleet = (model: ModelOptions = {}, options: FleetOptions = {}): TestFleet => {
  const coder = new CoderModel(model)
  const proxy = new Proxy()
  return { coder, proxy, layer: fleetOver(proxy.inFrontOf(clientOf(coder.handler)), options) }
}

/** The end of an effect, and the milliseconds it took. */
export interface Ended<A, E> {
  readonly exit: Exit.Exit<A, E>
  readonly took: number
}

/** Lets virtual time pass until the effect has ended. */
export const elapse = <A, E, R>(effect: Effect.Effect<A, E, R>, limit: Duration.DurationInput = "2 minutes") =>
  Effect.gen(function* () {
    const start = yield* Clock.currentTimeMillis
    const fiber = yield* effect.pipe(
      Effect.exit,
      Effect.flatMap((exit) =>
        Effect.map(Clock.currentTimeMillis, (end): Ended<A, E> => ({ exit, took: end - start }))
      ),
      Effect.fork
    )
    for (let step = 0, passed = 0; passed <= Duration.toMillis(limit); step = Math.min(4000, 2 * step + 250)) {
      yield* TestClock.adjust(step)
      const ended = yield* Fiber.poll(fiber)
      if (Option.isSome(ended)) return yield* ended.value
      passed += step
    }
    return yield* Effect.dieMessage(`not ended within ${Duration.format(limit)} of virtual time`)
  })

/** What an effect came to, after as much virtual time as it wants. */
export const settle = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.flatMap(elapse(effect), ({ exit }) => exit)

/** How an effect failed. */
export const failure = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.flip(settle(effect))

/** Runs a test at `begin`, in a fleet of its own. */
export const inFleet = <A, E, R>(fleet: TestFleet, effect: Effect.Effect<A, E, R>) =>
  Effect.zipRight(TestClock.setTime(begin), effect).pipe(Effect.provide(fleet.layer))
