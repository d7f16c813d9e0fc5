import { Effect, Stream } from "effect"
import * as HttpTransport from "../../src/layers/transports/http/HttpTransport.ts"
import { makeFixture } from "./fixture.ts"

// The real HTTP app with the suite's fixtures in place of the fleet. The suite sends no token.

const port = Number(process.argv[2])

const main = HttpTransport.serve({
  host: "127.0.0.1",
  port,
  hosts: [],
  origins: [`http://localhost:${port}`],
  proxies: [],
  auth: { check: () => Effect.succeed({ credential: "none", role: "main" }), changes: Stream.never },
  connect: (transport) =>
    Effect.gen(function* () {
      const server = makeFixture()
      yield* Effect.acquireRelease(
        Effect.promise(() => server.connect(transport)),
        () => Effect.promise(() => server.close())
      )
    })
}).pipe(Effect.zipRight(Effect.never), Effect.scoped)

Effect.runFork(main)
