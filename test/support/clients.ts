import { HttpClient } from "@effect/platform"
import { Cause, Effect, Exit, Layer, Logger, LogLevel, Option, Redacted } from "effect"
import { inspect } from "node:util"
import { AgentApiClient } from "../../src/layers/clients/AgentApiClient.ts"
import { CoderClient } from "../../src/layers/clients/CoderClient.ts"
import { CoderHttp } from "../../src/layers/clients/CoderHttp.ts"
import { CoderConfig } from "../../src/layers/config/CoderConfig.ts"
import { token } from "./CoderModel.ts"
import { makeRecorder } from "./Recorder.ts"

/** The clients of a Coder at `url`, over any way of speaking HTTP. */
export const clientsOver = (url: URL, client: Layer.Layer<HttpClient.HttpClient>) =>
  Layer.mergeAll(CoderClient.layer, AgentApiClient.layer).pipe(
    Layer.provide(CoderHttp.layer),
    Layer.provide([client, CoderConfig.layer({ url, sessionToken: Redacted.make(token) })])
  )

/** All that a run leaves behind: how it ended in every form of text, its spans and its logs. */
export const traces = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const seen: Array<string> = []
    const { logger, tracer } = makeRecorder((text) => seen.push(text))
    const exit = yield* effect.pipe(
      Effect.withSpan("test"),
      Effect.tapErrorCause((cause) => Effect.logError("it failed", cause)),
      Effect.exit,
      Effect.withTracer(tracer),
      Effect.withTracerEnabled(true),
      Effect.provide([Logger.replace(Logger.defaultLogger, logger), Logger.minimumLogLevel(LogLevel.All)])
    )
    return { exit, errors: Exit.isFailure(exit) ? wordsOf(exit.cause) : "", left: seen.join("\n") }
  })

const wordsOf = (cause: Cause.Cause<unknown>): string => {
  const error = Option.getOrUndefined(Cause.failureOption(cause))
  return [
    Cause.pretty(cause),
    String(error),
    JSON.stringify(error),
    JSON.stringify(cause),
    inspect(error, { depth: 12, showHidden: true }),
    inspect(cause, { depth: 12, showHidden: true }),
    error instanceof Error ? (error.stack ?? "") : ""
  ].join("\n")
}
