import { Cause, Clock, Duration, Effect, Either, Exit, FastCheck, Option, TestClock } from "effect"
import { AgentService } from "../../src/layers/services/AgentService.ts"
import { TaskService } from "../../src/layers/services/TaskService.ts"
import { TimeLimits } from "../../src/layers/time/Deadline.ts"
import type { FleetServices } from "../../src/layers/FleetMcp.ts"
import type { FleetError } from "../../src/schemas/errors/FleetError.ts"
import type { Outcome } from "../../src/schemas/Outcome.ts"
import type { TaskDelivery } from "../../src/schemas/Task.ts"
import type { ModelBuild, ModelOptions, ModelWorkspace } from "../support/CoderModel.ts"
import { begin, elapse, inFleet, makeFleet, type TestFleet } from "../support/fleet.ts"
import {
  answer,
  answerAfter,
  delayed,
  dropAfter,
  dropBefore,
  hangAfter,
  hangBefore,
  html,
  json,
  processedLate,
  refused,
  truncatedAfter,
  type Fault
} from "../support/ScriptedCoder.ts"

// Random changes of a fleet whose way to Coder misbehaves at random, while another client works on the same agent. Each
// outcome is held against what the server knows.

const name = "bot"
const task = "Say hello, number 7"

/** What a fault proves to who meets it, and whether Coder has carried out the request when it is met. */
const faults = {
  pass: [(forward) => forward, "answered"],
  slow: [delayed("4 seconds"), "answered"],
  slower: [delayed("11 seconds"), "answered"],
  "no connection": [refused, "refused"],
  "403": [answer(json(403, { message: "no" })), "refused"],
  "429": [answer(json(429, { message: "later" }, { "retry-after": "3" })), "refused"],
  "own 500, nothing done": [answer(json(500, { message: "oops" })), "own error"],
  "own 500, done": [answerAfter(json(500, { message: "oops" })), "own error"],
  "dropped before": [dropBefore, "lost"],
  "hangs before": [hangBefore, "lost"],
  "gateway, nothing done": [answer(json(504, {})), "lost"],
  "520 in JSON, nothing done": [answer(json(520, { message: "no" })), "lost"],
  "page, nothing done": [answer(html(200)), "lost"],
  "dropped after": [dropAfter, "lost"],
  "hangs after": [hangAfter, "lost"],
  truncated: [truncatedAfter, "lost"],
  "gateway, done": [answerAfter(html(502)), "lost"],
  "another shape": [answerAfter(json(201, { id: [] })), "lost"],
  "done 3 s later": [processedLate("3 seconds", dropBefore), "lost"],
  "done 60 s later": [processedLate("60 seconds", dropBefore), "lost"]
} as const satisfies Record<string, readonly [Fault, "answered" | "refused" | "own error" | "lost"]>

type FaultName = keyof typeof faults

const isFault = (key: string): key is FaultName => key in faults
const faultNames = Object.keys(faults).filter(isFault)

export interface Operation {
  readonly act: "create" | "create and wait" | "create without prompt" | "restart" | "delete" | "start task" | "cancel"
  readonly before: "absent" | "idle" | "busy" | "stopped" | "failed" | "stopping" | "starting"
  readonly build: { readonly start: number; readonly stop: number; readonly delete: number }
  readonly results: Required<NonNullable<ModelOptions["results"]>>
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

export const operation: FastCheck.Arbitrary<Operation> = FastCheck.record({
  act: FastCheck.constantFrom<ReadonlyArray<Operation["act"]>[number]>(
    "create",
    "create and wait",
    "create without prompt",
    "restart",
    "restart",
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
    })
  )
})

interface Said {
  readonly outcome: Outcome
  readonly task: TaskDelivery | null
  readonly error: FleetError | null
  readonly message: string
}

const said = (outcome: Outcome, message: string, delivery: TaskDelivery | null = null): Said => ({
  outcome,
  message,
  task: delivery,
  error: null
})

const run = (act: Operation["act"]): Effect.Effect<Said, FleetError, FleetServices> =>
  Effect.gen(function* () {
    const agents = yield* AgentService
    const tasks = yield* TaskService
    switch (act) {
      case "create":
      case "create and wait":
      case "create without prompt": {
        const wait_ready = act === "create and wait"
        const made = yield* agents.create({ name, project: "claude-code", task, wait_ready })
        return said(made.outcome, made.message, made.task)
      }
      case "restart":
        return yield* Effect.map(agents.restart(name), ({ message, outcome }) => said(outcome, message))
      case "delete":
        return yield* Effect.map(agents.delete(name), ({ message, outcome }) => said(outcome, message))
      case "start task":
        return yield* Effect.map(tasks.start(name, task), ({ message, outcome }) => said(outcome, message))
      case "cancel":
        return yield* Effect.map(tasks.cancel(name), ({ message, outcome }) => said(outcome, message))
    }
  })

const arrange = ({ coder }: TestFleet, before: Operation["before"]): void => {
  if (before === "absent") return
  const row = coder.add(name)
  switch (before) {
    case "busy":
      row.agent.runningUntil = begin + 600_000
      return
    case "stopped":
      coder.build(row, "stop", begin - 60_000, { millis: 0, result: "succeeded" })
      return
    case "failed":
      coder.build(row, "start", begin - 60_000, { millis: 0, result: "failed" })
      return
    case "stopping":
      coder.build(row, "stop", begin - 500, { millis: 6000, result: "succeeded" })
      return
    case "starting":
      coder.build(row, "start", begin - 500, { millis: 6000, result: "succeeded" })
  }
}

/** What another client does, where Coder would let it. */
const interfere = ({ coder }: TestFleet, act: NonNullable<Operation["other"]>["act"], now: number): void => {
  const row = coder.named(name, now)
  if (act === "create") {
    if (row === undefined) coder.add(name, { at: now })
    return
  }
  if (row === undefined) return
  if (act === "prompt") {
    row.agent.messages.push({ id: row.agent.messages.length, role: "user", content: "of another", time: "" })
    row.agent.runningUntil = now + 5000
    return
  }
  const last = row.builds.at(-1)
  if (last !== undefined && now >= last.created + last.millis) coder.build(row, act, now, { millis: 2000 })
}

/** All that a Coder has noted of changes. */
interface Noted {
  readonly workspaces: ReadonlySet<ModelWorkspace>
  readonly builds: ReadonlySet<ModelBuild>
  readonly prompts: number
  readonly keys: number
}

const noted = ({ coder }: TestFleet): Noted => ({
  workspaces: new Set(coder.workspaces),
  builds: new Set(coder.workspaces.flatMap(({ builds }) => builds)),
  prompts: coder.workspaces.flatMap(({ agent }) => agent.messages).filter(({ content }) => content === task).length,
  keys: coder.workspaces.flatMap(({ agent }) => agent.keys).length
})

/** What an operation came to, beside what the server knows; `wrong` says where they disagree. */
export interface Judged {
  readonly said: Said
  readonly wrong: ReadonlyArray<string>
}

const isCreate = ({ act }: Operation): boolean => act.startsWith("create")

/** Carries out one operation in a fleet of its own, and holds its outcome against the server's record. */
export const judge = (op: Operation): Effect.Effect<Judged> => {
  const without = op.act === "create without prompt"
  const fleet = makeFleet(
    { buildMillis: op.build, results: op.results, ...(without ? { version: { parameters: [], presets: null } } : {}) },
    without ? { projects: ["claude-code"] } : {}
  )
  arrange(fleet, op.before)
  const { coder, proxy } = fleet
  const others = { workspaces: new Set(coder.workspaces), builds: noted(fleet).builds }
  const theirs = { workspaces: new Set(others.workspaces), builds: new Set(others.builds) }
  const met: Array<{ readonly fault: FaultName; readonly change: boolean }> = []
  proxy.on(/./, (forward, request) =>
    Effect.gen(function* () {
      const number = met.length
      const change = request.method !== "GET"
      const fault = (change ? op.changes[met.filter((one) => one.change).length] : op.met[number]) ?? "pass"
      met.push({ fault, change })
      if (op.other?.request === number) {
        const before = noted(fleet)
        interfere(fleet, op.other.act, yield* Clock.currentTimeMillis)
        const after = noted(fleet)
        for (const one of after.workspaces) if (!before.workspaces.has(one)) theirs.workspaces.add(one)
        for (const one of after.builds) if (!before.builds.has(one)) theirs.builds.add(one)
      }
      return yield* faults[fault][0](forward, request)
    })
  )

  return inFleet(
    fleet,
    Effect.gen(function* () {
      const limits = yield* TimeLimits
      const settle = Duration.min(limits.settle, Duration.seconds(op.time / 4))
      const within = { ...limits, change: Duration.seconds(op.time), settle }
      const { exit, took } = yield* elapse(Effect.either(Effect.provideService(run(op.act), TimeLimits, within)))
      const wrong: Array<string> = []
      if (Exit.isFailure(exit)) {
        return { said: said("unknown", Cause.pretty(exit.cause)), wrong: ["it failed by a fault of its own"] }
      }
      const now = yield* Clock.currentTimeMillis
      const answer = Either.match(exit.value, {
        onLeft: (error): Said => ({ outcome: error.outcome, message: error.message, task: null, error }),
        onRight: (one) => one
      })
      const atAnswer = noted(fleet)
      const statusAtAnswer = Option.map(Option.fromNullable(coder.workspaces[0]?.builds.at(-1)), (one) =>
        coder.status(one, now)
      )
      // Whatever is still on its way arrives.
      yield* TestClock.adjust("3 minutes")
      const after = noted(fleet)
      const ours = {
        workspaces: [...after.workspaces].filter((one) => !theirs.workspaces.has(one)),
        builds: [...after.builds].filter((one) => !theirs.builds.has(one))
      }
      const check = (agrees: boolean, what: string) => {
        if (!agrees) wrong.push(what)
      }
      const changes = met.filter(({ change }) => change)
      check(took <= op.time * 1000, `it took ${took} ms`)
      check(changes.length <= (op.act === "restart" || without ? 2 : 1), "it was sent more than once")

      const newer = (transition: ModelBuild["transition"]) =>
        [...atAnswer.builds].some((one) => one.transition === transition && !others.builds.has(one))
      if (answer.outcome === "not_applied") {
        check(ours.workspaces.length + ours.builds.length + after.prompts + after.keys === 0, "something was changed")
      }
      if (answer.outcome === "applied") {
        if (isCreate(op)) check(atAnswer.workspaces.size > others.workspaces.size, "nothing was created")
        else if (op.act === "delete") {
          check(newer("delete"), "no deletion was made")
          if (answer.error === null) check(Option.getOrNull(statusAtAnswer) === "deleted", "it is not deleted")
        } else if (op.act === "restart") {
          check(
            answer.error === null ? newer("start") : newer("stop") || newer("start"),
            "nothing was stopped or started"
          )
        } else if (op.act === "start task") check(atAnswer.prompts === 1, "the task did not arrive")
        else check(atAnswer.keys === 1, "no key arrived")
      }
      if (answer.task === "delivered") check(atAnswer.prompts === 1, "the first task did not arrive")
      if (answer.task === "not_delivered") check(after.prompts === 0, "the first task arrived all the same")

      if (answer.outcome === "unknown") {
        const lastChange = met.findLastIndex(({ change }) => change)
        const sent = met[lastChange]?.fault ?? "pass"
        const clean = met.slice(lastChange + 1).every(({ fault }) => fault === "pass") && op.time === 45
        const proof = faults[sent][1]
        const readable = op.act !== "start task" && op.act !== "cancel"
        check(lastChange >= 0, "nothing was sent, so nothing is unknown")
        check(proof !== "refused", "a refusal is proof")
        if (readable && clean && op.other === null) {
          const stillDeleting = op.act === "delete" && Option.getOrNull(statusAtAnswer) === "deleting"
          if (proof !== "lost") check(stillDeleting, "a read could tell")
          else if (ours.workspaces.length + ours.builds.length > 0 && sent !== "done 60 s later") {
            const seen = op.act === "restart" ? ours.builds.length === changes.length : true
            check(!seen || stillDeleting, "a read could have found it")
          }
        }
      }
      return { said: answer, wrong }
    })
  )
}
