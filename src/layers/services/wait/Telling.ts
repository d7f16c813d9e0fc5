import { Context, Duration, Effect } from "effect"
import type { AgentStatus, Evidence } from "../../../schemas/Agent.ts"
import { cut, headAndTail } from "../../../schemas/Text.ts"
import { AgentRepository } from "../../repositories/AgentRepository.ts"
import { TaskRepository } from "../../repositories/TaskRepository.ts"
import type { AgentEvent } from "./AgentSource.ts"
import type { Watched } from "./matches.ts"

/** How much a wait tells, and how often. */
export class WaitLimits extends Context.Reference<WaitLimits>()("fleet-mcp/layers/services/wait/Telling/WaitLimits", {
  defaultValue: () => ({
    /** Between two signs of life of a wait; the first comes at once. */
    progress: Duration.seconds(15),
    /** Agents in one answer; the others are told by the next wait with its cursor. */
    told: 16,
    /** Characters of the evidence of one. */
    evidence: 160,
    /** Agents whose last message is read, at once, how long that may take, and how many characters of it are told. */
    messages: 5,
    messageTime: Duration.seconds(3),
    message: 500
  })
}) {}

export interface WaitedAgent {
  readonly name: string
  /** What it came to; where the wait is not over, how it stands. */
  readonly status: AgentStatus
  readonly evidence: Evidence
  /** How it stands now, where that is not the same any more. */
  readonly now: AgentStatus | null
  /** The newest message of its conversation; null where that was not read. */
  readonly last_message: string | null
}

/** How many of them have each status now. */
export const standing = (all: ReadonlyArray<Watched>): ReadonlyArray<readonly [AgentStatus, number]> => {
  const statuses = all.map(({ latest }) => latest.status)
  return [...new Set(statuses)].map((status) => [status, statuses.filter((one) => one === status).length])
}

/** Tells of agents what who waits wants to know: a bounded part of it, whatever they said. */
export const makeTelling = Effect.gen(function* () {
  const agents = yield* AgentRepository
  const tasks = yield* TaskRepository
  const limits = yield* WaitLimits

  const lastMessage = (name: string): Effect.Effect<string | null> =>
    Effect.gen(function* () {
      const found = yield* agents.find(name)
      const message = (yield* tasks.log(found)).find(({ type }) => type === "output")
      if (message === undefined) return null
      const mark = (from: number, to: number) => `\n[${to - from} characters left out]\n`
      return headAndTail(message.content.trim(), limits.message, mark)
    }).pipe(
      Effect.timeout(limits.messageTime),
      Effect.orElseSucceed(() => null)
    )

  /** The newest message says most where an agent has ended a turn, or asks. */
  const speaks = ({ status }: AgentEvent): boolean => status === "idle" || status === "waiting"

  const tell = (shown: ReadonlyArray<{ readonly event: AgentEvent; readonly latest: AgentEvent }>) =>
    Effect.gen(function* () {
      const speakers = shown.filter(({ latest }) => speaks(latest)).slice(0, limits.messages)
      const said = yield* Effect.forEach(
        speakers,
        ({ latest: { name } }) => Effect.map(lastMessage(name), (message) => [name, message] as const),
        { concurrency: limits.messages }
      )
      const messages = new Map(said)
      return shown.map(({ event: { evidence, name, status }, latest }): WaitedAgent => ({
        name,
        status,
        evidence: { ...evidence, detail: cut(evidence.detail, limits.evidence) },
        now: latest.status === status ? null : latest.status,
        last_message: messages.get(name) ?? null
      }))
    })

  return { limits, tell }
})
