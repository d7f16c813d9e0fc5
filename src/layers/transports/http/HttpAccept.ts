import type { IncomingMessage } from "node:http"

const stream = "text/event-stream"

/** Whether an `Accept` header allows a media type; what is most specific counts (RFC 9110, 12.5.1). */
const allows = (accept: string, type: string): boolean => {
  const ranges = accept
    .toLowerCase()
    .split(",")
    .map((range) => range.split(";").map((part) => part.trim()))
  const [parameters] = [type, type.replace(/\/.*/, "/*"), "*/*"].flatMap((wanted) =>
    ranges.filter(([name]) => name === wanted).slice(0, 1)
  )
  return parameters !== undefined && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))
}

/**
 * Names the media types of MCP's answers in the `Accept` of a request that allows them in other words, or says nothing:
 * the SDK looks for their names alone. Whoever leaves one of them out is still refused by the SDK (406).
 */
export const nameAccepted = (request: IncomingMessage): void => {
  const { accept } = request.headers
  const answers = request.method === "GET" ? [stream] : ["application/json", stream]
  if (accept !== undefined && !answers.every((type) => allows(accept, type))) return
  request.headers.accept = answers.join(", ")
  // Where the SDK's transport makes headers of its own, it makes them from these.
  request.rawHeaders.push("Accept", answers.join(", "))
}
