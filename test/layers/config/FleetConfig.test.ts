import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Exit, Inspectable, Layer, Redacted } from "effect"
import { inspect } from "node:util"
import { CoderConfig } from "../../../src/layers/config/CoderConfig.ts"
import { FleetConfig } from "../../../src/layers/config/FleetConfig.ts"
import * as FleetMcp from "../../../src/layers/FleetMcp.ts"

const from = (entries: Record<string, string>) =>
  Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(entries))))

describe("FleetConfig", () => {
  const read = (entries: Record<string, string>) =>
    FleetConfig.pipe(Effect.provide(FleetConfig.layerConfig), Effect.provide(from(entries)))

  it.effect("takes nothing for granted unless told", () =>
    Effect.map(read({}), (options) => {
      assert.deepStrictEqual(options, { projects: [], promptParameter: undefined, appSlug: undefined })
    })
  )

  it.effect("reads names, separated by commas", () =>
    Effect.gen(function* () {
      const options = yield* read({
        FLEET_MCP_PROJECTS: "web, api ,docs",
        FLEET_MCP_PROMPT_PARAMETER: "Goal",
        FLEET_MCP_APP_SLUG: "agent"
      })
      assert.deepStrictEqual(options, { projects: ["web", "api", "docs"], promptParameter: "Goal", appSlug: "agent" })
    })
  )

  it.effect("is empty by options, too", () =>
    Effect.map(FleetConfig.pipe(Effect.provide(FleetConfig.layer())), (options) => assert.deepStrictEqual(options, {}))
  )
})

describe("CoderConfig", () => {
  const read = (entries: Record<string, string>) =>
    CoderConfig.pipe(Effect.provide(CoderConfig.layerConfig), Effect.provide(from(entries)), Effect.exit)

  const whole = { CODER_URL: "https://coder.test/base", CODER_SESSION_TOKEN: "CANARY-token" }

  it.effect("reads the URL and the token, which shows nowhere", () =>
    Effect.gen(function* () {
      const { sessionToken, url } = yield* yield* read(whole)
      assert.strictEqual(url.href, "https://coder.test/base")
      assert.strictEqual(Redacted.value(sessionToken), "CANARY-token")
      for (const text of [
        JSON.stringify({ sessionToken }),
        inspect({ sessionToken }),
        Inspectable.toStringUnknown({ sessionToken })
      ]) {
        assert.notInclude(text, "CANARY")
      }
    })
  )

  for (const [what, entries] of [
    ["no URL", { CODER_SESSION_TOKEN: "CANARY-token" }],
    ["no token", { CODER_URL: "https://coder.test" }],
    ["a URL that is none", { ...whole, CODER_URL: "coder.test" }]
  ] as const) {
    it.effect(`${what} is an error that names it and hides the token`, () =>
      Effect.map(read(entries), (exit) => {
        assert.isTrue(Exit.isFailure(exit))
        assert.match(String(exit), /CODER_(URL|SESSION_TOKEN)/)
        assert.notInclude(String(exit), "CANARY")
      })
    )
  }

  it.effect("the whole fleet is built from it, and asks for nothing before the first call", () =>
    Effect.scoped(Layer.build(FleetMcp.layerConfig)).pipe(Effect.provide(from(whole)), Effect.asVoid)
  )
})
