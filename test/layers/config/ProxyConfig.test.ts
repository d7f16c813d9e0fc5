import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect } from "effect"
import { proxyFor } from "../../../src/layers/config/ProxyConfig.ts"

const read = (server: string, variables: Record<string, string>) =>
  Effect.withConfigProvider(proxyFor(new URL(server)), ConfigProvider.fromMap(new Map(Object.entries(variables))))

const [http, https] = ["http://coder.test", "https://coder.test"]

describe("the proxy for Coder", () => {
  const cases: ReadonlyArray<readonly [string, string, Record<string, string>, string | undefined]> = [
    ["none without a variable", https, {}, undefined],
    ["HTTPS_PROXY for https", https, { HTTPS_PROXY: "http://p:1", HTTP_PROXY: "http://q:2" }, "http://p:1"],
    ["HTTP_PROXY for http", http, { HTTPS_PROXY: "http://p:1", HTTP_PROXY: "http://q:2" }, "http://q:2"],
    ["HTTP_PROXY is not for https", https, { HTTP_PROXY: "http://q:2" }, undefined],
    ["HTTPS_PROXY is not for http", http, { HTTPS_PROXY: "http://p:1" }, undefined],
    ["lower case first", https, { HTTPS_PROXY: "http://p:1", https_proxy: "http://low:2" }, "http://low:2"],
    ["a blank one counts as unset", https, { https_proxy: "  ", HTTPS_PROXY: "http://p:1" }, "http://p:1"],
    ["without a scheme", https, { HTTPS_PROXY: "p.test:3128" }, "http://p.test:3128"],
    ["by TLS", https, { HTTPS_PROXY: "https://p.test:3128" }, "https://p.test:3128"]
  ]
  for (const [what, server, variables, expected] of cases) {
    it.effect(what, () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* read(server, variables))?.url.origin, expected)
      })
    )
  }

  it.effect("NO_PROXY is a list, in either case", () =>
    Effect.gen(function* () {
      const named = { HTTPS_PROXY: "http://p:1", NO_PROXY: "localhost, .test  10.0.0.1:80," }
      assert.deepStrictEqual((yield* read(https, named))?.noProxy, ["localhost", ".test", "10.0.0.1:80"])
      assert.deepStrictEqual((yield* read(https, { ...named, no_proxy: "*" }))?.noProxy, ["*"])
    })
  )

  for (const value of ["http://", "socks5://p:1", "http://ada:hunter2-%zz@p:1", "http://hunter2 x"]) {
    it.effect(`${value} is refused, and not repeated`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(read(https, { HTTPS_PROXY: value }))
        assert.include(error.message, "HTTPS_PROXY is not the address of an HTTP proxy")
        assert.notInclude(JSON.stringify(error) + error.message, "hunter2")
      })
    )
  }
})
