import { FastCheck } from "effect"
import type { Transition } from "../../src/schemas/coder/Builds.ts"
import { faultNames, type FaultName } from "./WireFaults.ts"

// Random changes of a fleet whose way to its server misbehaves at random, while another client works on the same agent.

export interface Operation {
  readonly act:
    "create" | "create and wait" | "create without prompt" | "restart" | "stop" | "delete" | "start task" | "cancel"
  readonly before: "absent" | "idle" | "busy" | "stopped" | "failed" | "stopping" | "starting"
  /** How long builds take: milliseconds, or as a server without a clock of its own takes them. */
  readonly build: Readonly<Record<Transition, number>>
  readonly results: Readonly<Record<Transition, "succeeded" | "failed">>
  /** Seconds of the call. */
  readonly time: number
  /** What the requests that change something meet, in their order; then all pass. */
  readonly changes: ReadonlyArray<FaultName>
  /** What those that read meet, counted among all requests; then all pass. */
  readonly met: ReadonlyArray<FaultName>
  /** What another client does right before the request of that number. */
  readonly other: { readonly request: number; readonly act: "start" | "stop" | "delete" | "create" | "prompt" } | null
}

const result = FastCheck.constantFrom(
  "succeeded" as const,
  "succeeded" as const,
  "succeeded" as const,
  "failed" as const
)
const millis = FastCheck.constantFrom(0, 1000, 4000, 12_000, 40_000)
/** A fault of any kind; so many times as often none. */
const anyFault = (passes: number): FastCheck.Arbitrary<FaultName> =>
  FastCheck.oneof(
    { weight: passes, arbitrary: FastCheck.constant<FaultName>("pass") },
    { weight: 2, arbitrary: FastCheck.constantFrom(...faultNames) }
  )

/** The state in which an act gets furthest; null where that is any. */
const fitting: Readonly<Record<Operation["act"], Operation["before"] | null>> = {
  create: "absent",
  "create and wait": "absent",
  "create without prompt": "absent",
  restart: null,
  stop: null,
  delete: null,
  "start task": "idle",
  cancel: "busy"
}

export const operation: FastCheck.Arbitrary<Operation> = FastCheck.record<Operation & { readonly fits: boolean }>({
  fits: FastCheck.constantFrom(true, true, false),
  act: FastCheck.constantFrom(
    "create",
    "create and wait",
    "create without prompt",
    "restart",
    "restart",
    "stop",
    "delete",
    "start task",
    "cancel"
  ),
  before: FastCheck.constantFrom("absent", "idle", "idle", "busy", "stopped", "failed", "stopping", "starting"),
  build: FastCheck.record({ start: millis, stop: millis, delete: millis }),
  results: FastCheck.record({ start: result, stop: result, delete: result }),
  time: FastCheck.constantFrom(45, 45, 20, 10),
  changes: FastCheck.array(anyFault(2), { maxLength: 2 }),
  met: FastCheck.oneof(
    FastCheck.constant([]),
    FastCheck.array(anyFault(8), { minLength: 0, maxLength: 30, size: "max" })
  ),
  other: FastCheck.option(
    FastCheck.record({
      request: FastCheck.nat(14),
      act: FastCheck.constantFrom("start", "stop", "delete", "create", "prompt")
    }),
    { freq: 1 }
  )
}).map(({ before, fits, ...rest }) => ({ ...rest, before: (fits ? fitting[rest.act] : null) ?? before }))

export const isCreate = ({ act }: Operation): boolean => act.startsWith("create")

export const isWithoutPrompt = ({ act }: Operation): boolean => act === "create without prompt"
