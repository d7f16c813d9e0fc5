import { Console, Data, Duration, Effect, Either, Option, Schema, Scope, Stream } from "effect"
import { AgentService } from "../layers/services/AgentService.ts"
import { WaitService } from "../layers/services/WaitService.ts"
import * as StderrLogger from "../layers/observability/StderrLogger.ts"
import { AgentView } from "../schemas/Agent.ts"
import { makeDisplay, onceLines, type Output, type Sight } from "./agents/Display.ts"
import { asked, served } from "./Serving.ts"
import { providerOf, type Settings } from "./Settings.ts"

/** How often the table is drawn anew at most. */
const shortestPause = Duration.millis(250)

/** The command line asks for what cannot be had. */
export class NoSuchLook extends Data.TaggedError("NoSuchLook") {
  override readonly message = "--json shows the fleet once: leave --watch away."
}

/** The fleet of this command would be its own, and empty. */
class NothingToShow extends Data.TaggedError("NothingToShow") {
  override readonly message =
    "FLEET_MCP_SUPERVISOR=false makes the fleet of this command private, and it ends with it: there is nothing to show. Without that variable the fleet outlives its clients."
}

export interface AgentsFlags {
  readonly watch: boolean
  readonly json: boolean
}

const encode = Schema.encodeSync(Schema.Array(AgentView))

const look = Effect.flatMap(AgentService, ({ list }) => list({}))

const watch = (out: Output) =>
  Effect.gen(function* () {
    const { changes } = yield* WaitService
    const display = yield* makeDisplay(out)
    let last: Sight = { agents: [], note: "" }
    const draw = (note: string) => {
      last = { ...last, note }
      return display.show(last)
    }
    const seen = (blindness: string) =>
      Effect.flatMap(Effect.either(look), (found) => {
        if (Either.isRight(found)) last = found.right
        return draw(blindness || Either.match(found, { onLeft: ({ message }) => message, onRight: ({ note }) => note }))
      })
    const shown = changes.pipe(
      // Of those that come while one is drawn the newest is enough.
      Stream.buffer({ capacity: 1, strategy: "sliding" }),
      Stream.runForEach((blindness) =>
        Effect.zipRight(
          seen(Option.match(blindness, { onNone: () => "", onSome: ({ message }) => message })),
          Effect.sleep(shortestPause)
        )
      )
    )
    yield* Effect.raceFirst(shown, display.closed)
  }).pipe(Effect.scoped)

const once = (out: Output, json: boolean) =>
  Effect.flatMap(look, (found) =>
    Console.log(json ? JSON.stringify(encode(found.agents), null, 2) : onceLines(found, out))
  )

/** `fleet-mcp agents`: the fleet as a table, once, or as it changes until the command is ended. */
export const agents = (settings: Settings, { json, watch: isLive }: AgentsFlags, out: Output) =>
  Effect.gen(function* () {
    if (json && isLive) return yield* new NoSuchLook()
    const wanted = yield* asked
    if (wanted.backend._tag === "Local" && !wanted.supervised) return yield* new NothingToShow()
    const { services } = served(wanted, settings.environment)
    const fleet = yield* Scope.extend(services, yield* Effect.scope)
    return yield* Effect.provide(isLive ? watch(out) : once(out, json), fleet)
  }).pipe(Effect.scoped, Effect.provide(StderrLogger.layer), Effect.withConfigProvider(providerOf(settings)))
