import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { baseEnvironment, initializeParams, program, spawnPeer, type StdioPeer } from "./StdioPeer.ts"

/** A fleet on this machine with directories of its own: `git` makes its project `shop`. */
export const makeFleet = () => {
  const directory = mkdtempSync(join(tmpdir(), "fleet-bench-"))
  const environment = { ...baseEnvironment, HOME: directory, FLEET_MCP_STATE_DIR: join(directory, "state") }
  const repository = join(directory, "shop")
  const git = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"]
  execFileSync("git", ["init", "--quiet", repository])
  execFileSync("git", [...git, "commit", "--quiet", "--allow-empty", "--message=Begin"], { cwd: repository })

  const command = (...args: ReadonlyArray<string>): string =>
    execFileSync(process.execPath, [program, ...args], { env: environment, encoding: "utf8" })

  return {
    directory,
    /** A server that has answered `initialize`. */
    connect: async (): Promise<StdioPeer> => {
      const peer = spawnPeer([program, "--local", "--allow-shell", "--project", repository], environment)
      await peer.request("initialize", initializeParams)
      return peer
    },
    /** What `fleet-mcp status` says. */
    status: () => JSON.parse(command("status", "--json")) as { readonly pid: number; readonly store_bytes: number },
    /** The supervisor, with its agents. */
    stop: () => void command("stop", "--now"),
    remove: () => rmSync(directory, { recursive: true, force: true })
  }
}

/** The structured content of a call's answer. */
export const call = async (peer: StdioPeer, name: string, args: object): Promise<Readonly<Record<string, unknown>>> => {
  const { result } = (await peer.request("tools/call", { name, arguments: args })) as {
    readonly result?: { readonly isError?: boolean; readonly structuredContent?: Readonly<Record<string, unknown>> }
  }
  if (result?.structuredContent === undefined || result.isError === true) {
    throw new Error(`${name}: ${JSON.stringify(result)}`)
  }
  return result.structuredContent
}

/** Bytes of memory that a process has, as proc(5) tells; NaN elsewhere. */
export const residentBytes = (pid: number): number => {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024
  } catch {
    return Number.NaN
  }
}
