import type { Tool as ToolDefinition } from "@modelcontextprotocol/sdk/types.js"
import { Effect, ParseResult, Schema, SchemaAST } from "effect"
import { placesOf } from "../schemas/coder/places.ts"
import { cut } from "../schemas/Text.ts"
import type { FleetError } from "../schemas/errors/FleetError.ts"
import { inputJsonSchema, outputJsonSchema } from "./JsonSchema.ts"
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
    return placesOf(error.issue).map((place) => `${place}: Expected something else than a value nested so deep`)
  }
}

/** The arguments are not what the tool takes; one line for each problem. */
const invalid =
  (tool: string) =>
  (error: ParseResult.ParseError): ToolFailure => {
    const problems = problemsOf(error)
      .slice(0, quoted.problems)
      .map((line) => cut(line, quoted.characters))
    const message = `${tool} was not called.\n${problems.join("\n")}`
    return { _tag: "InvalidArguments", outcome: "not_applied", message }
  }

/** Some clients send `null` for an optional argument that they leave out. */
const withoutNulls = (schema: Schema.Schema.All, args: unknown): unknown => {
  if (typeof args !== "object" || args === null || Array.isArray(args)) return args
  const properties = SchemaAST.getPropertySignatures(SchemaAST.encodedAST(schema.ast))
  const optional = new Set(properties.filter(({ isOptional }) => isOptional).map(({ name }) => name))
  return Object.fromEntries(Object.entries(args).filter(([name, value]) => value !== null || !optional.has(name)))
}

/** A tool from its parts; `text` renders the encoded result and must carry everything that its keys carry. */
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
  readonly input: Schema.Schema<Input, InputEncoded>
  readonly output: Schema.Schema<Output, OutputEncoded>
  readonly hints: Hints
  readonly program: (input: Input) => Effect.Effect<NoInfer<Output>, E, R>
  readonly text: (output: OutputEncoded) => string
}): Tool<R> => {
  const { description, hints, input, name, output, program, text, title } = parts
  let definition: ToolDefinition | undefined
  return {
    name,
    hints,
    definition: () =>
      (definition ??= {
        name,
        title,
        description,
        inputSchema: inputJsonSchema(input),
        outputSchema: outputJsonSchema(output),
        annotations: { ...hints }
      }),
    call: (args) =>
      Effect.suspend(() =>
        Schema.decodeUnknown(input, { errors: "all", onExcessProperty: "error" })(withoutNulls(input, args))
      ).pipe(
        Effect.mapError(invalid(name)),
        Effect.flatMap((decoded) => Effect.mapError(program(decoded), Messages.tell)),
        Effect.flatMap((result) => Effect.orDie(Schema.encode(output)(result))),
        Effect.map((encoded) => ({ structured: encoded, text: text(encoded) }))
      )
  }
}
