import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Exit, Layer, Redacted } from "effect"
import { homedir } from "node:os"
import { join, resolve } from "node:path"
import { inspect } from "node:util"
import { AuthConfig } from "../../../src/layers/config/AuthConfig.ts"
import { StateDirectory } from "../../../src/layers/config/StateDirectory.ts"

const read = (entries: Record<string, string>) =>
  AuthConfig.pipe(
    Effect.provide(Layer.provide(AuthConfig.layerConfig, StateDirectory.layerConfig)),
    Effect.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(entries)))))
  )

describe("AuthConfig", () => {
  it.effect("is on, with a file at home", () =>
    Effect.map(read({ FLEET_MCP_AUTH_TOKEN: " ", FLEET_MCP_AUTH_TOKEN_FILE: "", FLEET_MCP_AUTH_ENABLED: "" }), (auth) =>
      assert.deepStrictEqual(auth, {
        enabled: true,
        token: undefined,
        tokenFile: join(homedir(), ".fleet-mcp", "auth_token")
      })
    )
  )

  it.effect("has its file in the state directory, or where it is told", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* read({ FLEET_MCP_STATE_DIR: "/state" })).tokenFile, "/state/auth_token")
      const both = { FLEET_MCP_STATE_DIR: "/state", FLEET_MCP_AUTH_TOKEN_FILE: "some/file" }
      assert.strictEqual((yield* read(both)).tokenFile, resolve("some/file"))
    })
  )

  for (const [text, enabled] of [
    ["false", false],
    [" FALSE ", false],
    ["true", true]
  ] as const) {
    it.effect(`FLEET_MCP_AUTH_ENABLED=${text}`, () =>
      Effect.map(read({ FLEET_MCP_AUTH_ENABLED: text }), (auth) => assert.strictEqual(auth.enabled, enabled))
    )
  }

  it.effect("takes the token as it is, and shows it nowhere", () =>
    Effect.gen(function* () {
      const auth = yield* read({ FLEET_MCP_AUTH_TOKEN: "CANARY~!" })
      assert.strictEqual(auth.token === undefined ? undefined : Redacted.value(auth.token), "CANARY~!")
      assert.notInclude(JSON.stringify(auth) + inspect(auth), "CANARY")
    })
  )

  for (const [name, value] of [
    ["FLEET_MCP_AUTH_ENABLED", "CANARY"],
    ["FLEET_MCP_AUTH_ENABLED", "0"],
    ["FLEET_MCP_AUTH_TOKEN", "CANARY token"],
    ["FLEET_MCP_AUTH_TOKEN", "CANARY\n"],
    ["FLEET_MCP_AUTH_TOKEN", "CANARY-é"]
  ] as const) {
    it.effect(`refuses ${name}=${JSON.stringify(value)} without repeating it`, () =>
      Effect.map(Effect.exit(read({ [name]: value })), (exit) => {
        assert.isTrue(Exit.isFailure(exit))
        assert.include(String(exit), name)
        assert.notInclude(String(exit) + inspect(exit, { depth: 9 }), "CANARY")
      })
    )
  }
})
