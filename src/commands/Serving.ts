import { Config, Duration, Effect, Either, type ConfigError, type Context, type Scope } from "effect"
import { Backend, backendConfig } from "../layers/config/Backend.ts"
import { flag, invalid, text } from "../layers/config/Variables.ts"
import type { FleetServices } from "../layers/services/FleetServices.ts"
import type { ReadOnlyReason } from "../layers/transports/session/ReadOnly.ts"
import type { BackendNotConfigured } from "../schemas/errors/Coder.ts"
import type { Tool } from "../tools/Tool.ts"
import { cannotBeRead, type Environment, supervisorConfig } from "./Settings.ts"

/** What the configuration says of a server, whatever its transport. */
export interface Asked {
  readonly backend: Backend
  /** Why the whole server only shows the fleet, if it does. */
  readonly readOnly: ReadOnlyReason | undefined
  /** Whether this machine's fleet is that of a supervisor, which outlives this process. */
  readonly supervised: boolean
  /** How long a wait lasts at most, whoever waits (seconds). */
  readonly waitSeconds: number | undefined
}

const readOnlyConfig: Config.Config<ReadOnlyReason | undefined> = Config.map(
  Config.all({ agent: text("FLEET_MCP_AGENT"), only: flag("FLEET_MCP_READ_ONLY", false) }),
  ({ agent, only }) => (agent === undefined ? (only ? "server" : undefined) : "agent")
)

/** The longest wait that makes sense: a day. */
const mostSeconds = 86_400

const waitSeconds: Config.Config<number | undefined> = Config.mapOrFail(text("FLEET_MCP_WAIT_SECONDS"), (value) => {
  if (value === undefined) return Either.right(undefined)
  const seconds = /^\d{1,6}$/.test(value) ? Number(value) : 0
  return seconds >= 1 && seconds <= mostSeconds
    ? Either.right(seconds)
    : invalid("FLEET_MCP_WAIT_SECONDS", `is no whole number of seconds from 1 to ${mostSeconds}`)
})

/** Reads the backend (`backendConfig`), `FLEET_MCP_AGENT`, `FLEET_MCP_READ_ONLY`, `FLEET_MCP_WAIT_SECONDS` and `FLEET_MCP_SUPERVISOR`. */
export const asked: Config.Config<Asked> = Config.all({
  backend: backendConfig,
  readOnly: readOnlyConfig,
  waitSeconds,
  supervised: supervisorConfig
})

/** A server that only says, with every tool, that its configuration cannot be read: a client shows one that does not start badly. */
export const unreadable = (error: ConfigError.ConfigError): Asked => ({
  backend: Backend.Incomplete(cannotBeRead(error)),
  readOnly: undefined,
  supervised: false,
  waitSeconds: undefined
})

/** Where agents run, as the end of a sentence that begins "Agents run". */
const place = (backend: Backend, supervised: boolean): string =>
  Backend.$match(backend, {
    Coder: ({ url }) => `in Coder workspaces of ${url.origin}.`,
    Local: () =>
      supervised
        ? "on this machine, with the user's rights: one fleet for all clients, which goes on when this server ends."
        : "on this machine, with the user's rights: a private fleet in memory, which ends together with this server.",
    Incomplete: ({ problem, remedy }) => `nowhere yet: ${problem} ${remedy}`
  })

/** What every session serves, over stdio and over HTTP. Tools and services are loaded when they are first asked for. */
export interface Served {
  readonly place: string
  readonly readOnly: ReadOnlyReason | undefined
  readonly waitSeconds: number | undefined
  readonly tools: Effect.Effect<ReadonlyArray<Tool<FleetServices>>>
  readonly services: Effect.Effect<Context.Context<FleetServices>, BackendNotConfigured, Scope.Scope>
}

/** `environment` is that of the process, for the agents of this machine. */
export const served = (
  { backend, readOnly, supervised, waitSeconds: seconds }: Asked,
  environment: Environment
): Served => ({
  place: place(backend, supervised),
  readOnly,
  waitSeconds: seconds,
  tools: Effect.map(
    Effect.promise(() => import("../tools/FleetTools.ts")),
    ({ fleetTools }) => fleetTools
  ),
  services: Effect.flatMap(
    Effect.promise(() => import("./Starting.ts")),
    ({ starting }) =>
      starting(
        Effect.flatMap(
          Effect.promise(() => import("./Fleet.ts")),
          ({ connect }) => connect(backend, environment)
        )
      )
  )
})

/** Ends the process after some time when something still holds it: a change being settled, or output that nobody reads. */
export const exitWithin = (time: Duration.Duration): void => {
  setTimeout(() => process.exit(), Duration.toMillis(time)).unref()
}
