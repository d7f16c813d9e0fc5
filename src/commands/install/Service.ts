import { createHash } from "node:crypto"
import { join } from "node:path"
import type { Environment } from "../Settings.ts"
import { checksum, sealed } from "./OwnFile.ts"

/** What starts a supervisor for a service manager. */
export interface Supervised {
  /** Absolute paths. */
  readonly node: string
  readonly program: string
  readonly stateDirectory: string
}

/** Whose service it is. */
export interface Owner {
  readonly platform: string
  readonly home: string
  readonly environment: Environment
}

/** A file of the service manager, and how the service is called there. */
export interface Service {
  readonly manager: "systemd" | "launchd"
  readonly name: string
  readonly file: string
  readonly text: (supervised: Supervised) => string
}

const commandOf = ({ node, program }: Supervised) => [node, program, "supervisor", "--service"] as const

/** By systemd.syntax(7): quoted, specifiers are no specifiers. */
const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, "\\$&").replaceAll("%", "%%")}"`

// https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html and systemd.kill
const unit = (supervised: Supervised): string => {
  const [node, ...args] = commandOf(supervised)
  // Variables are put in everywhere but in the path of the program.
  const start = [quoted(node), ...args.map((word) => quoted(word).replaceAll("$", "$$$$"))].join(" ")
  return sealed(`# Written by fleet-mcp install, and taken away by fleet-mcp install --remove. "systemctl --user edit" adds to it.
# Checksum, by which a change is noticed: ${checksum}
[Unit]
Description=Fleet MCP: the coding agents of this machine
StartLimitIntervalSec=60
StartLimitBurst=10

[Service]
Type=exec
ExecStart=${start}
Environment=${quoted(`FLEET_MCP_STATE_DIR=${supervised.stateDirectory}`)}
WorkingDirectory=/
Restart=always
RestartSec=1
# The supervisor ends its agents itself, each with all of its processes.
KillMode=mixed
TimeoutStopSec=20
# An agent that takes too much memory ends alone.
OOMPolicy=continue

[Install]
WantedBy=default.target
`)
}

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" }
const string = (text: string): string =>
  `<string>${text.replaceAll(/[&<>]/g, (found) => entities[found] ?? found)}</string>`

// launchd.plist(5). Without a process type it would have less of the processor than others.
const plist =
  (label: string) =>
  (supervised: Supervised): string =>
    sealed(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- Written by fleet-mcp install. Checksum, by which a change is noticed: ${checksum} -->
<plist version="1.0">
<dict>
  <key>Label</key>
  ${string(label)}
  <key>ProgramArguments</key>
  <array>
${commandOf(supervised)
  .map((word) => `    ${string(word)}`)
  .join("\n")}
  </array>
  <key>EnvironmentVariables</key>
  <dict>
    <key>FLEET_MCP_STATE_DIR</key>
    ${string(supervised.stateDirectory)}
  </dict>
  <key>WorkingDirectory</key>
  <string>/</string>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <true/>
  <key>ThrottleInterval</key>
  <integer>10</integer>
  <key>ExitTimeOut</key>
  <integer>20</integer>
  <key>ProcessType</key>
  <string>Interactive</string>
</dict>
</plist>
`)

/** Each state directory has a service of its own; that of the usual one is called after the program alone. */
const nameOf = (stateDirectory: string, home: string): string =>
  stateDirectory === join(home, ".fleet-mcp")
    ? "fleet-mcp"
    : `fleet-mcp-${createHash("sha256").update(stateDirectory).digest("hex").slice(0, 8)}`

/** The service of a state directory. */
export const serviceOf = (stateDirectory: string, { environment, home, platform }: Owner): Service => {
  const name = nameOf(stateDirectory, home)
  if (platform === "darwin") {
    return { manager: "launchd", name, file: join(home, "Library/LaunchAgents", `${name}.plist`), text: plist(name) }
  }
  // By the XDG Base Directory Specification a path that is not absolute does not count.
  const configured = environment["XDG_CONFIG_HOME"]
  const config = configured?.startsWith("/") === true ? configured : join(home, ".config")
  return {
    manager: "systemd",
    name: `${name}.service`,
    file: join(config, "systemd/user", `${name}.service`),
    text: unit
  }
}
