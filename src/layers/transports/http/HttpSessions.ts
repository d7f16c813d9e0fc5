import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Clock, Duration, Effect, Exit, Runtime, Schedule, Scope, Stream } from "effect"
import { randomUUID } from "node:crypto"
import type { BearerAuth, Caller } from "../../auth/BearerAuth.ts"
import type { HttpLimits } from "./HttpLimits.ts"
import * as HttpRefusal from "./HttpRefusal.ts"

/** Serves a client over its transport until the scope ends. */
export interface Connect {
  (transport: Transport, caller: Caller): Effect.Effect<unknown, never, Scope.Scope>
  /** The tools whose calls last long and do little, and have a bound of their own. Default: none. */
  readonly waits?: Effect.Effect<ReadonlySet<string>>
}

/** One client's connection, over many requests. */
export interface HttpSession {
  readonly id: string
  readonly caller: Caller
  readonly transport: StreamableHTTPServerTransport
  /** When it was last used (epoch milliseconds). */
  usedAt: number
  /** The ids of its requests that are not answered yet. */
  readonly ids: Set<string | number>
  /** Requests and streams that are open, and the tool calls among them. */
  open: number
  calls: number
}

interface Entry extends HttpSession {
  readonly scope: Scope.CloseableScope
}

const sameCaller = (one: Caller, other: Caller) => one.credential === other.credential && one.role === other.role

/** The sessions of all clients: each bound to the token that opened it. They share the tools and the fleet, and nothing else. */
export const make = (connect: Connect, auth: typeof BearerAuth.Service, limits: HttpLimits["Type"]) =>
  Effect.gen(function* () {
    const sessions = new Map<string, Entry>()
    const endedCredentials = new Set<string>()
    const runFork = Runtime.runFork(yield* Effect.runtime())

    /** Its streams end now; its reads are interrupted, its changes run to their end. */
    const end = (entry: Entry): Effect.Effect<void> =>
      Effect.suspend(() => {
        sessions.delete(entry.id)
        return Scope.close(entry.scope, Exit.void)
      })
    const endInBackground = (ended: ReadonlyArray<Entry>) =>
      Effect.forEach(ended, (entry) => Effect.forkDaemon(end(entry)), { discard: true })

    const longestUnused = (): Entry | undefined =>
      [...sessions.values()]
        .filter((entry) => entry.open === 0)
        .reduce<Entry | undefined>(
          (oldest, each) => (oldest === undefined || each.usedAt < oldest.usedAt ? each : oldest),
          undefined
        )

    /** Beyond the cap, the session that has been unused for longest makes room. */
    const makeRoom = Effect.suspend((): Effect.Effect<void, HttpRefusal.HttpRefusal> => {
      if (sessions.size < limits.sessions) return Effect.void
      const unused = longestUnused()
      return unused === undefined ? Effect.fail(HttpRefusal.tooManySessions(limits)) : endInBackground([unused])
    })

    /** A new session, or none: also when whoever opens it is interrupted. */
    const open = (caller: Caller): Effect.Effect<HttpSession, HttpRefusal.HttpRefusal> =>
      Effect.gen(function* () {
        // Its token was good when the request began; the body may have taken longer.
        if (endedCredentials.has(caller.credential)) return yield* Effect.fail(HttpRefusal.unauthorized)
        yield* makeRoom
        const id = randomUUID()
        const transport = new StreamableHTTPServerTransport({
          sessionIdGenerator: () => id,
          onsessionclosed: () => {
            const closed = sessions.get(id)
            if (closed !== undefined) runFork(end(closed))
          }
        })
        const scope = yield* Scope.make()
        const usedAt = yield* Clock.currentTimeMillis
        const entry: Entry = { id, caller, transport, scope, usedAt, ids: new Set(), open: 0, calls: 0 }
        sessions.set(id, entry)
        // Only its declaration differs: optional properties that may hold undefined.
        const connected = Scope.extend(connect(transport as Transport, caller), scope)
        // Whoever is gone before it is connected never learns of it.
        yield* Effect.onExit(Effect.interruptible(connected), (exit) =>
          Exit.isSuccess(exit) ? Effect.void : end(entry)
        )
        return entry
      }).pipe(Effect.uninterruptible)

    /** The session of this caller; one of somebody else is as unknown as one that never was. */
    const find = (id: string, caller: Caller): Effect.Effect<HttpSession, HttpRefusal.HttpRefusal> =>
      Effect.suspend(() => {
        const entry = sessions.get(id)
        return entry !== undefined && sameCaller(entry.caller, caller)
          ? Effect.succeed(entry)
          : Effect.fail(HttpRefusal.sessionUnknown)
      })

    /** Ends a session that never came to be used. */
    const discard = ({ id }: HttpSession): Effect.Effect<void> =>
      Effect.suspend(() => {
        const entry = sessions.get(id)
        return entry === undefined ? Effect.void : end(entry)
      })

    const sweep = Effect.flatMap(Clock.currentTimeMillis, (now) =>
      endInBackground(
        [...sessions.values()].filter(
          (entry) => entry.open === 0 && now - entry.usedAt >= Duration.toMillis(limits.sessionIdle)
        )
      )
    )
    const endThoseOf = (credential: string) =>
      Effect.suspend(() => {
        endedCredentials.add(credential)
        return endInBackground([...sessions.values()].filter(({ caller }) => caller.credential === credential))
      })

    /** Ends all sessions. */
    const endAll = Effect.suspend(() =>
      Effect.forEach([...sessions.values()], end, { concurrency: "unbounded", discard: true })
    )

    yield* Effect.addFinalizer(() => endAll)
    yield* Effect.forkScoped(Effect.repeat(sweep, Schedule.spaced(limits.sessionSweep)))
    yield* Effect.forkScoped(Stream.runForEach(auth.changes, endThoseOf))
    return { open, find, discard, endAll, count: Effect.sync(() => sessions.size) }
  })
