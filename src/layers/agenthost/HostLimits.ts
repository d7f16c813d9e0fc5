import { Context, Duration } from "effect"

const KiB = 1024
const MiB = 1024 * KiB

/** What an agent host keeps, and how long it waits. Sizes are bytes of the text as JSON, which is how it is read. */
export class HostLimits extends Context.Reference<HostLimits>()("fleet-mcp/layers/agenthost/HostLimits", {
  defaultValue: () => ({
    /** One line of output; the rest of a longer one is left out. */
    outputLine: 64 * KiB,
    /**
     * One message: the output of a turn, or a prompt. Of a longer one the beginning and the end are kept, half of this
     * each. The largest task of the fleet fits even if all of it must be escaped (256 KiB, 6 bytes for each).
     */
    message: 2 * MiB,
    /** All messages of a conversation; the oldest go first. Readers take at most 16 MiB. */
    conversation: 8 * MiB,
    /** One part of a message, which is kept as it came: output that came together is one, up to this. */
    part: 64 * KiB,
    /** A part that is stored is stored again with what comes after it, up to this: short lines are not a part each. */
    smallPart: 4 * KiB,
    /** Tasks of an agent that wait for their turn. */
    queue: 20,
    /** Until the next of them is tried again, where it could not be stored that it begins. */
    queueRetry: Duration.seconds(5),
    /** From SIGTERM to SIGKILL for an agent's processes when the server is exiting. */
    exitGrace: Duration.millis(300)
  })
}) {}
