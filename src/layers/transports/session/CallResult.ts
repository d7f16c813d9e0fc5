import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import type { Outcome } from "../../../schemas/Outcome.ts"
import { AnswerLimits } from "../../../tools/AnswerLimits.ts"
import * as Fit from "../../../tools/Fit.ts"
import type { Tool, ToolFailure, ToolResult } from "../../../tools/Tool.ts"
import { whyReadOnly, type ReadOnlyReason } from "./ReadOnly.ts"

const failed = (text: string): CallToolResult => ({ isError: true, content: [{ type: "text", text }] })

const withOutcome = (tool: Tool<unknown>, outcome: Outcome, text: string): CallToolResult =>
  failed(tool.hints.readOnlyHint ? text : `${text}\noutcome: ${outcome}`)

/** An answer as it leaves: well-formed, without control characters, and no larger than allowed, whatever it is. */
export const bounded = (result: CallToolResult): Effect.Effect<CallToolResult> =>
  Effect.map(AnswerLimits, (limits) => ({
    ...result,
    content: result.content.map((part) =>
      part.type === "text" ? { ...part, text: Fit.text(part.text, limits.text) } : part
    ),
    ...(result.structuredContent === undefined
      ? {}
      : { structuredContent: Fit.structured(result.structuredContent, limits.structured) })
  }))

/** The same content as keys and as text: many clients show a model only the text. */
export const success = ({ structured, text }: ToolResult): CallToolResult => ({
  content: [{ type: "text", text }],
  structuredContent: { ...structured }
})

/** A typed error, with what became of the call. */
export const failure = (tool: Tool<unknown>, { _tag, message, outcome }: ToolFailure): CallToolResult =>
  withOutcome(tool, outcome, `${_tag}: ${message}`)

/** A fault of this program: its details stay in the log, under `id`. */
export const defect = (tool: Tool<unknown>, id: string): CallToolResult =>
  withOutcome(
    tool,
    "unknown",
    `InternalError: ${tool.name} failed by a fault of fleet-mcp (id ${id}). Its log on stderr has the details; please report them.`
  )

/** A call that spent its time waiting for its turn: so many seconds, behind so many others. */
export const busy = (tool: Tool<unknown>, seconds: number, concurrent: number): CallToolResult =>
  withOutcome(
    tool,
    "not_applied",
    `Busy: ${tool.name} was not called: it waited ${seconds} s for its turn, and only ${concurrent} calls run at once. Nothing was sent. Wait until those at work have answered, then call it again, with fewer at once.`
  )

/** A wait beyond those that one client may have open. */
export const tooManyWaits = (tool: Tool<unknown>, waits: number): CallToolResult =>
  withOutcome(
    tool,
    "not_applied",
    `Busy: ${tool.name} was not called: ${waits} waits of this client are open already. One wait can name many agents.`
  )

/** A change asked by a client that may only look. */
export const readOnlyServer = (tool: Tool<unknown>, reason: ReadOnlyReason): CallToolResult =>
  withOutcome(
    tool,
    "not_applied",
    `ReadOnlyServer: ${whyReadOnly[reason]}: ${tool.name} was not called. Ask the person who runs the fleet.`
  )
