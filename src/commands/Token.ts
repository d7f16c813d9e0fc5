import { Args, Command, Options } from "@effect/cli"
import { type ConfigProvider, Console, DateTime, Duration, Effect, Layer, Option, Redacted } from "effect"
import type { NamedToken } from "../schemas/AccessToken.ts"
import { TokenStore } from "../layers/auth/TokenStore.ts"
import { AuthConfig } from "../layers/config/AuthConfig.ts"
import { StateDirectory } from "../layers/config/StateDirectory.ts"

const units = { m: Duration.minutes, h: Duration.hours, d: Duration.days, w: Duration.weeks }

const isUnit = (unit: string | undefined): unit is keyof typeof units => unit !== undefined && unit in units

/** A time such as `30d`. */
const parseLife = (text: string): Option.Option<Duration.Duration> => {
  const [, count, unit] = /^(\d{1,6})([mhdw])$/.exec(text) ?? []
  return isUnit(unit) ? Option.some(units[unit](Number(count))) : Option.none()
}

const name = Args.text({ name: "NAME" })

const role = Options.choice("role", ["read", "operate", "approve"]).pipe(
  Options.withDescription("read: no tool that changes anything; operate: all tools; approve: also answers agents")
)

const expires = Options.text("expires").pipe(
  Options.withPseudoName("TIME"),
  Options.withDescription("The token's life, for example 12h or 30d; without it, until it is revoked"),
  Options.filterMap(parseLife, "--expires takes a number and m, h, d or w, for example 30d"),
  Options.optional
)

const store = TokenStore.layer.pipe(Layer.provide(AuthConfig.layerConfig), Layer.provide(StateDirectory.layerConfig))

/** Runs a subcommand; what stands in its way is said on stderr, and the exit code is 1. */
const withStore = <E extends { readonly message: string }>(effect: Effect.Effect<void, E, TokenStore>) =>
  effect.pipe(
    Effect.provide(store),
    Effect.catchAll((error) =>
      Effect.zipRight(
        Console.error(error.message),
        Effect.sync(() => {
          process.exitCode = 1
        })
      )
    )
  )

const line = (now: DateTime.Utc) => (token: NamedToken) => {
  const ends = token.expires_at
  const expiry = ends === null ? "never" : DateTime.formatIso(ends)
  const over = ends !== null && DateTime.lessThanOrEqualTo(ends, now) ? " (expired)" : ""
  return [token.name, token.role, DateTime.formatIso(token.created_at), `${expiry}${over}`].join("\t")
}

/**
 * `fleet-mcp token`: the tokens with which clients over HTTP prove who they are. Prints a value only when it is new.
 * `provider` is what its variables are read from.
 */
export const token = <E, R>(provider: Effect.Effect<ConfigProvider.ConfigProvider, E, R>) => {
  const run = <F extends { readonly message: string }>(effect: Effect.Effect<void, F, TokenStore>) =>
    Effect.flatMap(provider, (variables) => Effect.withConfigProvider(withStore(effect), variables))

  const rotate = Command.make("rotate", {}, () =>
    run(
      Effect.gen(function* () {
        const tokens = yield* TokenStore
        yield* tokens.rotate
        yield* Console.error(
          "There is a new main token. A running server takes it within two seconds, and the old one no longer."
        )
        yield* Option.match(tokens.location, { onNone: () => Effect.void, onSome: Console.log })
      })
    )
  ).pipe(Command.withDescription("Makes a new main token, and prints where it is"))

  const add = Command.make("add", { name, role, expires }, (wanted) =>
    run(
      Effect.gen(function* () {
        const value = yield* (yield* TokenStore).add(wanted)
        yield* Console.error("This is the only time that the token is shown:")
        yield* Console.log(Redacted.value(value))
      })
    )
  ).pipe(Command.withDescription("Makes a further token, and prints its value once"))

  const list = Command.make("list", {}, () =>
    run(
      Effect.gen(function* () {
        const tokens = yield* (yield* TokenStore).list
        const lines = tokens.map(line(yield* DateTime.now))
        yield* Console.log(["NAME\tROLE\tCREATED\tEXPIRES", ...lines].join("\n"))
      })
    )
  ).pipe(Command.withDescription("Lists the further tokens, without their values"))

  const revoke = Command.make("revoke", { name }, (revoked) =>
    run(
      Effect.gen(function* () {
        yield* (yield* TokenStore).revoke(revoked.name)
        yield* Console.error(
          `The token ${revoked.name} is revoked. A running server ends its sessions within two seconds.`
        )
      })
    )
  ).pipe(Command.withDescription("Revokes a further token, and ends its sessions"))

  return Command.make("token", {}, () =>
    run(
      Effect.gen(function* () {
        const tokens = yield* TokenStore
        yield* tokens.main
        yield* Option.match(tokens.location, {
          onNone: () => Console.error("The main token is that of FLEET_MCP_AUTH_TOKEN; no file is used."),
          onSome: Console.log
        })
      })
    )
  ).pipe(
    Command.withDescription(
      "Prints where the main token for HTTP is, and makes it if there is none. Its value: jq -r .value FILE"
    ),
    Command.withSubcommands([rotate, add, list, revoke])
  )
}
