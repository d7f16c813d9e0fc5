/** Why a client may only look: a server that was started by one of its own agents, a server told so, or a token's role. */
export type ReadOnlyReason = "agent" | "server" | "token"

/** The reason, as the end of a sentence that begins with what is read-only. */
export const whyReadOnly: Readonly<Record<ReadOnlyReason, string>> = {
  agent:
    "this fleet-mcp was started by one of its own agents (FLEET_MCP_AGENT is set), and an agent never drives its own fleet",
  server: "this fleet-mcp was started with --read-only (or FLEET_MCP_READ_ONLY=true)",
  token: "the token of this client has the role read"
}
