import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Program, type StartOptions } from "./Program.ts"

export interface HttpProgramOptions extends StartOptions {
  /** Its state directory, with its token. */
  readonly state: string
  /** Default: any that is free. */
  readonly port?: number
}

/** The built program as a server over HTTP, once it listens. */
export const startHttp = async ({ args = [], env, port = 0, state, ...options }: HttpProgramOptions) => {
  const started = new Program({
    ...options,
    args: ["http", "--port", `${port}`, ...args],
    env: { FLEET_MCP_STATE_DIR: state, ...env }
  })
  const listens = await started.until(() => /listens on http:\/\/127\.0\.0\.1:(\d+)\/mcp/.exec(started.stderr)?.[1])
  const url = new URL(`http://127.0.0.1:${listens}/mcp`)
  const file = join(state, "auth_token")
  const token = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as { readonly value: string }).value : ""
  return { started, url, token, state, [Symbol.asyncDispose]: () => started[Symbol.asyncDispose]() }
}

export type HttpProgram = Awaited<ReturnType<typeof startHttp>>
