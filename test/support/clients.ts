import { HttpClient } from "@effect/platform"
import { Cause, Effect, Exit, Layer, Logger, Option, Redacted, Tracer } from "effect"
import { inspect } from "node:util"
import { AgentApiClient } from "../../src/layers/clients/AgentApiClient.ts"
import { CoderClient } from "../../src/layers/clients/CoderClient.ts"
import { CoderHttp } from "../../src/layers/clients/CoderHttp.ts"
import { CoderConfig } from "../../src/layers/config/CoderConfig.ts"
import { token } from "./CoderModel.ts"

/** The clients of a Coder at `url`, over any way of speaking HTTP. */
export const clientsOver = (url: URL, client: Layer.Layer<HttpClient.HttpClient>) =>
  Layer.mergeAll(CoderClient.layer, AgentApiClient.layer).pipe(
    Layer.provide(CoderHttp.layer),
    Layer.provide([client, CoderConfig.layer({ url, sessionToken: Redacted.make(token) })])
  )

/** All that a run leaves behind: how it ended in every form of text, its spans and its logs. */
export const traces = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const seen: Array<unknown> = []
    const tracer = Tracer.make({
      context: (run) => run(),
      span: (name, parent, context, links, startTime, kind) => {
        const attributes = new Map<string, unknown>()
        const span: Tracer.Span = {
          _tag: "Span",
          name,
          spanId: `${seen.length}`,
          traceId: "trace",
          parent,
          context,
          links,
          kind,
          sampled: true,
          status: { _tag: "Started", startTime },
          attributes,
          attribute: (key, value) => {
            attributes.set(key, value)
            seen.push([name, key, value])
          },
          event: (event, _, attributes) => seen.push([name, event, attributes]),
          addLinks: () => undefined,
          end: (_, exit) =>
            seen.push([
              name,
              Exit.isFailure(exit) ? [Cause.pretty(exit.cause), inspect(exit, { depth: 9 })] : "success"
            ])
        }
        seen.push(name)
        return span
      }
    })
    const logger = Logger.make(({ annotations, cause, message }) => {
      seen.push(["log", inspect(message, { depth: 9 }), Cause.pretty(cause), [...annotations]])
    })
    const exit = yield* effect.pipe(
      Effect.withSpan("test"),
      Effect.tapErrorCause((cause) => Effect.logError("it failed", cause)),
      Effect.exit,
      Effect.withTracer(tracer),
      Effect.withTracerEnabled(true),
      Effect.provide(Logger.replace(Logger.defaultLogger, logger))
    )
    return { exit, errors: Exit.isFailure(exit) ? wordsOf(exit.cause) : "", left: inspect(seen, { depth: 12 }) }
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
