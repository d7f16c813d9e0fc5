import { HttpClient } from "@effect/platform"
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Either, Fiber, Layer, Redacted, Schema } from "effect"
import { EventLimits } from "../../../../src/layers/embedded/api/handlers/Journal.ts"
import { RowStore } from "../../../../src/layers/embedded/store/RowStore.ts"
import { EventPage } from "../../../../src/schemas/fleet/JournalApi.ts"
import { appAndClient, sessionToken } from "../../../support/EmbeddedFixture.ts"
import { storesWith } from "../../../support/JournalFleet.ts"
import { buildRow, workspaceRow } from "../store/RowStoreSuite.ts"

const layer = Layer.provideMerge(
  appAndClient({
    stateDirectory: "/nonexistent/fleet-mcp-test",
    workingDirectory: "/",
    registered: true,
    sessionToken
  }),
  storesWith()
)

const ask = (query: string, token: string = Redacted.value(sessionToken)) =>
  Effect.flatMap(HttpClient.HttpClient, (client) =>
    // The span of a request would hold its token.
    HttpClient.withTracerDisabledWhen(client, () => true).get(`http://coder.test/api/v2/fleet/events${query}`, {
      headers: { "coder-session-token": token }
    })
  )

const page = (query: string) =>
  Effect.flatMap(ask(query), ({ json }) => Effect.flatMap(json, Schema.decodeUnknown(EventPage)))

const begin = (id: string) =>
  Effect.flatMap(RowStore, (store) =>
    store.transaction("test", (rows) => {
      rows.workspaces.put(workspaceRow(id))
      return Either.right(rows.builds.put(buildRow(id, id)))
    })
  )

it.live("events are told to who has a token of the user, and to nobody else", () =>
  Effect.gen(function* () {
    yield* begin("a")
    for (const token of ["", "abcdefghij-abcdefghijabcdefghijab", crypto.randomUUID()]) {
      assert.strictEqual((yield* ask("", token)).status, 401)
    }
    const { journal, position, standing } = yield* page("")
    assert.deepStrictEqual(
      standing?.map(({ name }) => name),
      ["a"]
    )
    for (const wrong of ["?after=-1", "?after=x", `?after=${position}&wait=x`]) {
      assert.strictEqual((yield* ask(wrong)).status, 400)
    }
    assert.deepInclude(yield* page(`?journal=0badcafe&after=${position}`), { lost: "unknown", journal })
    assert.deepInclude(yield* page(`?after=${position + 1}`), { lost: "unknown", events: [] })
  }).pipe(Effect.provide(layer))
)

it.live("who waits is answered by the next event; one too many is refused", () =>
  Effect.gen(function* () {
    yield* begin("a")
    const { position } = yield* page("")
    const both = yield* Effect.forEach([1, 2], () => Effect.fork(ask(`?after=${position}&wait=20`)))
    const [one, other] = both.map((fiber) => Fiber.join(fiber))
    if (one === undefined || other === undefined) return
    // The one that is refused is answered at once; the other has the place.
    const first = yield* Effect.raceWith(one, other, {
      onSelfDone: (exit) => Effect.map(exit, ({ status }) => ({ status, left: other })),
      onOtherDone: (exit) => Effect.map(exit, ({ status }) => ({ status, left: one }))
    })
    assert.strictEqual(first.status, 429)
    // Whoever does not wait is answered all the same.
    assert.deepInclude(yield* page(`?after=${position}`), { events: [], position })
    yield* begin("b")
    const { events } = yield* Effect.flatMap(
      yield* Effect.flatten(Effect.map(first.left, ({ json }) => Effect.succeed(json))),
      Schema.decodeUnknown(EventPage)
    )
    assert.deepStrictEqual(
      events.map(({ name }) => name),
      ["b"]
    )
  }).pipe(
    Effect.provide(
      Layer.provide(
        layer,
        Layer.succeed(EventLimits, {
          wait: Duration.seconds(20),
          waiting: 1,
          settle: Duration.seconds(2),
          settling: 1
        })
      )
    )
  )
)
