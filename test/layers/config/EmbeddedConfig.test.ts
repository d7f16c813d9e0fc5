import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { inspect } from "node:util"
import { providerOf, type Environment, type Flags } from "../../../src/commands/Settings.ts"
import { embeddedVariables } from "../../../src/layers/config/EmbeddedConfig.ts"

const read = (environment: Environment, flags: Flags = {}) =>
  Effect.withConfigProvider(embeddedVariables, providerOf({ environment, flags }))

describe("embeddedVariables", () => {
  it.effect("say nothing unless told", () =>
    Effect.map(read({ FLEET_MCP_PROJECT_DIRS: " ", FLEET_MCP_AGENT_ENV: "", FLEET_MCP_ALLOW_SHELL: "" }), (found) =>
      assert.deepStrictEqual(found, { allowShell: false, projectDirectories: [], agentEnvironment: [] })
    )
  )

  it.effect("name directories as PATH does, and flags before them, whatever is in their paths", () =>
    Effect.gen(function* () {
      const environment = { FLEET_MCP_PROJECT_DIRS: "/one:two/three::/with space/," }
      assert.deepStrictEqual((yield* read(environment)).projectDirectories, ["/one", "two/three", "/with space/,"])
      for (const projects of [["/a"], ["/a", "b:c,d"], ["x:y"]]) {
        assert.deepStrictEqual((yield* read(environment, { projects })).projectDirectories, projects)
      }
    })
  )

  it.effect("name variables of agents, each once", () =>
    Effect.gen(function* () {
      const { agentEnvironment } = yield* read({ FLEET_MCP_AGENT_ENV: "SSH_AUTH_SOCK, _x9 ,,SSH_AUTH_SOCK" })
      assert.deepStrictEqual(agentEnvironment, ["SSH_AUTH_SOCK", "_x9"])
    })
  )

  for (const [name, value, says] of [
    ["FLEET_MCP_AGENT_ENV", "OK,KEY=CANARY", "entry 2"],
    ["FLEET_MCP_AGENT_ENV", "CANARY-x", "entry 1"],
    ["FLEET_MCP_AGENT_ENV", "A B", "entry 1"],
    ["FLEET_MCP_AGENT_ENV", "9A", "entry 1"],
    ["FLEET_MCP_AGENT_ENV", "CODER_SESSION_TOKEN", "names CODER_SESSION_TOKEN"],
    ["FLEET_MCP_ALLOW_SHELL", "CANARY", "neither true nor false"]
  ] as const) {
    it.effect(`refuse ${name}=${value} without repeating a value`, () =>
      Effect.map(Effect.exit(read({ [name]: value })), (exit) => {
        assert.isTrue(Exit.isFailure(exit))
        assert.include(String(exit), name)
        assert.include(String(exit), says)
        assert.notInclude(String(exit) + inspect(exit, { depth: 9 }), "CANARY")
      })
    )
  }
})
