import { Server } from "@modelcontextprotocol/sdk/server/index.js"
import type { RequestHandlerExtra } from "@modelcontextprotocol/sdk/shared/protocol.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import {
  CallToolRequestSchema,
  type CallToolRequest,
  type ServerNotification,
  type ServerRequest
} from "@modelcontextprotocol/sdk/types.js"
import type { jsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/types.js"
import {
  Cause,
  Context,
  Data,
  Deferred,
  Effect,
  Exit,
  Fiber,
  FiberSet,
  Layer,
  Option,
  Runtime,
  type Scope
} from "effect"
import { setImmediate } from "node:timers/promises"
import * as z from "zod/v4"
import type { BackendNotConfigured } from "../../../schemas/errors/Coder.ts"
import { cut, printable, quotedLength } from "../../../schemas/Text.ts"
import type { FleetServices } from "../../services/FleetServices.ts"
import type { Tool } from "../../../tools/Tool.ts"
import { TimeLimits, within } from "../../time/Deadline.ts"
import { once } from "../../time/Shared.ts"
import * as CallResult from "./CallResult.ts"
import { instructions } from "./Instructions.ts"
import { patienceOf } from "./Patience.ts"
import type { ReadOnlyReason } from "./ReadOnly.ts"
import * as ToolCalls from "./ToolCalls.ts"

interface Presentation {
  /** Where agents run: the end of a sentence that begins "Agents run". */
  readonly place: string
  /** Why only the tools that change nothing are listed and served. Default: all are. */
  readonly readOnly?: ReadOnlyReason | undefined
  /** How long a wait lasts at most, whoever waits (seconds). Default: as long as the client is known to bear. */
  readonly waitSeconds?: number | undefined
  /** The client runs in a terminal (Claude Code says so in the environment of what it starts). Default false. */
  readonly terminal?: boolean
}

/** What a session serves. Both parts are wanted late, so that a client is greeted at once. */
export interface McpSessionOptions<R> extends Presentation {
  /** Run when the tools are first listed or called, once. */
  readonly tools: Effect.Effect<ReadonlyArray<Tool<R>>>
  /**
   * The services beneath the tools. Run at the first tool call, once, and not interrupted with it. If it fails, the call
   * answers with its error, and the next one runs it again. It brings a deadline of its own.
   */
  readonly services: Effect.Effect<Context.Context<R>, BackendNotConfigured>
}

// Loose: the SDK answers a malformed request properly only where its own schema comes second.
const ListTools = z.looseObject({ method: z.literal("tools/list") })
const CallTool = z.looseObject({ method: z.literal("tools/call") })

/** The SDK validates what people answer to questions; none are asked. Its default would load and start Ajv. */
const noValidator: jsonSchemaValidator = {
  getValidator: () => () => ({ valid: false, data: undefined, errorMessage: "no questions are asked" })
}

// Not McpError: its text would name the code twice.
class UnknownTool extends Data.TaggedError("UnknownTool")<{ readonly name: string; readonly known: string }> {
  readonly code = -32602
  override get message() {
    return `Unknown tool: ${printable(cut(this.name, quotedLength))}. Tools: ${this.known}.`
  }
}
class ToolsNotLoaded extends Data.TaggedError("ToolsNotLoaded") {
  readonly code = -32603
  override readonly message = "The tools could not be loaded in time. Ask again."
}
class BrokenOff extends Data.TaggedError("BrokenOff") {
  readonly code = -32603
  override readonly message =
    "The call was broken off. A change that it had begun runs to its end: look before you ask for it again."
}

/** What the SDK says of a message, without what it quotes of it: that is the client's. */
const inOwnWords = ({ message }: Error): string => (message.split(/[[{\n]/, 1)[0] ?? "").slice(0, quotedLength)

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>

const notifier = (tool: string, { _meta, sendNotification }: Extra): ToolCalls.Notify | undefined => {
  const progressToken = _meta?.progressToken
  if (progressToken === undefined) return undefined
  let last = -1
  return (seconds, message = `${seconds} s`) => {
    // It must increase with each notification.
    last = Math.max(seconds, last + 1)
    const params = { progressToken, progress: last, message: `${tool}: ${message}` }
    return Effect.ignore(Effect.tryPromise(() => sendNotification({ method: "notifications/progress", params })))
  }
}

/** Claude Code over HTTP names where it runs. */
const saysTerminal = ({ requestInfo }: Extra): boolean => {
  const agent = requestInfo?.headers["user-agent"]
  return typeof agent === "string" && agent.includes("(cli")
}

const make = <R>(
  transport: Transport,
  { place, readOnly, services, terminal = false, tools, waitSeconds }: McpSessionOptions<R>
): Effect.Effect<typeof McpSession.Service, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { read } = yield* TimeLimits
    const catalogue = yield* once(
      Effect.map(tools, (all) => ({
        byName: new Map(all.map((tool) => [tool.name, tool])),
        listed: readOnly === undefined ? all : all.filter(({ hints }) => hints.readOnlyHint)
      })).pipe(within(read, () => new ToolsNotLoaded()))
    )
    const call = yield* ToolCalls.make(services)
    const calls = yield* FiberSet.make()
    const closed = yield* Deferred.make<void>()
    // Whoever opens the session may be beyond interruption; its calls are not.
    const runtime = yield* Effect.interruptible(Effect.runtime())
    const runPromiseExit = Runtime.runPromiseExit(runtime)
    const runFork = Runtime.runFork(runtime)

    const listTools = Effect.map(catalogue, ({ listed }) => ({ tools: listed.map((tool) => tool.definition()) }))

    const callTool = ({ arguments: args = {}, name }: CallToolRequest["params"], extra: Extra) =>
      Effect.gen(function* () {
        const { byName, listed } = yield* catalogue
        const tool = byName.get(name)
        if (tool === undefined)
          return yield* new UnknownTool({ name, known: listed.map((each) => each.name).join(", ") })
        if (readOnly !== undefined && !listed.includes(tool)) return CallResult.readOnlyServer(tool, readOnly)
        const notify = notifier(name, extra)
        const patience = patienceOf({
          client: server.getClientVersion()?.name,
          terminal: terminal || saysTerminal(extra),
          progress: notify !== undefined,
          seconds: waitSeconds
        })
        return yield* call(tool, args, { notify, patience })
      })

    /** Closing the session then waits for the request's finalizers. */
    const tracked = <A, E>(effect: Effect.Effect<A, E>) =>
      Effect.withFiberRuntime<A, E>((fiber) => {
        FiberSet.unsafeAdd(calls, fiber)
        return effect
      })
    const answer = <A>(effect: Effect.Effect<A, UnknownTool | ToolsNotLoaded>, { signal }: Extra): Promise<A> =>
      runPromiseExit(tracked(effect), { signal }).then(
        Exit.getOrElse((cause) => {
          throw Option.getOrElse(Cause.failureOption(cause), () => new BrokenOff())
        })
      )

    const server = new Server(
      { name: "fleet-mcp", title: "Fleet MCP", version: __FLEET_MCP_VERSION__ },
      { instructions: instructions(place, readOnly), capabilities: { tools: {} }, jsonSchemaValidator: noValidator }
    )
    server.setRequestHandler(ListTools, (_, extra) => answer(listTools, extra))
    server.setRequestHandler(CallTool, (request, extra) =>
      answer(callTool(CallToolRequestSchema.parse(request).params, extra), extra)
    )
    server.onclose = () => Deferred.unsafeDone(closed, Effect.void)
    server.onerror = (error) => {
      runFork(Effect.logWarning("a message of the client was not served", inOwnWords(error)))
    }
    yield* Effect.acquireRelease(
      Effect.promise(() => server.connect(transport)),
      () => Effect.promise(() => server.close())
    )
    // Its calls are told before the connection is closed; then their answers have a turn of the event loop to leave.
    const breakOff = Effect.suspend(() => {
      const atWork = Array.from(calls)
      return Effect.when(
        Effect.zipRight(
          Fiber.interruptAll(atWork),
          Effect.promise(() => setImmediate())
        ),
        () => atWork.length > 0
      )
    })
    yield* Effect.addFinalizer(() => breakOff)
    return { closed: Deferred.await(closed) }
  })

const fleetTools = Effect.map(
  Effect.promise(() => import("../../../tools/FleetTools.ts")),
  (module) => module.fleetTools
)

/** One client's connection: tools as an MCP server over a transport of the MCP SDK. */
export class McpSession extends Context.Tag("fleet-mcp/layers/transports/session/McpSession")<
  McpSession,
  {
    /** Done when the connection is closed, by whichever side. */
    readonly closed: Effect.Effect<void>
  }
>() {
  /**
   * Connects to a client, and serves it until the scope ends. The end interrupts the calls at work, and waits for what
   * they do not leave undone.
   */
  static readonly make = make

  /** Serves the fleet's tools. */
  static readonly layer = (
    transport: Transport,
    presentation: Presentation
  ): Layer.Layer<McpSession, never, FleetServices> =>
    Layer.scoped(
      this,
      Effect.flatMap(Effect.context<FleetServices>(), (context) =>
        make(transport, { ...presentation, tools: fleetTools, services: Effect.succeed(context) })
      )
    )
}
