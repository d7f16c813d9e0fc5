import { Context, Duration, Effect } from "effect"

/** How long the caller of a wait can bear it. Whoever serves a caller knows, and provides it to the call. */
export class WaitTime extends Context.Reference<WaitTime>()("fleet-mcp/layers/services/wait/WaitTime", {
  defaultValue: () => ({
    /** Without a time of its own. */
    usual: Duration.seconds(45),
    /** In any case: many clients give up at 60 s. */
    most: Duration.seconds(45)
  })
}) {}

/** Tells the caller of a wait where things stand, in a short sentence. Default: nobody is told. */
export class WaitProgress extends Context.Reference<WaitProgress>()(
  "fleet-mcp/layers/services/wait/WaitTime/WaitProgress",
  {
    defaultValue: () => ({ tell: (_message: string): Effect.Effect<void> => Effect.void })
  }
) {}
