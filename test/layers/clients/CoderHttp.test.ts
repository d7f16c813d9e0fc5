import { HttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, FastCheck, Fiber, Layer, Schema } from "effect"
import { AgentApiClient } from "../../../src/layers/clients/AgentApiClient.ts"
import { CoderClient } from "../../../src/layers/clients/CoderClient.ts"
import { within } from "../../../src/layers/time/Deadline.ts"
import { ReadRetry } from "../../../src/layers/clients/RetryPolicy.ts"
import type { CoderError } from "../../../src/schemas/coder/CoderError.ts"
import { Segment } from "../../../src/schemas/coder/Segment.ts"
import { clientsOver, traces } from "../../support/clients.ts"
import { me, token } from "../../support/CoderModel.ts"
import { elapse } from "../../support/fleet.ts"
import {
  type Answer,
  type Fault,
  Proxy,
  answer,
  broken,
  clientOf,
  dropBefore,
  hangBefore,
  html,
  json,
  refused,
  truncatedAfter
} from "../../support/ScriptedCoder.ts"

const url = new URL("https://canary-host.test")
const healthy = () => json(200, me)

const withClients = <A, E>(
  proxy: Proxy,
  effect: Effect.Effect<A, E, CoderClient | AgentApiClient>,
  base = url,
  handler: () => Answer = healthy
) => Effect.provide(effect, clientsOver(base, Layer.succeed(HttpClient.HttpClient, proxy.inFrontOf(clientOf(handler)))))

const get = Effect.flatMap(CoderClient, (coder) => coder.users.user({ path: { user: "me" } }))
const post = Effect.flatMap(CoderClient, (coder) =>
  coder.workspaces.create({ path: { user: "me" }, payload: { name: "bot" } })
)
const list = Effect.flatMap(CoderClient, (coder) => coder.workspaces.list({ urlParams: { q: "owner:me" } }))
const app = { owner_name: "ada", workspace_name: "bot", slug: "ccw" }
const status = Effect.flatMap(AgentApiClient, (agents) => Effect.flatMap(agents.of(app), (api) => api.status()))
const say = Effect.flatMap(AgentApiClient, (agents) =>
  Effect.flatMap(agents.of(app), (api) => api.message({ payload: { content: "hi", type: "user" } }))
)

type AnyCall = Effect.Effect<unknown, CoderError, CoderClient | AgentApiClient>
const calls: ReadonlyArray<readonly [string, AnyCall]> = [
  ["GET api", get],
  ["POST api", post],
  ["GET app", status],
  ["POST app", say]
]

/** The error of a call against one fault, its requests and how long it took. */
const against = (fault: Fault, call: AnyCall = get) => {
  const proxy = new Proxy().on(/./, fault)
  return withClients(
    proxy,
    Effect.gen(function* () {
      const { exit, took } = yield* elapse(Effect.flip(call))
      return { error: yield* exit, took, proxy }
    })
  )
}

const deadline =
  (time: Duration.DurationInput) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    within(Duration.decode(time), () => "deadline" as const)(effect)

describe.concurrent("the token", () => {
  it.effect("is in the header on /api, in the cookie on apps, and nowhere else", () => {
    const proxy = new Proxy()
    return withClients(
      proxy,
      Effect.gen(function* () {
        yield* Effect.ignore(Effect.all([get, list, post, status, say], { mode: "either" }))
        assert.strictEqual(proxy.received.length, 5)
        for (const { body, headers, path, query } of proxy.received) {
          const { cookie, "coder-session-token": header, ...rest } = headers
          if (path.startsWith("/@"))
            assert.deepStrictEqual([cookie, header], [`coder_session_token=${token}`, undefined])
          else assert.deepStrictEqual([cookie, header], [undefined, token])
          assert.notInclude(JSON.stringify([rest, path, [...query], body]), "CANARY")
          assert.isUndefined(rest["traceparent"])
          assert.isUndefined(rest["b3"])
        }
      })
    )
  })

  const echoed = { message: `no ${token}`, detail: token, validations: [{ field: token, detail: token }] }
  const faults: ReadonlyArray<readonly [string, Fault]> = [
    ["401", answer(json(401, { message: "no" }))],
    ["500", answer(json(500, { message: "no" }))],
    ["HTML 502", answer(html(502))],
    ["a redirect", answer(html(302, { location: "https://evil.test/" }))],
    ["another shape", answer(json(200, { id: 7 }))],
    ["an echo of the token", answer(json(403, echoed, { "x-coder-request-id": token, "x-token": token }))],
    ["an echo that is no JSON", answer(html(502, { "content-type": `text/html; token=${token}` }))],
    ["a broken connection", dropBefore],
    ["no connection", refused],
    ["a truncated answer", truncatedAfter],
    ["silence", hangBefore]
  ]
  for (const [name, call] of calls) {
    for (const [what, fault] of faults) {
      it.effect(`is in no error, span or log: ${name}, ${what}`, () => {
        const proxy = new Proxy().on(/./, fault)
        return withClients(
          proxy,
          Effect.gen(function* () {
            const { exit } = yield* elapse(traces(call))
            const { errors, exit: end, left } = yield* exit
            assert.isTrue(Exit.isFailure(end))
            assert.notInclude(errors, token)
            assert.notInclude(errors, "canary-host")
            assert.notInclude(left, token)
            assert.include(left, "test")
          })
        )
      })
    }
  }
})

describe("the origin", () => {
  for (const status of [301, 302, 303, 307, 308]) {
    for (const [name, call] of calls) {
      it.effect(`${status} is not followed: ${name}`, () =>
        Effect.gen(function* () {
          const { error, proxy } = yield* against(answer(html(status, { location: "https://evil.test/" })), call)
          assert.deepStrictEqual([error.reason, error.status], ["redirect", status])
          assert.strictEqual(proxy.received.length, 1)
        })
      )
    }
  }

  const names = FastCheck.oneof(
    FastCheck.string({ unit: "binary", maxLength: 12 }),
    FastCheck.constantFrom(
      "..",
      ".",
      "",
      "a/b",
      "../../x",
      "a%2fb",
      "%2e%2e",
      "a?b",
      "a#b",
      "a\\b",
      "//evil.test",
      "a b"
    )
  )

  it.effect("no name of a workspace, owner or app leaves its segment", () =>
    Effect.gen(function* () {
      for (const name of [...FastCheck.sample(names, { numRuns: 100, seed: 7 }), "..", ".", "", "a/../b"]) {
        const proxy = new Proxy()
        const lookup = Effect.flatMap(CoderClient, (coder) =>
          coder.workspaces.getByName({ path: { user: "me", name } })
        )
        const asked = (slug: typeof app) =>
          Effect.flatMap(AgentApiClient, (agents) => Effect.flatMap(agents.of(slug), (api) => api.status()))
        const all: ReadonlyArray<AnyCall> = [
          lookup,
          asked({ ...app, slug: name }),
          asked({ ...app, owner_name: name }),
          asked({ ...app, workspace_name: name })
        ]
        yield* withClients(proxy, Effect.forEach(all, Effect.ignore))
        const safe = Schema.is(Schema.typeSchema(Segment))(name) && !["", ".", ".."].includes(name)
        assert.strictEqual(proxy.received.length, safe ? 4 : 0, JSON.stringify(name))
        const depths = proxy.received.map(({ path }) => path.split("/").length)
        if (safe) assert.deepStrictEqual(depths, [7, 6, 6, 6], JSON.stringify(name))
      }
    })
  )

  it.effect("a name that cannot stand in a path is an invalid request, with nothing sent", () => {
    const proxy = new Proxy()
    return withClients(
      proxy,
      Effect.gen(function* () {
        const coder = yield* CoderClient
        const error = yield* Effect.flip(coder.workspaces.get({ path: { workspace: ".." }, urlParams: {} }))
        assert.strictEqual(error.reason, "invalid_request")
        assert.isTrue(error.notProcessed)
        assert.deepStrictEqual(proxy.received, [])
      })
    )
  })

  it.effect("a base URL with a path keeps it", () => {
    const proxy = new Proxy()
    return withClients(
      proxy,
      Effect.gen(function* () {
        yield* Effect.ignore(get)
        yield* Effect.ignore(status)
        assert.deepStrictEqual(proxy.asked(), ["GET /coder/api/v2/users/me", "GET /coder/@ada/bot/apps/ccw/status"])
      }),
      new URL("https://canary-host.test/coder/")
    )
  })
})

describe.concurrent("answers", () => {
  const id = { "x-coder-request-id": "request-7" }
  const cases: ReadonlyArray<readonly [string, Answer, Partial<CoderError>]> = [
    ...[400, 401, 403, 404, 405, 406, 409, 410, 412, 413, 415, 422, 425, 428, 429].map(
      (status) =>
        [
          `${status} proves that nothing was done`,
          json(status, { message: "no\u0007", detail: "why", validations: [{ field: "f", detail: "d" }] }, id),
          { reason: "status", status, message: "no", detail: "why", requestId: "request-7", notProcessed: true }
        ] as const
    ),
    [
      "500 proves nothing",
      json(500, { message: "oh" }, id),
      { reason: "status", status: 500, message: "oh", requestId: "request-7", notProcessed: false }
    ],
    ...[408, 499, 501, 502, 503, 504, 520, 522, 524, 530, 599].map(
      (status) =>
        [
          `${status} proves nothing, and is not Coder's, whatever its body`,
          json(status, { message: "oh" }, id),
          { reason: "gateway", status, message: "oh", requestId: "request-7", notProcessed: false }
        ] as const
    ),
    ["HTML with 200", html(200, id), { reason: "not_json", status: 200, requestId: "request-7", notProcessed: false }],
    ["HTML with 404", html(404), { reason: "not_json", status: 404, notProcessed: true }],
    ["HTML with 502", html(502), { reason: "not_json", status: 502, notProcessed: false }],
    [
      "a refusal larger than is read",
      json(400, { message: "x".repeat(3 * 1024 * 1024) }),
      { reason: "too_large", status: 400, notProcessed: true }
    ],
    [
      "an internal error larger than is read",
      json(500, { message: "x".repeat(3 * 1024 * 1024) }),
      { reason: "too_large", status: 500, notProcessed: false }
    ],
    [
      "long headers",
      html(200, { "content-type": `text/html; x=${"y".repeat(500)}`, "x-coder-request-id": "z".repeat(500) }),
      {
        reason: "not_json",
        requestId: `${"z".repeat(100)} [cut: 400 more characters]`,
        message: `answered 200 with text/html; x=${"y".repeat(87)} [cut: 413 more characters] instead of JSON`
      }
    ],
    [
      "text with 400 (CSRF)",
      { status: 400, text: "Something", headers: { "content-type": "text/plain" } },
      { reason: "not_json", status: 400 }
    ],
    [
      "no content type",
      { status: 500, text: "" },
      { reason: "not_json", status: 500, message: "answered 500 with no content type instead of JSON" }
    ],
    [
      "JSON that is none",
      { status: 200, text: '{"id":', headers: { "content-type": "application/json" } },
      { reason: "unexpected" }
    ],
    [
      "an error body that is no JSON",
      { status: 500, text: "{", headers: { "content-type": "application/json" } },
      { reason: "gateway", status: 500, message: "answered 500 with JSON that is not Coder's" }
    ],
    [
      "an error body of another shape",
      json(409, { error: "no" }),
      { reason: "gateway", status: 409, message: "answered 409 with JSON that is not Coder's" }
    ],
    ["another shape", json(200, { id: 7 }), { reason: "unexpected" }],
    ["an array for an object", json(200, []), { reason: "unexpected" }],
    ["null for an object", json(200, null), { reason: "unexpected" }],
    ["an empty 200", { status: 200 }, { reason: "unexpected" }],
    ["an empty 204", { status: 204 }, { reason: "unexpected", status: 204 }],
    ["a very long message", json(400, { message: "x".repeat(100_000) }), { reason: "status", status: 400 }]
  ]
  for (const [what, given, expected] of cases) {
    it.effect(what, () =>
      Effect.gen(function* () {
        const { error } = yield* against(answer(given))
        for (const [key, value] of Object.entries(expected)) {
          assert.deepStrictEqual(error[key as keyof CoderError], value, key)
        }
        assert.isBelow(JSON.stringify(error).length, 2000)
        if (error.reason !== "unexpected")
          assert.deepStrictEqual([error.method, error.path], ["GET", "/api/v2/users/me"])
      })
    )
  }

  it.effect("validations are quoted", () =>
    Effect.gen(function* () {
      const given = json(400, { message: "m", validations: [{ field: "na\u001b[1mme", detail: "used" }] })
      const { error } = yield* against(answer(given))
      assert.deepStrictEqual(error.validations, [{ field: "name", detail: "used" }])
    })
  )

  it.effect("AgentAPI's problem gives its first error", () =>
    Effect.gen(function* () {
      const problem = { title: "Internal Server Error", status: 500, detail: "unexpected error occurred" }
      const first = yield* against(answer(json(500, { ...problem, errors: [{ message: "not waiting" }] })), say)
      assert.deepInclude(first.error, { message: problem.title, detail: "not waiting" })
      const second = yield* against(answer(json(500, { ...problem, errors: null })), say)
      assert.deepInclude(second.error, { message: problem.title, detail: problem.detail })
    })
  )

  it.effect("keys that nobody knows, and __proto__, change nothing", () => {
    const text = `{"__proto__":{"polluted":1},"id":"a","username":"b","constructor":7,"more":[1e400]}`
    const proxy = new Proxy().on(/./, answer({ status: 200, text, headers: { "content-type": "application/json" } }))
    return withClients(
      proxy,
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* get, { id: "a", username: "b" })
        assert.isUndefined(({} as Record<string, unknown>)["polluted"])
      })
    )
  })

  const sized = (size: number) => `{"id":"${"x".repeat(size)}","username":"u"}`
  const jsonText = (text: string): Answer => ({ status: 200, text, headers: { "content-type": "application/json" } })
  const MiB = 1024 * 1024

  it.effect("a body may have 2 MiB, a list 16 MiB, and not a byte more", () =>
    Effect.gen(function* () {
      const rest = sized(0).length
      const fits = new Proxy().on(/./, answer(jsonText(sized(2 * MiB - rest))))
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(withClients(fits, get))))
      const over = yield* against(answer(jsonText(sized(2 * MiB - rest + 1))))
      assert.strictEqual(over.error.reason, "too_large")
      assert.strictEqual(over.proxy.received.length, 1)
      const padded = (size: number) => {
        const frame = '{"workspaces":[],"count":0,"pad":""}'
        return jsonText(frame.replace('""', `"${"x".repeat(size - frame.length)}"`))
      }
      const long = new Proxy().on(/./, answer(padded(16 * MiB)))
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(withClients(long, list))))
      const tooLong = yield* against(answer(padded(16 * MiB + 1)), list)
      assert.strictEqual(tooLong.error.reason, "too_large")
      const posted = yield* against(answer(jsonText(sized(2 * MiB))), post)
      assert.strictEqual(posted.error.reason, "too_large")
      assert.isFalse(posted.error.notProcessed)
    })
  )

  it.effect("no connection is unreachable, a broken one interrupted, an answer cut short truncated", () =>
    Effect.gen(function* () {
      const of = (fault: Fault) => Effect.map(against(fault, post), ({ error }) => [error.reason, error.notProcessed])
      assert.deepStrictEqual(yield* of(refused), ["unreachable", true])
      assert.deepStrictEqual(yield* of(broken("EHOSTUNREACH", "connect")), ["unreachable", true])
      assert.deepStrictEqual(yield* of(broken("EHOSTUNREACH", "read")), ["interrupted", false])
      assert.deepStrictEqual(yield* of(broken("ENETUNREACH", "write")), ["interrupted", false])
      assert.deepStrictEqual(yield* of(dropBefore), ["interrupted", false])
      assert.deepStrictEqual(yield* of(truncatedAfter), ["truncated", false])
      assert.deepStrictEqual(yield* of(hangBefore), ["timeout", false])
    })
  )
})

describe.concurrent("retries", () => {
  const transient: ReadonlyArray<readonly [string, Fault]> = [
    ...[429, 500, 502, 503, 504, 520, 524].map(
      (status) => [`${status}`, answer(json(status, { message: "m" }))] as const
    ),
    ["HTML 502", answer(html(502))],
    ["a broken connection", dropBefore],
    ["no connection", refused],
    ["a truncated answer", truncatedAfter]
  ]
  const final: ReadonlyArray<readonly [string, Fault]> = [
    ...[400, 401, 403, 404, 409, 410, 501].map(
      (status) => [`${status}`, answer(json(status, { message: "m" }))] as const
    ),
    ["HTML 200", answer(html(200))],
    ["HTML 403", answer(html(403))],
    ["a redirect", answer(html(303))],
    ["another shape", answer(json(200, { id: 7 }))],
    ["an empty 200", answer({ status: 200 })]
  ]

  for (const [what, fault] of transient) {
    it.effect(`a GET that meets ${what} is tried 3 times, with growing pauses`, () =>
      Effect.gen(function* () {
        const { proxy, took } = yield* against(fault)
        const [first = 0, second = 0, third = 0] = proxy.received.map(({ at }) => at)
        assert.strictEqual(proxy.received.length, 3)
        assert.isAtLeast(second - first, 80)
        assert.isAtMost(second - first, 120)
        assert.isAtLeast(third - second, 160)
        assert.isAtMost(third - second, 240)
        assert.isAtMost(took, 360)
      })
    )
  }

  for (const [what, fault] of final) {
    it.effect(`a GET that meets ${what} is tried once`, () =>
      Effect.map(against(fault), ({ proxy }) => assert.strictEqual(proxy.received.length, 1))
    )
  }

  for (const [what, fault] of [...transient, ...final, ["silence", hangBefore] as const]) {
    for (const [name, call] of [
      ["POST", post],
      ["POST to an app", say]
    ] as const) {
      it.effect(`a ${name} that meets ${what} is tried once`, () =>
        Effect.map(against(fault, call), ({ proxy }) => assert.strictEqual(proxy.received.length, 1))
      )
    }
  }

  it.effect("recovers", () => {
    const proxy = new Proxy().on(/./, dropBefore, 2)
    return withClients(
      proxy,
      Effect.gen(function* () {
        const { exit } = yield* elapse(get)
        assert.deepStrictEqual(yield* exit, me)
        assert.strictEqual(proxy.received.length, 3)
      })
    )
  })

  it.effect("pauses differ", () =>
    Effect.gen(function* () {
      const pauses = new Set<number>()
      for (let run = 0; run < 20; run++) pauses.add((yield* against(dropBefore)).took)
      assert.isAbove(pauses.size, 5)
    })
  )

  it.effect("a silent server is given up after 15 s each time", () =>
    Effect.gen(function* () {
      const { error, proxy, took } = yield* against(hangBefore)
      assert.strictEqual(error.reason, "timeout")
      assert.strictEqual(proxy.received.length, 3)
      assert.isAtMost(took, 46_000)
    })
  )

  const limited = (header: string, status = 429) => answer(json(status, { message: "m" }, { "retry-after": header }))
  const page = (header: string) => answer(html(503, { "retry-after": header }))
  const forms: ReadonlyArray<readonly [string, Fault, number, number]> = [
    ["2 seconds", limited("2"), 2000, 2000],
    ["2 seconds, with 503", limited("2", 503), 2000, 2000],
    ["2 seconds, of a proxy's page", page("2"), 2000, 2000],
    ["a date", limited("Thu, 01 Jan 1970 00:00:03 GMT"), 3000, 3000],
    ["a date that is past", limited("Thu, 01 Jan 1969 00:00:00 GMT"), 80, 120],
    ["0", limited("0"), 80, 120],
    ["negative", limited("-5"), 80, 120],
    ["garbage", limited("soon"), 80, 120],
    ["a fraction", limited("0.5"), 80, 120],
    ["empty", limited(""), 80, 120]
  ]
  for (const [what, fault, least, most] of forms) {
    it.effect(`Retry-After ${what}: the next attempt comes after ${least} to ${most} ms`, () => {
      const proxy = new Proxy().on(/./, fault, 1)
      return withClients(
        proxy,
        Effect.gen(function* () {
          const { exit } = yield* elapse(get.pipe(deadline("30 seconds")))
          yield* exit
          const [first = 0, second = 0] = proxy.received.map(({ at }) => at)
          assert.isAtLeast(second - first, least)
          assert.isAtMost(second - first, most)
        })
      )
    })
  }

  it.effect("a date counts from the answer's own, whatever the clock here says", () => {
    const dates = { date: "Fri, 27 Nov 2026 10:00:00 GMT", "retry-after": "Fri, 27 Nov 2026 10:00:04 GMT" }
    const proxy = new Proxy().on(/./, answer(json(429, { message: "m" }, dates)), 1)
    return withClients(
      proxy,
      Effect.gen(function* () {
        const { exit } = yield* elapse(get.pipe(deadline("30 seconds")))
        assert.deepStrictEqual(yield* exit, me)
        const [first = 0, second = 0] = proxy.received.map(({ at }) => at)
        assert.strictEqual(second - first, 4000)
      })
    )
  })

  for (const [what, fault] of [
    ["nothing listens", refused],
    ["a proxy answers 502", answer(html(502))],
    ["a proxy answers 503", answer(html(503))],
    ["a proxy answers 504", answer(html(504))]
  ] as const) {
    it.effect(`a read waits while ${what}, as long as its call has time`, () => {
      const proxy = new Proxy().on(/./, fault)
      return withClients(
        proxy,
        Effect.gen(function* () {
          const reading = yield* Effect.fork(elapse(get.pipe(deadline("30 seconds"))))
          yield* Effect.delay(
            Effect.sync(() => proxy.on(/./, (forward) => forward)),
            "18 seconds"
          ).pipe(Effect.fork)
          const { exit, took } = yield* Fiber.join(reading)
          assert.deepStrictEqual(yield* exit, me)
          assert.isAtLeast(took, 18_000)
          assert.isAtMost(took, 23_001)
        })
      )
    })

    it.effect(`a read that waited in vain while ${what} tells so, within its call's time`, () => {
      const proxy = new Proxy().on(/./, fault)
      return withClients(
        proxy,
        Effect.gen(function* () {
          const { exit, took } = yield* elapse(Effect.flip(get.pipe(deadline("30 seconds"))))
          const error = yield* exit
          assert.isTrue(typeof error !== "string" && ["unreachable", "not_json"].includes(error.reason))
          assert.isAtLeast(took, 24_000)
          assert.isAtMost(took, 30_000)
          assert.isAtMost(proxy.received.length, 15)
        })
      )
    })

    it.effect(`a read of an app does not wait while ${what}: it tells of the agent`, () => {
      const proxy = new Proxy().on(/./, fault)
      return withClients(
        proxy,
        Effect.gen(function* () {
          const { took } = yield* elapse(Effect.flip(status.pipe(deadline("30 seconds"))))
          assert.isAtMost(took, 360)
          assert.strictEqual(proxy.received.length, 3)
        })
      )
    })
  }

  for (const [what, header] of [
    ["60 s", "60"],
    ["a billion seconds", "999999999"],
    ["far more digits", "99999999999999"],
    ["a date beyond", "Fri, 31 Dec 9999 23:59:59 GMT"]
  ] as const) {
    it.effect(`Retry-After ${what}, more than is left: told at once`, () => {
      const proxy = new Proxy().on(/./, limited(header))
      return withClients(
        proxy,
        Effect.gen(function* () {
          const { exit, took } = yield* elapse(get.pipe(deadline("30 seconds"), Effect.flip))
          const error = yield* exit
          assert.isTrue(typeof error !== "string" && error.status === 429)
          if (typeof error !== "string") assert.isAbove(error.retryAfterMillis ?? 0, 30_000)
          assert.strictEqual(proxy.received.length, 1)
          assert.isAtMost(took, 10)
        })
      )
    })
  }
})

describe.concurrent("deadlines", () => {
  const faults: ReadonlyArray<readonly [string, Fault, waits?: boolean]> = [
    ["silence", hangBefore],
    ["a refusing server", refused, true],
    ["a slow server", (forward) => Effect.delay(forward, "14 seconds")],
    ["a limit of 4 s", answer(json(429, { message: "m" }, { "retry-after": "4" }))],
    [
      "slow errors",
      (forward, request) => Effect.delay(answer(json(503, { message: "m" }))(forward, request), "9 seconds"),
      true
    ]
  ]
  for (const [what, fault, waits = false] of faults) {
    for (const time of ["1 second", "10 seconds", "30 seconds"] as const) {
      for (const [name, call] of calls) {
        it.effect(`${name} ends within ${time} against ${what}`, () => {
          const proxy = new Proxy().on(/./, fault)
          return withClients(
            proxy,
            Effect.gen(function* () {
              const { took } = yield* elapse(Effect.exit(call.pipe(deadline(time))))
              assert.isAtMost(took, Duration.toMillis(time))
              const { attempts } = ReadRetry.defaultValue()
              const most = waits && name === "GET api" ? 15 : attempts
              assert.isAtMost(proxy.received.length, name.startsWith("GET") ? most : 1)
            })
          )
        })
      }
    }
  }

  it.effect("a mutation leaves the time to settle it, and is not sent where that is all that is left", () =>
    Effect.gen(function* () {
      const proxy = new Proxy().on(/./, hangBefore)
      const run = (time: Duration.DurationInput) =>
        withClients(
          proxy,
          Effect.flatMap(elapse(Effect.flip(post.pipe(deadline(time)))), ({ exit, took }) =>
            Effect.map(exit, (error) => ({ reason: typeof error === "string" ? error : error.reason, took }))
          )
        )
      assert.deepStrictEqual(yield* run("10 seconds"), { reason: "timeout", took: 2000 })
      assert.strictEqual(proxy.received.length, 1)
      assert.deepStrictEqual(yield* run("8 seconds"), { reason: "unreachable", took: 0 })
      assert.strictEqual(proxy.received.length, 1)
    })
  )

  it.effect("a message to an agent may take 30 s", () =>
    Effect.gen(function* () {
      const { error, took } = yield* against(hangBefore, say)
      assert.deepStrictEqual([error.reason, took], ["timeout", 30_000])
    })
  )

  it.effect("an interrupted call gives up its request", () => {
    let aborted = 0
    const fault: Fault = () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => (aborted += 1)))
    return withClients(
      new Proxy().on(/./, fault),
      Effect.gen(function* () {
        yield* elapse(Effect.exit(get.pipe(deadline("1 second"))))
        assert.strictEqual(aborted, 1)
      })
    )
  })
})
