import * as v2 from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"

// The clients that people have, behind one face: what differs between them is how they are called.

export interface CallOptions {
  readonly signal?: AbortSignal
  readonly onprogress?: (progress: { readonly progress: number; readonly message?: string | undefined }) => void
}

export interface CallAnswer {
  readonly text: string
  readonly isError: boolean
  readonly keys: unknown
}

export interface McpClient extends AsyncDisposable {
  readonly listTools: () => Promise<ReadonlyArray<string>>
  readonly callTool: (name: string, args?: Record<string, unknown>, options?: CallOptions) => Promise<CallAnswer>
  readonly serverName: () => string | undefined
}

export interface McpHttpClient extends McpClient {
  readonly protocolVersion: () => string | undefined
  readonly sessionId: () => string | undefined
  /** What the server answered when asked for the stream of its own messages. */
  readonly stream: Promise<Response>
  /** Tells the server that the session is over. */
  readonly terminate: () => Promise<void>
}

export interface HttpClientKind {
  readonly kind: string
  /** How it tells a person that the token is wrong. */
  readonly unauthorized: string
  readonly connect: (url: URL, token: string) => Promise<McpHttpClient>
}

export interface StdioClientKind {
  readonly kind: string
  readonly connect: (command: {
    readonly args: Array<string>
    readonly cwd: string
    readonly env: Record<string, string>
  }) => Promise<McpClient>
}

const toAnswer = ({ content, isError, structuredContent }: Readonly<Record<string, unknown>>): CallAnswer => ({
  text: (content as ReadonlyArray<{ readonly text: string }>).map(({ text }) => text).join("\n"),
  isError: isError === true,
  keys: structuredContent
})

const information = { name: "test", version: "1" }

const faceOfV1 = (client: Client): McpClient => ({
  listTools: async () => (await client.listTools()).tools.map(({ name }) => name),
  callTool: async (name, args = {}, options) =>
    toAnswer(await client.callTool({ name, arguments: args }, undefined, options)),
  serverName: () => client.getServerVersion()?.name,
  [Symbol.asyncDispose]: () => client.close()
})

const faceOfV2 = (client: v2.Client): McpClient => ({
  listTools: async () => (await client.listTools()).tools.map(({ name }) => name),
  callTool: async (name, args = {}, options) => toAnswer(await client.callTool({ name, arguments: args }, options)),
  serverName: () => client.getServerVersion()?.name,
  [Symbol.asyncDispose]: () => client.close()
})

type HttpTransport = Pick<
  StreamableHTTPClientTransport | v2.StreamableHTTPClientTransport,
  "protocolVersion" | "sessionId" | "terminateSession"
>

const overHttp = (face: McpClient, transport: HttpTransport, stream: Promise<Response>): McpHttpClient => ({
  ...face,
  protocolVersion: () => transport.protocolVersion,
  sessionId: () => transport.sessionId,
  stream,
  terminate: () => transport.terminateSession()
})

/** The options of a transport that sends a token, and the answer to its first GET. */
const watched = (token: string) => {
  let opened: (response: Response) => void
  const stream = new Promise<Response>((resolve) => {
    opened = resolve
  })
  const options = {
    requestInit: { headers: { Authorization: `Bearer ${token}` } },
    fetch: async (input: string | URL, init?: RequestInit) => {
      const response = await fetch(input, init)
      if (init?.method === "GET") opened(response)
      return response
    }
  }
  return { options, stream }
}

type Mode = "legacy" | "auto"

const makeV2 = (mode: Mode | undefined) =>
  new v2.Client(information, mode === undefined ? {} : { versionNegotiation: { mode } })

const connectV2 = (mode?: Mode) => async (url: URL, token: string) => {
  const { options, stream } = watched(token)
  const client = makeV2(mode)
  const transport = new v2.StreamableHTTPClientTransport(url, options)
  await client.connect(transport)
  return overHttp(faceOfV2(client), transport, stream)
}

const spawnV2 =
  (mode?: Mode): StdioClientKind["connect"] =>
  async (command) => {
    const client = makeV2(mode)
    const transport = new StdioClientTransport({ ...command, command: process.execPath, stderr: "ignore" })
    await client.connect(transport)
    return faceOfV2(client)
  }

export const httpClients: ReadonlyArray<HttpClientKind> = [
  {
    kind: "v1",
    unauthorized: "A bearer token is required.",
    connect: async (url, token) => {
      const { options, stream } = watched(token)
      const client = new Client(information)
      const transport = new StreamableHTTPClientTransport(url, options)
      await client.connect(transport)
      return overHttp(faceOfV1(client), transport, stream)
    }
  },
  { kind: "v2", unauthorized: "A bearer token is required.", connect: connectV2() },
  {
    kind: "v2, auto",
    unauthorized: "the server requires authorization (HTTP 401)",
    connect: connectV2("auto")
  }
]

/** What the v1 client does over stdio, the tests of the tools show. */
export const stdioClients: ReadonlyArray<StdioClientKind> = [
  { kind: "v2", connect: spawnV2() },
  { kind: "v2, auto", connect: spawnV2("auto") }
]
