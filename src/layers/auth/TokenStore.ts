import { Array, Context, DateTime, Duration, Effect, Layer, Option, Redacted, Schema } from "effect"
import { NamedToken, TokenFile, TokenName, type TokenRole } from "../../schemas/AccessToken.ts"
import { AuthConfig } from "../config/AuthConfig.ts"
import { AuthLimits } from "./AuthLimits.ts"
import { orNewToken, TokenFileRefused } from "./FileRules.ts"
import * as SecureFile from "./SecureFile.ts"
import { digestOf, newValue, toHex } from "./TokenValues.ts"

/** The main token comes from the environment, so it cannot be changed here. */
export class TokenFromEnvironment extends Schema.TaggedError<TokenFromEnvironment>()("TokenFromEnvironment", {}) {
  override get message() {
    return "The main token is that of FLEET_MCP_AUTH_TOKEN, which was not changed. Set another value there and restart fleet-mcp, or unset it to use a token file."
  }
}

/** No further token can have that name. It is not repeated: it may be a token by mistake. */
export class InvalidTokenName extends Schema.TaggedError<InvalidTokenName>()("InvalidTokenName", {}) {
  override get message() {
    return 'The name of a token has 1 to 32 lower-case letters, digits and hyphens inside, and is not "main". Example: dashboard-1.'
  }
}

/** There is a further token of that name. */
export class TokenNameTaken extends Schema.TaggedError<TokenNameTaken>()("TokenNameTaken", { name: Schema.String }) {
  override get message() {
    return `There is a token ${this.name} already. Choose another name, or run "fleet-mcp token revoke ${this.name}" first.`
  }
}

/** There is no further token of that name. */
export class TokenNotFound extends Schema.TaggedError<TokenNotFound>()("TokenNotFound", { name: Schema.String }) {
  override get message() {
    return `There is no token ${this.name}. Run "fleet-mcp token list" to see all.`
  }
}

/** There are as many further tokens as there may be. */
export class TooManyTokens extends Schema.TaggedError<TooManyTokens>()("TooManyTokens", { most: Schema.Number }) {
  override get message() {
    return `There are ${this.most} tokens already, the most there may be. Revoke one first: fleet-mcp token revoke NAME.`
  }
}

/** The life that was asked for is none, or too long. */
export class InvalidExpiry extends Schema.TaggedError<InvalidExpiry>()("InvalidExpiry", {
  longest: Schema.DurationFromSelf
}) {
  override get message() {
    return `A token expires after more than nothing and at most ${Duration.format(this.longest)}. Example: 30d. Without an expiry it lives until it is revoked.`
  }
}

/** A further token that is wanted. */
export interface NewToken {
  readonly name: string
  readonly role: TokenRole
  /** Its life from now on; none: until it is revoked. */
  readonly expires: Option.Option<Duration.Duration>
}

/** The file's text, strictly in the form of `schema`. What is wrong with it is not told: it would show a value. */
const decode = <A, I>(schema: Schema.Schema<A, I>, path: string, remedy: string, longest: number) => {
  const parse = Schema.decode(Schema.parseJson(schema))
  const malformed = (problem: string) => new TokenFileRefused({ path, reason: "content", problem, remedy })
  return (text: string): Effect.Effect<A, TokenFileRefused> =>
    text.length > longest
      ? Effect.fail(malformed(`is larger than ${longest} bytes`))
      : Effect.mapError(parse(text), () => malformed("is not in the form of a token file, and was left as it is"))
}

const encode = <A, I>(schema: Schema.Schema<A, I>, value: A): Effect.Effect<string> =>
  // What is encoded was made here.
  Effect.map(Effect.orDie(Schema.encode(Schema.parseJson(schema))(value)), (text) => `${text}\n`)

const ending = ".json"
const decodeName = Schema.decodeUnknownOption(TokenName)

const make = ({ token, tokenFile }: AuthConfig["Type"], limits: AuthLimits["Type"]) => {
  const directory = `${tokenFile}.named`
  const fileOf = (name: TokenName) => `${directory}/${name}${ending}`
  const checkName = (name: string) => Effect.mapError(decodeName(name), () => new InvalidTokenName())
  const inFile = token === undefined ? Effect.void : Effect.fail(new TokenFromEnvironment())

  const readFile = SecureFile.read(tokenFile, limits.file).pipe(
    Effect.flatMap(Effect.transposeMapOption(decode(TokenFile, tokenFile, orNewToken, limits.file))),
    Effect.map(Option.map(({ value }) => value))
  )
  const findMain = token === undefined ? readFile : Effect.succeedSome(token)

  const newFile = Effect.flatMap(DateTime.now, (created_at) => encode(TokenFile, { value: newValue(), created_at }))

  const missing = new TokenFileRefused({
    path: tokenFile,
    reason: "missing",
    problem: "was removed while it was being made",
    remedy: "Start fleet-mcp again."
  })

  const main = Effect.gen(function* () {
    const there = yield* findMain
    if (Option.isSome(there)) return there.value
    yield* SecureFile.create(tokenFile, yield* newFile)
    return yield* Effect.flatMap(findMain, (made) => Effect.mapError(made, () => missing))
  }).pipe(Effect.withSpan("TokenStore.main"))

  const rotate = Effect.gen(function* () {
    yield* inFile
    yield* SecureFile.replace(tokenFile, yield* newFile)
  }).pipe(Effect.withSpan("TokenStore.rotate"))

  const readNamed = Effect.fn("TokenStore.readNamed")(function* (name: TokenName) {
    const path = fileOf(name)
    const remedy = `Run "fleet-mcp token revoke ${name}", and add it again.`
    const text = yield* SecureFile.read(path, limits.file)
    const found = yield* Effect.transposeMapOption(text, decode(NamedToken, path, remedy, limits.file))
    return yield* Option.exists(found, (read) => read.name !== name)
      ? new TokenFileRefused({ path, reason: "content", problem: "holds the token of another name", remedy })
      : Effect.succeed(found)
  })

  const listNames = Effect.map(SecureFile.names(directory), (files) =>
    Array.filterMap(files, (file) =>
      file.endsWith(ending) ? decodeName(file.slice(0, -ending.length)) : Option.none()
    )
  )

  const list = Effect.gen(function* () {
    const found = yield* Effect.forEach(yield* listNames, readNamed)
    return Array.getSomes(found)
  }).pipe(Effect.withSpan("TokenStore.list"))

  const add = Effect.fn("TokenStore.add")(function* ({ expires, name: given, role }: NewToken) {
    const name = yield* checkName(given)
    const inLimits = (life: Duration.Duration) =>
      Duration.greaterThan(life, Duration.zero) && Duration.lessThanOrEqualTo(life, limits.life)
    if (Option.isSome(expires) && !inLimits(expires.value)) return yield* new InvalidExpiry({ longest: limits.life })
    const names = yield* listNames
    if (!names.includes(name) && names.length >= limits.named) return yield* new TooManyTokens({ most: limits.named })

    const value = newValue()
    const created_at = yield* DateTime.now
    const expires_at = Option.match(expires, {
      onNone: () => null,
      onSome: (life) => DateTime.addDuration(created_at, life)
    })
    const content = yield* encode(NamedToken, { name, role, hash: toHex(digestOf(value)), created_at, expires_at })
    return (yield* SecureFile.create(fileOf(name), content)) ? value : yield* new TokenNameTaken({ name })
  })

  const revoke = Effect.fn("TokenStore.revoke")(function* (given: string) {
    const name = yield* checkName(given)
    if (!(yield* SecureFile.discard(fileOf(name)))) return yield* new TokenNotFound({ name })
  })

  const stamp = Effect.map(Effect.all([SecureFile.stamp(tokenFile), SecureFile.stamp(directory)]), (stamps) =>
    stamps.join(", ")
  )

  return {
    location: token === undefined ? Option.some(tokenFile) : Option.none(),
    main,
    findMain,
    rotate,
    list,
    add,
    revoke,
    stamp
  }
}

/**
 * The tokens that clients over HTTP may use: the main one, in a file or from the environment, and further ones that have
 * a name, each in a file of its own in the directory beside it, so that nothing is lost between several processes that
 * add and revoke. It remembers nothing.
 */
export class TokenStore extends Context.Tag("fleet-mcp/layers/auth/TokenStore")<
  TokenStore,
  {
    /** The path of the main token's file; none where the token comes from the environment. */
    readonly location: Option.Option<string>
    /** The main token; its file is made where there is none. */
    readonly main: Effect.Effect<Redacted.Redacted, TokenFileRefused>
    /** The main token, if there is one. */
    readonly findMain: Effect.Effect<Option.Option<Redacted.Redacted>, TokenFileRefused>
    /** Makes a new main token. What is wrong with the old file does not matter. */
    readonly rotate: Effect.Effect<void, TokenFileRefused | TokenFromEnvironment>
    /** All further tokens, by name, the expired among them. */
    readonly list: Effect.Effect<ReadonlyArray<NamedToken>, TokenFileRefused>
    /** Makes a further token. Its value is answered here and never again. */
    readonly add: (
      token: NewToken
    ) => Effect.Effect<
      Redacted.Redacted,
      TokenFileRefused | InvalidTokenName | InvalidExpiry | TokenNameTaken | TooManyTokens
    >
    readonly revoke: (name: string) => Effect.Effect<void, TokenFileRefused | InvalidTokenName | TokenNotFound>
    /** Changes after each rotation, addition and revocation; cheap to ask for. */
    readonly stamp: Effect.Effect<string>
  }
>() {
  static readonly layer: Layer.Layer<TokenStore, never, AuthConfig> = Layer.effect(
    this,
    Effect.zipWith(AuthConfig, AuthLimits, make)
  )
}
