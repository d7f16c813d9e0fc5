import { describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck, Redacted } from "effect"
import { providerOf, type Environment, type Flags } from "../../../src/commands/Settings.ts"
import { backendConfig, type Backend } from "../../../src/layers/config/Backend.ts"

const url = "https://coder.example.com"
const token = "abc-DEF_123"

const shown = (backend: Backend): string => {
  switch (backend._tag) {
    case "Coder":
      return `${backend.url.origin} ${Redacted.value(backend.sessionToken)}`
    case "Local":
      return "local"
    case "Incomplete":
      return `! ${backend.problem}`
  }
}

/** The backend that the flags of a command line and an environment choose. */
const choose = (environment: Environment, flags: Flags = {}): Backend =>
  Effect.runSync(Effect.withConfigProvider(backendConfig, providerOf({ environment, flags })))

describe("backendConfig", () => {
  it.each<readonly [string, Environment, Flags, string]>([
    ["nothing", {}, {}, "local"],
    ["empty and blank values", { CODER_URL: "", CODER_SESSION_TOKEN: "  ", FLEET_MCP_BACKEND: "" }, {}, "local"],
    ["both", { CODER_URL: url, CODER_SESSION_TOKEN: token }, {}, `${url} ${token}`],
    [
      "a port and a slash",
      { CODER_URL: " http://localhost:3000/ ", CODER_SESSION_TOKEN: token },
      {},
      `http://localhost:3000 ${token}`
    ],
    ["no token", { CODER_URL: url }, {}, "! A Coder server is named, but CODER_SESSION_TOKEN is not set."],
    [
      "an empty token",
      { CODER_URL: url, CODER_SESSION_TOKEN: "" },
      {},
      "! A Coder server is named, but CODER_SESSION_TOKEN is not set."
    ],
    ["no URL", { CODER_SESSION_TOKEN: token }, {}, "! CODER_SESSION_TOKEN is set, but CODER_URL is not."],
    ["--local over both", { CODER_URL: url, CODER_SESSION_TOKEN: token }, { local: true }, "local"],
    ["--local over half", { CODER_SESSION_TOKEN: token }, { local: true }, "local"],
    ["--local over the pin", { FLEET_MCP_BACKEND: "coder" }, { local: true }, "local"],
    ["--coder-url", { CODER_SESSION_TOKEN: token }, { coderUrl: url }, `${url} ${token}`],
    [
      "--coder-url over CODER_URL",
      { CODER_URL: "https://a", CODER_SESSION_TOKEN: token },
      { coderUrl: url },
      `${url} ${token}`
    ],
    [
      "--coder-url over the pin",
      { FLEET_MCP_BACKEND: "local", CODER_SESSION_TOKEN: token },
      { coderUrl: url },
      `${url} ${token}`
    ],
    [
      "--coder-url without a token",
      {},
      { coderUrl: url },
      "! A Coder server is named, but CODER_SESSION_TOKEN is not set."
    ],
    [
      "an empty --coder-url",
      { CODER_URL: url, CODER_SESSION_TOKEN: token },
      { coderUrl: "" },
      "! No Coder server is named."
    ],
    ["pinned to this machine", { FLEET_MCP_BACKEND: "local", CODER_URL: url, CODER_SESSION_TOKEN: token }, {}, "local"],
    [
      "pinned to Coder",
      { FLEET_MCP_BACKEND: "Coder", CODER_URL: url, CODER_SESSION_TOKEN: token },
      {},
      `${url} ${token}`
    ],
    ["pinned to Coder without one", { FLEET_MCP_BACKEND: "coder" }, {}, "! No Coder server is named."],
    ["pinned to nonsense", { FLEET_MCP_BACKEND: "docker" }, {}, "! FLEET_MCP_BACKEND is neither coder nor local."]
  ])("%s", (_, environment, flags, expected) => {
    expect(shown(choose(environment, flags))).toBe(expected)
  })

  it.each([
    ["coder.example.com", "is not a URL"],
    ["https://", "is not a URL"],
    ["ftp://coder.example.com", "does not begin with"],
    ["javascript:alert(1)", "does not begin with"],
    ["file:///etc/passwd", "does not begin with"],
    ["https://me:hunter2@coder.example.com", "contains a user name or password"],
    ["https://hunter2@coder.example.com", "contains a user name or password"],
    ["https://coder.example.com/workspaces?hunter2", "has something behind the host"],
    ["https://coder.example.com/#hunter2", "has something behind the host"]
  ])("refuses the address %s, without repeating it", (address, problem) => {
    const said = shown(choose({ CODER_URL: address, CODER_SESSION_TOKEN: token }))
    expect(said).toContain(`! CODER_URL (or --coder-url) ${problem}`)
    expect(said).not.toContain("hunter2")
  })

  it.each(["xyz\nqq", "xyz\rqq", "xyz qq", "xyzöqq", "xyzqq\u0000", " xyzqq", "xyzqq\n"])(
    "refuses the token %j, without repeating it",
    (bad) => {
      const backend = choose({ CODER_URL: url, CODER_SESSION_TOKEN: bad })
      expect(shown(backend)).toContain("! CODER_SESSION_TOKEN contains")
      expect(JSON.stringify(backend)).not.toMatch(/xyz|qq/)
    }
  )

  const value = FastCheck.oneof(
    FastCheck.constantFrom(undefined, "", " ", url, token, "local", "coder"),
    FastCheck.string({ unit: "binary" }),
    FastCheck.webUrl()
  )
  const settings = FastCheck.tuple(
    FastCheck.record({ CODER_URL: value, CODER_SESSION_TOKEN: value, FLEET_MCP_BACKEND: value }),
    FastCheck.record({ local: FastCheck.boolean(), coderUrl: value })
  )

  it.prop(
    "always chooses; a problem comes with a remedy, and a server with a token it may be sent",
    [settings],
    ([[environment, flags]]) => {
      const backend = choose(environment, flags)
      if (backend._tag === "Incomplete") {
        expect(backend.problem).toMatch(/\.$/)
        expect(backend.remedy).toMatch(/\.$/)
      }
      if (backend._tag === "Coder") {
        expect(backend.url.protocol).toMatch(/^https?:$/)
        expect(backend.url.href).toBe(`${backend.url.origin}/`)
        expect(Redacted.value(backend.sessionToken)).toMatch(/^[\x21-\x7e]+$/)
      }
    }
  )

  it.prop("never falls back to this machine when something of Coder is set", [settings], ([[environment, flags]]) => {
    const isSet = [environment.CODER_URL, environment.CODER_SESSION_TOKEN].some((text) => (text ?? "").trim() !== "")
    const asked = flags.local || environment.FLEET_MCP_BACKEND?.trim().toLowerCase() === "local"
    if (isSet && !asked) expect(choose(environment, flags)._tag).not.toBe("Local")
  })
})
