import { Context, Duration } from "effect"

/** How long the end of an agent's processes may take, and how often it is looked at. */
export class ProcessLimits extends Context.Reference<ProcessLimits>()(
  "fleet-mcp/layers/agenthost/process/ProcessLimits",
  {
    defaultValue: () => ({
      /** From SIGTERM to SIGKILL, usually. */
      interruptGrace: Duration.seconds(3),
      /** For the list of what runs in a group, and after SIGKILL for all of it to be gone. */
      killWait: Duration.seconds(1),
      /** Between two looks at the processes that were killed, when they are known. */
      killPoll: Duration.millis(2),
      /** Between two looks at all processes of the machine, when those of the group are not known. */
      searchPoll: Duration.millis(50),
      /** Between two looks for processes that left their group, after those found were killed, and how often. */
      strayPoll: Duration.millis(20),
      strayRounds: 100,
      /** How many of all processes of the machine are looked at at once. */
      strayLooks: 16
    })
  }
) {}
