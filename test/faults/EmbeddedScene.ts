import { Effect, Ref } from "effect"
import { isActive } from "../../src/layers/embedded/store/Rows.ts"
import type { RowStore } from "../../src/layers/embedded/store/RowStore.ts"
import type { ReadRows } from "../../src/layers/embedded/store/Tables.ts"
import type { Transition } from "../../src/schemas/coder/Builds.ts"
import type { Workspace } from "../../src/schemas/coder/Workspaces.ts"
import { create, send, startBuild } from "../layers/embedded/Requests.ts"
import type { EmbeddedFaults } from "../support/EmbeddedFaults.ts"
import type { StoreFaults } from "../support/FaultyRowStore.ts"
import type { Made } from "./Backend.ts"
import type { EmbeddedOperation } from "./EmbeddedOperation.ts"
import { untilRows, workspacesIn } from "./EmbeddedRecord.ts"
import type { Gates } from "./Gates.ts"
import type { Operation } from "./Operation.ts"

type Listed<Key extends keyof EmbeddedFaults> =
  NonNullable<EmbeddedFaults[Key]> extends ReadonlyArray<infer One> ? Array<One> : never

/** Faults of an embedded Coder that are added while it is there. */
interface AddedFaults extends EmbeddedFaults {
  readonly failBuilds: Listed<"failBuilds">
  readonly holdBuilds: Listed<"holdBuilds">
  readonly agents: Listed<"agents">
  readonly apps: Listed<"apps">
}

export const noFaults = (): AddedFaults => ({ failBuilds: [], holdBuilds: [], agents: [], apps: [] })

/** What an operation finds, and what goes wrong inside of the embedded Coder meanwhile. */
export interface Scene {
  readonly op: EmbeddedOperation
  readonly agent: string
  readonly rows: RowStore["Type"]
  readonly faults: AddedFaults
  readonly gates: Gates
  readonly storeFaults: Ref.Ref<StoreFaults>
}

const transitions: ReadonlyArray<Transition> = ["start", "stop", "delete"]

/** How many requests come while a build runs that takes so long. */
const requestsIn = (millis: number): number => {
  if (millis < 1000) return 0
  return millis > 12_000 ? Infinity : Math.ceil(millis / 1000)
}

const latest = (all: ReadRows, agent: string) => {
  const build = workspacesIn(all, agent).at(-1)?.builds.at(-1)
  return build === undefined ? undefined : { build, agents: all.agents.select("build", build.id) }
}

/** Makes the workspace as the operation finds it; then the faults of the operation begin. */
export const arrange = ({ agent, faults, gates, op, rows, storeFaults }: Scene) =>
  Effect.gen(function* () {
    const hold = (transition: Transition, requests: number) => {
      if (requests > 0) faults.holdBuilds.push({ workspace: agent, transition, until: gates.after(requests) })
    }
    const misbehave = (from: "before" | "after") => {
      if (op.agentFault?.from === from) faults.agents.push({ workspace: agent, fault: op.agentFault.fault })
      if (op.appFault?.from === from) faults.apps.push({ workspace: agent, fault: op.appFault.fault })
    }
    const isBuilt = untilRows(rows, `the build of ${agent} has ended`, (all) => {
      const last = latest(all, agent)
      return last !== undefined && !isActive(last.build)
    })
    const isUp = untilRows(
      rows,
      `${agent} is up`,
      (all) =>
        latest(all, agent)?.agents.some(({ lifecycle_state }) => ["ready", "start_error"].includes(lifecycle_state)) ===
        true
    )

    misbehave("before")
    if (op.before === "starting") hold("start", 4)
    if (op.before !== "absent") {
      if (op.before === "failed") faults.failBuilds.push({ workspace: agent, transition: "start", error: "no room" })
      const { id } = (yield* create(agent)).body
      if (op.before !== "starting") yield* isBuilt
      if (op.before === "failed") faults.failBuilds.pop()
      else if (op.before !== "starting" && faults.agents.at(-1)?.fault !== "never_connects") yield* isUp
      if (op.before === "busy") yield* prompt(agent)
      if (op.before === "stopping") hold("stop", 4)
      if (op.before === "stopped" || op.before === "stopping") yield* startBuild(id, "stop")
      if (op.before === "stopped") yield* isBuilt
    }
    misbehave("after")
    for (const transition of transitions) {
      hold(transition, requestsIn(op.build[transition]))
      if (op.results[transition] === "failed") {
        faults.failBuilds.push({ workspace: agent, transition, error: "terraform apply: exit status 1" })
      }
    }
    if (op.storeFault !== null) {
      const { operation, requests } = op.storeFault
      yield* Ref.set(storeFaults, operation === "read" ? { reads: true } : { operations: [operation] })
      yield* Effect.forkDaemon(Effect.zipRight(gates.after(requests), Ref.set(storeFaults, {})))
    }
  })

/** A task that does not end by itself. */
const prompt = (agent: string) =>
  send("POST", `/@local/${agent}/apps/ccw/message`, { body: { content: "sleep 600", type: "user" } })

const nothing: Made = { workspaces: [], builds: [] }

/** What another client does, where the embedded Coder lets it. */
export const interfere = ({ agent }: Scene, act: NonNullable<Operation["other"]>["act"]) =>
  Effect.gen(function* () {
    if (act === "create") {
      const { body, status } = yield* create(agent)
      return status === 201 ? { workspaces: [body.id], builds: [body.latest_build.id] } : nothing
    }
    if (act === "prompt") return yield* Effect.as(prompt(agent), nothing)
    const found = yield* send<typeof Workspace.Type>("GET", `/api/v2/users/me/workspace/${agent}`)
    if (found.status !== 200) return nothing
    const { body, status } = yield* startBuild(found.body.id, act)
    return status === 201 ? { workspaces: [], builds: [body.id] } : nothing
  })
