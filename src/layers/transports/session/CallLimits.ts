import { Context, Duration } from "effect"

/** How tool calls of one session are run. */
export class CallLimits extends Context.Reference<CallLimits>()("fleet-mcp/layers/transports/session/CallLimits", {
  defaultValue: () => ({
    /** Calls at once; the others wait their turn. */
    concurrent: 16,
    /** Between two progress notifications of a call. */
    progress: Duration.seconds(2)
  })
}) {}
