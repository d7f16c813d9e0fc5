import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { me } from "../support/CoderModel.ts"
import { connectProxy } from "../support/ConnectProxy.ts"
import { Program } from "../support/Program.ts"
import { secrets } from "../support/Secrets.ts"
import { certificate, serveTls } from "../support/TlsCoder.ts"

const bodies = {
  "/api/v2/users/me": me,
  "/api/v2/templates": [],
  "/api/v2/workspaces": { workspaces: [], count: 0 }
}

/** What list_agents says, and all that the program left on stderr, with these variables beside those of a Coder. */
const listed = (coder: URL, env: Readonly<Record<string, string>>) =>
  Effect.promise(async () => {
    await using program = new Program({
      env: { CODER_URL: coder.origin, CODER_SESSION_TOKEN: secrets.coderToken, ...env }
    })
    await program.initialize()
    return { ...(await program.call("list_agents")), log: program.stderr }
  })

describe("the program and a Coder over TLS", () => {
  it.scopedLive("through HTTPS_PROXY, with a certificate of NODE_EXTRA_CA_CERTS", () =>
    Effect.gen(function* () {
      const coder = yield* serveTls(bodies)
      const proxy = yield* connectProxy()
      const address = `http://ada:hunter2-secret@${proxy.url.host}`
      const there = { HTTPS_PROXY: address, NODE_EXTRA_CA_CERTS: certificate }
      const { isError, log, text } = yield* listed(coder.url, there)
      assert.isFalse(isError, text)
      assert.isAbove(proxy.tunnels.length, 0)
      assert.isTrue(
        proxy.tunnels.every(({ authorization, to }) => to === coder.url.host && authorization !== undefined)
      )
      assert.isAbove(coder.asked.length, 0)
      assert.include(log, proxy.url.origin)
      assert.notInclude(log + text, "hunter2")
      assert.notInclude(log + text, Buffer.from("ada:hunter2-secret").toString("base64"))
    })
  )

  it.scopedLive("past HTTPS_PROXY, where NO_PROXY names it; HTTP_PROXY is not asked for it", () =>
    Effect.gen(function* () {
      const coder = yield* serveTls(bodies)
      const proxy = yield* connectProxy()
      for (const names of [{ https_proxy: proxy.url.href, no_proxy: "localhost" }, { HTTP_PROXY: proxy.url.href }]) {
        const { isError, text } = yield* listed(coder.url, { ...names, NODE_EXTRA_CA_CERTS: certificate })
        assert.isFalse(isError, text)
      }
      assert.deepStrictEqual(proxy.tunnels, [])
    })
  )

  it.scopedLive("without that certificate, through a proxy or not, it names NODE_EXTRA_CA_CERTS", () =>
    Effect.gen(function* () {
      const coder = yield* serveTls(bodies)
      const proxy = yield* connectProxy()
      for (const names of [{}, { HTTPS_PROXY: proxy.url.href }]) {
        const { isError, text } = yield* listed(coder.url, names)
        assert.isTrue(isError)
        assert.include(text, "NODE_EXTRA_CA_CERTS")
      }
      assert.deepStrictEqual(coder.asked, [])
    })
  )

  it.scopedLive("says that the proxy refused, and what is wrong with its address, without its password", () =>
    Effect.gen(function* () {
      const coder = yield* serveTls(bodies)
      const proxy = yield* connectProxy(407)
      const refused = yield* listed(coder.url, { HTTPS_PROXY: `http://ada:hunter2-secret@${proxy.url.host}` })
      assert.isTrue(refused.isError)
      assert.include(refused.text, "the proxy answered 407")
      assert.notInclude(refused.text + refused.log, "hunter2")
      const broken = yield* listed(coder.url, { HTTPS_PROXY: "http://ada:hunter2-%zz@proxy" })
      assert.isTrue(broken.isError)
      assert.include(broken.text, "HTTPS_PROXY is not the address of an HTTP proxy")
      assert.notInclude(broken.text + broken.log, "hunter2")
    })
  )
})
