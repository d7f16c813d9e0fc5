import type { AgentStatus } from "../../../schemas/Agent.ts"
import type { Until } from "./matches.ts"
import type { WaitedAgent } from "./Telling.ts"

export interface WaitRequest {
  /** Which agents; all by default, those created meanwhile included. */
  readonly names?: ReadonlyArray<string> | undefined
  readonly until: Until
  /** One of them, or all. */
  readonly mode: "any" | "all"
  /** At most so long; at most as long as the caller can bear (`WaitTime`). */
  readonly seconds?: number | undefined
  /** Of the answer before: what changed since is told, also what changed before this call. */
  readonly cursor?: string | undefined
}

export interface WaitAnswer {
  /** Whether what was waited for has come; else the time is over. */
  readonly done: boolean
  /** What changed, the oldest change first; where it is not done, how the agents stand. */
  readonly agents: ReadonlyArray<WaitedAgent>
  /** How many agents changed, or stand, that are not told here. */
  readonly more: number
  /** How many agents have come to what was waited for, of how many. */
  readonly reached: number
  readonly waited_for: number
  /** A look has shown that there is no agent at all. */
  readonly isEmpty: boolean
  /** How many agents have each status now. */
  readonly standing: ReadonlyArray<readonly [AgentStatus, number]>
  /** Seconds that it took, and that it might have taken. */
  readonly waited: number
  readonly limit: number
  /** What could not be seen, and why; what the cursor was not good for; else `""`. */
  readonly note: string
  readonly cursor: string
}
