import { Cause, Effect, Either, Exit } from "effect"
import type { FleetServices } from "../../src/layers/FleetMcp.ts"
import { AgentService } from "../../src/layers/services/AgentService.ts"
import { TaskService } from "../../src/layers/services/TaskService.ts"
import type { FleetError } from "../../src/schemas/errors/FleetError.ts"
import type { Outcome } from "../../src/schemas/Outcome.ts"
import type { TaskDelivery } from "../../src/schemas/Task.ts"
import type { Backend } from "./Backend.ts"
import { disagreements, without, type Met, type Said } from "./Disagreements.ts"
import type { Operation } from "./Operation.ts"
import { proofOf } from "./WireFaults.ts"

const said = (outcome: Outcome, message: string, delivery: TaskDelivery | null = null): Said => ({
  outcome,
  message,
  task: delivery,
  error: null
})

const run = (
  { act }: Operation,
  { agent: name, project, task }: Backend
): Effect.Effect<Said, FleetError, FleetServices> =>
  Effect.gen(function* () {
    const agents = yield* AgentService
    const tasks = yield* TaskService
    switch (act) {
      case "create":
      case "create and wait":
      case "create without prompt": {
        const made = yield* agents.create({ name, project, task, wait_ready: act === "create and wait" })
        return said(made.outcome, made.message, made.task)
      }
      case "restart":
        return yield* Effect.map(agents.restart(name), ({ message, outcome }) => said(outcome, message))
      case "stop":
        return yield* Effect.map(agents.stop(name), ({ message, outcome }) => said(outcome, message))
      case "delete":
        return yield* Effect.map(agents.delete(name), ({ message, outcome }) => said(outcome, message))
      case "start task":
        return yield* Effect.map(tasks.start(name, task), ({ message, outcome }) => said(outcome, message))
      case "cancel":
        return yield* Effect.map(tasks.cancel(name), ({ message, outcome }) => said(outcome, message))
    }
  })

/** What an operation came to, beside what the server knows; `wrong` says where they disagree. */
export interface Judged {
  readonly said: Said
  readonly wrong: ReadonlyArray<string>
}

/** Carries out one operation in a fleet of its own, and holds its outcome against the server's record. */
export const judge = (op: Operation, backend: Backend): Effect.Effect<Judged> =>
  Effect.gen(function* () {
    const { noted, proxy } = backend
    yield* backend.arrange
    const before = yield* noted
    const others = new Set([...before.workspaces, ...before.builds.map(({ id }) => id)])
    const met: Array<Met> = []
    proxy.on(/./, (forward, request) =>
      Effect.gen(function* () {
        const onRecord = without(yield* noted, others)
        const number = met.length
        const changes = met.filter((one) => one.change).length
        const change = request.method !== "GET"
        const fault = (change ? op.changes[changes] : op.met[number]) ?? "pass"
        const one: Met = {
          fault,
          change,
          path: new URL(request.url).pathname,
          isAfter: changes > 0 && onRecord >= changes,
          answered: null
        }
        met.push(one)
        if (op.other?.request === number) {
          yield* Effect.uninterruptible(
            Effect.map(backend.interfere(op.other.act), ({ builds, workspaces }) => {
              for (const id of [...workspaces, ...builds]) others.add(id)
            })
          )
        }
        const response = yield* backend.faults[fault](forward, request)
        if (proofOf(fault) === "answered") one.answered = response.status
        return response
      })
    )

    const carriedOut = Effect.flatMap(backend.call(Effect.either(run(op, backend))), ({ exit, millis }) =>
      Effect.map(noted, (atAnswer) => ({ exit, millis, atAnswer }))
    )
    const { atAnswer, exit, millis } = yield* Effect.provide(
      Effect.provide(carriedOut, backend.limits(op.time)),
      backend.fleet
    )
    yield* backend.quiet
    if (Exit.isFailure(exit)) {
      return { said: said("unknown", Cause.pretty(exit.cause)), wrong: ["it failed by a fault of its own"] }
    }
    const answer = Either.match(exit.value, {
      onLeft: (error): Said => ({ outcome: error.outcome, message: error.message, task: null, error }),
      onRight: (one) => one
    })
    const after = yield* noted
    return { said: answer, wrong: disagreements({ op, answer, met, before, atAnswer, after, others, millis }) }
  })
