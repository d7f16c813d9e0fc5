import { Duration } from "effect"

const MiB = 1024 * 1024

/** Every wait, size, page, queue and fan-out of the fleet, each with its meaning. Sizes are bytes. */
export const Limits = {
  /** One request to Coder. */
  requestTimeout: Duration.seconds(15),
  /** One message to an agent: AgentAPI may wait 20 s for the terminal. */
  messageTimeout: Duration.seconds(30),
  /** Attempts of a GET, the first included. */
  readAttempts: 3,
  readRetryBase: Duration.millis(100),
  readRetryCap: Duration.seconds(5),

  /** Bodies of lists and logs, and of everything else, after decompression. */
  largeBody: 16 * MiB,
  smallBody: 2 * MiB,

  /** Workspaces a page of a list, and pages fetched at once. */
  listPageSize: 100,
  listConcurrency: 8,
  /** Template versions looked up at once, and kept: they never change. */
  versionConcurrency: 4,
  versionCache: 1000,
  /** AgentAPI probes of a list: at once, and for all of them together. */
  probeConcurrency: 16,
  probeTimeout: Duration.millis(1500),

  /** How long cancel_agent_task waits to see the agent idle, and delete_agent for its build. */
  cancelWait: Duration.seconds(10),
  deleteWait: Duration.seconds(10),
  /** Lines of a build's log that are quoted. */
  quotedLogLines: 10,

  /** A shorter token is not taken out of what Coder says: it may be a word (characters). Coder's own have 33. */
  redactedToken: 12,

  /** A task, and a line and a text quoted from a server or an agent (characters). */
  taskBytes: MiB / 4,
  quotedText: 500,
  /** The text of an error (characters): some clients cut longer ones by themselves, and lose the end. */
  errorText: 8000,
  /** Message of an app status, in bytes: Coder refuses longer ones. */
  appStatusMessage: 160,

  /** Tool calls at once, and bytes of one line on stdin. */
  concurrentCalls: 16,
  stdinLine: 4 * MiB,
  /** Between two progress notifications of a call. */
  progressInterval: Duration.seconds(2),

  /** HTTP: all headers of a request, the whole request, and how often both are looked at. */
  httpHeadersTimeout: Duration.seconds(10),
  httpRequestTimeout: Duration.seconds(30),
  httpTimeoutCheck: Duration.seconds(2),
  /** A connection without a request: longer than the 60 s for which reverse proxies keep theirs. */
  httpKeepAlive: Duration.seconds(65),
  /** A connection on which nothing moves; answers that stream send a sign of life every 15 s. */
  httpSilence: Duration.seconds(60),
  httpConnections: 2048,
  httpHeaderSize: 16 * 1024,
  /** One message of a client: its bytes, how deep its JSON may be nested, and its lists, objects and commas in all. */
  httpBody: 4 * MiB,
  jsonDepth: 100,
  jsonParts: 10_000,
  /** The message that begins a session, in bytes: what a client says of itself is kept with it. */
  httpInitialize: 64 * 1024,
  /** What is still taken of the body of a request without a valid token, and for how long, so that it hears why. */
  httpRefusedRest: 64 * 1024,
  httpRefusedWait: Duration.seconds(1),
  /** Sessions at once; how long one may go unused, and how often that is looked at. */
  httpSessions: 1024,
  httpSessionIdle: Duration.hours(1),
  httpSessionSweep: Duration.minutes(1),
  /** Calls that wait for a place, for each client; calls at work or waiting, of all clients. */
  httpQueue: 64,
  httpCalls: 512,
  /** What a client that is refused for load is told to wait. */
  httpRetryAfter: Duration.seconds(1),
  /** After SIGTERM: for the calls at work to end, and for all of the process. */
  httpDrain: Duration.seconds(4),
  httpExit: Duration.millis(4800),

  /** When the client has gone: for the calls at work, and for all of the process. */
  exitCalls: Duration.millis(300),
  exitProcess: Duration.millis(800),
  /** One run of git. */
  gitTimeout: Duration.seconds(60),
  /** Reports kept for an agent. */
  appStatuses: 1000,
  /** How long what was seen of a project's folder counts, and how many folders are looked at at once. */
  projectInspection: Duration.seconds(1),
  projectConcurrency: 4,
  /** How long the embedded Coder waits for an agent to connect: Coder's default. */
  agentConnectTimeout: Duration.seconds(120),

  /** How often the token files are looked at: a rotation or revocation counts after this time. */
  tokenWatch: Duration.seconds(1),
  /** A token file: its contents, and further tokens in all. */
  tokenFile: 4096,
  namedTokens: 100,
  /** A longer Authorization header is refused unread. */
  authorizationHeader: 4096,
  /** Between two log lines about refusals; each says how many there were. */
  refusalLog: Duration.seconds(10),
  /** The longest life that a further token can be given. */
  tokenLife: Duration.days(3650),
  /** A token from the environment that is shorter draws a warning. */
  weakToken: 32
} as const
