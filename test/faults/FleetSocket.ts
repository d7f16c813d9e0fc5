import { randomBytes } from "node:crypto"
import { readFileSync } from "node:fs"
import { Agent, type ClientRequest, request, type IncomingMessage } from "node:http"

/** What a supervisor says of itself in its file. */
export interface SupervisorInfo {
  readonly pid: number
  readonly socket: string
  readonly token: string
}

/** None where there is no such file, or it is just being written. */
export const infoIn = (stateDirectory: string): SupervisorInfo | undefined => {
  try {
    return JSON.parse(readFileSync(`${stateDirectory}/supervisor.json`, "utf8")) as SupervisorInfo
  } catch {
    return undefined
  }
}

/** An answer of a supervisor; `body` is the JSON, or the text where it is none. */
export interface Answer<A> {
  readonly status: number
  readonly body: A
}

/** For one answer (ms): only what hangs meets it. */
const answerTime = 60_000

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const textOf = async (response: IncomingMessage): Promise<string> => {
  let text = ""
  for await (const chunk of response.setEncoding("utf8")) text += String(chunk)
  return text
}

/** A client of one supervisor, over its socket. */
export class FleetSocket {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 })
  readonly #presence: Array<ClientRequest> = []
  readonly info: SupervisorInfo
  #token: string

  constructor(info: SupervisorInfo) {
    this.info = info
    this.#token = info.token
  }

  #open(method: string, path: string, body: unknown, agent: Agent | false): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const sent = request({
        socketPath: this.info.socket,
        method,
        path,
        agent,
        ...(agent === false ? {} : { signal: AbortSignal.timeout(answerTime) }),
        headers: {
          host: "embedded.fleet-mcp.internal",
          "coder-session-token": this.#token,
          ...(body === undefined ? {} : { "content-type": "application/json" })
        }
      })
      sent.once("response", resolve)
      sent.on("error", reject)
      sent.end(body === undefined ? undefined : JSON.stringify(body))
      if (agent === false) this.#presence.push(sent)
    })
  }

  /** Sends a request; fails where no answer comes. `A` is what the caller takes the body for. */
  async send<A = unknown>(method: "GET" | "POST", path: string, body?: unknown): Promise<Answer<A>> {
    const response = await this.#open(method, path, body, this.#agent)
    return { status: response.statusCode ?? 0, body: parsed(await textOf(response)) as A }
  }

  /** Registers as a client with a repository, which is allowed everything. */
  async register(repository: string): Promise<void> {
    const token = `${randomBytes(5).toString("hex")}-${randomBytes(11).toString("hex")}`
    const { PATH = "", HOME = "" } = process.env
    const response = await this.#open(
      "POST",
      "/fleet/v1/clients",
      {
        token,
        working_directory: repository,
        project_advice: "",
        allow_shell: true,
        environment: { PATH, HOME },
        agent_environment: []
      },
      false
    )
    if (response.statusCode !== 200) throw new Error(`not registered: ${await textOf(response)}`)
    await new Promise<void>((resolve, reject) => {
      response.once("data", () => resolve())
      response.on("error", reject)
      response.once("close", () => reject(new Error("not registered: the answer ended")))
    })
    this.#token = token
  }

  close(): void {
    for (const one of this.#presence) one.destroy()
    this.#agent.destroy()
  }
}
