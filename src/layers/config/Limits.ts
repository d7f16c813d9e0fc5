import { Duration } from "effect"

const MiB = 1024 * 1024

/** Every wait, size, page, queue and fan-out of the fleet, each with its meaning. Sizes are bytes. */
export const Limits = {
  /** Workspaces a page of a list, and pages fetched at once. */
  listPageSize: 100,
  listConcurrency: 8,
  /** AgentAPI probes of a list: at once, and for all of them together. */
  probeConcurrency: 16,
  probeTimeout: Duration.millis(1500),

  /** How long cancel_agent_task waits to see the agent idle. */
  cancelWait: Duration.seconds(10),

  /** A task, in UTF-8. */
  taskBytes: MiB / 4,
  /** A text quoted from a server or an agent (characters). */
  quotedText: 500,
  /** Message of an app status, in bytes: Coder refuses longer ones. */
  appStatusMessage: 160,

  /** Tool calls at once, and bytes of one line on stdin. */
  concurrentCalls: 16,
  stdinLine: 4 * MiB,
  /** Between two progress notifications of a call. */
  progressInterval: Duration.seconds(2),

  /** How long what was seen of a project's folder counts, and how many folders are looked at at once. */
  projectInspection: Duration.seconds(1),
  projectConcurrency: 4
} as const
