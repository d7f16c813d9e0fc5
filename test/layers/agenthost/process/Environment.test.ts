import { describe, expect, it } from "@effect/vitest"
import { agentEnvironment, refusedNames } from "../../../../src/layers/agenthost/process/Environment.ts"

const values = (names: ReadonlyArray<string>) => Object.fromEntries(names.map((name) => [name, `value of ${name}`]))

const passed = values([
  "PATH",
  "HOME",
  "LOGNAME",
  "LC_ALL",
  "TZ",
  "XDG_CONFIG_HOME",
  "SSH_AUTH_SOCK",
  "GIT_AUTHOR_NAME",
  "GIT_CONFIG_GLOBAL",
  "GIT_CONFIG_SYSTEM",
  "GIT_SSL_CAINFO",
  "HTTPS_PROXY",
  "https_proxy",
  "NO_PROXY",
  "all_proxy",
  "SSL_CERT_FILE",
  "NODE_EXTRA_CA_CERTS",
  "CURL_CA_BUNDLE",
  "REQUESTS_CA_BUNDLE"
])
const own = values(["CODER_SESSION_TOKEN", "FLEET_MCP_AUTH_TOKEN", "FLEET_MCP_STATE_DIR", "GIT_DIR", "GIT_INDEX_FILE"])
const others = values(["ANTHROPIC_API_KEY", "PATHS", "MY_HOME", "DATABASE_URL"])

describe("agentEnvironment", () => {
  it("passes on what programs need, and no keys", () => {
    expect(agentEnvironment({ ...passed, ...own, ...others })).toEqual(passed)
  })

  it("passes on what is named besides, but never the fleet's own", () => {
    const more = ["DATABASE_URL", "NOT_SET", ...Object.keys(own)]
    expect(agentEnvironment({ ...passed, ...own, ...others }, more)).toEqual({
      ...passed,
      DATABASE_URL: "value of DATABASE_URL"
    })
    expect(refusedNames(more)).toEqual(Object.keys(own))
  })
})
