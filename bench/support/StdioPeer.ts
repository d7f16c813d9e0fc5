import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"

/** The built program. */
export const program = "dist/bin/fleet-mcp.js"

/** A process that answers JSON lines on stdout to JSON lines on stdin. */
export interface StdioPeer {
  readonly request: (method: string, params: unknown) => Promise<unknown>
  readonly end: () => Promise<void>
}

export const initializeParams = {
  protocolVersion: "2025-11-25",
  capabilities: {},
  clientInfo: { name: "bench", version: "0" }
}

/** The same for a figure and its baseline: some variables (extra certificates, for one) slow every start of Node. */
export const baseEnvironment = {
  PATH: process.env["PATH"] ?? "",
  HOME: process.env["HOME"] ?? "",
  LOG_LEVEL: "ERROR"
}

/** Spawns a peer; the moment of the call is the beginning of every start-up figure. */
export const spawnPeer = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = baseEnvironment): StdioPeer => {
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"], env })
  const { stdin, stdout } = child
  if (stdin === null || stdout === null) throw new Error("no pipes")
  const waiting = new Map<unknown, (answer: unknown) => void>()
  createInterface({ input: stdout }).on("line", (line) => {
    const answer: unknown = JSON.parse(line)
    const id = typeof answer === "object" && answer !== null ? Reflect.get(answer, "id") : undefined
    waiting.get(id)?.(answer)
    waiting.delete(id)
  })
  let ids = 0
  return {
    request: (method, params) =>
      new Promise((resolve) => {
        const id = ++ids
        waiting.set(id, resolve)
        stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`)
      }),
    end: async () => {
      const exit = once(child, "exit")
      stdin.end()
      await exit
    }
  }
}
