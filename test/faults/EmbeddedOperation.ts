import { FastCheck } from "effect"
import type { EmbeddedFaults } from "../support/EmbeddedFaults.ts"
import { operation, type Operation } from "./Operation.ts"

type AgentFault = NonNullable<EmbeddedFaults["agents"]>[number]["fault"]
type AppFault = NonNullable<EmbeddedFaults["apps"]>[number]["fault"]

const storeOperations = [
  "insertWorkspace",
  "insertBuild",
  "updateJob",
  "setWorktree",
  "insertAgent",
  "updateAgent",
  "setFirstPrompt",
  "read"
] as const

/** An operation, and what goes wrong inside of the embedded Coder that it is carried out by. */
export interface EmbeddedOperation extends Operation {
  /** What becomes of the agents that come up: already in the state that is found, or after that. */
  readonly agentFault: { readonly from: "before" | "after"; readonly fault: AgentFault } | null
  readonly appFault: { readonly from: "before" | "after"; readonly fault: AppFault } | null
  /** What the store fails in, until so many requests have come. */
  readonly storeFault: { readonly operation: (typeof storeOperations)[number]; readonly requests: number } | null
}

const from = FastCheck.constantFrom("before" as const, "after" as const)

/** Once in so many times. */
const seldom = <A>(times: number, arbitrary: FastCheck.Arbitrary<A>): FastCheck.Arbitrary<A | null> =>
  FastCheck.oneof({ weight: times - 1, arbitrary: FastCheck.constant(null) }, { weight: 1, arbitrary })

export const embeddedOperation: FastCheck.Arbitrary<EmbeddedOperation> = FastCheck.tuple(
  operation,
  FastCheck.record({
    agentFault: seldom(
      6,
      FastCheck.record({
        from,
        fault: FastCheck.constantFrom<ReadonlyArray<AgentFault>[number]>(
          "never_connects",
          "disconnected",
          "start_error"
        )
      })
    ),
    appFault: seldom(
      8,
      FastCheck.record({ from, fault: FastCheck.constantFrom<ReadonlyArray<AppFault>[number]>("missing", "unhealthy") })
    ),
    storeFault: seldom(
      5,
      FastCheck.record({
        operation: FastCheck.constantFrom(...storeOperations),
        requests: FastCheck.constantFrom(3, 10, Infinity)
      })
    )
  })
).map(([one, faults]) => ({ ...one, ...faults }))
