import type { Tool as ToolDefinition } from "@modelcontextprotocol/sdk/types.js"
import { DateTime, Effect, ParseResult, Schema } from "effect"
import { issuePathTexts } from "../schemas/coder/issuePaths.ts"
import { cut } from "../schemas/Text.ts"
import type { FleetError } from "../schemas/errors/FleetError.ts"
import { AnswerLimits } from "./AnswerLimits.ts"
import * as Fit from "./Fit.ts"
import { inputJsonSchema, outputJsonSchema } from "./JsonSchema.ts"
import { understand } from "./Lenient.ts"
import * as Messages from "./Messages.ts"

/** All four, since a client assumes the worst of what is not said. */
export interface Hints {
  readonly readOnlyHint: boolean
  readonly destructiveHint: boolean
  readonly idempotentHint: boolean
  readonly openWorldHint: boolean
}

/** Hints of a tool that only looks at the fleet. */
export const readOnly: Hints = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false
}

/** How a call can end badly: a tag, what became of it, and a finished message. */
export type ToolFailure = Messages.Told

/** What a call answers: the same content twice, as keys and as text. */
export interface ToolResult {
  readonly structured: Readonly<Record<string, unknown>>
  readonly text: string
}

/** A tool with its schemas closed over: what a session needs to list and to call it. */
export interface Tool<out R = never> {
  readonly name: string
  readonly hints: Hints
  /** Whether its calls last as long as their caller can bear, instead of the time of a call. */
  readonly waits: boolean
  /** Its entry of `tools/list`, made when first asked for. */
  readonly definition: () => ToolDefinition
  readonly call: (args: unknown) => Effect.Effect<ToolResult, ToolFailure, R>
}

const quoted = { characters: 300, problems: 20 }

const problemsOf = (error: ParseResult.ParseError): ReadonlyArray<string> => {
  try {
    return ParseResult.ArrayFormatter.formatErrorSync(error).map(({ message, path }) =>
      path.length === 0 ? message : `${path.join(".")}: ${message}`
    )
  } catch {
    // The formatter quotes the value, and fails where that is nested too deep to print.
    return issuePathTexts(error.issue).map((place) => `${place}: Expected something else than a value nested so deep`)
  }
}

/** The arguments are not what the tool takes; one line for each problem. */
const invalid = (tool: string, problems: ReadonlyArray<string>): ToolFailure => {
  const told = problems.slice(0, quoted.problems).map((line) => cut(line, quoted.characters))
  return { _tag: "InvalidArguments", outcome: "not_applied", message: `${tool} was not called.\n${told.join("\n")}` }
}

/**
 * A tool from its parts. `fit` cuts the encoded result to what an answer holds, `text` renders what is left: every fact of
 * it, but its ids.
 */
export const make = <
  Input,
  InputEncoded,
  Output,
  OutputEncoded extends Readonly<Record<string, unknown>>,
  E extends FleetError,
  R
>(parts: {
  readonly name: string
  readonly title: string
  readonly description: string
  /** Further words by which a client that searches its tools finds this one. Default: none. */
  readonly searchHint?: string
  /** Whether a client that searches its tools has this one at hand from the beginning. Default false. */
  readonly alwaysLoad?: boolean
  /** Whether its calls last as long as their caller can bear. Default false. */
  readonly waits?: boolean
  readonly input: Schema.Schema<Input, InputEncoded>
  readonly output: Schema.Schema<Output, OutputEncoded>
  readonly hints: Hints
  readonly program: (input: Input) => Effect.Effect<NoInfer<Output>, E, R>
  readonly fit?: (output: OutputEncoded, view: Fit.View) => OutputEncoded
  readonly text: (output: OutputEncoded, view: Fit.View) => string
}): Tool<R> => {
  const {
    alwaysLoad = false,
    waits = false,
    description,
    hints,
    input,
    name,
    output,
    program,
    searchHint = "",
    text,
    title
  } = parts
  const fit = parts.fit ?? ((whole: OutputEncoded) => whole)
  let definition: ToolDefinition | undefined

  const decode = (given: unknown) => {
    const { args, slips } = understand(input, given)
    return Effect.matchEffect(Schema.decodeUnknown(input, { errors: "all" })(args), {
      onFailure: (error) => Effect.fail(invalid(name, [...slips, ...problemsOf(error)])),
      onSuccess: (decoded) => (slips.length === 0 ? Effect.succeed(decoded) : Effect.fail(invalid(name, slips)))
    })
  }

  const answer = (encoded: OutputEncoded): Effect.Effect<ToolResult> =>
    Effect.map(Effect.all({ now: DateTime.now, limits: AnswerLimits }), (view) => {
      const structured = fit(Fit.clean(encoded), view)
      return { structured, text: text(structured, view) }
    })

  return {
    name,
    hints,
    waits,
    definition: () =>
      (definition ??= {
        name,
        title,
        description,
        inputSchema: inputJsonSchema(input),
        outputSchema: outputJsonSchema(output),
        annotations: { ...hints },
        _meta: { "anthropic/searchHint": searchHint, ...(alwaysLoad ? { "anthropic/alwaysLoad": true } : {}) }
      }),
    call: (args) =>
      Effect.suspend(() => decode(args)).pipe(
        Effect.flatMap((decoded) => Effect.mapError(program(decoded), Messages.tell)),
        Effect.flatMap((result) => Effect.orDie(Schema.encode(output)(result))),
        Effect.flatMap(answer)
      )
  }
}
