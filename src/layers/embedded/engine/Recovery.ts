import { Context, DateTime, Duration, Effect, Either, Fiber, Layer, Option, Schedule } from "effect"
import { ConversationStore } from "../../agenthost/ConversationStore.ts"
import type { NotStored } from "../../agenthost/NotStored.ts"
import { endStrays, type StraysEnd, straysFate } from "../../agenthost/process/Strays.ts"
import { EmbeddedConfig } from "../../config/EmbeddedConfig.ts"
import { latestState } from "../store/BuildStates.ts"
import { goingOn, hold } from "../store/QueueRows.ts"
import { type AgentRow, type BuildState, isActive, type TurnRow } from "../store/Rows.ts"
import { RowStore } from "../store/RowStore.ts"
import type { StoreFailed } from "../store/StoreFailed.ts"
import type { ReadRows } from "../store/Tables.ts"
import { WorkspaceStore } from "../store/WorkspaceStore.ts"
import { BuildRunner } from "./BuildRunner.ts"

/** How long a start may take, and how often it is tried to store what was found. */
export class RecoveryLimits extends Context.Reference<RecoveryLimits>()(
  "fleet-mcp/layers/embedded/engine/Recovery/RecoveryLimits",
  {
    defaultValue: () => ({
      /** Requests are answered after it in any case; what is not done by then goes on. */
      wait: Duration.seconds(2),
      /** Until what could not be stored is tried again, and how often it is. */
      retry: Duration.seconds(5),
      retries: 24
    })
  }
) {}

/** A workspace as it was left. */
interface Left {
  readonly state: BuildState
  readonly turn: TurnRow | undefined
}

const leftOf = (rows: ReadRows, workspaceId: string): Left | undefined => {
  const state = Option.getOrUndefined(latestState(rows, workspaceId))
  const [turn] = rows.turns.select("workspace", workspaceId, { last: 1 })
  return state === undefined ? undefined : { state, turn }
}

const leftIn = (rows: ReadRows) =>
  [...rows.workspaces.select("deleted", "false"), ...rows.workspaces.select("deleted", "true")].flatMap(
    ({ id }) => leftOf(rows, id) ?? []
  )

/** The last line of a turn that was cut. */
const cutLine = (strays: StraysEnd) => `[interrupted: fleet-mcp ended while this ran, and ${straysFate(strays)}]`

const interruptedBuild = {
  start: () => "fleet-mcp ended while this start was at work. Call restart_agent to start it again.",
  stop: (strays: StraysEnd) =>
    `fleet-mcp ended while this stop was at work${strays.looked && strays.left === 0 ? ": nothing of the agent runs any more" : `, and ${straysFate(strays)}`}. Call restart_agent to start it.`
} as const

/** Where it cannot be stored that the tasks that wait are held, none begins by itself all the same. */
const holdQueues = (rows: RowStore["Type"], left: ReadonlyArray<Left>) =>
  Effect.flatMap(DateTime.now, (now) =>
    rows.transaction("holdQueues", (all) => {
      const ids = left.map(({ state }) => state.workspace.id)
      for (const id of goingOn(all, ids)) hold(all, id, "interrupted", DateTime.formatIso(now))
      return Either.void
    })
  ).pipe(
    Effect.catchTag("StoreFailed", ({ message }) =>
      Effect.logError(`It could not be stored that queued tasks are held: ${message}`)
    )
  )

const isUp = (agent: AgentRow): boolean => agent.status === "connecting" || agent.status === "connected"

/**
 * Puts right what a process left behind that ended without warning, before any request is answered. Processes of agents
 * that outlived it are ended. A build that was at work is settled: a delete is carried on, a start or stop has failed. A
 * turn that was cut is told as such and never run again; its agent has no process. An agent that was idle is up again. What
 * somebody has gone on with meanwhile is left alone.
 */
export const layerRecovery: Layer.Layer<
  never,
  never,
  BuildRunner | ConversationStore | EmbeddedConfig | RowStore | WorkspaceStore
> = Layer.scopedDiscard(
  Effect.gen(function* () {
    const rows = yield* RowStore
    const store = yield* WorkspaceStore
    const conversations = yield* ConversationStore
    const runner = yield* BuildRunner
    const { stateDirectory } = yield* EmbeddedConfig
    const limits = yield* RecoveryLimits

    const left = yield* rows.read("recover", leftIn)
    if (left.length === 0) return

    const strays = yield* endStrays({
      stateDirectory,
      workspaceIds: new Set(left.map(({ state }) => state.workspace.id))
    })
    if (strays.ended + strays.left > 0) yield* Effect.logWarning("Agents had left processes behind", strays)

    // The surroundings of who gave them are gone, and what was before them may have been cut.
    yield* holdQueues(rows, left)

    const endTurn = ({ state, turn }: Left) =>
      turn === undefined || turn.ended !== null
        ? Effect.void
        : Effect.acquireUseRelease(
            conversations.open(state.workspace.id),
            ({ endTurn: end }) => end("interrupted", cutLine(strays)),
            ({ close }) => close
          )

    const tell = ({ message }: NotStored | StoreFailed) =>
      Effect.logError(`What was left behind could not be settled: ${message}`)

    /** A build never waits for a conversation that cannot be read. */
    const settleBuild = Effect.fn("Recovery.settleBuild")(function* (each: Left) {
      const { id, transition } = each.state.build
      if (transition === "delete") {
        // It removes what the end of the turn is written to.
        yield* Effect.catchAll(endTurn(each), tell)
        return yield* runner.run(each.state)
      }
      yield* store.updateJob(id, { status: "failed", error: interruptedBuild[transition](strays) })
      return yield* endTurn(each)
    })

    const report = (agent: AgentRow, state: "working" | "idle" | "complete" | "failure", message: string) =>
      agent.app === null
        ? Effect.void
        : Effect.catchTag(
            store.addAppStatus(agent.id, { app_slug: agent.app.slug, state, message, uri: "" }),
            "AppMissing",
            () => Effect.void
          )

    /** Has an agent that is up no more, with what it was at work on as its newest report. */
    const lose = Effect.fn("Recovery.lose")(function* ({ state }: Left, agent: AgentRow, turn: TurnRow) {
      const newest = state.statuses.at(-1)
      const isTold = newest?.agent_id === agent.id && newest.state === "working" && newest.message === turn.task
      if (!isTold) yield* report(agent, "working", turn.task)
      yield* store.updateAgent(agent.id, { status: "disconnected", lifecycle_state: "off", health: "unhealthy" })
    })

    const settleAgent = Effect.fn("Recovery.settleAgent")(function* (each: Left, agent: AgentRow) {
      const { state, turn } = each
      if (turn?.ended === null) return yield* lose(each, agent, turn)
      const newest = state.statuses.at(-1)
      if (newest?.state === "working" && newest.agent_id === agent.id && turn !== undefined) {
        const how = turn.ended.state
        // Who interrupts a turn has it reported; one that the end of this process has cut has not been.
        if (how === "interrupted") return yield* lose(each, agent, turn)
        yield* report(agent, how, how)
      }
      return yield* runner.resume(state, agent)
    })

    /** What is so now of what was left: nothing of it where somebody has gone on with it since. */
    const stillLeft = ({ state, turn }: Left) =>
      Effect.map(
        rows.read("recover", (all) => leftOf(all, state.workspace.id)),
        Option.liftPredicate(
          (now): now is Left => now?.state.build.id === state.build.id && now.turn?.message_id === turn?.message_id
        )
      )

    const settle = Effect.fn("Recovery.settle")(function* (was: Left) {
      const still = yield* stillLeft(was)
      if (Option.isNone(still)) return
      const each = still.value
      const { agent, build, workspace } = each.state
      if (isActive(build)) return yield* settleBuild(each)
      const isRunning = build.transition === "start" && build.job.status === "succeeded" && !workspace.deleted
      if (isRunning && agent !== null && isUp(agent)) yield* settleAgent(each, agent)
      return yield* endTurn(each)
    })

    const settling = yield* Effect.forEach(left, (each) =>
      settle(each).pipe(
        Effect.tapError(tell),
        Effect.retry({ schedule: Schedule.spaced(limits.retry), times: limits.retries }),
        Effect.ignore,
        Effect.interruptible,
        Effect.forkScoped
      )
    )
    yield* Effect.raceFirst(Fiber.awaitAll(settling), Effect.sleep(limits.wait))
  }).pipe(
    Effect.catchTag("StoreFailed", ({ message }) =>
      Effect.logError(`What was left behind could not be read: ${message}`)
    )
  )
)
