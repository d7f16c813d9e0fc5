import { describe, expect, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Owner, serviceOf } from "../../../src/commands/install/Service.ts"

const owner: Owner = { platform: "linux", home: "/home/me", environment: {} }
const state = "/home/me/.fleet-mcp"
const supervised = { node: "/usr/bin/node", program: "/opt/fleet-mcp/dist/bin/fleet-mcp.js", stateDirectory: state }
const odd = {
  node: "/opt/of mine 50%/$HOME/node",
  program: "/opt/$HOME/100%/back\\slash/fleet-mcp.js",
  stateDirectory: "/home/me/of <work> & 50%"
}

const golden = (name: string) => readFileSync(new URL(`golden/${name}`, import.meta.url), "utf8")

describe("the service", () => {
  it("of systemd is as it was", () => {
    const service = serviceOf(state, owner)
    expect(service).toMatchObject({
      name: "fleet-mcp.service",
      file: "/home/me/.config/systemd/user/fleet-mcp.service"
    })
    expect(service.text(supervised)).toBe(golden("fleet-mcp.service"))
    expect(service.text(odd)).toBe(golden("odd-paths.service"))
  })

  it("of launchd is as it was", () => {
    const service = serviceOf(state, { ...owner, platform: "darwin" })
    expect(service).toMatchObject({ name: "fleet-mcp", file: "/home/me/Library/LaunchAgents/fleet-mcp.plist" })
    expect(service.text(supervised)).toBe(golden("fleet-mcp.plist"))
    expect(service.text(odd)).toBe(golden("odd-paths.plist"))
  })

  it("is another for each state directory, and where XDG_CONFIG_HOME says, if that is absolute", () => {
    const [one, two] = ["/srv/one", "/srv/two"].map((path) => serviceOf(path, owner).name)
    expect(one).toMatch(/^fleet-mcp-[0-9a-f]{8}\.service$/)
    expect(one).not.toBe(two)
    const file = (XDG_CONFIG_HOME: string) => serviceOf(state, { ...owner, environment: { XDG_CONFIG_HOME } }).file
    expect(file("/elsewhere")).toBe("/elsewhere/systemd/user/fleet-mcp.service")
    expect(file("elsewhere")).toBe("/home/me/.config/systemd/user/fleet-mcp.service")
  })

  const { status } = spawnSync("systemd-analyze", ["--version"])

  it.skipIf(status !== 0)("of systemd is one by systemd itself, which reads the paths as they are", () => {
    const directory = realpathSync(mkdtempSync(join(tmpdir(), "fleet-unit-")))
    try {
      // A program that cannot be run is a fault to systemd.
      const node = join(directory, "of mine 50% $HOME")
      symlinkSync(process.execPath, node)
      const check = (text: string) => {
        const file = join(directory, "fleet-mcp-test.service")
        writeFileSync(file, text)
        const env = { ...process.env, XDG_RUNTIME_DIR: directory }
        return spawnSync("systemd-analyze", ["verify", "--user", file], { encoding: "utf8", env })
      }
      const text = serviceOf(state, owner).text({ ...odd, node })
      expect(check(text)).toMatchObject({ status: 0, stderr: "" })
      expect(check(text.replace("RestartSec", "RestartSeconds")).stderr).toContain("Unknown key")
      expect(check(text.replace("50%%", "50")).status).not.toBe(0)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})
