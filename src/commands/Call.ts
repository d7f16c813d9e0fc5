import { Command, Options } from "@effect/cli"
import { Array, Console, Duration, Effect, Option, Predicate, Record, Scope, Struct } from "effect"
import type { FleetServices } from "../layers/services/FleetServices.ts"
import * as StderrLogger from "../layers/observability/StderrLogger.ts"
import * as CallResult from "../layers/transports/session/CallResult.ts"
import * as ToolCalls from "../layers/transports/session/ToolCalls.ts"
import { fleetTools } from "../tools/FleetTools.ts"
import type { Tool, ToolFailure } from "../tools/Tool.ts"
import { type Given, options } from "./Options.ts"
import { asked, served } from "./Serving.ts"
import { providerOf, type Settings } from "./Settings.ts"

const json = Options.boolean("json").pipe(
  Options.withDescription("Print the structured content of the answer instead of its text")
)

/** Those that also stand behind a tool. `--project` is there an argument of tools: for a directory it stands before `call`. */
const common = Struct.omit(options, "projects")

const said = (schema: unknown, keyword: "description" | "type"): string =>
  Predicate.hasProperty(schema, keyword) && typeof schema[keyword] === "string" ? schema[keyword] : ""

/** The option for an argument. What its text means is the tool's business: it reads `5` and `true` as clients send them. */
const optionOf = (name: string, schema: unknown, isRequired: boolean): Options.Options<unknown> => {
  const type = said(schema, "type")
  const described = Options.withDescription(said(schema, "description"))
  if (type === "boolean") return described(Options.boolean(name))
  const text = Options.text(name).pipe(Options.withPseudoName(type), described)
  if (type === "array") return Options.repeated(text)
  return isRequired ? text : Options.map(Options.optional(text), Option.getOrUndefined)
}

/** An option for each argument of a tool, of the same name. */
const optionsOf = (tool: Tool<unknown>): Options.Options<Record.ReadonlyRecord<string, unknown>> => {
  const { properties = {}, required = [] } = tool.definition().inputSchema
  return Options.all(Record.map(properties, (schema, name) => optionOf(name, schema, required.includes(name))))
}

/** What was given; a flag or a list that was not given is no argument. */
const given = (args: Record.ReadonlyRecord<string, unknown>) =>
  Record.filter(
    args,
    (value) => value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0)
  )

/** A person at a command line can end a wait at any time. */
const longestWait = Duration.hours(24)

/** The fleet of this command would end with it, and its agents too. */
const endsHere: ToolFailure = {
  _tag: "FleetEndsHere",
  outcome: "not_applied",
  message:
    "FLEET_MCP_SUPERVISOR=false makes the fleet of this command private: it would end with it. Nothing was called. Without that variable the fleet outlives its clients."
}

/** The answer of a call, through the same exit as that of an MCP client. */
const answerOf = (tool: Tool<FleetServices>, args: Record.ReadonlyRecord<string, unknown>, settings: Settings) =>
  Effect.gen(function* () {
    const wanted = yield* asked
    const { readOnly, services, waitSeconds } = served(wanted, settings.environment)
    if (!tool.hints.readOnlyHint) {
      if (readOnly !== undefined) return CallResult.readOnlyServer(tool, readOnly)
      if (wanted.backend._tag === "Local" && !wanted.supervised) return CallResult.failure(tool, endsHere)
    }
    const run = yield* ToolCalls.make(Scope.extend(services, yield* Effect.scope))
    const wait = waitSeconds === undefined ? longestWait : Duration.seconds(waitSeconds)
    return yield* run(tool, given(args), { notify: undefined, patience: { usual: wait, most: wait } })
  }).pipe(Effect.scoped, Effect.provide(StderrLogger.layer), Effect.withConfigProvider(providerOf(settings)))

type Answer = Effect.Effect.Success<ReturnType<typeof answerOf>>

/** Prints an answer; one that is an error on stderr. The exit code is then 2 where the arguments were wrong, else 1. */
const print = ({ content, isError = false, structuredContent }: Answer, asJson: boolean) => {
  const text = content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n")
  if (!isError) return Console.log(asJson ? JSON.stringify(structuredContent, null, 2) : text)
  return Effect.zipRight(
    Console.error(text),
    Effect.sync(() => {
      process.exitCode = text.startsWith("InvalidArguments:") ? 2 : 1
    })
  )
}

/** The first sentence of a tool's description: what it does. */
const inShort = ({ definition }: Tool<FleetServices>): string =>
  (definition().description ?? "").split(/(?<=\.)\s/, 1)[0] ?? ""

const listing = fleetTools.map((tool) => `${tool.name.padEnd(24)}${inShort(tool)}`).join("\n")

/**
 * `fleet-mcp call TOOL`: a command for each tool, its options made from the tool's schema. It prints the answer's text,
 * or with `--json` its structured content; without a tool, what there is.
 */
export const call = <E, R>(settings: (behind: Given) => Effect.Effect<Settings, E, R>) => {
  const commandOf = (tool: Tool<FleetServices>) =>
    Command.make(tool.name, { ...common, args: optionsOf(tool), json }, (wanted) =>
      settings({ ...wanted, projects: [] }).pipe(
        Effect.flatMap((found) => answerOf(tool, wanted.args, found)),
        Effect.flatMap((answer) => print(answer, wanted.json))
      )
    ).pipe(Command.withDescription(tool.definition().description ?? ""))
  const tools = Array.map(fleetTools, commandOf)
  const alone = Command.make("call", {}, () =>
    Console.log(`${listing}\n\nfleet-mcp call TOOL --help tells the arguments of one.`)
  )
  return Command.withSubcommands(alone, tools)
}
