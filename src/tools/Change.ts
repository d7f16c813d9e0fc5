import type { Agent } from "../schemas/Agent.ts"
import type { NextStep } from "../schemas/errors/NextStep.ts"
import { cut, headAndTail } from "../schemas/Text.ts"
import * as AgentText from "./AgentText.ts"
import * as Fit from "./Fit.ts"
import { advise } from "./Messages.ts"
import * as Render from "./Render.ts"

/** What a tool that changes the fleet answers: what it came to, and what of that is known. */
interface ChangeAnswer {
  readonly message: string
  readonly outcome: string
  readonly agent_name?: string
  readonly task_description?: string
  readonly task_id?: number
  readonly stage?: string | null
  readonly task?: string
  readonly build_log?: ReadonlyArray<string>
  readonly agent?: typeof Agent.Encoded | null
}

/** Longest texts (characters): what is told; the caller's own task, as a reminder; a line of a log; and lines of it. */
const longest = { message: 6000, task: 500, logLine: 500, logLines: 10 }

const leftOut = (from: number, to: number) => ` [${to - from} characters left out] `

/** A change whose texts have so many characters each: the caller knows the task, and of a log the end matters. */
const within = <A extends ChangeAnswer>(change: A, room: number): A => ({
  ...change,
  message: headAndTail(change.message, Math.min(room, longest.message), leftOut),
  ...(change.task_description === undefined
    ? {}
    : { task_description: headAndTail(change.task_description, Math.min(room, longest.task), leftOut) }),
  ...(change.build_log === undefined
    ? {}
    : {
        build_log: change.build_log.slice(-longest.logLines).map((line) => cut(line, Math.min(room, longest.logLine)))
      }),
  ...(change.agent === undefined || change.agent === null ? {} : { agent: AgentText.bounded(change.agent, room) })
})

/** A change for those who call tools: its next steps become the tools to call; `words` are this tool's own for a step. */
export const told =
  (words: Partial<Record<NextStep, string>> = {}) =>
  <A extends { readonly message: string; readonly next: ReadonlyArray<NextStep> }>({
    next,
    ...change
  }: A): Omit<A, "next"> & { readonly message: string } => ({
    ...change,
    message: [change.message, advise(next, words)].filter((part) => part !== "").join(" ")
  })

/** What the change came to, first; then what of the agent is known. */
export const text = (change: ChangeAnswer, { now }: Fit.View): string =>
  [
    Render.first(change.message),
    ...Render.field("outcome", change.outcome),
    ...Render.field("stage", change.stage),
    ...Render.field("first task", change.task),
    ...Render.field("agent", change.agent_name),
    ...Render.field("task id", change.task_id),
    ...Render.field("task", change.task_description),
    ...Render.field("build log", change.build_log?.length ? change.build_log.join("\n") : ""),
    ...(change.agent === undefined || change.agent === null ? [] : AgentText.agent(change.agent, now))
  ].join("\n")

/** Cuts what a change answers, so that it fits. */
export const fit = <A extends ChangeAnswer>(change: A, view: Fit.View): A =>
  Fit.texts(view, text, (room) => within(change, room))
