import {
  Cause,
  Clock,
  Context,
  DateTime,
  Effect,
  Either,
  Layer,
  Option,
  PubSub,
  Redacted,
  Schedule,
  Schema
} from "effect"
import { Stream, type Scope } from "effect"
import type { TokenRole } from "../../schemas/AccessToken.ts"
import { AuthConfig } from "../config/AuthConfig.ts"
import { AuthLimits } from "./AuthLimits.ts"
import type { TokenFileRefused } from "./FileRules.ts"
import { makeRefusalLog, type RefusalReason } from "./RefusalLog.ts"
import { TokenStore } from "./TokenStore.ts"
import { digestOf, fromHex, sameDigest } from "./TokenValues.ts"

/** Who sends a request, by the token that it carries. */
export interface Caller {
  /** Which token it is, for as long as this process runs. The same name with another value is another credential. */
  readonly credential: string
  /** `main` may do everything. */
  readonly role: "main" | TokenRole
}

/** The request does not carry exactly one valid token. Why is not said: all refusals are the same. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {
  override get message() {
    return "The request carries no valid token."
  }
}

/** A token that is let in. */
interface Credential extends Caller {
  readonly name: string
  readonly digest: Uint8Array
  /** Epoch milliseconds; infinity: never. */
  readonly expiresAt: number
}

const mainName = "main"

// The scheme counts in any case, and one or more spaces follow it (RFC 9110, 11.1 and 11.4); the token is exact.
const grammar = /^Bearer +([\x21-\x7e]+)$/i

/** The token of a request that has exactly one header, or what is wrong with it. */
const tokenOf = (headers: ReadonlyArray<string>, longest: number): Either.Either<Redacted.Redacted, RefusalReason> => {
  const [header, ...others] = headers
  if (header === undefined) return Either.left("missing")
  if (others.length > 0) return Either.left("several")
  if (header.length > longest) return Either.left("malformed")
  const token = grammar.exec(header)?.[1]
  return token === undefined ? Either.left("malformed") : Either.right(Redacted.make(token))
}

/** All are looked at, wherever one is found. */
const find = (credentials: ReadonlyArray<Credential>, token: Redacted.Redacted): Credential | undefined => {
  const digest = digestOf(token)
  let found: Credential | undefined
  for (const credential of credentials) if (sameDigest(credential.digest, digest)) found = credential
  return found
}

type Wanted = Omit<Credential, "credential">

/** What was there keeps its id while it is the same token with the same rights. */
const makeMerge = () => {
  let count = 0
  return (before: ReadonlyArray<Credential>, wanted: ReadonlyArray<Wanted>): ReadonlyArray<Credential> =>
    wanted.map((one) => {
      const same = before.find(
        ({ digest, name, role }) => name === one.name && role === one.role && sameDigest(digest, one.digest)
      )
      return { ...one, credential: same?.credential ?? `${one.name}#${++count}` }
    })
}

const mainOf = (value: Redacted.Redacted): Wanted => ({
  name: mainName,
  role: "main",
  digest: digestOf(value),
  expiresAt: Number.POSITIVE_INFINITY
})

const removed = "The token file was removed. Its token stays valid until fleet-mcp is restarted, which makes a new one."
const stays = "The last main token stays valid."
const none = "No further token is valid until that is corrected."

const make = Effect.gen(function* () {
  const store = yield* TokenStore
  const merge = makeMerge()
  const limits = yield* AuthLimits
  const refusals = makeRefusalLog(limits.refusalLog)
  // Who comes late is told what has ended already: credentials do not return.
  const ended = yield* PubSub.unbounded<string>({ replay: limits.named })

  const named = Effect.map(store.list, (tokens) =>
    tokens.map(({ expires_at, hash, name, role }): Wanted => ({
      name,
      role,
      digest: fromHex(hash),
      expiresAt: expires_at === null ? Number.POSITIVE_INFINITY : DateTime.toEpochMillis(expires_at)
    }))
  )

  let stamp = yield* store.stamp
  let read = false
  const main = yield* store.main
  if (Option.isNone(store.location) && Redacted.value(main).length < limits.weak) {
    yield* Effect.logWarning(`FLEET_MCP_AUTH_TOKEN has fewer than ${limits.weak} characters; it may be guessed`)
  }
  let credentials = merge([], [mainOf(main), ...(yield* named)])

  const warnings = new Set<string>()
  /** Once, until it is over. */
  const warn = (what: string, problem: string | undefined) =>
    Effect.suspend(() => {
      const line = `${what}: ${problem ?? ""}`
      const known = warnings.has(line)
      for (const other of warnings) if (other.startsWith(`${what}: `)) warnings.delete(other)
      if (problem === undefined) return Effect.void
      warnings.add(line)
      return known ? Effect.void : Effect.logWarning(line)
    })

  const readMain = Effect.gen(function* () {
    const last = credentials.filter(({ name }) => name === mainName)
    const found = yield* Effect.either(store.findMain)
    const problem = Either.match(found, {
      onLeft: (refused) => `${refused.message} ${stays}`,
      onRight: (value) => (Option.isNone(value) ? removed : undefined)
    })
    yield* warn("main token", problem)
    return Either.isRight(found) && Option.isSome(found.right) ? [mainOf(found.right.value)] : last
  })

  const readNamed = Effect.gen(function* () {
    const found = yield* Effect.either(named)
    yield* warn("further tokens", Either.isLeft(found) ? `${found.left.message} ${none}` : undefined)
    return Either.getOrElse(found, () => [])
  })

  const become = (next: ReadonlyArray<Credential>) =>
    Effect.suspend(() => {
      const gone = credentials.filter(({ credential }) => next.every((one) => one.credential !== credential))
      credentials = next
      return Effect.zipRight(
        Effect.forEach(gone, ({ credential }) => Effect.logInfo("a token is no longer valid", { credential })),
        PubSub.publishAll(
          ended,
          gone.map(({ credential }) => credential)
        )
      )
    })

  const look = Effect.gen(function* () {
    const now = yield* store.stamp
    // Once more after a change: a second one may have come too soon after it to change the stamp.
    if (now !== stamp || !read) {
      read = now === stamp
      stamp = now
      const wanted = [...(yield* readMain), ...(yield* readNamed)]
      yield* become(merge(credentials, wanted))
    }
    const time = yield* Clock.currentTimeMillis
    if (credentials.some(({ expiresAt }) => expiresAt <= time)) {
      yield* become(credentials.filter(({ expiresAt }) => expiresAt > time))
    }
    yield* refusals.flush
  })
  // Nothing may end it: it is what takes tokens away.
  yield* look.pipe(
    Effect.catchAllCause((cause) =>
      Cause.isInterruptedOnly(cause) ? Effect.interrupt : Effect.logError("the tokens could not be looked at", cause)
    ),
    Effect.schedule(Schedule.spaced(limits.watch)),
    Effect.forkScoped
  )

  const check = Effect.fn("BearerAuth.check")(function* (authorization: ReadonlyArray<string>) {
    const token = tokenOf(authorization, limits.header)
    const found = Either.isRight(token) ? find(credentials, token.right) : undefined
    const expired = found !== undefined && found.expiresAt <= (yield* Clock.currentTimeMillis)
    if (found !== undefined && !expired) return { credential: found.credential, role: found.role } satisfies Caller
    yield* refusals.refused(Either.isLeft(token) ? token.left : expired ? "expired" : "unknown")
    return yield* new Refused()
  })

  return BearerAuth.of({ check, changes: Stream.fromPubSub(ended) })
})

const open: BearerAuth["Type"] = {
  check: () => Effect.succeed({ credential: "none", role: "main" }),
  changes: Stream.never
}

/** Tells callers over HTTP by their tokens. */
export class BearerAuth extends Context.Tag("fleet-mcp/layers/auth/BearerAuth")<
  BearerAuth,
  {
    /** Takes the values of all `Authorization` headers, as they came: exactly one: `Bearer` in any case, spaces, the token. */
    readonly check: (authorization: ReadonlyArray<string>) => Effect.Effect<Caller, Refused>
    /** Credentials that have ended: rotated, revoked or expired. */
    readonly changes: Stream.Stream<string>
  }
>() {
  /** Changes of the token files count after `AuthLimits.watch`. With authentication off it lets everybody in. */
  static readonly layer: Layer.Layer<BearerAuth, TokenFileRefused, AuthConfig | TokenStore> = Layer.scoped(
    this,
    Effect.flatMap(
      AuthConfig,
      ({ enabled }): Effect.Effect<BearerAuth["Type"], TokenFileRefused, TokenStore | Scope.Scope> =>
        enabled === false ? Effect.succeed(open) : make
    )
  )
}
