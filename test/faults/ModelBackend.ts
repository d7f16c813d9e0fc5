import { Clock, Duration, Effect, Layer, TestClock } from "effect"
import { TimeLimits } from "../../src/layers/time/Deadline.ts"
import type { CoderModel } from "../support/CoderModel.ts"
import { begin, elapse, makeFleet } from "../support/fleet.ts"
import type { Backend, Made, Noted } from "./Backend.ts"
import { isWithoutPrompt, type Operation } from "./Operation.ts"
import { faultsAt } from "./WireFaults.ts"

const agent = "bot"
const task = "Say hello, number 7"

const faults = faultsAt({
  slow: Effect.sleep("4 seconds"),
  slower: Effect.sleep("11 seconds"),
  soon: Effect.sleep("3 seconds"),
  late: Effect.sleep("60 seconds"),
  retryAfter: 3,
  detached: Effect.forkDaemon
})

const arrange = (coder: CoderModel, before: Operation["before"]): void => {
  if (before === "absent") return
  const row = coder.add(agent)
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

const nothing: Made = { workspaces: [], builds: [] }

const interfere = (coder: CoderModel, act: NonNullable<Operation["other"]>["act"], now: number): Made => {
  const row = coder.named(agent, now)
  if (act === "create") {
    if (row !== undefined) return nothing
    const { builds, id } = coder.add(agent, { at: now })
    return { workspaces: [id], builds: builds.map((build) => build.id) }
  }
  if (row === undefined) return nothing
  if (act === "prompt") {
    row.agent.messages.push({ id: row.agent.messages.length, role: "user", content: "of another", time: "" })
    row.agent.runningUntil = now + 5000
    return nothing
  }
  const last = row.builds.at(-1)
  if (last === undefined || now < last.created + last.millis) return nothing
  return { workspaces: [], builds: [coder.build(row, act, now, { millis: 2000 }).id] }
}

const notedBy = (coder: CoderModel, now: number): Noted => {
  const { workspaces } = coder
  const newest = workspaces[0]?.builds.at(-1)
  const keys = workspaces.flatMap((row) => row.agent.keys).length
  return {
    workspaces: workspaces.map(({ id }) => id),
    builds: workspaces.flatMap(({ builds }) => builds),
    prompts: workspaces.flatMap((row) => row.agent.messages).filter(({ content }) => content === task).length,
    keys,
    interrupted: keys,
    status: newest === undefined ? null : coder.status(newest, now)
  }
}

/** A small Coder in memory, on the test's clock. */
export const modelBackend = (op: Operation): Backend => {
  const { coder, layer, proxy } = makeFleet(
    {
      buildMillis: op.build,
      results: op.results,
      ...(isWithoutPrompt(op) ? { version: { parameters: [], presets: null } } : {})
    },
    isWithoutPrompt(op) ? { projects: ["claude-code"] } : {}
  )
  return {
    agent,
    project: "claude-code",
    task,
    fleet: layer,
    limits: (seconds) =>
      Layer.effect(
        TimeLimits,
        Effect.map(TimeLimits, (limits) => ({
          ...limits,
          change: Duration.seconds(seconds),
          settle: Duration.min(limits.settle, Duration.seconds(seconds / 4))
        }))
      ),
    proxy,
    faults,
    arrange: Effect.zipRight(
      TestClock.setTime(begin),
      Effect.sync(() => arrange(coder, op.before))
    ),
    interfere: (act) => Effect.map(Clock.currentTimeMillis, (now) => interfere(coder, act, now)),
    noted: Effect.map(Clock.currentTimeMillis, (now) => notedBy(coder, now)),
    call: (effect) => Effect.map(elapse(effect), ({ exit, took }) => ({ exit, millis: took })),
    quiet: TestClock.adjust("3 minutes")
  }
}
