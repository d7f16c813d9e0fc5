import { Effect } from "effect"
import {
  answer,
  answerAfter,
  dropAfter,
  dropBefore,
  hangAfter,
  hangBefore,
  html,
  json,
  refused,
  truncatedAfter,
  type Fault
} from "../support/ScriptedCoder.ts"

// What can happen to a request between a fleet and its server.

/** What a fault proves to who meets it: that the request was carried out, or was not, or that the server is done. */
const proofs = {
  pass: "answered",
  slow: "answered",
  slower: "answered",
  "no connection": "refused",
  "403": "refused",
  "429": "refused",
  "own 500, nothing done": "own error",
  "own 500, done": "own error",
  "dropped before": "lost",
  "hangs before": "lost",
  "gateway, nothing done": "lost",
  "520 in JSON, nothing done": "lost",
  "page, nothing done": "lost",
  "dropped after": "lost",
  "hangs after": "lost",
  truncated: "lost",
  "gateway, done": "lost",
  "another shape": "lost",
  "done soon": "lost",
  "done late": "lost"
} as const satisfies Record<string, "answered" | "refused" | "own error" | "lost">

export type FaultName = keyof typeof proofs

const isFault = (key: string): key is FaultName => key in proofs
export const faultNames: ReadonlyArray<FaultName> = Object.keys(proofs).filter(isFault)
export const proofOf = (fault: FaultName): (typeof proofs)[FaultName] => proofs[fault]

/** How long the faults that take time take; each ends by itself. */
interface Pace {
  readonly slow: Effect.Effect<void>
  readonly slower: Effect.Effect<void>
  /** While what became of a change is still being found out. */
  readonly soon: Effect.Effect<void>
  /** When that is over. */
  readonly late: Effect.Effect<void>
  /** Seconds, of an answer 429. */
  readonly retryAfter: number
  /** Runs what a server does although nobody waits for it any more. */
  readonly detached: (work: Effect.Effect<void>) => Effect.Effect<void>
}

const heldFor =
  (time: Effect.Effect<void>): Fault =>
  (forward) =>
    Effect.zipRight(time, forward)

export const faultsAt = ({ detached, late, retryAfter, slow, slower, soon }: Pace): Record<FaultName, Fault> => {
  const doneAfter =
    (time: Effect.Effect<void>): Fault =>
    (forward, request) =>
      Effect.zipRight(detached(Effect.ignore(Effect.zipRight(time, forward))), dropBefore(forward, request))
  return {
    pass: (forward) => forward,
    slow: heldFor(slow),
    slower: heldFor(slower),
    "no connection": refused,
    "403": answer(json(403, { message: "no" })),
    "429": answer(json(429, { message: "later" }, { "retry-after": String(retryAfter) })),
    "own 500, nothing done": answer(json(500, { message: "oops" })),
    "own 500, done": answerAfter(json(500, { message: "oops" })),
    "dropped before": dropBefore,
    "hangs before": hangBefore,
    "gateway, nothing done": answer(json(504, {})),
    "520 in JSON, nothing done": answer(json(520, { message: "no" })),
    "page, nothing done": answer(html(200)),
    "dropped after": dropAfter,
    "hangs after": hangAfter,
    truncated: truncatedAfter,
    "gateway, done": answerAfter(html(502)),
    "another shape": answerAfter(json(201, { id: [] })),
    "done soon": doneAfter(soon),
    "done late": doneAfter(late)
  }
}
