import { Duration } from "effect"

/** How long a wait may last: without a time of its own, and in any case. */
export interface Patience {
  readonly usual: Duration.Duration
  readonly most: Duration.Duration
}

/** What is known of who calls. */
export interface Caller {
  /** What the client calls itself (`clientInfo.name`). */
  readonly client: string | undefined
  /** Claude Code in a terminal: there a call goes to the background, and its end wakes the model. */
  readonly terminal: boolean
  /** The call takes progress notifications, which keep some clients from giving up. */
  readonly progress: boolean
  /** `FLEET_MCP_WAIT_SECONDS`: what the person says who runs the fleet. It stands above what is known of the client. */
  readonly seconds: number | undefined
}

const seconds = (usual: number, most = usual): Patience => ({
  usual: Duration.seconds(usual),
  most: Duration.seconds(most)
})

/** Seconds with progress notifications and without, for clients whose own limits were seen in life. */
const clients: ReadonlyArray<readonly [name: RegExp, progress: number, silent: number]> = [
  [/^claude-code$/, 600, 240],
  [/^copilot-cli$/, 540, 150],
  [/^opencode$/, 300, 45],
  [/^qwen-cli-mcp-client/, 540, 240],
  [/^gemini-cli-mcp-client/, 540, 540],
  // A wall at 300 s, which progress does not move.
  [/^codex-mcp-client$/, 240, 240]
]

/** Claude Desktop and others give up at 60 s. */
const others = 45

/** How long a caller can bear to wait. */
export const patienceOf = ({ client = "", progress, seconds: setting, terminal }: Caller): Patience => {
  if (setting !== undefined) return seconds(setting)
  if (client === "claude-code" && terminal && progress) return seconds(1800, 7200)
  const [, told = others, silent = others] = clients.find(([name]) => name.test(client)) ?? []
  return seconds(progress ? told : silent)
}
