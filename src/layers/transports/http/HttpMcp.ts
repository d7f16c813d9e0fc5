import { SUPPORTED_PROTOCOL_VERSIONS } from "@modelcontextprotocol/sdk/types.js"
import { Clock, Deferred, Effect } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { BearerAuth, Caller } from "../../auth/BearerAuth.ts"
import { nameAccepted } from "./HttpAccept.ts"
import { readMessage, type Message } from "./HttpBody.ts"
import type { HttpLimits } from "./HttpLimits.ts"
import * as HttpRefusal from "./HttpRefusal.ts"
import * as HttpSessions from "./HttpSessions.ts"
import type { HttpSession } from "./HttpSessions.ts"
import { CallLimits } from "../session/CallLimits.ts"

/** What counts as at work: a tool call, which may be a wait, a request, and its id. */
interface Counted {
  readonly kind?: "call" | "wait" | undefined
  readonly request?: 0 | 1
  readonly id?: string | number
}

const toolOf = ({ params }: Readonly<Record<string, unknown>>): unknown =>
  typeof params === "object" && params !== null ? Reflect.get(params, "name") : undefined

const isKnownVersion = (version: string | ReadonlyArray<string>): boolean =>
  typeof version === "string" && SUPPORTED_PROTOCOL_VERSIONS.includes(version)

/** Serves `/mcp` to callers whose requests have passed the gate. */
export const make = (connect: HttpSessions.Connect, auth: typeof BearerAuth.Service, limits: HttpLimits["Type"]) =>
  Effect.gen(function* () {
    const sessions = yield* HttpSessions.make(connect, auth, limits)
    const { concurrent } = yield* CallLimits
    const drained = yield* Deferred.make<void>()
    let requests = 0
    let calls = 0
    let waits = 0
    let draining = false

    const hand = ({ transport }: HttpSession, request: IncomingMessage, response: ServerResponse, body?: unknown) =>
      Effect.promise(() => {
        nameAccepted(request)
        return transport.handleRequest(request, response, body)
      })

    /** Counts what is at work, in all and of this client. */
    const counted =
      (session: HttpSession, { id, kind, request = 0 }: Counted) =>
      <E>(effect: Effect.Effect<void, E>): Effect.Effect<void, E> => {
        const count = (by: 1 | -1) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            session.usedAt = now
            session.open += by
            if (id !== undefined && by === 1) session.ids.add(id)
            else if (id !== undefined) session.ids.delete(id)
            if (kind === "call") {
              session.calls += by
              calls += by
            } else if (kind === "wait") waits += by
            requests += by * request
            if (draining && requests === 0) Deferred.unsafeDone(drained, Effect.void)
          })
        return Effect.acquireUseRelease(
          count(1),
          () => effect,
          () => count(-1)
        )
      }

    const noWaits = Effect.succeed<ReadonlySet<string>>(new Set())

    const kindOf = ({ id, method, value }: Message): Effect.Effect<Counted["kind"]> => {
      const isCall = method === "tools/call" && id !== undefined
      const tool = toolOf(value)
      return Effect.map(isCall ? (connect.waits ?? noWaits) : noWaits, (names) => {
        if (!isCall) return undefined
        return typeof tool === "string" && names.has(tool) ? "wait" : "call"
      })
    }

    const admit = (
      session: HttpSession,
      { id }: Message,
      kind: Counted["kind"]
    ): HttpRefusal.HttpRefusal | undefined => {
      if (draining) return HttpRefusal.shuttingDown(limits)
      if (id !== undefined && session.ids.has(id)) return HttpRefusal.idInUse
      if (kind === "wait") return waits >= limits.waits ? HttpRefusal.tooManyWaits(limits) : undefined
      if (kind === undefined || id === undefined) return undefined
      if (calls >= limits.calls) return HttpRefusal.overloaded(limits)
      return session.calls >= concurrent + limits.queue ? HttpRefusal.queueFull(limits, id) : undefined
    }

    /** The SDK leaves the stream of a cancelled request open, and forgets a request only when it sends an answer. */
    const abandon = ({ transport }: HttpSession, id: string | number) =>
      Effect.suspend(() => {
        transport.closeSSEStream(id)
        // Fails, after that: there is no stream left.
        return Effect.ignore(Effect.tryPromise(() => transport.send({ jsonrpc: "2.0", id, result: {} })))
      })

    /**
     * Cancels the request of a client that has gone. The protocol says that a disconnect SHOULD NOT be taken for a
     * cancellation (2025-11-25, Streamable HTTP, "Sending Messages"): the client could come back for the answer on a
     * stream that can be resumed. None can here (there is no event store), so nobody could ever get it, while a read
     * that goes on holds the turn of others for up to its deadline; clients that give up on a call close the request
     * without another word. Nothing is lost: a read is asked for again, and a change runs to its recorded end.
     */
    const giveUp = (session: HttpSession, requestId: string | number) =>
      Effect.suspend(() => {
        const params = { requestId, reason: "the client has gone" }
        session.transport.onmessage?.({ jsonrpc: "2.0", method: "notifications/cancelled", params })
        return abandon(session, requestId)
      })

    const abandonCancelled = (session: HttpSession, { params }: Readonly<Record<string, unknown>>) =>
      Effect.suspend(() => {
        const id: unknown = typeof params === "object" && params !== null ? Reflect.get(params, "requestId") : undefined
        return typeof id === "string" || typeof id === "number" ? abandon(session, id) : Effect.void
      })

    const serveMessage = (session: HttpSession, message: Message, request: IncomingMessage, response: ServerResponse) =>
      Effect.flatMap(kindOf(message), (kind) => {
        const refusal = admit(session, message, kind)
        if (refusal !== undefined) return Effect.fail(refusal)
        const { id, method, value } = message
        const handed = hand(session, request, response, value)
        if (id !== undefined) {
          return handed.pipe(
            Effect.onInterrupt(() => giveUp(session, id)),
            counted(session, { id, request: 1, kind })
          )
        }
        const served = counted(session, {})(handed)
        return method === "notifications/cancelled" ? Effect.zipRight(served, abandonCancelled(session, value)) : served
      })

    const begin = (caller: Caller, message: Message, request: IncomingMessage, response: ServerResponse) =>
      Effect.gen(function* () {
        if (draining) return yield* Effect.fail(HttpRefusal.shuttingDown(limits))
        if (message.bytes > limits.initialize) return yield* Effect.fail(HttpRefusal.tooLargeToBegin(limits))
        yield* Effect.uninterruptibleMask((restore) =>
          Effect.gen(function* () {
            const session = yield* sessions.open(caller)
            // Who has gone does not know its session.
            yield* Effect.onInterrupt(restore(serveMessage(session, message, request, response)), () =>
              sessions.discard(session)
            )
            if (session.transport.sessionId === undefined) yield* sessions.discard(session)
          })
        )
      })

    const existing = (caller: Caller, { headers }: IncomingMessage) => {
      const { "mcp-protocol-version": version, "mcp-session-id": id } = headers
      // The SDK would quote what it was sent, in its answer and in the log.
      if (version !== undefined && !isKnownVersion(version)) return Effect.fail(HttpRefusal.versionUnknown)
      return typeof id === "string" ? sessions.find(id, caller) : Effect.fail(HttpRefusal.sessionRequired)
    }

    const post = (caller: Caller, request: IncomingMessage, response: ServerResponse) =>
      Effect.flatMap(readMessage(request, response, limits), (message) =>
        message.method === "initialize" && request.headers["mcp-session-id"] === undefined
          ? begin(caller, message, request, response)
          : Effect.flatMap(existing(caller, request), (session) => serveMessage(session, message, request, response))
      )

    const serve = (caller: Caller, request: IncomingMessage, response: ServerResponse) => {
      if (draining) return Effect.fail(HttpRefusal.shuttingDown(limits))
      return request.method === "POST"
        ? post(caller, request, response)
        : Effect.flatMap(existing(caller, request), (session) => {
            // A client that asks for its stream again has lost the one before, whether that was noticed here or not.
            if (request.method === "GET") session.transport.closeStandaloneSSEStream()
            return counted(session, {})(hand(session, request, response))
          })
    }

    /**
     * New calls are refused from now on, and those at work have some time to end. Then the sessions end, and with them
     * the calls that are left: they are answered as broken off.
     */
    const drain = Effect.suspend(() => {
      draining = true
      return requests === 0 ? Effect.void : Effect.interruptible(Deferred.await(drained))
    }).pipe(Effect.timeoutOption(limits.drain), Effect.zipRight(sessions.endAll))

    return { serve, drain, sessions: sessions.count }
  })
