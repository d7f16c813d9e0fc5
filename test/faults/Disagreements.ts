import type { Transition } from "../../src/schemas/coder/Builds.ts"
import type { FleetError } from "../../src/schemas/errors/FleetError.ts"
import type { Outcome } from "../../src/schemas/Outcome.ts"
import type { TaskDelivery } from "../../src/schemas/Task.ts"
import type { Noted } from "./Backend.ts"
import { isCreate, isWithoutPrompt, type Operation } from "./Operation.ts"
import { proofOf, type FaultName } from "./WireFaults.ts"

/** What a call said of its change. */
export interface Said {
  readonly outcome: Outcome
  readonly task: TaskDelivery | null
  readonly error: FleetError | null
  readonly message: string
}

/** A request of the fleet, and what it met. */
export interface Met {
  readonly fault: FaultName
  readonly change: boolean
  readonly path: string
  /** All changes that were sent before were on record when it came. */
  readonly isAfter: boolean
  /** The status with which the server's own answer came through. */
  answered: number | null
}

/** All that an operation is judged by. */
interface Facts {
  readonly op: Operation
  readonly answer: Said
  readonly met: ReadonlyArray<Met>
  /** What was on record before, when the answer came, and when all was over. */
  readonly before: Noted
  readonly atAnswer: Noted
  readonly after: Noted
  /** The ids of what was there before, and of what others made. */
  readonly others: ReadonlySet<string>
  /** What the call took; null where that is not judged. */
  readonly millis: number | null
}

/** How much is on record without what others made. */
export const without = ({ builds, workspaces }: Noted, others: ReadonlySet<string>): number =>
  workspaces.filter((id) => !others.has(id)).length + builds.filter(({ id }) => !others.has(id)).length

const isNewer = ({ atAnswer, before }: Facts, transition: Transition): boolean =>
  atAnswer.builds.some((one) => one.transition === transition && !before.builds.some(({ id }) => id === one.id))

type Check = (agrees: boolean, what: string) => void

const checkApplied = (facts: Facts, check: Check): void => {
  const { answer, atAnswer, before, op } = facts
  const failed = answer.error !== null
  if (isCreate(op)) check(atAnswer.workspaces.length > before.workspaces.length, "nothing was created")
  else if (op.act === "delete") {
    check(isNewer(facts, "delete"), "no deletion was made")
    check(failed || atAnswer.status === "deleted", "it is not deleted")
  } else if (op.act === "stop") {
    check(isNewer(facts, "stop"), "no stop was made")
    check(failed || op.other !== null || atAnswer.status === "stopped", "it is not stopped")
  } else if (op.act === "restart") {
    const started = isNewer(facts, "start")
    check(started || (failed && isNewer(facts, "stop")), "nothing was stopped or started")
  } else if (op.act === "start task") check(atAnswer.prompts === 1, "the task did not arrive")
  else {
    check(atAnswer.keys === 1, "no key arrived")
    const ended = op.other !== null && (isNewer(facts, "stop") || isNewer(facts, "delete") || isNewer(facts, "start"))
    check(ended || atAnswer.interrupted === 1, "no turn was interrupted")
  }
}

/** A deletion or a stop is done when its build is, which its time may not have been enough for. */
const isStillAtWork = ({ act }: Operation, { status }: Noted): boolean =>
  (act === "delete" && status === "deleting") || (act === "stop" && status === "stopping")

/**
 * Where an outcome is unknown, no read may have told it. A look that told it was taken in where the very next request is
 * another look at the same place, and it had no limit of its own that cut it off. More can be said on a clock that shows
 * nothing but the call's own waits: there an answer that came was taken in, and a call with enough time and no fault
 * after its change has looked.
 */
const checkUnknown = ({ answer, atAnswer, after, met, millis, op, others }: Facts, check: Check): void => {
  const sent = met.findLastIndex(({ change }) => change)
  const proof = proofOf(met[sent]?.fault ?? "pass")
  // Real time may be over between any two steps; what was seen up to there is not told by it.
  const isCutOff = millis === null && answer.error?._tag === "DeadlineExceeded"
  check(sent >= 0 || isCutOff, "nothing was sent, so nothing is unknown")
  check(proof !== "refused" || isCutOff, "a refusal is proof")
  if (op.act === "start task" || op.act === "cancel" || isStillAtWork(op, atAnswer)) return
  // A workspace without a prompt parameter holds nothing that tells whose create it is.
  if (op.act === "create without prompt" && proof === "lost") return

  const later = met.slice(sent + 1)
  const status = met[sent]?.answered ?? 0
  // An answer tells that a deletion or a stop began; of its end tell the looks at its build.
  const isTold =
    status >= 200 && status < 300 && later.length > 0 && op.act !== "delete" && op.act !== "stop" && millis !== null
  check(!isTold, "its answer told it")
  const place = isCreate(op) ? /\/users\/me\/workspace\/[^/]+$/ : /\/workspaces\/[^/]+$/
  const tells = ({ answered, isAfter, path }: Met) =>
    place.test(path) && (answered === 200 || answered === 404) && (isAfter || proof === "own error")
  const isIgnored = later.some((look, index) => tells(look) && place.test(later[index + 1]?.path ?? ""))
  check(!isIgnored, "a look told it")

  const isUndisturbed = millis !== null && later.every(({ fault }) => fault === "pass") && op.time === 45
  if (!isUndisturbed || op.other !== null) return
  if (proof !== "lost") check(false, "a read could tell")
  else if (without(after, others) > 0 && met[sent]?.fault !== "done late") {
    const changes = met.filter(({ change }) => change).length
    check(op.act === "restart" && without(after, others) !== changes, "a read could have found it")
  }
}

/** Where an outcome says something else than the server's record. */
export const disagreements = (facts: Facts): ReadonlyArray<string> => {
  const { after, answer, atAnswer, met, millis, op, others } = facts
  const wrong: Array<string> = []
  const check: Check = (agrees, what) => {
    if (!agrees) wrong.push(what)
  }
  check(millis === null || millis <= op.time * 1000, `it took ${millis} ms`)
  const changes = met.filter(({ change }) => change).length
  check(changes <= (op.act === "restart" || isWithoutPrompt(op) ? 2 : 1), "it was sent more than once")
  if (answer.outcome === "not_applied") {
    check(without(after, others) + after.prompts + after.keys === 0, "something was changed")
  }
  if (answer.outcome === "applied") checkApplied(facts, check)
  if (answer.outcome === "unknown") checkUnknown(facts, check)
  if (answer.task === "delivered") check(atAnswer.prompts === 1, "the first task did not arrive")
  if (answer.task === "not_delivered") check(after.prompts === 0, "the first task arrived all the same")
  return wrong
}
