import { HttpClient, HttpClientRequest } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Redacted } from "effect"
import { once } from "node:events"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer, type RequestListener } from "node:http"
import { join } from "node:path"
import { ConnectLimits, connected } from "../../../src/commands/supervisor/Connection.ts"
import { makeToken, placeIn, writeInfo, type Place } from "../../../src/commands/supervisor/Place.ts"
import { fleetContract } from "../../../src/schemas/fleet/FleetApi.ts"
import { temporaryDirectory } from "../../layers/agenthost/support.ts"

// Front ends of a place whose supervisor is a server of the test, or where none answers.

const limits = {
  time: Duration.millis(1500),
  shortestPause: 5,
  longestPause: 50,
  respawn: Duration.millis(400),
  answer: Duration.millis(300)
}

/** A place in which "supervisors" are a small program of the test's: it notes that it ran, and says what is given. */
const placeWith = (report?: object) =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    const place = placeIn(join(directory, "state"))
    mkdirSync(place.stateDirectory)
    const program = join(directory, "program.mjs")
    const starts = join(directory, "starts")
    writeFileSync(starts, "")
    const line = JSON.stringify(report === undefined ? "" : `${JSON.stringify(report)}\n`)
    writeFileSync(
      program,
      `import { appendFileSync, writeSync } from "node:fs"\nappendFileSync(${JSON.stringify(starts)}, "x")\nwriteSync(3, ${line})\n`
    )
    return { place, program, starts: () => readFileSync(starts, "utf8").length }
  })

const serving = (place: Place, answer: RequestListener) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const socket = join(place.stateDirectory, "supervisor.sock")
      const server = createServer(answer).listen(socket)
      await once(server, "listening")
      writeInfo(place, {
        pid: process.pid,
        since: "",
        version: "1",
        contract: fleetContract,
        socket,
        token: makeToken()
      })
      return server
    }),
    (server) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )

const optionsOf = ({ place, program }: { readonly place: Place; readonly program: string }) => ({
  place,
  program,
  environment: {},
  client: {
    token: makeToken(),
    working_directory: "/",
    project_advice: "",
    allow_shell: false,
    environment: Redacted.make({}),
    agent_environment: []
  }
})

describe("a front end", () => {
  it.scopedLive("is told within its limit of a supervisor that takes its connection and does not answer", () =>
    Effect.gen(function* () {
      const made = yield* placeWith({ state: "taken", message: "" })
      yield* serving(made.place, () => undefined)
      const error = yield* Effect.flip(connected(optionsOf(made))).pipe(Effect.timeout("5 seconds"))
      expect(error).toMatchObject({
        problem: expect.stringContaining(`process ${process.pid} does not answer`) as string
      })
      expect(made.starts()).toBe(0)
    }).pipe(Effect.provideService(ConnectLimits, limits))
  )

  it.scopedLive("can be interrupted while a supervisor does not answer, which then sees it gone", () =>
    Effect.gen(function* () {
      const made = yield* placeWith({ state: "taken", message: "" })
      const asked = yield* Deferred.make<void>()
      const gone = yield* Deferred.make<void>()
      yield* serving(made.place, (request) => {
        Deferred.unsafeDone(asked, Effect.void)
        request.once("close", () => Deferred.unsafeDone(gone, Effect.void))
      })
      const waiting = yield* Effect.fork(connected(optionsOf(made)))
      yield* Deferred.await(asked)
      yield* Fiber.interrupt(waiting)
      yield* Deferred.await(gone)
    }).pipe(Effect.provideService(ConnectLimits, { ...limits, answer: Duration.minutes(1), time: Duration.minutes(1) }))
  )

  it.scopedLive("starts few processes where a supervisor holds the lock and cannot be found, and says so", () =>
    Effect.gen(function* () {
      const made = yield* placeWith({ state: "taken", message: "" })
      const error = yield* Effect.flip(connected(optionsOf(made)))
      expect(error.problem).toContain(`holds ${made.place.lock}`)
      expect(error.problem).toContain("cannot be reached")
      expect(made.starts()).toBeGreaterThan(0)
      expect(made.starts()).toBeLessThanOrEqual(4)
    }).pipe(Effect.provideService(ConnectLimits, limits))
  )

  it.scopedLive(
    "starts another supervisor where the one that it started was killed at that, and says so in the end",
    () =>
      Effect.gen(function* () {
        const made = yield* placeWith()
        const error = yield* Effect.flip(connected(optionsOf(made)))
        expect(error.problem).toContain("did not start: it ended without a word")
        expect(made.starts()).toBeGreaterThan(1)
        expect(made.starts()).toBeLessThanOrEqual(4)
      }).pipe(Effect.provideService(ConnectLimits, limits))
  )

  it.scopedLive("registers anew at one that knows it no more, although its own connection looks open", () =>
    Effect.gen(function* () {
      const made = yield* placeWith({ state: "taken", message: "" })
      let registrations = 0
      let refuses = true
      yield* serving(made.place, (request, response) => {
        if (request.url === "/fleet/v1/clients") {
          registrations++
          response.write("registered\n")
          return
        }
        response.writeHead(refuses ? 401 : 200).end("answer")
        refuses = false
      })
      const client = yield* connected(optionsOf(made))
      const response = yield* client.execute(HttpClientRequest.get("http://embedded.fleet-mcp.internal/api"))
      expect(response.status).toBe(200)
      expect(registrations).toBe(2)
      const again = yield* HttpClient.filterStatusOk(client).get("http://embedded.fleet-mcp.internal/api")
      expect(again.status).toBe(200)
      expect(registrations).toBe(2)
    }).pipe(Effect.provideService(ConnectLimits, limits))
  )
})
