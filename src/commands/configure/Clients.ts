import { isAbsolute, join } from "node:path"
import type { Environment } from "../Settings.ts"

// The MCP clients that `fleet-mcp configure` knows: where each keeps its servers, and in which form.

/** Whose configuration it is. */
export interface User {
  /** Absolute path of the home directory. */
  readonly home: string
  readonly environment: Environment
  readonly platform: NodeJS.Platform
}

/** The server that an entry starts. */
export interface Server {
  /** Absolute path of the executable. */
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** Names of environment variables that the client is to hand over from its own environment. */
  readonly variables: ReadonlyArray<string>
}

export type EntryValue = string | ReadonlyArray<string> | Readonly<Record<string, string>>

/** An entry, by who has the say on its keys. */
export interface Entry {
  /** Keys that are ours: another value is replaced. */
  readonly owned: Readonly<Record<string, EntryValue>>
  /** Keys that are the user's: they are added where they are missing, a record key by key. */
  readonly initial: Readonly<Record<string, EntryValue>>
}

export interface Client {
  /** As people call it. */
  readonly title: string
  /** Absolute paths of the user's own configuration, the best first: the first that exists is used, else the last. */
  readonly files: (user: User) => readonly [string, ...ReadonlyArray<string>]
  readonly format: "json" | "toml"
  /** The keys that lead to the servers. */
  readonly path: ReadonlyArray<string>
  readonly entry: (server: Server) => Entry
  /** Whether it starts a server in the folder of the project that is open. */
  readonly startsInProject: boolean
  /**
   * What becomes of a named variable that the client's environment does not have. `never`: the client has no way to
   * name variables.
   */
  readonly unsetVariable: "empty" | "unknown" | "never"
  /** What the client replaces inside of a command or its arguments, if anything. */
  readonly replaces?: RegExp
}

const at = (environment: Environment, name: string): string | undefined => {
  const value = environment[name]
  return value !== undefined && isAbsolute(value) ? value : undefined
}

/** Where applications built with Electron keep their data. */
const applicationData = ({ environment, home, platform }: User): string =>
  platform === "darwin"
    ? join(home, "Library", "Application Support")
    : (at(environment, "XDG_CONFIG_HOME") ?? join(home, ".config"))

/** A record of environment variables under `key`; nothing where there are none. */
const referring = (key: string, { variables }: Server, reference: (name: string) => string): Entry["initial"] =>
  variables.length === 0 ? {} : { [key]: Object.fromEntries(variables.map((name) => [name, reference(name)])) }

const orEmpty = (name: string) => `\${${name}:-}`
const fromEnvironment = (name: string) => `\${env:${name}}`

/**
 * User scope: `mcpServers` of `~/.claude.json`, or of `.claude.json` in `CLAUDE_CONFIG_DIR`
 * (code.claude.com/docs/en/mcp and /settings). `${NAME:-}` is empty when NAME is not set; `${NAME}` would arrive as it
 * stands (seen with 2.1.197).
 */
const claudeCode: Client = {
  title: "Claude Code",
  files: ({ environment, home }) => [join(at(environment, "CLAUDE_CONFIG_DIR") ?? home, ".claude.json")],
  format: "json",
  path: ["mcpServers"],
  entry: (server) => ({
    owned: { type: "stdio", command: server.command, args: server.args },
    initial: referring("env", server, orEmpty)
  }),
  startsInProject: true,
  unsetVariable: "empty",
  replaces: /\$\{/
}

/**
 * macOS: modelcontextprotocol.io/docs/develop/connect-local-servers; Linux: where Electron keeps an application's data.
 * The working directory "may be undefined (like `/` on macOS)", and of the environment only a few variables are handed
 * over (modelcontextprotocol.io/docs/tools/debugging).
 */
const claudeDesktop: Client = {
  title: "Claude Desktop",
  files: (user) => [join(applicationData(user), "Claude", "claude_desktop_config.json")],
  format: "json",
  path: ["mcpServers"],
  entry: ({ args, command }) => ({ owned: { command, args }, initial: {} }),
  startsInProject: false,
  unsetVariable: "never"
}

/**
 * `~/.cursor/mcp.json`, with `type`, and `${env:NAME}` in command, args and env (cursor.com/docs/context/mcp). Neither
 * the working directory of a global server nor the value of a variable that is not set is documented.
 */
const cursor: Client = {
  title: "Cursor",
  files: ({ home }) => [join(home, ".cursor", "mcp.json")],
  format: "json",
  path: ["mcpServers"],
  entry: (server) => ({
    owned: { type: "stdio", command: server.command, args: server.args },
    initial: referring("env", server, fromEnvironment)
  }),
  startsInProject: false,
  unsetVariable: "unknown",
  replaces: /\$\{/
}

/**
 * `servers` of `mcp.json` in the user's (default) profile
 * (code.visualstudio.com/docs/copilot/reference/mcp-configuration). `${env:NAME}` is empty when NAME is not set
 * (code.visualstudio.com/docs/reference/variables-reference). The working directory is not documented.
 */
const vscode: Client = {
  title: "VS Code",
  files: (user) => [join(applicationData(user), "Code", "User", "mcp.json")],
  format: "json",
  path: ["servers"],
  entry: (server) => ({
    owned: { type: "stdio", command: server.command, args: server.args },
    initial: referring("env", server, fromEnvironment)
  }),
  startsInProject: false,
  unsetVariable: "empty",
  replaces: /\$\{/
}

/**
 * `[mcp_servers.NAME]` of `config.toml` in `CODEX_HOME`, default `~/.codex`; `env_vars` names what is handed over
 * besides a few variables that always are (developers.openai.com/codex/mcp).
 */
const codex: Client = {
  title: "Codex",
  files: ({ environment, home }) => [join(at(environment, "CODEX_HOME") ?? join(home, ".codex"), "config.toml")],
  format: "toml",
  path: ["mcp_servers"],
  entry: ({ args, command, variables }) => ({
    owned: { command, args },
    initial: variables.length === 0 ? {} : { env_vars: variables }
  }),
  startsInProject: true,
  unsetVariable: "empty"
}

/**
 * `~/.gemini/settings.json` (geminicli.com/docs/tools/mcp-server). Variables whose names look like a secret reach a
 * server only when they are named. `${NAME:-}` is empty when NAME is not set (seen with 0.61.0).
 */
const gemini: Client = {
  title: "Gemini CLI",
  files: ({ environment, home }) => [join(at(environment, "GEMINI_CLI_HOME") ?? home, ".gemini", "settings.json")],
  format: "json",
  path: ["mcpServers"],
  entry: (server) => ({
    owned: { command: server.command, args: server.args },
    initial: referring("env", server, orEmpty)
  }),
  startsInProject: true,
  unsetVariable: "empty",
  replaces: /\$[{A-Za-z_]/
}

/**
 * `mcp-config.json` in `COPILOT_HOME`, default `~/.copilot`
 * (docs.github.com/copilot/how-tos/copilot-cli/customize-copilot/add-mcp-servers). `${NAME:-}` is empty when NAME is
 * not set; `${NAME}` would arrive as it stands (seen with 1.0.102).
 */
const copilot: Client = {
  title: "GitHub Copilot CLI",
  files: ({ environment, home }) => [
    join(at(environment, "COPILOT_HOME") ?? join(home, ".copilot"), "mcp-config.json")
  ],
  format: "json",
  path: ["mcpServers"],
  entry: (server) => ({
    owned: { type: "local", command: server.command, args: server.args },
    initial: { ...referring("env", server, orEmpty), tools: ["*"] }
  }),
  startsInProject: true,
  unsetVariable: "empty",
  replaces: /\$[{A-Za-z_]/
}

/**
 * `mcp` of `opencode.jsonc` or `opencode.json` in `~/.config/opencode` (opencode.ai/docs/config and
 * /docs/mcp-servers; the form of version 1). `{env:NAME}` is empty when NAME is not set.
 */
const opencode: Client = {
  title: "opencode",
  files: ({ environment, home }) => {
    const directory = join(at(environment, "XDG_CONFIG_HOME") ?? join(home, ".config"), "opencode")
    return [join(directory, "opencode.jsonc"), join(directory, "opencode.json")]
  },
  format: "json",
  path: ["mcp"],
  entry: (server) => ({
    owned: { type: "local", command: [server.command, ...server.args] },
    initial: referring("environment", server, (name) => `{env:${name}}`)
  }),
  startsInProject: true,
  unsetVariable: "empty",
  replaces: /\{(env|file):/
}

/** All clients, by the name that the command line knows. */
export const clients = {
  "claude-code": claudeCode,
  "claude-desktop": claudeDesktop,
  cursor,
  vscode,
  codex,
  gemini,
  copilot,
  opencode
} as const satisfies Record<string, Client>

export type ClientName = keyof typeof clients
