import type { Effect, Exit, Layer } from "effect"
import type { FleetServices } from "../../src/layers/FleetMcp.ts"
import type { Transition } from "../../src/schemas/coder/Builds.ts"
import type { Fault, Proxy } from "../support/ScriptedCoder.ts"
import type { Operation } from "./Operation.ts"
import type { FaultName } from "./WireFaults.ts"

/** What a server has noted of the agent that an operation is about, whoever asked for it. */
export interface Noted {
  /** The ids of the workspaces of that name, deleted ones too, oldest first. */
  readonly workspaces: ReadonlyArray<string>
  readonly builds: ReadonlyArray<{ readonly id: string; readonly transition: Transition }>
  /** How often the operation's task stands in a conversation. */
  readonly prompts: number
  /** Interrupt keys that an agent was given. */
  readonly keys: number
  /** Turns that ended by an interrupt; as many as keys where that cannot be told. */
  readonly interrupted: number
  /** Coder's word for the newest build of the oldest workspace; null where there is none. */
  readonly status: string | null
}

/** The ids of what somebody made. */
export interface Made {
  readonly workspaces: ReadonlyArray<string>
  readonly builds: ReadonlyArray<string>
}

/** A server for one operation, a fleet that reaches it through a proxy, and what the server has noted. */
export interface Backend {
  readonly agent: string
  readonly project: string
  readonly task: string
  readonly fleet: Layer.Layer<FleetServices>
  /** What a call of so many seconds has, and what it waits for. */
  readonly limits: (seconds: number) => Layer.Layer<never>
  readonly proxy: Proxy
  readonly faults: Readonly<Record<FaultName, Fault>>
  /** Brings the agent into the state that the operation finds. */
  readonly arrange: Effect.Effect<void>
  /** Does, as another client, what the server lets it do; tells what that made. */
  readonly interfere: (act: NonNullable<Operation["other"]>["act"]) => Effect.Effect<Made>
  readonly noted: Effect.Effect<Noted>
  /** Carries out a call. `millis` is what it took; null where a clock shows how busy the machine is, and nothing else. */
  readonly call: <A, E>(
    effect: Effect.Effect<A, E, FleetServices>
  ) => Effect.Effect<{ readonly exit: Exit.Exit<A, E>; readonly millis: number | null }, never, FleetServices>
  /** Waits until all that was asked for has reached the server, and was done or refused. */
  readonly quiet: Effect.Effect<void>
}
