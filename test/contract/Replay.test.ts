import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Fiber, Option, TestClock } from "effect"
import { Deadline } from "../../src/layers/time/Deadline.ts"
import { ReadRetry } from "../../src/layers/clients/RetryPolicy.ts"
import { endpoints, match } from "./Contract.ts"
import { audit, exchanges, type Exchange, type LeftOut } from "./Recordings.ts"
import { expectedError, expectedValue, playDerived, playRaw, type Played } from "./Replay.ts"

/** Exchanges that the client never has with a server. */
const leftOut: LeftOut = [
  {
    reason: "Coder's task endpoints are deprecated and not in the contract; an agent is its workspace",
    keys: exchanges.flatMap(({ key, request }) => (/^\/api\/(v2|experimental)\/tasks/.test(request.path) ? [key] : []))
  },
  {
    reason: "streams are not in the contract",
    keys: ["watch: an agent connects and runs its startup script", "agentapi: events"]
  },
  {
    reason: "cancelling a build is not in the contract",
    keys: [
      "builds: cancel, wrong expected state",
      "builds: cancel",
      "builds: cancel again",
      "builds: cancel a finished build",
      "builds: cancel where the template forbids it"
    ]
  },
  {
    reason: "not in the contract: templates come from the list alone",
    keys: [
      "templates: by organization and name",
      "templates: by organization and id (no such form)",
      "templates: missing"
    ]
  },
  {
    reason: "not in the contract: a fleet never asks for organizations, tokens or the deployment's configuration",
    keys: [
      "platform: organizations",
      "platform: all organizations",
      "platform: deployment config as member",
      "platform: token names are unique",
      "platform: token with scope application_connect"
    ]
  },
  {
    reason: "the client sends its token to /api in the header Coder-Session-Token, in no other way",
    keys: [
      "platform: me with Authorization: Bearer",
      "app-proxy: cookie on /api: read",
      "app-proxy: cookie on /api: write"
    ]
  },
  {
    reason: "the client sends its token to apps in the cookie, in no other way",
    keys: [
      "app-proxy: session header: does it reach the app?",
      "app-proxy: bearer: does it reach the app?",
      "app-proxy: query token: does it reach the app?",
      "app-proxy: bad token in header"
    ]
  },
  {
    reason: "the client speaks to apps in the path form only",
    keys: [
      "app-proxy: subdomain form",
      "app-proxy: subdomain form with agent",
      "app-proxy: subdomain form, session header",
      "app-proxy: subdomain form, no token",
      "app-proxy: subdomain form, port"
    ]
  },
  {
    reason: "the client never sends the header that asks for no rate limit",
    keys: ["limits: the bypass header as a member"]
  }
]

/** Requests that the derived client refuses to send, or that are for no endpoint of its: sent by the one below it. */
const raw: LeftOut = [
  {
    reason: "the contract has no words for such a request",
    keys: [
      "agentapi: unknown type",
      "agentapi: extra key",
      "builds: bad transition",
      "builds: bad reason",
      "list: owner= is ignored",
      "list: negative limit",
      "list: limit is no number",
      "platform: no such route",
      "platform: not JSON",
      "statuses: bad state"
    ]
  },
  {
    reason: "an app that only this recording has, behind the proxy that AgentAPI is behind",
    keys: [
      "app-proxy: session cookie: does it reach the app?",
      "app-proxy: application_connect token in the cookie",
      "app-proxy: no token",
      "app-proxy: no slash after the slug",
      "app-proxy: user me",
      "app-proxy: workspace.agent",
      "app-proxy: workspace.workspace-id, the seed's form",
      "app-proxy: other case",
      "app-proxy: unknown app",
      "app-proxy: unknown workspace",
      "app-proxy: another user's app",
      "app-proxy: nothing listens",
      "app-proxy: subdomain app on the path form",
      "app-proxy: POST through the proxy with the cookie",
      "app-proxy: stopped workspace",
      "app-proxy: started, agent not connected yet"
    ]
  }
]

const rawKeys = new Set(raw.flatMap(({ keys }) => keys))
const leftOutKeys = new Set(leftOut.flatMap(({ keys }) => keys))
const tested = exchanges.filter(({ key }) => !leftOutKeys.has(key))

const play = (exchange: Exchange): Effect.Effect<Played> =>
  (rawKeys.has(exchange.key) ? playRaw(exchange) : playDerived(exchange)) ??
  Effect.dieMessage("the client has no such exchange: it belongs into one of the tables")

/** Runs an effect to its end on the test clock, in small steps, so that nothing times out that only reads. */
const driven = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    for (;;) {
      for (let turn = 0; turn < 5; turn++) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      const exit = yield* Fiber.poll(fiber)
      if (Option.isSome(exit)) return yield* exit.value
      yield* TestClock.adjust("50 millis")
    }
  })

/** What a tool call has. */
const inTime = Effect.provideService(Deadline, Option.some(30_000))

/** GETs are repeated when another attempt may succeed, unless the server asks for more time than the call has. */
const attempts = ({ request, response }: Exchange): number =>
  request.method === "GET" && response.status >= 500 ? ReadRetry.defaultValue().attempts : 1

describe("recordings of Coder v2.31.3, through the client", () => {
  for (const exchange of tested) {
    it.effect(exchange.key, () =>
      Effect.gen(function* () {
        const { requests, result } = yield* driven(inTime(play(exchange)))
        const error = expectedError(exchange)
        if (error === undefined) {
          assert.deepStrictEqual(
            yield* Effect.mapError(result, (error) => error.message),
            rawKeys.has(exchange.key) ? exchange.response.body : expectedValue(exchange)
          )
        } else {
          const failure = yield* Either.flip(result)
          for (const [key, value] of Object.entries(error)) {
            assert.deepStrictEqual(Reflect.get(failure, key), value, key)
          }
          assert.isFalse("headers" in failure)
          assert.strictEqual(failure.method, exchange.request.method)
          assert.strictEqual(failure.path, exchange.request.path.split("?")[0])
        }
        assert.strictEqual(requests, attempts(exchange))
      })
    )
  }

  it("each exchange is played, or left out with a reason", () => {
    assert.deepStrictEqual(
      audit(
        tested.map(({ key }) => key),
        leftOut
      ),
      []
    )
  })

  it("the derived client has no words for exactly the exchanges that are said to be sent below it", () => {
    const without = tested.filter((exchange) => playDerived(exchange) === undefined).map(({ key }) => key)
    assert.sameMembers(without, [...rawKeys])
  })

  it("no exchange is left out that the contract declares and the client could have", () => {
    assert.deepStrictEqual(
      exchanges
        .filter((exchange) => leftOutKeys.has(exchange.key) && playDerived(exchange) !== undefined)
        .map(({ key }) => key),
      []
    )
  })

  it("every endpoint of the contract has an exchange", () => {
    const seen = new Set(tested.map(({ request }) => match(request.method, request.path)?.endpoint.key))
    // What is below `/fleet/` is ours alone.
    const recorded = endpoints.filter(({ path }) => !path.includes("/fleet/"))
    assert.deepStrictEqual(
      recorded.map(({ key }) => key).filter((key) => !seen.has(key)),
      []
    )
  })
})
