import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { Duration, Effect, Option, Schema } from "effect"
import { DemoFailed, type Scratch } from "./Scratch.ts"

/** The demo's connection to the built server, as any MCP client has it. */
export interface FleetClient {
  /** The process of the server. */
  readonly pid: number
  readonly toolNames: Effect.Effect<ReadonlyArray<string>, DemoFailed>
  /** Calls a tool; an error of the tool is a `DemoFailed` with its text. */
  readonly call: <A, I>(
    tool: string,
    args: Record<string, unknown>,
    output: Schema.Schema<A, I>
  ) => Effect.Effect<A, DemoFailed>
}

const failed = (what: string) => (cause: unknown) =>
  new DemoFailed({ message: `${what}: ${cause instanceof Error ? cause.message : String(cause)}` })

const path = process.env["PATH"] ?? ""

/** That of the demo's servers, whose fleet is in a supervisor of its own. */
export const environmentOf = ({ stateDirectory }: Scratch) => ({
  PATH: path,
  FLEET_MCP_STATE_DIR: stateDirectory,
  FLEET_MCP_SUPERVISOR: "true",
  LOG_LEVEL: "WARNING"
})

/** Starts this very program as a server on stdio, and ends it with the scope. */
export const connect = (scratch: Scratch, program: string) =>
  Effect.gen(function* () {
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [program, "--local", "--allow-shell"],
      cwd: scratch.repository,
      env: environmentOf(scratch),
      stderr: "inherit"
    })
    const client = new Client({ name: "fleet-mcp-demo", version: "1" })
    yield* Effect.acquireRelease(
      Effect.tryPromise({ try: () => client.connect(transport), catch: failed("the server did not start") }),
      () => Effect.promise(() => client.close())
    )
    const pid = yield* Effect.mapError(Option.fromNullable(transport.pid), () => failed("the server")("has no process"))

    const toolNames = Effect.map(
      Effect.tryPromise({ try: (signal) => client.listTools({}, { signal }), catch: failed("tools/list") }),
      ({ tools }) => tools.map((tool) => tool.name)
    )

    const call: FleetClient["call"] = (tool, args, output) =>
      Effect.gen(function* () {
        const result = yield* Effect.tryPromise({
          try: (signal) =>
            client.callTool({ name: tool, arguments: args }, undefined, {
              signal,
              timeout: Duration.toMillis(Duration.minutes(1))
            }),
          catch: failed(tool)
        })
        if (result.isError === true) return yield* failed(tool)(JSON.stringify(result.content))
        return yield* Effect.mapError(
          Schema.decodeUnknown(output)(result.structuredContent),
          failed(`${tool} answered`)
        )
      })

    return { pid, toolNames, call } satisfies FleetClient
  })
