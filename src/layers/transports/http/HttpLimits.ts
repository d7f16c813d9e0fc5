import { Context, Duration } from "effect"

const KiB = 1024
const MiB = 1024 * KiB

/** What clients over HTTP may send, keep and wait for. Sizes are bytes. Read once, when a server is made. */
export class HttpLimits extends Context.Reference<HttpLimits>()("fleet-mcp/layers/transports/http/HttpLimits", {
  defaultValue: () => ({
    /** All headers of a request, and the whole request. */
    headersTimeout: Duration.seconds(10),
    requestTimeout: Duration.seconds(30),
    /** How often both are looked at. */
    timeoutCheck: Duration.seconds(2),
    /** A connection without a request: longer than the 60 s for which reverse proxies keep theirs. */
    keepAlive: Duration.seconds(65),
    /** A connection on which nothing moves; answers that stream send a sign of life every 15 s. */
    silence: Duration.seconds(60),
    connections: 2048,
    headerSize: 16 * KiB,
    /** One message of a client: its bytes, how deep its JSON may be nested, and its lists, objects and commas in all. */
    message: 4 * MiB,
    jsonDepth: 100,
    jsonParts: 10_000,
    /** The message that begins a session: what a client says of itself is kept with it. */
    initialize: 64 * KiB,
    /** What is still taken of the body of a request that is refused early, and for how long, so that it hears why. */
    refusedRest: 64 * KiB,
    refusedWait: Duration.seconds(1),
    /** Sessions at once; how long one may go unused, and how often that is looked at. */
    sessions: 1024,
    sessionIdle: Duration.hours(1),
    sessionSweep: Duration.minutes(1),
    /** Calls of one session that wait for their turn; calls at work or waiting, of all sessions. */
    queue: 64,
    calls: 512,
    /** Waits open at once, of all sessions; each holds a connection, of which the calls have the rest. */
    waits: 1024,
    /** What a client that is refused for load is told to wait. */
    retryAfter: Duration.seconds(1),
    /** For the calls at work to end, when the server is told to. */
    drain: Duration.seconds(4)
  })
}) {}
