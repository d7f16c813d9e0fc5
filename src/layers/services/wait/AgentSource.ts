import type { Effect, Option } from "effect"
import type { AgentStatus, Evidence } from "../../../schemas/Agent.ts"
import type { CoderFailure } from "../../../schemas/errors/Coder.ts"
import type { Wanted } from "../../repositories/AgentSurvey.ts"

/**
 * What a change is to who waits for an end. `first`: an agent that was there before is told for the first time, which is
 * no change; `return`: it is back in the status in which it was told before, without a turn, which is no end.
 */
export type Kind = "change" | "first" | "return"

/** A change of an agent. Positions rise from change to change. */
export interface AgentEvent {
  readonly position: number
  readonly kind: Kind
  /** Of the workspace. */
  readonly id: string
  readonly name: string
  readonly status: AgentStatus
  readonly evidence: Evidence
  readonly build: number
}

/** An agent that is there, and of which nothing was told yet. */
export interface Unseen {
  readonly id: string
  readonly name: string
}

/** What is known of all agents: how each stands, and what changed. */
export interface AgentHistory {
  /** Positions of another history mean nothing in this one: 8 hexadecimal digits. */
  readonly id: string
  /** The position of the newest change; 0 where nothing was seen yet. */
  readonly position: number
  /** How each agent stands, deleted ones included; of several that had a name, the newest. */
  readonly latest: ReadonlyArray<AgentEvent>
  /** Who is there and was never told. */
  readonly unseen: ReadonlyArray<Unseen>
  /** How often changes were missed, so that how agents stand tells more than what changed. */
  readonly losses: number
  readonly named: (name: string) => AgentEvent | undefined
  readonly unseenNamed: (name: string) => Unseen | undefined
  /** Whether the newest look could not tell of it. */
  readonly isUntold: (event: AgentEvent) => boolean
  /** Whether that it stands so was told later than in that number of `AgentSource.next`. */
  readonly isToldAfter: (event: AgentEvent, number: number) => boolean
  /** The changes after a position, oldest first. */
  readonly since: (position: number) => ReadonlyArray<AgentEvent>
}

/**
 * How far a client was told: what stands after `told` was not told yet, and what happens after `seen` is news. The two
 * differ where an answer had no room for all.
 */
export interface Place {
  readonly told: number
  readonly seen: number
}

/** Tells all who wait in this process what agents do. It rests while nobody waits. */
export interface AgentSource {
  readonly history: AgentHistory
  /** What was told up to now has no greater number. */
  readonly number: () => number
  /**
   * Done when what is known is from after `number` was asked for that number, or could not be got, which `blindness` tells;
   * answers its own number.
   */
  readonly renew: (number: number) => Effect.Effect<number>
  /** Done when something was told after that number, be it that nothing can be seen; answers its number. */
  readonly next: (number: number) => Effect.Effect<number>
  /** Why nothing can be seen just now; none where it can. */
  readonly blindness: () => Option.Option<CoderFailure>
  /** Keeps it going while an effect runs, for these agents and those of all others who wait. */
  readonly during: (wanted: Wanted) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** How these agents stand is not taken from what they said before. */
  readonly doubt: (wanted: Wanted) => Effect.Effect<void>
  /** Has all changes known after a place of a history, up to now; false where that cannot be. */
  readonly reaches: (history: string, place: Place) => Effect.Effect<boolean, CoderFailure>
}
