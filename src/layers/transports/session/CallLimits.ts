import { Context, Duration } from "effect"

/** How tool calls of one session are run. */
export class CallLimits extends Context.Reference<CallLimits>()("fleet-mcp/layers/transports/session/CallLimits", {
  defaultValue: () => ({
    /** Calls at once; the others wait their turn. */
    concurrent: 16,
    /**
     * A call whose turn comes with less than this left of its time (or than half of it, where that is less) is not begun:
     * it could not settle what it sends.
     */
    leastTime: Duration.seconds(10),
    /** Waits open at once, beside those: they last long and do little. One more is refused at once. */
    waits: 32,
    /** Between two progress notifications of a call. */
    progress: Duration.seconds(2)
  })
}) {}
