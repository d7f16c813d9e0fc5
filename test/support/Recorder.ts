import { Cause, Exit, Logger, Tracer } from "effect"
import { inspect } from "node:util"

/** A value with all that is in it, as text. */
const shown = (value: unknown): string =>
  inspect(value, { depth: 12, maxArrayLength: Infinity, maxStringLength: Infinity, breakLength: Infinity })

/** A tracer and a logger that tell `record` all that they are told: names, attributes, events, annotations, causes. */
export const makeRecorder = (record: (text: string) => void) => {
  let count = 0
  const tracer = Tracer.make({
    context: (run) => run(),
    span: (name, parent, context, links, startTime, kind) => {
      const attributes = new Map<string, unknown>()
      const span: Tracer.Span = {
        _tag: "Span",
        name,
        spanId: `${++count}`,
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
          record(`span ${name} ${key}=${shown(value)}`)
        },
        event: (event, _, attributes) => record(`span ${name} event ${event} ${shown(attributes)}`),
        addLinks: (links) => record(`span ${name} links ${shown(links)}`),
        end: (_, exit) =>
          record(
            Exit.isFailure(exit)
              ? `span ${name} failed ${Cause.pretty(exit.cause)} ${shown(exit)}`
              : `span ${name} succeeded`
          )
      }
      record(`span ${name}`)
      return span
    }
  })
  const logger = Logger.make(({ annotations, cause, logLevel, message, spans }) => {
    record(
      `log ${logLevel.label} ${shown(message)} ${Cause.pretty(cause)} ${shown(cause)} ${shown([...annotations])} ${shown([...spans])}`
    )
  })
  return { tracer, logger }
}
